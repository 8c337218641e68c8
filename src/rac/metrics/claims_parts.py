"""Parts of a question sentence (what is taken up, asserted, listed, offered) and the claims made of them."""

from __future__ import annotations

import re

from rac.metrics import frames
from rac.metrics.claims_sentences import ABBREVIATION, FRAME_INSIDE
from rac.metrics.claims_split import Alternative, list_items, protected_spans, split
from rac.metrics.claims_types import FRAME_KEYS, LIGHT_KEYS, Claim, ClaimKind
from rac.metrics.hypotheses import hypothesis
from rac.metrics.text import content_keys, content_words, lower, match_keys, plain, words

_THAT_IS_NOT = re.compile(
    r"\b(?:that|who|which) (?:is|are|was|were) (?:not|n't) (?:an? |the )?(?P<type>.+)$|\bnot (?:an?|the) (?P<noun>.+)$|"
    r"\bnot (?P<phrase>(?:in|from|by|about|of|at|on|for|with)\b.+)$"
)
_NON = re.compile(r"\bnon[\s-]+(?=\w)")
_LAST_WORD = re.compile(r"(\w+)\W*$")
_FILLER = re.compile(
    r"(?:i(?:'m| am|'ve| have|'d| would| will|'ll| can| could| found| see| think| don't| do)?\b.*|sorry\b.*|sure|"
    r"ok(?:ay)?|yes|"
    r"no|(?:there are|there is|yes, there are|it has) (?:many|several|a few|multiple|a lot|some|various|"
    r"different)\b.{0,40}|"
    r"(?:just |so |in order )?(?:to|that i can|so i can|before i|before we) (?!know\b)\w+\b.{0,60}|"
    r"just (?:checking|asking)|"
    r"for clarity|first(?: of all)?|(?:one|a) (?:quick |short )?question|good question|"
    r"it depends.{0,40}|thank.*|hello.*|hi|great.*|please.*|of course)$"
)
_OPENING = re.compile(
    r"(?:\b(?:(?:i|we) (?:have |could |can )?(?:found|find|see|know of|know|have|offer|tell you about|help you with)|"
    r"(?:could|might|may|can) (?:also )?(?:mean|refer to|be)|there's|there (?:is|are)|such as|including|includes?|like|"
    r"between|both|either|are|is|were|was|involves?|in|of|for|by|with|from|have|has|to|as|on|about|mentions?|"
    r"meanings?)\b|:)\s+"
)
_STRONG_OPENING = re.compile(r"(?:such as|includ|like|between|both|either|:|i |we |could |might |may |can |there)")


