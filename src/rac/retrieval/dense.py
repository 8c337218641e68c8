"""Dense retrieval: cosine of embeddings, exact on a memory-mapped matrix, or through a proximity graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rac.errors import DataError
from rac.retrieval.arrays import NpyWriter, open_array
from rac.retrieval.encoders import PROBE, bi_encoder, check_probe, encode_documents, encode_queries
from rac.retrieval.postings import Ranked
from rac.retrieval.settings import IndexSettings
from rac.retrieval.topk import top_k

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

NAME = "dense"
MATRIX = "vectors.npy"
_PROBE_KEPT = 16
_BLOCK_SCORES = 4_000_000  # scores held at once, 16 MB
_LEAST_BLOCK = 1024
_SAMPLE = 1024


class DenseWriter:
    """Encodes entries while they stream by and appends their vectors to a file."""

    name = NAME
    carries = True

    def __init__(self, folder: Path, settings: IndexSettings) -> None:
        folder.mkdir()
        self._folder, self._settings = folder, settings
        self._model = bi_encoder(settings.model, settings.max_tokens)
        self._probe = encode_documents(self._model, [PROBE], 1)[0]
        self._vectors = NpyWriter(folder / MATRIX, "float32", len(self._probe))

    def add(self, texts: Sequence[str]) -> None:
        """Index entries; their rows go on from those added before."""
        if texts:
            self._vectors.append(encode_documents(self._model, list(texts), self._settings.encode_batch))

    def carry(self, old: DenseRetriever, rows: NDArray) -> None:
        """Take over the vectors of an older index's rows.

        Raises:
            OtherModelError: if they are another model's: vectors of two models in one index cannot be compared.
        """
        check_probe(self._settings.model, old.probe, self._probe)
        for start in range(0, len(rows), 65536):
            self._vectors.append(old.vectors(rows[start : start + 65536]))

    def finish(self) -> dict[str, Any]:
        """Write the index and return what its header should say."""
        self._vectors.close()
        settings = self._settings
        header = {
            "model": settings.model,
            "dimensions": len(self._probe),
            "probe": [float(value) for value in self._probe[:_PROBE_KEPT]],
            "max_tokens": settings.max_tokens,
        }
        if settings.approximate:
            from rac.retrieval.approximate import build_graph

            header["graph"] = build_graph(self._folder, open_array(self._folder / MATRIX, "float32", 2), settings)
        return header


class DenseRetriever:
    """Searches what ``DenseWriter`` wrote. The model is loaded by the first search, not by opening."""

    name = NAME

    def __init__(self, folder: Path, settings: IndexSettings, header: dict[str, Any], entries: int) -> None:
        self._settings = settings
        self.probe: list[float] = header["probe"]
        self._matrix = open_array(folder / MATRIX, "float32", 2)
        if self._matrix.shape != (entries, header["dimensions"]):
            raise DataError(folder / MATRIX, "does not fit the entries of the index; build the index again")
        self._model: SentenceTransformer | None = None
        self._graph = None
        if settings.approximate:
            from rac.retrieval.approximate import Graph

            self._graph = Graph(folder, settings)

    def vectors(self, rows: Sequence[int] | NDArray) -> NDArray[np.float32]:
        """Return the unit vectors of entries, [n, dimensions]."""
        return np.asarray(self._matrix[np.asarray(rows, np.int64)])

    def encode(self, queries: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of queries, [n, dimensions]."""
        return encode_queries(self.load_model(), list(queries), self._settings.encode_batch)

    def load_model(self) -> SentenceTransformer:
        """Return the model, loaded by the first call; ``OtherModelError`` if it is not the index's."""
        if self._model is None:
            model = bi_encoder(self._settings.model, self._settings.max_tokens)
            check_probe(self._settings.model, self.probe, encode_documents(model, [PROBE], 1)[0])
            self._model = model
        return self._model

    def search(self, queries: Sequence[str], depth: int, *, threads: int = 1) -> list[Ranked]:
        """Return for each query the entries with the largest cosine above 0; none for a query without a letter."""
        results: list[Ranked] = [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
        asked = [number for number, query in enumerate(queries) if any(c.isalnum() for c in query)]
        if not asked:
            return results
        vectors = self.encode([queries[number] for number in asked])
        if self._graph is not None:
            found = self._graph.search(vectors, depth, self._matrix, threads)
        else:
            found = exact_search(self._matrix, vectors, depth)
        for number, ranked in zip(asked, found, strict=True):
            results[number] = ranked
        return results


def _promising(line: NDArray, worst: np.float32, depth: int) -> NDArray[np.int64]:
    """Return the positions of scores that may be among the best ``depth``: above ``worst``, the worst found so far.

    While nothing was found, the best of the first scores give a bound that spares sorting half of all scores.
    """
    sample = max(_SAMPLE, 16 * depth)
    if worst == 0 and len(line) >= 4 * sample:
        bound = np.partition(line[:sample], sample - depth)[sample - depth]
        if bound > 0:
            return np.flatnonzero(line >= bound)
    return np.flatnonzero(line > worst)


def exact_search(matrix: NDArray, queries: NDArray, depth: int) -> list[Ranked]:
    """Return for each query the rows with the largest products above 0, best first, ties by row.

    The matrix is read block by block, once per batch of queries; only rows that beat the worst of the best so far are
    looked at again, so the selection costs one comparison per score.

    Args:
        matrix: [n, dimensions], memory-mapped or not.
        queries: [q, dimensions].
        depth: Rows per query.
    """
    count = len(queries)
    block = max(_LEAST_BLOCK, _BLOCK_SCORES // max(count, 1))
    rows: list[NDArray] = [np.empty(0, np.int64) for _ in range(count)]
    scores: list[NDArray] = [np.empty(0, np.float32) for _ in range(count)]
    worst = np.zeros(count, np.float32)
    for start in range(0, len(matrix), block):
        products = queries @ matrix[start : start + block].T
        for number in range(count):
            line = products[number]
            better = _promising(line, worst[number], depth)
            if not len(better):
                continue
            # Old rows come first and are smaller, so ties stay in the order of rows.
            all_rows = np.concatenate([rows[number], better + start])
            all_scores = np.concatenate([scores[number], line[better]])
            best = top_k(all_scores, depth)
            rows[number], scores[number] = all_rows[best], all_scores[best]
            if len(best) == depth:
                worst[number] = scores[number][-1]
    return list(zip(rows, scores, strict=True))
