"""Text to terms, the same way for passages and queries: words, case, accents, stop words, stems."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

from rac.retrieval.settings import IndexSettings

# Scripts without spaces: every character is a term. "s" after an apostrophe is a possessive, not a word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?<!['’])|(?!s\b))[^\W{_UNSPACED}]+")
CACHE_LIMIT = 400_000
"""Words whose terms are remembered at once, so that indexing runs in constant memory."""


def fold(text: str) -> str:
    """Return text without accents: letters are decomposed and combining marks dropped ("Beyoncé" -> "Beyonce").

    Only marks on Latin, Greek and Cyrillic letters are dropped; in other scripts they are letters in themselves.
    """
    if text.isascii():
        return text
    kept: list[str] = []
    base = ""
    for char in unicodedata.normalize("NFD", text):
        if unicodedata.combining(char) and base < "\u0530":
            continue
        if not unicodedata.combining(char):
            base = char
        kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def words(text: str) -> Iterator[re.Match[str]]:
    """Yield the words of a text as matches, so that their offsets are known."""
    return _WORD.finditer(text)


@cache
def stop_list(language: str) -> frozenset[str]:
    """Return the stop words of a language, lower-case."""
    from bm25s import tokenization

    return frozenset(tokenization._infer_stopwords(language))


class Analyzer:
    """Turns text into terms as the settings say.

    Example:
        >>> Analyzer(IndexSettings()).terms("The King's paintings")
        ['king', 'paint']
    """

    def __init__(self, settings: IndexSettings) -> None:
        self._fold = settings.fold_accents
        none = settings.language == "none"
        self._stop = frozenset() if none or not settings.stop_words else stop_list(settings.language)
        self._stem: Callable[[str], str] | None = None
        if settings.stemming and not none:
            import Stemmer

            # The stemmer's own cache is not thread-safe; ours below replaces it.
            self._stem = Stemmer.Stemmer(settings.language, 0).stemWord
        self._terms: dict[str, str] = {}

    def term(self, word: str) -> str:
        """Return the term of one lower-case word, ``""`` for a stop word."""
        found = self._terms.get(word)
        if found is None:
            found = self.make_term(word)
            if len(self._terms) >= CACHE_LIMIT:
                self._terms.clear()
            self._terms[word] = found
        return found

    def make_term(self, word: str) -> str:
        """Return what ``term`` does, worked out anew."""
        plain = fold(word) if self._fold else word
        if word in self._stop or plain in self._stop:
            return ""
        return self._stem(plain) if self._stem else plain

    @staticmethod
    def words(text: str) -> list[str]:
        """Return the words of a text in lower case, in order, repeated ones repeated."""
        return _WORD.findall(_lower(text))

    def terms(self, text: str) -> list[str]:
        """Return the terms of a text in order, repeated ones repeated."""
        term = self.term
        return [t for word in self.words(text) if (t := term(word))]

    def matched(self, query: str, text: str) -> tuple[str, ...]:
        """Return the words of ``query``, as spelled there, whose terms occur in ``text``."""
        present = set(self.terms(text))
        found = [m.group() for m in words(_normal(query)) if self.term(m.group().lower()) in present]
        return tuple(dict.fromkeys(found))


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _lower(text: str) -> str:
    return _normal(text).lower()
