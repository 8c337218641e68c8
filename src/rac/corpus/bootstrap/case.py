"""What a corpus's own text says about its words: which are written in small letters, and which of these are nouns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+(?:[-'’.&/_]+[^\W_]+)*\.?", re.UNICODE)
_DIRECTION_WORDS = "north south east west northern southern eastern western central upper lower middle"
DIRECTIONS = frozenset(_DIRECTION_WORDS.split())
DEMONYM = re.compile(r"(?:ian|ean|ese|ish|rican)$")


def words(text: str) -> list[str]:
    """Return the words of a text, with inner hyphens, apostrophes, points and underscores kept."""
    return _WORD.findall(text)


_IDENTIFIER = re.compile(r"_|[a-z]\.[A-Za-z]|\b[a-z]\w*[A-Z]")


def is_identifier(text: str) -> bool:
    """Whether a text is a name of programs, which is spelled in one way only: "util.debug", "napi_create_object"."""
    return bool(_IDENTIFIER.search(text))


_NOUN = re.compile(
    r"\b(?:an?|the|of|in|for|with|to|by|from) ([a-z]{3,})"
    r"(?=[,.;:)]| (?:of|in|is|was|are|were|and|or|for|that|which|by|to|from|with|on|at|can|has|have|may|must)\b)"
)
"""A word in small letters that stands where a noun stands: between an article or preposition and what ends a phrase."""


class CaseModel:
    """Knows which words a corpus writes in lower case, and which of them are nouns.

    So "Public university" can become "public university", and "silent" of "Silent film" is known to be no thing.

    Args:
        texts: Running text of the corpus; the first word of each sentence is not counted.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        lower: Counter[str] = Counter()
        upper: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        nouns: Counter[str] = Counter()
        for text in texts:
            nouns.update(_NOUN.findall(text))
            for sentence in re.split(r"(?<=[.!?])\s+", text):
                inner = [word.rstrip(".") for word in words(sentence)[1:]]
                for word, following in zip(inner, [*inner[1:], ""], strict=False):
                    (lower if word[:1].islower() else upper)[word.lower()] += 1
                    if following[:1].isupper():
                        pairs[f"{word} {following}"] += 1
        self._lower, self._upper, self._pairs, self._nouns = lower, upper, pairs, nouns

    def is_common(self, word: str) -> bool:
        """Whether the corpus writes a word in lower case at least as often as not."""
        key = word.lower()
        return self._lower[key] > 0 and self._lower[key] >= self._upper[key]

    def is_name(self, word: str) -> bool:
        """Whether the corpus writes a word with a capital inside sentences, too."""
        return self._upper[word.lower()] > 0

    def is_noun(self, word: str) -> bool:
        """Whether at least a tenth of a word's uses in small letters are those of a noun."""
        key = word.lower()
        return 0 < self._lower[key] <= 10 * self._nouns[key]

    def lowered(self, phrase: str) -> str:
        """Return ``phrase`` with its first word in lower case, unless the corpus writes that word as a name."""
        first, _, rest = phrase.partition(" ")
        letters = first[1:]
        if not first[:1].isupper() or any(c.isupper() for c in letters) or len(first) == 1:
            return phrase
        key = first.lower().strip(".,;")
        known_lower, known_upper = self._lower[key], self._upper[key]
        parts = key.split("-")
        if not known_lower and len(parts) > 1:
            known_lower, known_upper = self._lower[parts[0]], self._upper[parts[0]]
        second = rest.split(" ")[0]
        if second[:1].isupper() and self._pairs[f"{first} {second}"] > self._pairs[f"{first.lower()} {second}"]:
            return phrase  # "Civil War general"
        if key in DIRECTIONS and second[:1].isupper():
            return phrase
        # "River" and "Emperor" are capitalised in names; real names are hardly ever written small.
        if known_lower * 5 > known_upper or (not known_lower and not known_upper and not _looks_like_demonym(key)):
            return f"{first.lower()} {rest}".rstrip()
        return phrase


def _looks_like_demonym(word: str) -> bool:
    return word.endswith(("ian", "ean", "ese", "ish", "ic", "an"))
