"""BM25, the variant of Lucene and ``bm25s``: weights are computed while indexing, a search only adds them up.

For term t in entry d:  idf(t) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|)),
with N entries, n_t of which hold t:  idf(t) = ln(1 + (N - n_t + 0.5) / (n_t + 0.5)).
The arrays have the names and layout of ``bm25s`` and equal values (tested); they are built without holding the corpus,
and searched by a sparse product, which is several times faster than the NumPy engine there (``bench/retrieval.py``).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rac.retrieval.analyzer import CACHE_LIMIT, Analyzer
from rac.retrieval.postings import Postings, PostingsWriter, Ranked
from rac.retrieval.settings import IndexSettings
from rac.retrieval.vocabulary import Vocabulary, write_vocabulary

NAME = "bm25"


class _Numbers(dict[str, int]):
    """Word -> number of its term, -1 for a stop word. A new word is looked up when it is first asked for.

    One look-up per word of the corpus, by ``map`` without a line of Python: look-ups are most of what building costs.
    """

    def __init__(self, analyzer: Analyzer, terms: dict[str, int]) -> None:
        super().__init__()
        self._analyzer, self._terms = analyzer, terms

    def __missing__(self, word: str) -> int:
        term = self._analyzer.make_term(word)
        number = self._terms.setdefault(term, len(self._terms)) if term else -1
        if len(self) >= CACHE_LIMIT:
            self.clear()
        self[word] = number
        return number


class BM25Writer:
    """Counts terms while entries stream by; keeps the vocabulary and 4 bytes per entry in memory."""

    name = NAME
    carries = False

    def __init__(self, folder: Path, settings: IndexSettings) -> None:
        folder.mkdir()
        self._folder, self._settings = folder, settings
        self._numbers: dict[str, int] = {}
        self._analyzer = Analyzer(settings)
        self._number_of = _Numbers(self._analyzer, self._numbers)
        self._lengths = array("i")
        self._postings = PostingsWriter(folder)

    def add(self, texts: Sequence[str]) -> None:
        """Index entries; their rows go on from those added before."""
        first = len(self._lengths)
        flat: list[int] = []
        words_of: list[int] = []
        for text in texts:
            words = self._analyzer.words(text)
            flat.extend(map(self._number_of.__getitem__, words))
            words_of.append(len(words))
        numbers = np.array(flat, np.int64)
        known = numbers >= 0
        numbers, rows = numbers[known], np.repeat(np.arange(len(texts), dtype=np.int64), words_of)[known]
        self._lengths.extend(np.bincount(rows, minlength=len(texts)).tolist())
        size = max(len(self._numbers), 1)
        keys, counts = np.unique(rows * size + numbers, return_counts=True)
        self._postings.add(keys // size + first, keys % size, counts)

    def finish(self) -> dict[str, Any]:
        """Write the index and return what its header should say."""
        self._number_of.clear()
        lengths = np.frombuffer(self._lengths, np.int32) if len(self._lengths) else np.zeros(0, np.int32)
        mean = float(lengths.mean()) if len(lengths) and lengths.any() else 1.0
        k1, b, entries = self._settings.k1, self._settings.b, len(lengths)

        def weigh(terms: NDArray, rows: NDArray, counts: NDArray, holders: NDArray) -> NDArray:
            n = holders[terms].astype(np.float64)
            idf = np.log(1 + (entries - n + 0.5) / (n + 0.5)).astype(np.float32)
            return idf * (counts / (k1 * ((1 - b) + b * lengths[rows] / mean) + counts))

        postings = self._postings.finish(len(self._numbers), weigh)
        write_vocabulary(self._folder, self._numbers)
        return {"terms": len(self._numbers), "postings": postings, "mean_length": mean}


class BM25Retriever:
    """Searches what ``BM25Writer`` wrote."""

    name = NAME

    def __init__(self, folder: Path, settings: IndexSettings, header: dict[str, Any], entries: int) -> None:
        self._analyzer = Analyzer(settings)
        self._vocabulary = Vocabulary(folder)
        self._postings = Postings(folder, entries)

    def search(self, queries: Sequence[str], depth: int, *, threads: int = 1) -> list[Ranked]:
        """Return for each query the best entries; none if no term of it is known."""
        return self._postings.search([self._parse(query) for query in queries], depth, threads=threads)

    def _parse(self, query: str) -> tuple[NDArray, NDArray]:
        known: dict[int, float] = {}
        for term in self._analyzer.terms(query):
            number = self._vocabulary.number(term)
            if number is not None:  # a term asked for twice counts twice, as in bm25s
                known[number] = known.get(number, 0.0) + 1.0
        terms = np.array(sorted(known), np.int64)
        return terms, np.array([known[int(term)] for term in terms], np.float32)
