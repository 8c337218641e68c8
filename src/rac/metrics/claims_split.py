"""Splitting what a question offers into its alternatives: "A, B or C", shared heads, quotes, names with "or"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from rac.metrics.frames import ALTERNATIVE_LEAD, CATCH_ALL, IDIOM, PREPOSITIONS
from rac.metrics.text import content_keys, key, lower, plain
from rac.metrics.wordlists import ALIASES, COUNTRIES, US_STATES


class Alternative(NamedTuple):
    """One alternative: its span in the question and its text with shared words filled in."""

    start: int
    end: int
    text: str


_OR = re.compile(r"\s*,?\s*\b(?:and/or|or|rather than|as opposed to)\b\s*,?\s*")
_TRAILING = re.compile(r"[\s,;]*\b(?:and/or|or|and)[\s,;]*$")
_SLASH = re.compile(r"\s+/\s+")
_OR_AND = re.compile(r"\s*,?\s*\b(?:and/or|or|and|as well as|but also)\b\s*,?\s*")
_COMMA = re.compile(r"\s*[,;]\s+")
_LIST = re.compile(r"\s*(?:[,;|•/]|\n|\bor\b(?!\s*$)|,\s*or\b)\s*")
_SEMICOLON = re.compile(r"\s*;\s*(?:and\b\s*|or\b\s*)?")
_SUCH_AS = re.compile(r"[,:]?\s+(?:such as|for example|for instance|e\.g\.|including|namely|like either)[,:]?\s+")
_QUOTED = re.compile(r'"[^"]{1,120}"|\([^()]{1,200}\)|\[[^\[\]]{1,200}\]|(?<![\w])\'[^\']{2,80}\'(?![\w])')
_GLUE_AFTER = re.compile(r"(?:inc|ltd|llc|jr|sr|ii|iii|iv|phd|md|esq|corp)\b\.?", re.IGNORECASE)
_MONTH_DAY = re.compile(
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2}$|\d{1,2} (?:jan|feb|mar|apr|may|jun|jul|"
    r"aug|sep|"
    r"oct|nov|dec)[a-z]*$"
)
_PLACE_TAIL = re.compile(r"\b(?:in|of|at|from|near)(?: the)?(?: (?:center|city|town|village) of)? [\w.' \-]{2,40}$")
_STATE_NAMES = frozenset({n.replace("_", " ") for n in US_STATES.values()} | set(US_STATES))
_ADJECTIVE = re.compile(
    r"\w+(?:ical|tional|onal|eral|iac|tic|ous|ive|ful|less|ish|able|ible|ary|ern|ese|ized|ised|ated|ed|'s|s')$|"
    r"\d+(?:st|nd|rd|th|s)?$|(?:first|second|third|fourth|fifth|sixth|seventh|last|next|previous|original|new|old|"
    r"older|newer|"
    r"younger|warm|cold|hot|big|small|large|short|long|high|low|local|global|national|international|federal|state|"
    r"male|female|public|private|free|paid|modern|ancient|early|late|online|offline|indoor|outdoor|single|double|"
    r"black|white|"
    r"red|green|blue|left|right|upper|lower|northern|southern|eastern|western|north|south|east|west|domestic|foreign|"
    r"commercial|residential|personal|physical|mental|medical|legal|digital|electric|manual|automatic|fresh|frozen|"
    r"dry|wet|"
    r"good|bad|best|worst|cheap|expensive|full|half|partial|real|major|minor|men's|women's|children's|annual|monthly|"
    r"weekly|"
    r"daily|yearly|quarterly|junior|senior|typical|uncommon|common|rare|historic|historical|winter|summer|spring|fall)$"
)


def protected_spans(text: str, query: str, names: Iterable[str] = (), *, marks: str = ",/") -> list[tuple[int, int]]:
    """Return spans of ``text`` that are never split: quotes, parentheses, idioms, known names with "or", "and", commas.

    Args:
        text: Lower-case text of the question.
        query: The user's query; capitalised words around its "or"/"and" count as a name.
        names: Further names, such as passage titles.
        marks: Characters that make a name worth protecting, besides "or" and "and".
    """
    spans = [m.span() for m in _QUOTED.finditer(text)]
    spans += [m.span() for m in IDIOM.finditer(text)]
    known = [lower(plain(n)).strip() for n in names if re.search(rf"[{marks}]|\b(?:or|and)\b", n, re.IGNORECASE)]
    pattern = r"(?:[A-Z0-9][\w'.\-]*\s+)+(?:or|and)(?:\s+(?:the\s+|a\s+)?[A-Z0-9][\w'.\-]*)+"
    known += [lower(m.group()) for m in re.finditer(pattern, plain(query)) if not m.group().startswith("What ")]
    known += [lower(m.group()[1:-1]) for m in re.finditer(r'"[^"]+"', plain(query))]
    for name in known:
        if len(name) > 3:
            spans += [m.span() for m in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    return spans


def _cuts(
    pattern: re.Pattern[str], text: str, start: int, end: int, protected: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the spans of separators in text[start:end] that touch no protected span."""
    return [
        m.span()
        for m in pattern.finditer(text, start, end)
        if m.start() > start
        and m.end() < end
        and not any(m.start() < b and a < m.end() and m.start() >= a for a, b in protected)
    ]


