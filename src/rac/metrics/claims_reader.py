"""Reading a question sentence by sentence: frames, wh-questions, yes/no questions, statements and bare alternatives."""

from __future__ import annotations

import re

from rac.metrics import frames
from rac.metrics.claims_lists import ListBlock, find_list
from rac.metrics.claims_parts import Parts
from rac.metrics.claims_sentences import sentences
from rac.metrics.claims_split import items_of, list_items, split
from rac.metrics.claims_types import Claim
from rac.metrics.text import content_words


class Reader(Parts):
    """Reads one question; ``read`` returns its claims."""

    def read(self) -> list[Claim]:
        """Return the claims in the order in which they were found."""
        block = find_list(self.question)
        if block is not None:
            options = self._options(items_of(self.question, block.items, self.query))
            if len(options) > 1:
                return options + self._around(block)
        found: list[Claim] = []
        lists = False
        spans = sentences(self.question)
        asking = [self._asks(a, b) for a, b in spans]
        if not any(asking) and spans:
            return self._bare(spans)
        pending: list[tuple[int, int]] = []
        for (start, end), asks in zip(spans, asking, strict=True):
            if not asks:
                pending.append((start, end))
                continue
            found += self._question(start, end, pending)
            lists = bool(frames.WH.search(self.text, start, end)) or not found
            pending = []
        # A statement after the question may list what it asks about; otherwise it asserts something.
        for start, end in pending:
            offered = any(c.kind in ("OPTION", "NOT-TYPE") for c in found)
            options = self._enumeration(start, end) if lists and not offered else []
            found += options or self._assertion(start, end)
        if any(c.kind in ("OPTION", "NOT-TYPE") for c in found):
            # "Which Luna? The moon or the goddess?"
            found = [c for c in found if c.kind != "TOPIC" or c.distinguishing]
        return found

    def _around(self, block: ListBlock) -> list[Claim]:
        """Return what is presupposed and asserted around a list; its own sentence only asks."""
        before, after = self.question[: block.start], " " * block.end + self.question[block.end :]
        around = [c for part in (before, after) for c in Reader(part, self.query, self.names).read()]
        return [c for c in around if c.kind == "ATTRIBUTE"]

    def _asks(self, start: int, end: int) -> bool:
        sentence = self.text[start:end]
        if sentence.rstrip(" \"')").endswith("?"):
            return True
        return bool(
            frames.FRAME_START.search(sentence)
            or re.match(r"(?:which|what|whats|who|whose|when you|where|how|why|select|choose|pick)\b", sentence)
            or frames.ASK_BACK.match(sentence)
            or (frames.YES_NO.match(sentence) and len(self.text) == end)
            or frames.ANSWERLESS.match(sentence.strip(" ?.!"))
        )

    def _bare(self, spans: list[tuple[int, int]]) -> list[Claim]:
        """Read text that asks nothing: bare alternatives ("A or B") or statements."""
        found: list[Claim] = []
        for start, end in spans:
            colon = self._colon(start, end)
            if colon is not None and not self._terms(self.question[start:colon]):
                # "Options: A, B"
                listed = list_items(self.question, colon, end, self.query, self.names)
                if len(listed) > 1:
                    found += self._options(listed)
                    continue
            core = self._core(start, end)
            if core[0] < core[1] and self._has_or(*core):
                core = self._without_asking(*core)
            items = split(self.question, *core, self.query, self.names) if core[0] < core[1] else []
            found += self._options(items) if len(items) >= 2 else self._assertion(start, end)
        return found

    # One question sentence.

    def _question(self, start: int, end: int, before: list[tuple[int, int]]) -> list[Claim]:
        statements = [c for a, b in before for c in self._assertion(a, b)]
        start, end, echoes = self._cut_echoes(start, end)
        echoes = self._options_in_echo(echoes, start, end)
        body = self.text[start:end]
        if not body.strip(" ?.,!:;"):
            return statements + echoes
        back = frames.ASK_BACK.search(body)
        if back:
            return statements + self._ask_back(start + back.end(), end, before) + echoes
        if frames.ANSWERLESS.match(body.strip(" ?.!,")) and ":" not in body:
            listed = self._listed_before(before)
            return (listed or statements) + echoes
        colon = self._colon(start, end)
        if colon is not None:
            items = list_items(self.question, colon, end, self.query, self.names)
            if len(items) > 1 or (items and not self._has_or(colon, end)):
                return statements + self._options(items) + echoes
        alternative = re.match(r"or\b\s*", body)
        if alternative:
            return statements + self._offered(self._core(start + alternative.end(), end), identity=True) + echoes
        frame = frames.FRAME_START.search(body)
        if frame is not None and re.search(r"\bor\s*$", body[: frame.start()]):
            frame = None  # "Could it be that you mean A, or is it B?"
        wh = frames.WH.search(body)
        if wh and (frame is None or wh.start() <= frame.start()):
            return self._wh(start, end, wh, before, statements) + echoes
        if frame is not None:
            preamble = self._preamble(start, start + frame.start())
            core = self._core(start + frame.end(), end)
            if core[0] < core[1] and content_words(self.question[slice(*core)]):
                return statements + preamble + self._offered(core, identity=bool(frame.group("identity"))) + echoes
            listed = self._enumeration(start, start + frame.start()) or self._listed_before(before)
            return (listed or statements + preamble) + echoes
        yes_no = frames.YES_NO.match(body)
        core = self._core(start + (yes_no.end() if yes_no else 0), end)
        there = frames.THERE_IS.match(body)
        if there:
            core = self._core(start + there.end(), end)
            if core[0] >= core[1] or not self._terms(self.question[core[0] : core[1]], drop_query=False):
                return (self._listed_before(before) or statements) + echoes
        elif yes_no:
            pronoun = re.match(r"(?:you|u|it|this|that|there)\b\s+", self.text[core[0] : core[1]])
            if pronoun:
                core = (core[0] + pronoun.end(), core[1])
        return statements + self._offered(core, identity=False, clause=True) + echoes

    def _ask_back(self, start: int, end: int, before: list[tuple[int, int]]) -> list[Claim]:
        """Read what follows "could you tell me ...": a wh-question, a topic, or nothing."""
        frame = frames.FRAME_START.match(self.text[:end], self._skip(start, end))
        if frame is not None and frame.end() < end:
            return self._offered(self._core(frame.end(), end), identity=bool(frame.group("identity")))
        core = self._core(start, end)
        if core[0] >= core[1]:
            return self._listed_before(before)
        wh = frames.WH.match(self.text[core[0] : core[1]])
        if wh:
            return self._wh(core[0], end, wh, before, [])
        return self._offered(core, identity=False)

    def _wh(
        self, start: int, end: int, wh: re.Match[str], before: list[tuple[int, int]], statements: list[Claim]
    ) -> list[Claim]:
        """Read a wh-question: options behind it, in front of it, or a facet inside it."""
        opening = start + wh.start()
        preamble_span = (start, opening)
        inner = start + wh.end()
        body = self.text[inner:end]
        ask = frames.WH_ASK.search(body)
        if re.fullmatch(r"\s*(?:one|of (?:them|these|those|the two))[\s?.!]*", body) and self._has_or(*preamble_span):
            # "A or B, which one?"
            return statements + self._offered(self._core(*preamble_span), identity=True)
        several = re.match(r"\s*(?:one )?of\b\s*", body)
        if ask and several:
            # "Which of A and B do you mean?"
            between = self._trim(inner + several.end(), inner + ask.start())
            items = split(self.question, *between, self.query, self.names, also_and=True)
            if len(items) > 1:
                return statements + self._preamble(*preamble_span) + self._options(items)
        after = inner + ask.end() if ask else inner
        # "Which one do you mean, A or B": options behind a comma, a dash or "is it".
        mark = re.search(r"\s*(?:[,:]|\s-|-\s|\bis it\b|\bdo you mean\b)\s+", self.text[after:end]) if ask else None
        mark = mark or re.search(r"\s*[,:]\s+", self.text[after:end])
        if mark and (self._has_or(after + mark.end(), end) or ":" in mark.group()):
            offered = self._core(after + mark.end(), end)
            preamble = self._preamble(*preamble_span)
            return statements + preamble + self._offered(offered, identity=True, options=True)
        listed = self._enumeration(*preamble_span) or self._listed_before(before)
        if listed:
            return listed
        preamble = self._preamble(*preamble_span)
        if re.fullmatch(
            r"\s*(?:one |of (?:these|those|them) )*(?:is|was|would|should) (?:it|that|this)(?: be)?[\s?.!]*", body
        ):
            return statements + preamble
        facet = self._wh_facet(inner, after if ask else end, end, ask, inner)
        return statements + preamble + facet

    def _wh_facet(self, inner: int, after: int, end: int, ask: re.Match[str] | None, base: int) -> list[Claim]:
        word = self.text[:inner].rsplit(None, 1)[-1] if self.text[:inner].strip() else ""
        if ask is None:
            core = self._core(inner, end)
            copula = re.match(
                r"(?:\s*(?:is|are|was|were|would be|will be)\b\s*(?:your|the|there)?\s*)", self.text[core[0] : core[1]]
            )
            if copula:
                core = (core[0] + copula.end(), core[1])
            return self._offered(core, identity=False, clause=True)
        noun_span = self._noun(inner, base + ask.start())
        rest_span = self._core(after, end)
        found: list[Claim] = []
        for a, b in (noun_span, rest_span):
            if not found and a < b and self._terms(self.question[a:b], drop_query=False):
                found += self._offered((a, b), identity=False)
        # "What would you like to know about Luna?" commits to nothing: only the query is named.
        if (
            word in ("what", "how", "why", "where", "when")
            and not any(c.distinguishing for c in found)
            and noun_span[0] >= noun_span[1]
        ):
            return []
        return found

    def _noun(self, start: int, end: int) -> tuple[int, int]:
        """Shrink the noun phrase of "which NOUN do you mean" to its content."""
        start, end = self._trim(start, end)
        lead = frames.SPECIFIC.match(self.text, start, end)
        if lead:
            start = lead.end()
        kind = re.match(r"(?:kinds?|types?|sorts?)(?: of)?\b\s*", self.text[start:end])
        if kind:
            start += kind.end()
        tail = re.search(
            r"\s*\b(?:in particular|specifically|exactly|of these|of those|of them|would|do|are|is|should|of the "
            r"following)\s*$",
            self.text[start:end],
        )
        if tail:
            end = start + tail.start()
        return self._trim(start, end)
