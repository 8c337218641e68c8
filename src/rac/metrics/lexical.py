"""Lexical support: which words of a claim stand in a passage, and where.

Shared by the selection scorer and the report metrics. It holds no fitted parameter: both sides bring their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from rac.metrics.text import Word, content_words, is_content, key, match_keys, words
from rac.records import Passage

FIELDS = ("title", "types", "description", "text")
"""The parts of a passage that count as its text, in this order."""


# "(April 4, 1766 - February 3, 1849)" says when somebody was born and died, in no word.
_LIFETIME = re.compile(
    r"\((?:[^()\d]{0,40}\d{1,2}[^()\d]{0,15})?\b\d{3,4}\b(?P<end>\s*[-–—]+\s*[^()]{0,20}\d{3,4})?[^()]{0,40}\)"
)


_PARENTHESES = re.compile(r"\s*\([^()]*\)")
_COMPANY_FORMS = frozenset(
    key(w) for w in ("inc", "incorporated", "corp", "corporation", "ltd", "limited", "llc", "plc", "gmbh")
)


JOINING = frozenset(["in", "at", "on", "from", "by", "near", "inside", "within"])
"""Prepositions of place, time or doer."""
_ARTICLES = frozenset(["a", "an", "the"])


class Span(NamedTuple):
    """A matched word: the field of the passage and character offsets in it (end exclusive)."""

    field: str
    start: int
    end: int


class PassageWords:
    """The words of one passage, prepared once.

    Attributes:
        keys: key -> where it stands.
        title_keys: Keys of the title.
        name: Keys of the title's content words in order, without what stands in parentheses and company forms.
        short_names: The name and its ends that may stand for it: "Marco Polo" and "Polo"; "Moons of Mars", not "Mars".
        type_keys: Keys of every type, one set a type.
    """

    __slots__ = ("description_keys", "keys", "name", "short_names", "title_keys", "type_keys")

    def __init__(self, title: str, types: tuple[str, ...], description: str, text: str) -> None:
        keys: dict[str, list[Span]] = {}
        for field, value in zip(FIELDS, (title, ", ".join(types), description, text), strict=True):
            for word in words(value):
                keys.setdefault(word.key, []).append(Span(field, word.start, word.end))
        lifetime = _LIFETIME.search(text[:400])
        if lifetime:
            keys.setdefault("birth", []).append(Span("text", *lifetime.span()))
            if lifetime.group("end"):
                keys.setdefault("die", []).append(Span("text", *lifetime.span()))
        self.keys: Mapping[str, list[Span]] = keys
        self.title_keys = frozenset(w.key for w in words(title))
        self.name, self.short_names = _names(title)
        self.type_keys = tuple(frozenset(w.key for w in words(t)) for t in types)
        self.description_keys = frozenset(w.key for w in words(description))

    def find(self, term: str) -> list[Span]:
        """Return where a term stands, under any key that it may have; empty if nowhere."""
        for candidate in match_keys(term):
            if found := self.keys.get(candidate):
                return found
        return []

    def has(self, term: str) -> bool:
        """Whether a term stands in the passage."""
        return any(candidate in self.keys for candidate in match_keys(term))

    def says(self, term: str) -> bool:
        """Whether a term stands in the passage outside its types."""
        return any(span.field != "types" for span in self.find(term))

    def places(self, term: str) -> bool:
        """Whether the passage says a term that a preposition joins to something: where, when, or by whom it is.

        Types tell what a thing is and say no such term, but for a type with a preposition itself ("person in fiction").
        """
        return self.says(term) or any(term in keys and keys & JOINING for keys in self.type_keys)

    def lacks_type(self, type_terms: Sequence[str]) -> bool:
        """Whether no type of the passage has all words of a type; of one without types, whether its words lack one."""
        wanted = set(type_terms)
        if self.type_keys:
            return not any(wanted <= keys for keys in self.type_keys)
        return not wanted <= self.keys.keys()


def joined_terms(text: str) -> frozenset[str]:
    """Return the keys of the words that a preposition of place, time or doer joins to what stands before it.

    "Red Hill in the inner suburb" has "inner" and "suburb"; any function word but an article ends the phrase.
    """
    found: set[str] = set()
    joined = False
    for word in words(text):
        surface = text[word.start : word.end].lower()
        if is_content(word):
            if joined:
                found.add(word.key)
        elif surface not in _ARTICLES:
            joined = surface in JOINING
    return frozenset(found)


def _names(title: str) -> tuple[tuple[str, ...], frozenset[tuple[str, ...]]]:
    """Return the name that a title gives, and the name with its ends that directly follow another word of it."""
    bare = _PARENTHESES.sub(" ", title)
    bare = bare if content_words(bare) else title
    found = content_words(bare)
    found = [w for w in found if w.key not in _COMPANY_FORMS] or found
    name = tuple(w.key for w in found)
    ends = [name[i:] for i in range(1, len(name)) if not bare[found[i - 1].end : found[i].start].strip(" -")]
    return name, frozenset([name, *ends]) if name else frozenset()


@lru_cache(maxsize=100_000)
def _prepared(title: str, types: tuple[str, ...], description: str, text: str) -> PassageWords:
    return PassageWords(title, types, description, text)


def prepare(passage: Passage) -> PassageWords:
    """Return the words of a passage, from the cache if they were asked for before."""
    return _prepared(passage.title, passage.types, passage.description, passage.text)


def share(terms: Iterable[str], passage: PassageWords, weights: Mapping[str, float] | None = None) -> float:
    """Return the weighted share of ``terms`` that stand in the passage: g_ij of the definition, in 0..1.

    Args:
        terms: Keys; none gives 1.
        passage: The prepared passage.
        weights: idf by key; 1 for every term if None.
    """
    total = matched = 0.0
    for term in terms:
        weight = 1.0 if weights is None else weights.get(term, 1.0)
        total += weight
        if passage.has(term):
            matched += weight
    return matched / total if total else 1.0


def matched_spans(found: Iterable[Word], passage: PassageWords, *, per_word: int = 3) -> list[Span]:
    """Return where the words of a claim stand in a passage, in order, at most ``per_word`` places for each word."""
    spans = {span for word in found for span in passage.find(word.key)[:per_word]}
    return sorted(spans, key=lambda s: (FIELDS.index(s.field), s.start))