class Parts:
    """One question with its text in lower case; methods take and return character spans in it."""

    def __init__(self, question: str, query: str, names: tuple[str, ...]) -> None:
        self.question, self.query, self.names = question, query, names
        self.text = lower(plain(question))
        self.query_keys = {k for w in content_keys(query) for k in match_keys(w)}

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
                frame = frames.FRAME_START.search(self.text, match.end(), end) or FRAME_INSIDE.search(
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
        return [self.make("ATTRIBUTE", start, end, self.question[start:end], echo=True)]

    def _assertion(self, start: int, end: int) -> list[Claim]:
        start, end = self._trim(start, end)
        if (
            start >= end
            or not self._terms(self.question[start:end])
            or _FILLER.match(self.text[start:end].strip(" ,.!"))
        ):
            return []
        return [self.make("ATTRIBUTE", start, end, self.question[start:end])]

    def _preamble(self, start: int, end: int) -> list[Claim]:
        start, end = self._trim(start, end)
        text = re.sub(
            r"\b(?:so|and|but|or|then|well|ok|okay|yes|no|sure|to clarify|just to clarify)\b", "", self.text[start:end]
        )
        if len(text.split()) < 3 or start >= end:
            return []
        return self._assertion(start, end)

    def _listed_before(self, before: list[tuple[int, int]]) -> list[Claim]:
        return self._enumeration(*before[-1]) if before else []

    def _enumeration(self, start: int, end: int) -> list[Claim]:
        """Read the alternatives that a statement lists ("... in video games, software, and alcohol production")."""
        start, end = self._trim(start, end)
        tail = frames.TAIL.search(self.text, start, end)
        end = tail.start() if tail and tail.start() > start else end
        if start >= end:
            return []
        body = self.text[start:end]
        first = re.search(r"\s*[,;]\s|\s+(?:and|or)\s+", body)
        if first is None:
            return []
        openings = list(_OPENING.finditer(body))
        strong = [m for m in openings if _STRONG_OPENING.match(m.group())]
        chosen = (
            [m for m in strong if m.end() <= first.start()]
            or [m for m in openings if m.end() <= first.start()]
            or strong
        )
        if not chosen:
            return []
        begin = start + chosen[-1].end()
        if self.text.count(";", begin, end) >= 2:
            # With semicolons between them, items have commas and "and" of their own.
            items = list_items(self.question, begin, end, self.query, self.names, semicolons=True)
        else:
            items = split(self.question, begin, end, self.query, self.names, also_and=True)
        if len(items) < 2 and chosen[-1].group().startswith(":"):
            items = list_items(self.question, begin, end, self.query, self.names)
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
        if end > start and self.text[end - 1] == "." and not ABBREVIATION.search(self.text[start:end]):
            end -= 1
        return start, end

    # Making claims.

    def _offered(
        self, core: tuple[int, int], *, identity: bool, options: bool = False, clause: bool = False
    ) -> list[Claim]:
        if clause and self._has_or(*core):
            core = self._without_asking(*core)
        items = [self._without_lead(i) for i in split(self.question, *core, self.query, self.names)]
        items = items[:1] + [self._without_preposition(i, core[0]) for i in items[1:]]
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
                found.append(self.make("TOPIC", start, end, self.question[start:end]))
        return found

    def _without_lead(self, item: Alternative) -> Alternative:
        """Drop words at the start of an alternative that only ask ("or know the tax rate")."""
        start, end = self._core(item.start, item.end)
        cut = self.question[item.start : start]
        text = item.text[len(cut) :] if cut and item.text.startswith(cut) else item.text
        return Alternative(start, end, text if end == item.end else text[: len(text) - (item.end - end)])

    def _without_asking(self, start: int, end: int) -> tuple[int, int]:
        """Drop what only asks in front of alternatives ("your question concerns Luna or Sol")."""
        lead = frames.ASKING_LEAD.match(self.text, start, end)
        if lead is None or not self._terms(self.question[lead.end() : end], drop_query=False):
            return start, end
        return self._core(lead.end(), end)

    def _without_preposition(self, item: Alternative, core: int) -> Alternative:
        """Drop the frame's preposition where an alternative repeats it ("interested in Luna or in Sol")."""
        asked = re.search(r"\b(in|for|about|to|of|at|with|on|by) ?$", self.text[:core])
        if asked is None or not self.text.startswith(asked.group(1) + " ", item.start):
            return item
        start = item.start + len(asked.group()) - asked.group().endswith(" ") + 1
        named = content_keys(self.question[start : item.end]) & self.query_keys
        shared = item.text != self.question[item.start : item.end]
        return item if shared and not named else Alternative(start, item.end, self.question[start : item.end])

    def _options(self, items: list[Alternative]) -> list[Claim]:
        return [self.make("OPTION", *item) for item in items if content_words(item.text)]

    def make(self, kind: ClaimKind, start: int, end: int, text: str, *, echo: bool = False) -> Claim:
        """Return the claim of a span; ``text`` has shared words filled in."""
        negated = self._negated_type(text) if kind == "OPTION" else None
        if negated is not None:
            terms = tuple(dict.fromkeys(w.key for w in content_words(negated)))
            return Claim("NOT-TYPE", text, start, end, hypothesis("NOT-TYPE", text), terms, bool(terms))
        terms = self._terms(text)
        return Claim(kind, text, start, end, hypothesis(kind, text), terms, bool(terms), echo)

    def _negated_type(self, text: str) -> str | None:
        """Return the type that an option denies ("non award-winning work School Days" -> "award-winning work")."""
        low = lower(plain(text))
        other = _THAT_IS_NOT.search(low)
        if other:
            return text[other.start(other.lastgroup or 0) :]
        match = _NON.search(low)
        if match is None or _describes(low[: match.start()]):
            return None
        found = words(text[match.end() :])
        keep = len(found)
        while keep > 1 and (
            found[keep - 1].key in self.query_keys
            or not content_words(text[match.end() + found[keep - 1].start : match.end() + found[keep - 1].end])
        ):
            keep -= 1
        return text[match.end() : match.end() + found[keep - 1].end] if found else None

    def _terms(self, text: str, *, drop_query: bool = True) -> tuple[str, ...]:
        kept = [w.key for w in content_words(text) if w.key not in FRAME_KEYS]
        if drop_query:
            kept = [k for k in kept if not any(m in self.query_keys for m in match_keys(k))]
        heavy = [k for k in kept if k not in LIGHT_KEYS]
        return tuple(dict.fromkeys(heavy or kept))


def _describes(before: str) -> bool:
    """Whether what follows is part of a description and denies nothing: "(medicine for non-human animals)"."""
    last = _LAST_WORD.search(before)
    return before.count("(") > before.count(")") or (last is not None and last[1] in frames.PREPOSITIONS)
