"""What a clarifying question commits to: its claims, each with a kind, a span and a hypothesis in words.

A question entails nothing; what can be faithful or not is what it offers and presupposes. Four kinds (see docs/claims.md):

* ``OPTION``: one of several things offered ("or the school in Milledgeville");
* ``ATTRIBUTE``: presupposed or asserted ("when you ask for the ship builder of Luna");
* ``TOPIC``: a yes/no or wh facet ("Are you over 65?", "do you want to know about awards?");
* ``NOT-TYPE``: an option defined by lacking a type ("non brand Aldara").

Rules for English, deterministic, no model. What fools them: "or" inside an unknown name, lists without separators.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from rac.metrics import frames
from rac.metrics.claims_split import Alternative, list_items, protected_spans, split
from rac.metrics.hypotheses import hypothesis
from rac.metrics.text import content_keys, content_words, language_problem, lower, match_keys, plain, words

ClaimKind = Literal["OPTION", "ATTRIBUTE", "TOPIC", "NOT-TYPE"]
RULES_VERSION = "rules-1"
MAX_QUESTION_CHARACTERS = 2000
"""Longer questions are not read by the rules; they are unscored with the reason ``too-long``."""

FRAME_KEYS = frozenset(
    k
    for w in (
        "information info detail fact topic thing kind type sort mean refer talk ask look interested interest want know learn find "
        "see like search need particular specific general version aspect choose select option help tell curious way "
        "question answer request say mention mind possible idea understand wish prefer referring talking looking "
        "concern available various name called call number thinking"
    ).split()
    for k in content_keys(w)
) - {"name", "number", "version"}
"""Content words that only ask; they are nothing that a passage could support."""

LIGHT_KEYS = content_keys("located situated based named called titled place known made produced created listed")
"""Words that join an option to its attribute ("the school located in X"); they count only where nothing else is left."""


@dataclass(frozen=True)
class Claim:
    """One thing that a question commits to.

    Attributes:
        kind: OPTION, ATTRIBUTE, TOPIC or NOT-TYPE.
        text: The claim in the question's words, shared words filled in ("first season" for "first or second season").
        start: Start of its span in the question.
        end: End of its span (exclusive).
        hypothesis: A sentence that a passage may entail.
        terms: Keys (``rac.metrics.text.key``) of its content words outside query and frame; of the type for NOT-TYPE.
        distinguishing: Whether it has such terms; if not, every passage with the title supports it.
        echo: Whether it stands where the user's own words are taken up ("when you say ...").
    """

    kind: ClaimKind
    text: str
    start: int
    end: int
    hypothesis: str
    terms: tuple[str, ...]
    distinguishing: bool
    echo: bool = False


def unreadable(question: str) -> str | None:
    """Return why the rules cannot read a question (``empty``, ``too-long``, ``script``, ``language``), None if they can."""
    if not question.strip():
        return "empty"
    if len(question) > MAX_QUESTION_CHARACTERS:
        return "too-long"
    return language_problem(question)


def claims(question: str, query: str, names: Iterable[str] = ()) -> list[Claim]:
    """Return the claims of a question, in order of their place in it.

    Args:
        question: The clarifying question C.
        query: The user's query U_q; its words distinguish nothing.
        names: Names that are not to be split at "or", "and" or a comma (passage titles, say).

    Returns:
        The claims; empty for a question that commits to nothing ("What do you mean?"), for an empty question and for
        one that the rules cannot read (ask ``unreadable`` for the reason).
    """
    return list(_claims(question, query, tuple(sorted(set(names)))))


@lru_cache(maxsize=20_000)
def _claims(question: str, query: str, names: tuple[str, ...]) -> tuple[Claim, ...]:
    if unreadable(question):
        return ()
    # Patterns know single blanks only; spans are mapped back to the question as it was given.
    squeezed, offsets = _squeeze(question)
    found = _Reader(squeezed, query, names).read()
    if squeezed != question:
        found = [replace(c, start=offsets[c.start], end=offsets[c.end - 1] + 1 if c.end else 0) for c in found]
    unique: dict[tuple[int, int], Claim] = {}
    for claim in found:
        unique.setdefault((claim.start, claim.end), claim)
    return tuple(sorted(unique.values(), key=lambda c: (c.start, c.end)))


def _squeeze(text: str) -> tuple[str, list[int]]:
    """Return ``text`` with runs of blanks made one, and for each of its characters where it stood."""
    kept = [i for i, c in enumerate(text) if not (c in " \t\u00a0" and i and text[i - 1] in " \t\u00a0\n")]
    return "".join(" " if text[i] in "\t\u00a0" else text[i] for i in kept), kept


_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s+[^\sa-z]|\s*$)|\?(?=\s+(?!(?:or|and|when)\b))|\n+")
_ABBREVIATION = re.compile(r"(?:\b[a-z]|\b(?:mr|mrs|ms|dr|st|mt|no|vs|inc|jr|sr|co|ltd|corp|e\.g|i\.e|u\.s|ft|feat|etc|approx|dept|vol|ch|fig|ed|op|nr)) ?\.$")
_THAT_IS_NOT = re.compile(
    r"\b(?:that|who|which) (?:is|are|was|were) (?:not|n't) (?:an? |the )?(?P<type>.+)$|\bnot (?:an?|the) (?P<noun>.+)$|"
    r"\bnot (?P<phrase>(?:in|from|by|about|of|at|on|for|with)\b.+)$"
)
_NON = re.compile(r"\bnon[\s-]+(?=\w)")


def sentences(question: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences of a question; "!" and "." before a small letter end none."""
    text = lower(plain(question))
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _SENTENCE_END.finditer(plain(question)):
        if match.group().startswith(".") and _ABBREVIATION.search(text[start : match.start() + 1]) and match.end() < len(text):
            continue
        if match.group().startswith("!") and match.end() < len(text) and _ASKING.search(text[start : match.start()]):
            continue  # "Which one do you mean, Love! Valour! or ...": part of a name
        if text[start : match.end()].strip():
            spans.append((start, match.end()))
        start = match.end()
    if text[start:].strip():
        spans.append((start, len(text)))
    return [(a + len(text[a:b]) - len(text[a:b].lstrip()), b) for a, b in spans]


