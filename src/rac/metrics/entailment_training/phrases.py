"""Phrases of a passage that a question could offer as an option, found by rules; no parser needed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rac.metrics.wordlists import COUNTRIES, STOP_WORDS


def word_set(text: str) -> frozenset[str]:
    """Return the words of a list written as text."""
    return frozenset(text.split())


def word_map(text: str) -> dict[str, str]:
    """Return a mapping written as ``word:other`` pairs."""
    return {word: other for word, _, other in (pair.partition(":") for pair in text.split())}


PREPOSITIONS = word_set("in at by from of for with on near between during about after before under through to as")
MONTHS = word_set("january february march april may june july august september october november december")
_TOKEN = re.compile(r"\d+(?:[,.]\d+)*(?:st|nd|rd|th|s)?\b|(?:[^\W\d_]\.){2,}|[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")
YEAR = re.compile(r"\b(1[0-9]{3}|20[0-2][0-9])\b")
_NUMBER = re.compile(r"\d")
_BE = word_set("is was are were")
_PLACE_PREPOSITIONS = word_set("in at near from")
_PERSON_PREPOSITIONS = word_set("by with")
MAX_RUN = 6


@dataclass(frozen=True)
class Phrase:
    """A run of content words and where it stands.

    ``surface`` is the phrase with its article, as the text has it. ``lead`` is what comes before it, lower case, if
    that is a preposition ("in") or a participle with "by" ("published by"); ``kind`` is one of ``year``, ``number``,
    ``place``, ``person``, ``name``, ``noun``; ``predicate`` says whether it follows "is a" and so says what the passage
    is about.
    """

    text: str
    surface: str
    lead: str
    kind: str
    predicate: bool


def phrases(sentence: str) -> list[Phrase]:
    """Return the phrases of one sentence, in order.

    >>> [(p.lead, p.text, p.kind) for p in phrases("It is a play by August Wilson, performed in Ulm.")]
    [('', 'play', 'noun'), ('by', 'August Wilson', 'person'), ('', 'performed', 'noun'), ('in', 'Ulm', 'place')]
    """
    tokens = [(m.group(), m.start(), m.end()) for m in _TOKEN.finditer(sentence)]
    runs: list[tuple[int, int]] = []
    i = 0
    while i < len(tokens):
        j = i
        while j < len(tokens) and j - i < MAX_RUN and _is_content(tokens[j][0]) and _touches(sentence, tokens, i, j):
            j += 1
        if j > i:
            runs.append((i, j))
        i = max(j, i + 1)
    found: list[Phrase] = []
    for start, end in runs:
        text = sentence[tokens[start][1] : tokens[end - 1][2]]
        before = [t[0].lower() for t in tokens[max(0, start - 3) : start]]
        if before and before[-1] in ("a", "an", "the", "its", "his", "her", "their"):
            article = before.pop()
            start -= 1
        else:
            article = ""
        lead = before[-1] if before and before[-1] in PREPOSITIONS else ""
        if lead == "by" and len(before) > 1 and before[-2].endswith(("ed", "ten", "wn", "de", "ung")):
            lead = f"{before[-2]} by"
        predicate = bool(before) and before[-1] in _BE and article in ("a", "an", "the")
        surface = sentence[tokens[start][1] : tokens[end - 1][2]]
        found.append(Phrase(text, surface, lead, _kind(text, lead), predicate))
    return found


def _is_content(token: str) -> bool:
    return token[0].isalnum() and token.lower() not in STOP_WORDS


def _touches(sentence: str, tokens: list[tuple[str, int, int]], start: int, at: int) -> bool:
    return at == start or sentence[tokens[at - 1][2] : tokens[at][1]].isspace()


def _kind(text: str, lead: str) -> str:
    words = text.split()
    if YEAR.search(text):
        return "year"
    if _NUMBER.search(text):
        return "number"
    capitals = sum(w[0].isupper() for w in words)
    if capitals < len(words) or any(w.lower() in MONTHS for w in words):
        return "noun"
    if lead in _PLACE_PREPOSITIONS or text.lower() in COUNTRIES:
        return "place"
    if lead.split(" ")[-1:] in ([p] for p in _PERSON_PREPOSITIONS) and 2 <= len(words) <= 3:
        return "person"
    return "name"


def head_noun(phrase: str) -> str:
    """Return the last word before the first preposition: what the phrase is a kind of ("Painting by X")."""
    words = phrase.split()
    for i, word in enumerate(words):
        if i and word.lower().strip(",;") in PREPOSITIONS | {"that", "which", "who", "and", "or"}:
            return words[i - 1].strip(",;()")
    return words[-1].strip(",;()") if words else ""
