"""Approximate dense search for large corpora: an HNSW graph by ``usearch``, memory-mapped, rescored exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rac.errors import DataError, UserError
from rac.progress import Progress
from rac.retrieval.postings import Ranked
from rac.retrieval.settings import IndexSettings
from rac.retrieval.topk import top_k

GRAPH = "graph.usearch"
_CHUNK = 8192
_RECALL_SAMPLE = 200
_RECALL_DEPTH = 10


def _library() -> Any:
    try:
        import usearch.index
    except ImportError as error:
        raise UserError(
            "approximate search needs the package usearch, which is not installed; install it with "
            "`pip install 'rac-clarify[approximate]'`, or set `approximate: false`"
        ) from error
    return usearch.index


def build_graph(folder: Path, matrix: NDArray, settings: IndexSettings) -> dict[str, Any]:
    """Build the graph over the rows of a matrix and return its header, the measured recall in it.

    Half-precision vectors guide the search; scores come from the matrix. By default one thread builds, because several
    give another graph in each run.

    Args:
        folder: Where the graph goes.
        matrix: [n, dimensions] unit vectors.
        settings: ``hnsw_links``, ``ef_build``, ``ef_search``.
    """
    graph = _library().Index(
        ndim=matrix.shape[1], metric="ip", dtype="f16", connectivity=settings.hnsw_links,
        expansion_add=settings.ef_build, expansion_search=settings.ef_search,
    )  # fmt: skip
    with Progress("linking vectors", len(matrix), unit="vectors") as progress:
        for start in range(0, len(matrix), _CHUNK):
            block = np.asarray(matrix[start : start + _CHUNK])
            graph.add(np.arange(start, start + len(block), dtype=np.uint64), block, threads=settings.build_threads)
            progress.advance(len(block))
    graph.save(str(folder / GRAPH))
    return {"links": settings.hnsw_links, "ef_build": settings.ef_build, **measure_recall(folder, matrix, settings)}


def measure_recall(folder: Path, matrix: NDArray, settings: IndexSettings) -> dict[str, Any]:
    """Compare the graph's best 10 with the exact ones, for rows of the matrix blurred with noise as queries."""
    from rac.retrieval.dense import exact_search

    rng = np.random.default_rng(0)
    sample = np.sort(rng.choice(len(matrix), min(_RECALL_SAMPLE, len(matrix)), replace=False))
    queries = np.asarray(matrix[sample])
    noise = rng.standard_normal(queries.shape, dtype=np.float32)
    queries = queries + 0.5 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    depth = min(_RECALL_DEPTH, len(matrix))
    exact = exact_search(matrix, queries, depth)
    near = Graph(folder, settings).search(queries, depth, matrix, 1)
    found = sum(len(np.intersect1d(a[0], b[0])) for a, b in zip(exact, near, strict=True))
    wanted = sum(len(a[0]) for a in exact)
    return {"recall_at": depth, "recall": found / wanted if wanted else 1.0, "recall_queries": len(sample)}


class Graph:
    """An HNSW graph opened memory-mapped."""

    def __init__(self, folder: Path, settings: IndexSettings) -> None:
        path = folder / GRAPH
        try:
            self._graph = _library().Index.restore(str(path), view=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError(path, f"is damaged or missing ({error}); build the index again") from error
        if self._graph is None:
            raise DataError(path, "is damaged or missing; build the index again")
        self._breadth = settings.ef_search

    def search(self, queries: NDArray, depth: int, matrix: NDArray, threads: int) -> list[Ranked]:
        """Return for each query near rows with their exact products, best first, ties by row, above 0."""
        count = min(max(2 * depth, self._breadth), len(matrix))  # more than asked for: rescoring may reorder them
        self._graph.expansion_search = max(self._breadth, count)
        matches = self._graph.search(queries, count, threads=threads)
        keys = np.atleast_2d(matches.keys)
        sizes = np.atleast_1d(matches.counts) if len(queries) > 1 else [keys.shape[1]]
        results: list[Ranked] = []
        for number, query in enumerate(queries):
            rows = np.sort(keys[number][: int(sizes[number])].astype(np.int64))
            scores = np.asarray(matrix[rows]) @ query
            best = top_k(scores, depth, rows)
            best = best[scores[best] > 0]
            results.append((rows[best], scores[best]))
        return results
