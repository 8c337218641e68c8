"""An inverted file on disk: for every term the rows that hold it with a weight; built and searched out of memory.

BM25 and learned sparse retrieval differ in their weights only, so they share this. Three memory-mapped arrays
``indptr``, ``indices``, ``data`` hold the matrix [terms x rows] in compressed rows, which is the matrix
[rows x terms] in compressed columns, the layout of ``bm25s``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rac.errors import DataError
from rac.retrieval.arrays import NpyWriter, map_array, open_array
from rac.retrieval.topk import top_k

Ranked = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Rows and scores, best first."""

Query = tuple[NDArray, NDArray]
"""Distinct terms of a query, ascending, and their weights."""

Weigh = Callable[[NDArray, NDArray, NDArray, NDArray], NDArray]
"""(terms, rows, values, rows per term of all terms) -> weights."""

NAMES = {name: f"{name}.csc.index.npy" for name in ("indptr", "indices", "data")}
_COLUMNS = {"terms": np.int32, "rows": np.int32, "values": np.float32}
_BLOCK = 2_000_000
_TOUCHED = 4_000_000
_WORTH_A_THREAD = 500_000  # postings, about 2 ms


class PostingsWriter:
    """Collects (row, term, value) in row order, spills sorted blocks to disk and merges them term by term.

    Memory is bounded by the block, whatever the corpus.

    Args:
        folder: Where the arrays go.
        block: Postings held in memory at once (12 bytes each, about four times that while sorting).
    """

    def __init__(self, folder: Path, *, block: int = _BLOCK) -> None:
        self._folder, self._block = folder, block
        self._spills = tempfile.TemporaryDirectory(dir=folder, prefix="spill-")
        self._waiting: list[tuple[NDArray, NDArray, NDArray]] = []
        self._held = 0
        self._spilled = 0

    def add(self, rows: NDArray, terms: NDArray, values: NDArray) -> None:
        """Add postings; rows must not be smaller than those added before."""
        self._waiting.append((terms.astype(np.int32), rows.astype(np.int32), values.astype(np.float32)))
        self._held += len(rows)
        if self._held >= self._block:
            self._spill()

    def carry(self, old: Postings, new_rows: NDArray) -> None:
        """Take over postings of an older index before anything is added.

        Args:
            old: The older index.
            new_rows: [rows of old] number of each row here, -1 to leave it out; ascending where not -1.
        """
        for first, last in term_ranges(old.indptr, self._block):
            start, end = int(old.indptr[first]), int(old.indptr[last])
            rows = new_rows[old.indices[start:end]]
            terms = np.repeat(np.arange(first, last), np.diff(old.indptr[first : last + 1]))
            kept = rows >= 0
            self._write_piece(terms[kept], rows[kept], old.data[start:end][kept])

    def _spill(self) -> None:
        terms, rows, values = (np.concatenate(column) for column in zip(*self._waiting, strict=True))
        order = np.argsort(terms, kind="stable")  # stable: rows stay ascending within a term
        self._write_piece(terms[order], rows[order], values[order])
        self._waiting, self._held = [], 0

    def _write_piece(self, terms: NDArray, rows: NDArray, values: NDArray) -> None:
        """Write postings that are sorted by term and row to disk."""
        for name, column in (("terms", terms), ("rows", rows), ("values", values)):
            column.astype(_COLUMNS[name]).tofile(self._piece(self._spilled, name))
        self._spilled += 1

    def _piece(self, number: int, name: str) -> Path:
        return Path(self._spills.name) / f"{number:06d}.{name}"

    def _read(self, number: int, name: str, start: int = 0, end: int | None = None) -> NDArray:
        """Read a part of a piece. Read, not mapped: mapped pages would count as memory of this process."""
        count = -1 if end is None else end - start
        kind = np.dtype(_COLUMNS[name])
        return np.fromfile(self._piece(number, name), kind, count, offset=start * kind.itemsize)

    def finish(self, terms: int, weigh: Weigh | None = None) -> int:
        """Merge the blocks into the final arrays and return the number of postings.

        Args:
            terms: Number of terms; every term added is smaller.
            weigh: Turns collected values into stored weights, block by block; the values themselves by default.
        """
        if self._held or not self._spilled:
            if not self._waiting:
                self._waiting = [(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))]
            self._spill()
        counts = np.zeros(terms, np.int64)
        for number in range(self._spilled):
            counts += np.bincount(self._read(number, "terms"), minlength=terms)
        indptr = np.zeros(terms + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        total = int(indptr[-1])
        # scipy wants one type for both index arrays; 32 bits reach 2.1 billion postings.
        kind = "int32" if total < 2**31 - 1 else "int64"
        np.save(self._folder / NAMES["indptr"], indptr.astype(kind), allow_pickle=False)
        indices = NpyWriter(self._folder / NAMES["indices"], kind)
        data = NpyWriter(self._folder / NAMES["data"], "float32")
        with indices, data:
            ranges = term_ranges(indptr, self._block)
            edges = [first for first, _ in ranges] + [terms]
            cuts = [np.searchsorted(self._read(number, "terms"), edges) for number in range(self._spilled)]
            for position in range(len(ranges)):
                spans = [(int(cut[position]), int(cut[position + 1])) for cut in cuts]
                self._merge(spans, counts, weigh, indices, data)
        self._spills.cleanup()
        return total

    def _merge(
        self,
        spans: Sequence[tuple[int, int]],
        counts: NDArray,
        weigh: Weigh | None,
        indices: NpyWriter,
        data: NpyWriter,
    ) -> None:
        """Append the postings of a range of terms; ``spans`` says where they lie in each piece."""
        columns = [
            np.concatenate([self._read(number, name, low, high) for number, (low, high) in enumerate(spans)])
            for name in _COLUMNS
        ]
        # Blocks come in row order, so a stable sort by term keeps rows ascending.
        order = np.argsort(columns[0], kind="stable")
        terms, rows, values = (column[order] for column in columns)
        indices.append(rows)
        data.append(values if weigh is None else weigh(terms, rows, values, counts))


def term_ranges(indptr: NDArray, block: int) -> list[tuple[int, int]]:
    """Cut the terms into consecutive ranges (first, end) of at most ``block`` postings, or one term."""
    ranges: list[tuple[int, int]] = []
    first, terms = 0, len(indptr) - 1
    while first < terms:
        last = int(np.searchsorted(indptr, indptr[first] + block, side="right")) - 1
        last = min(max(last, first + 1), terms)
        ranges.append((first, last))
        first = last
    return ranges


class Postings:
    """An inverted file opened for searching; nothing is read before a query touches it."""

    def __init__(self, folder: Path, rows: int) -> None:
        import scipy.sparse

        path = folder / NAMES["indptr"]
        indptr = open_array(path, _kind(path))
        indices = open_array(folder / NAMES["indices"], str(indptr.dtype))
        data = open_array(folder / NAMES["data"], "float32")
        if len(indptr) == 0 or int(indptr[-1]) != len(indices) or len(indices) != len(data):
            raise DataError(folder, "has arrays whose lengths do not agree; build the index again")
        self.terms, self.rows = len(indptr) - 1, rows
        self.indptr, self.indices, self.data = indptr, indices, data
        self._matrix = scipy.sparse.csr_matrix((data, indices, indptr), shape=(self.terms, rows), copy=False)

    def search(self, queries: Sequence[Query], depth: int, *, threads: int = 1) -> list[Ranked]:
        """Return for each query the rows with the largest sums of products, all above 0.

        Args:
            queries: Per query its distinct terms, ascending, and their weights.
            depth: How many rows at most.
            threads: Threads over chunks of queries at most; scipy's product runs outside Python's lock. Small batches
                take fewer, since a thread costs more than it saves there.
        """
        costs = [int(np.sum(self.indptr[terms + 1] - self.indptr[terms])) if len(terms) else 0 for terms, _ in queries]
        threads = min(threads, 1 + sum(costs) // _WORTH_A_THREAD)
        chunks = self._chunks(queries, costs, threads)
        if threads <= 1 or len(chunks) <= 1:
            return [ranked for chunk in chunks for ranked in self._search_chunk(chunk, depth)]
        with ThreadPoolExecutor(threads) as pool:
            found = pool.map(lambda chunk: self._search_chunk(chunk, depth), chunks)
            return [ranked for chunk in found for ranked in chunk]

    @staticmethod
    def _chunks(queries: Sequence[Query], costs: Sequence[int], threads: int) -> list[Sequence[Query]]:
        """Cut the queries so that a chunk touches a bounded number of postings and every thread gets some."""
        chunks: list[Sequence[Query]] = []
        largest = max(1, min(256, -(-len(queries) // max(threads, 1))))
        start, touched = 0, 0
        for number, cost in enumerate(costs):
            if number > start and (touched + cost > _TOUCHED or number - start >= largest):
                chunks.append(queries[start:number])
                start, touched = number, 0
            touched += cost
        chunks.append(queries[start:])
        return chunks

    def _search_chunk(self, queries: Sequence[Query], depth: int) -> list[Ranked]:
        import scipy.sparse

        if not queries:
            return []
        kind = self.indptr.dtype
        starts = np.cumsum([0, *(len(terms) for terms, _ in queries)]).astype(kind)
        asked = scipy.sparse.csr_matrix(
            (
                np.concatenate([weights for _, weights in queries]).astype(np.float32),
                np.concatenate([terms for terms, _ in queries]).astype(kind),
                starts,
            ),
            shape=(len(queries), self.terms),
        )
        product = asked @ self._matrix
        found: list[Ranked] = []
        for start, end in zip(product.indptr[:-1], product.indptr[1:], strict=True):
            rows, scores = product.indices[start:end], product.data[start:end]
            best = top_k(scores, depth, rows)
            best = best[scores[best] > 0]
            found.append((rows[best].astype(np.int64), scores[best]))
        return found


def _kind(path: Path) -> str:
    """Return the type of the index arrays, which the number of postings decided."""
    try:
        return str(map_array(path).dtype)
    except (OSError, ValueError) as error:
        raise DataError(path, f"is damaged or missing ({error}); build the index again") from error