_FRAME_INSIDE = re.compile(rf"(?<=\s)(?:{frames.IDENTITY})(?=\s)")
_ASKING = re.compile(rf"{frames.FRAME_START.pattern}|{frames.WH.pattern}|{frames.ECHO.pattern}")


class _Reader:
    """Reads one question; ``read`` returns its claims."""

    def __init__(self, question: str, query: str, names: tuple[str, ...]) -> None:
        self.question, self.query, self.names = question, query, names
        self.text = lower(plain(question))
        self.query_keys = {k for w in content_keys(query) for k in match_keys(w)}

    def read(self) -> list[Claim]:
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
        return found

    def _asks(self, start: int, end: int) -> bool:
        sentence = self.text[start:end]
        if sentence.rstrip(" \"')").endswith("?"):
            return True
        return bool(
            frames.FRAME_START.search(sentence)
            or re.match(r"(?:which|what|whats|who|whose|when you|where|how|why|select|choose|pick)\b", sentence)
            or (frames.YES_NO.match(sentence) and len(self.text) == end)
            or frames.ANSWERLESS.match(sentence.strip(" ?.!"))
        )

    def _bare(self, spans: list[tuple[int, int]]) -> list[Claim]:
        """Read text that asks nothing: bare alternatives ("A or B") or statements."""
        found: list[Claim] = []
        for start, end in spans:
            core = self._core(start, end)
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

    def _wh(self, start: int, end: int, wh: re.Match[str], before: list[tuple[int, int]], statements: list[Claim]) -> list[Claim]:
        """Read a wh-question: options behind it, in front of it, or a facet inside it."""
        opening = start + wh.start()
        preamble_span = (start, opening)
        inner = start + wh.end()
        body = self.text[inner:end]
        ask = frames.WH_ASK.search(body)
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
        facet = self._wh_facet(inner, after if ask else end, end, ask, inner)
        return statements + preamble + facet

    def _wh_facet(self, inner: int, after: int, end: int, ask: re.Match[str] | None, base: int) -> list[Claim]:
        word = self.text[:inner].rsplit(None, 1)[-1] if self.text[:inner].strip() else ""
        if ask is None:
            core = self._core(inner, end)
            copula = re.match(r"(?:\s*(?:is|are|was|were|would be|will be)\b\s*(?:your|the|there)?\s*)", self.text[core[0] : core[1]])
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
        if word in ("what", "how", "why", "where", "when") and not any(c.distinguishing for c in found) and noun_span[0] >= noun_span[1]:
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
        tail = re.search(r"\s*\b(?:in particular|specifically|exactly|of these|of those|of them|would|do|are|is|should|of the following)\s*$", self.text[start:end])
        if tail:
            end = start + tail.start()
        return self._trim(start, end)

    # Parts of a sentence.

    def _cut_echoes(self, start: int, end: int) -> tuple[int, int, list[Claim]]:
        """Cut a leading or trailing "when you say ..." off and return what it presupposes."""
        echoes: list[Claim] = []
        for match in frames.ECHO.finditer(self.text, start, end):
            lead = not self.text[start : match.start()].strip(" \"',")
            before = self.text[max(start, match.start() - 2) : match.start()]
            if not lead and re.match(r"when (?:you )?$", match.group()) and "," not in before:
                continue
            if not lead and match.start() < start:
                continue
            if lead:
                frame = frames.FRAME_START.search(self.text, match.end(), end) or _FRAME_INSIDE.search(
                    self.text, match.end(), end
                )
                stop = frame.start() if frame else end
                comma = self.text.rfind(",", match.end(), stop)
                quoted = re.match(r"\s*\"[^\"]+\"", self.text[match.end() : end])
                if quoted and not frame:
                    stop = match.end() + quoted.end()
                elif comma > match.end() and not self.text[comma + 1 : stop].strip():
                    stop = comma
                echoes += self._attribute(match.end(), stop)
                start = stop if frame or quoted else end
            else:
                echoes += self._attribute(match.end(), end)
                end = match.start()
            if start >= end:
                break
        return self._skip(start, end), end, echoes

    def _options_in_echo(self, echoes: list[Claim], start: int, end: int) -> list[Claim]:
        """Read options that stand behind what is taken up ("Who are you referring to, when you say P, A or B?")."""
        if not echoes or self._has_or(start, end):
            return echoes
        last = echoes[-1]
        comma = self.text.find(", ", last.start, last.end)
        if comma < 0 or not self._has_or(comma, last.end):
            return echoes
        options = self._options(split(self.question, comma + 2, last.end, self.query, self.names))
        return [*echoes[:-1], *self._attribute(last.start, comma), *options] if len(options) > 1 else echoes

    def _skip(self, start: int, end: int) -> int:
        while start < end and self.text[start] in " ,;:":
            start += 1
        return start

    def _attribute(self, start: int, end: int) -> list[Claim]:
        start, end = self._trim(start, end)
        if start >= end or not content_keys(self.question[start:end]):
            return []
        return [self._claim("ATTRIBUTE", start, end, self.question[start:end], echo=True)]

    def _assertion(self, start: int, end: int) -> list[Claim]:
        start, end = self._trim(start, end)
        if start >= end or not self._terms(self.question[start:end]) or self._is_filler(start, end):
            return []
        return [self._claim("ATTRIBUTE", start, end, self.question[start:end])]

    def _is_filler(self, start: int, end: int) -> bool:
        return bool(
            re.match(
                r"(?:i(?:'m| am|'ve| have|'d| would| will|'ll| can| could| found| see| think| don't| do)?\b.*|sure|ok(?:ay)?|yes|no|sorry|"
                r"(?:there are|there is|yes, there are|it has) (?:many|several|a few|multiple|a lot|some|various|different)\b.{0,40}|it depends.{0,40}|"
                r"thank.*|hello.*|hi|great.*|please.*|of course)$",
                self.text[start:end].strip(" ,.!"),
            )
        )

    def _preamble(self, start: int, end: int) -> list[Claim]:
        start, end = self._trim(start, end)
        text = re.sub(r"\b(?:so|and|but|or|then|well|ok|okay|yes|no|sure|to clarify|just to clarify)\b", "", self.text[start:end])
        if len(text.split()) < 3 or start >= end:
            return []
        return self._assertion(start, end)

    def _listed_before(self, before: list[tuple[int, int]]) -> list[Claim]:
        return self._enumeration(*before[-1]) if before else []

    def _enumeration(self, start: int, end: int) -> list[Claim]:
        """Read the alternatives that a statement lists ("... in video games, software, and alcohol production")."""
        start, end = self._trim(start, end)
        if start >= end:
            return []
        body = self.text[start:end]
        first = re.search(r"\s*,\s|\s+(?:and|or)\s+", body)
        if first is None:
            return []
        openings = list(
            re.finditer(
                r"(?:\b(?:such as|including|includes?|like|between|both|either|are|is|were|was|involves?|in|of|for|by|with|from|have|has|"
                r"to|as|on|mentions?|meanings?)\b|:)\s+",
                body,
            )
        )
        strong = [m for m in openings if re.match(r"(?:such as|includ|like|between|both|either|:)", m.group())]
        chosen = [m for m in strong if m.end() <= first.start()] or [m for m in openings if m.end() <= first.start()] or strong
        if not chosen:
            return []
        begin = start + chosen[-1].end()
        if self.text.count(";", begin, end) >= 2:
            # With semicolons between them, items have commas and "and" of their own.
            items = list_items(self.question, begin, end, self.query, self.names, semicolons=True)
        else:
            items = split(self.question, begin, end, self.query, self.names, also_and=True)
        return self._options(items) if len(items) >= 2 else []

    def _colon(self, start: int, end: int) -> int | None:
        match = re.search(r":\s+(?=\S)|\?\s+(?=\S)", self.text[start:end])
        if match is None:
            return None
        colon = start + match.start()
        if any(a <= colon < b for a, b in protected_spans(self.text, self.query, self.names, marks=":,")):
            return None  # "Hellboy, Vol. 1: Seed of Destruction"
        # "known for Agents of S.H.I.E.L.D.: Slingshot": a colon behind something offered belongs to it.
        frame = frames.FRAME_START.search(self.text, start, end)
        offered = (frame.end(), start + match.start()) if frame and frame.end() <= start + match.start() else None
        if offered and [t for t in self._terms(self.question[slice(*offered)], drop_query=False) if t != "follow"]:
            return None
        return start + match.end()

    def _has_or(self, start: int, end: int) -> bool:
        return bool(re.search(r"\bor\b|\s/\s", self.text[start:end]))

    def _core(self, start: int, end: int) -> tuple[int, int]:
        """Shrink a span to what is offered: no lead-in words, no closing words."""
        start, end = self._trim(start, end)
        while True:
            lead = frames.CORE_LEAD.match(self.text, start, end)
            if lead is None or lead.end() >= end or lead.end() == start:
                break
            start = lead.end()
        tail = frames.TAIL.search(self.text, start, end)
        if tail and tail.start() > start:
            end = tail.start()
        return self._trim(start, end)

    def _trim(self, start: int, end: int) -> tuple[int, int]:
        while start < end and self.text[start] in " \t\n,;:.?!-":
            start += 1
        while end > start and self.text[end - 1] in " \t\n,;:?!-":
            end -= 1
        if end > start and self.text[end - 1] == "." and not _ABBREVIATION.search(self.text[start:end]):
            end -= 1
        return start, end

    # Making claims.

    def _offered(self, core: tuple[int, int], *, identity: bool, options: bool = False, clause: bool = False) -> list[Claim]:
        items = [self._without_lead(i) for i in split(self.question, *core, self.query, self.names)]
        if len(items) >= 2 or identity or options:
            return self._options(items)
        found = []
        for item in items:
            start, end = item.start, item.end
            if not clause:
                start, end = self._core(start, end)
                lead = re.match(r"(?:a|an|any|some|the)?\s*(?:specific|particular|certain)\b\s*", self.text[start:end])
                if lead and start + lead.end() < end:
                    start += lead.end()
            if start < end and self._terms(self.question[start:end], drop_query=False):
                found.append(self._claim("TOPIC", start, end, self.question[start:end]))
        return found

    def _without_lead(self, item: Alternative) -> Alternative:
        """Drop words at the start of an alternative that only ask ("or know the tax rate")."""
        start, end = self._core(item.start, item.end)
        cut = self.question[item.start : start]
        text = item.text[len(cut) :] if cut and item.text.startswith(cut) else item.text
        return Alternative(start, end, text if end == item.end else text[: len(text) - (item.end - end)])

    def _options(self, items: list[Alternative]) -> list[Claim]:
        return [self._claim("OPTION", *item) for item in items if content_words(item.text)]

    def _claim(self, kind: ClaimKind, start: int, end: int, text: str, *, echo: bool = False) -> Claim:
        negated = self._negated_type(text) if kind == "OPTION" else None
        if negated is not None:
            terms = tuple(dict.fromkeys(w.key for w in content_words(negated)))
            return Claim("NOT-TYPE", text, start, end, hypothesis("NOT-TYPE", text, self.query), terms, bool(terms))
        terms = self._terms(text)
        return Claim(kind, text, start, end, hypothesis(kind, text, self.query), terms, bool(terms), echo)

    def _negated_type(self, text: str) -> str | None:
        """Return the type that an option denies ("non award-winning work School Days" -> "award-winning work")."""
        low = lower(plain(text))
        other = _THAT_IS_NOT.search(low)
        if other:
            return text[other.start(other.lastgroup or 0) :]
        match = _NON.search(low)
        if match is None:
            return None
        found = words(text[match.end() :])
        keep = len(found)
        while keep > 1 and (found[keep - 1].key in self.query_keys or not content_words(text[match.end() + found[keep - 1].start : match.end() + found[keep - 1].end])):
            keep -= 1
        return text[match.end() : match.end() + found[keep - 1].end] if found else None

    def _terms(self, text: str, *, drop_query: bool = True) -> tuple[str, ...]:
        kept = [w.key for w in content_words(text) if w.key not in FRAME_KEYS]
        if drop_query:
            kept = [k for k in kept if not any(m in self.query_keys for m in match_keys(k))]
        heavy = [k for k in kept if k not in LIGHT_KEYS]
        return tuple(dict.fromkeys(heavy or kept))