def _between(start: int, end: int, cuts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    edges = [start, *(position for cut in cuts for position in cut), end]
    return [(edges[i], edges[i + 1]) for i in range(0, len(edges), 2) if edges[i] < edges[i + 1]]


def _glued(
    text: str, left: tuple[int, int], right: tuple[int, int], query_keys: set[str], named: bool, *, listed: bool
) -> bool:
    """Whether the comma between two pieces belongs to a place, a date or a company name, not to a list."""
    before, after = text[left[0] : left[1]].strip(), text[right[0] : right[1]].strip(" ?.!")
    if re.fullmatch(r"(?:in )?(?:1[0-9]|20)\d\d", after) and _MONTH_DAY.search(before):
        return True
    if _GLUE_AFTER.fullmatch(after):
        return True
    if (
        _is_place(after)
        and not listed
        and not _is_country(before.split()[-1:])
        and (_PLACE_TAIL.search(before) or before in _STATE_NAMES)
    ):
        return True
    # "Kronberg in Bavaria, Germany or Kronberg in Swiss": every real alternative repeats the name, this piece does not.
    return named and not content_keys(after) & query_keys and len(after.split()) <= 6


def _is_place(text: str) -> bool:
    """Whether text is the name of a country or state and nothing else."""
    text = text.removeprefix("the ")
    return text in _STATE_NAMES or text in COUNTRIES or ALIASES.get(text) in COUNTRIES or text == "united states"


def _is_country(tail: list[str]) -> bool:
    return any(w in COUNTRIES or ALIASES.get(w) in COUNTRIES for w in tail)


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Shrink a span by blanks, marks and words that only introduce an alternative."""
    while start < end and text[start] in " \t\n,;:.-?!":
        start += 1
    while (end > start and text[end - 1] in " \t\n,;:?!-") or (
        end > start
        and text[end - 1] == "."
        and not re.search(r"\b(?:[a-z]\.)+$|\b(?:inc|jr|sr|ltd|co)\.$", text[start:end])
    ):
        end -= 1
    changed = True
    while changed and start < end:
        changed = False
        lead = ALTERNATIVE_LEAD.match(text, start, end)
        if lead and lead.end() < end and lead.end() > start:
            start = lead.end()
            changed = True
    return start, end


def split(
    original: str, start: int, end: int, query: str, names: Iterable[str] = (), *, also_and: bool = False
) -> list[Alternative]:
    """Split original[start:end] into its alternatives.

    Args:
        original: The question.
        start: Start of the part that holds what is offered.
        end: Its end.
        query: The user's query.
        names: Names that are not to be split.
        also_and: Also split at "and" (an enumeration that a "which of these" refers to).

    Returns:
        The alternatives in order, without those that offer nothing ("something else"); one if there is no "or".
    """
    text = lower(plain(original))
    protected = protected_spans(text, query, names)
    such = next(
        (m for m in _SUCH_AS.finditer(text, start, end) if not any(a < m.start() < b for a, b in protected)), None
    )
    if such and such.end() < end and _cuts(_OR_AND, text, such.end(), end, protected):
        return split(original, such.end(), end, query, names, also_and=True)
    separators = _cuts(_OR_AND if also_and else _OR, text, start, end, protected)
    separators = separators or _cuts(_SLASH, text, start, end, protected)
    commas = _cuts(_COMMA, text, start, end, protected)
    if not separators and not (len(commas) >= 2 and also_and):
        first, last = _strip(text, start, end)
        return [Alternative(first, last, original[first:last])] if first < last else []
    # A comma directly before "or" is part of that separator.
    commas = [c for c in commas if not any(s[0] <= c[0] and c[1] <= s[1] for s in separators)]
    query_keys = content_keys(query)
    coarse = _between(start, end, separators)
    # Do all alternatives repeat the name that the query has? Then a piece without it is no alternative.
    final = _strip(text, *coarse[-1])
    named = (
        len(coarse) == 2
        and not CATCH_ALL.fullmatch(text[slice(*final)])
        and all(content_keys(text[a:b]) & query_keys for a, b in coarse)
    )
    bare_places = sum(
        _is_place(text[a:b].strip(" ?.!")) for a, b in _between(start, end, sorted([*separators, *commas]))
    )
    alike = len(coarse) == 2 and _alike(text, coarse, commas, query_keys)
    pieces: list[tuple[int, int]] = []
    last_separator = max((s[0] for s in separators), default=end)
    for index, (a, b) in enumerate(coarse):
        inner = [c for c in commas if a <= c[0] and c[1] <= b]
        # After the last "or" a comma opens an aside, not another alternative.
        if alike or (index == len(coarse) - 1 and a > last_separator and not also_and):
            inner = []
        parts = _between(a, b, inner)
        merged = [parts[0]]
        for part in parts[1:]:
            if _glued(text, merged[-1], part, query_keys, named, listed=bare_places > 1):
                merged[-1] = (merged[-1][0], part[1])
            else:
                merged.append(part)
        pieces += merged
    spans = [s for s in (_strip(text, a, b) for a, b in pieces) if s[0] < s[1]]
    kept = [s for s in spans if not CATCH_ALL.fullmatch(text[s[0] : s[1]])] or spans[:1]
    texts = [original[a:b] for a, b in kept]
    return [Alternative(a, b, t) for (a, b), t in zip(kept, complete(texts, query_keys), strict=True)]


def _alike(text: str, halves: list[tuple[int, int]], commas: list[tuple[int, int]], query_keys: set[str]) -> bool:
    """Whether both halves of "A, x or B, x" have as many commas: then these belong to the halves ("Athens, Greece").

    After ", or" that holds for asides only ("Luna, the ship, or Luna, the band"), since a list may end so too.
    """
    own = [[c for c in commas if a <= c[0] and c[1] <= b] for a, b in halves]
    if not own[0] or len(own[0]) != len(own[1]):
        return False
    # "a song of Luna, Luna in Oslo, Norway or Luna in Bergen, Norway": what repeats the name is an alternative.
    parts = [content_keys(text[a:b]) & query_keys for a, b in _between(*halves[0], own[0])]
    if len(parts) > 1 and parts[0] and parts[0] <= parts[-1]:
        return False
    if "," not in text[halves[0][1] : halves[1][0]]:
        return True
    return all(re.match(r"(?:the|an?)\b", text[c[1] :]) for c in (*own[0], *own[1]))


def list_items(
    original: str, start: int, end: int, query: str, names: Iterable[str] = (), *, semicolons: bool = False
) -> list[Alternative]:
    """Split a list after a colon ("Select one: a, b, c"): at commas, semicolons, bars, line ends and "or".

    With ``semicolons`` only those separate, and an "and" or "or" behind them.
    """
    text = lower(plain(original))
    protected = protected_spans(text, query, names)
    separator = _SEMICOLON if semicolons else _LIST
    return items_of(original, _between(start, end, _cuts(separator, text, start, end, protected)), query)


def items_of(original: str, spans: Iterable[tuple[int, int]], query: str) -> list[Alternative]:
    """Return the items of a laid-out list as alternatives, without those that offer nothing."""
    text = lower(plain(original))
    kept = [_strip(text, a, a + len(_TRAILING.sub("", text[a:b]))) for a, b in spans]
    kept = [s for s in kept if s[0] < s[1] and not CATCH_ALL.fullmatch(text[s[0] : s[1]])]
    texts = [original[a:b] for a, b in kept]
    return [Alternative(a, b, t) for (a, b), t in zip(kept, complete(texts, content_keys(query)), strict=True)]


def complete(texts: list[str], query_keys: set[str]) -> list[str]:
    """Fill in what alternatives share: ["the first", "second season"] -> ["the first season", "second season"]."""
    if len(texts) < 2:
        return texts
    done = list(texts)
    first, last = texts[0], texts[-1]
    first_words, last_words = first.split(), last.split()
    # 1. A shared noun at the end: every alternative but the last is only a modifier.
    modifiers = [t.split() for t in texts[:-1]]
    if len(last_words) >= 2 and all(_is_modifier(m) for m in modifiers):
        lead = next(
            (i for i, w in enumerate(last_words) if _ADJECTIVE.fullmatch(w.lower()) or key(w) in _DEMONYMS), None
        )
        if lead is not None and lead + 1 < len(last_words):
            tail = " ".join(last_words[lead + 1 :])
            return [f"{t} {tail}" for t in texts[:-1]] + [last]
    # 2. A shared "of ..." at the end: "symptoms or treatment of diabetes".
    of = last.lower().find(" of ")
    unnamed = not any(content_keys(t) & query_keys for t in texts[:-1])
    if (
        of > 0
        and unnamed
        and all(len(t.split()) <= 2 and " of " not in t.lower() for t in texts[:-1])
        and len(last[:of].split()) <= 2
    ):
        return [f"{t}{last[of:]}" for t in texts[:-1]] + [last]
    # 3. A shared head at the start: "Luna in Italy or in Spain", "Luna in Italy or Spain".
    head = _head(first_words)
    for i, text in enumerate(texts[1:], start=1):
        parts = text.split()
        if parts[0].lower() in PREPOSITIONS and first_words[0].lower() not in PREPOSITIONS:
            same = next((j for j, w in enumerate(first_words) if w.lower() == parts[0].lower()), head)
            if same:
                done[i] = " ".join([*first_words[:same], text])
        elif head and _is_bare_name(parts, first_words[head + 1 :]) and not content_keys(text) & query_keys:
            done[i] = " ".join([*first_words[: head + 1], text])
    return done


_DEMONYMS = frozenset(COUNTRIES)


def _is_modifier(parts: list[str]) -> bool:
    parts = [p for p in parts if p.lower() not in ("the", "a", "an", "in", "your", "his", "her", "their", "its")]
    return len(parts) == 1 and bool(_ADJECTIVE.fullmatch(parts[0].lower()) or key(parts[0]) in _DEMONYMS)


def _head(parts: list[str]) -> int:
    """Return the position of the first preposition that has something before it, 0 if there is none."""
    return next((i for i, w in enumerate(parts) if i and w.lower() in PREPOSITIONS and i + 1 < len(parts)), 0)


def _is_bare_name(parts: list[str], model: list[str]) -> bool:
    """Whether an alternative is a bare name or number like what follows the preposition of the first alternative."""
    bare = [p for p in parts if p.lower() not in ("the", "a", "an")]
    like = [p for p in model if p.lower() not in ("the", "a", "an")]
    if not bare or not like or len(bare) > 4:
        return False
    if any(p.lower() in PREPOSITIONS for p in bare):
        return False
    if bare[0][0].isdigit() or like[0][0].isdigit():
        return bare[0][0].isdigit() and like[0][0].isdigit()
    return all(p[0].isupper() for p in bare) and like[0][0].isupper()
