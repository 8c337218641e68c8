"""Learned sparse retrieval (SPLADE): a model weighs words of its vocabulary, also ones that a text does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rac.retrieval.encoders import PROBE, check_probe, sparse_encoder
from rac.retrieval.postings import Postings, PostingsWriter, Query, Ranked
from rac.retrieval.settings import IndexSettings

if TYPE_CHECKING:
    from sentence_transformers import SparseEncoder

NAME = "sparse"
_PROBE_KEPT = 64


class SparseWriter:
    """Encodes entries while they stream by into an inverted file over the model's vocabulary."""

    name = NAME
    carries = True

    def __init__(self, folder: Path, settings: IndexSettings) -> None:
        folder.mkdir()
        self._settings = settings
        self._model = sparse_encoder(settings.sparse_model, settings.max_tokens)
        self._postings = PostingsWriter(folder)
        self._count = 0

    def add(self, texts: Sequence[str]) -> None:
        """Index entries; their rows go on from those added before."""
        if not texts:
            return
        rows, terms, weights = encode(self._model, list(texts), self._settings.encode_batch, query=False)
        self._postings.add(rows + self._count, terms, weights)
        self._count += len(texts)

    def carry(self, old: SparseRetriever, rows: NDArray) -> None:
        """Take over the weights of an older index's rows.

        Raises:
            OtherModelError: if they are another model's: its words weigh otherwise.
        """
        check_probe(self._settings.sparse_model, old.probe, probe(self._model))
        new_rows = np.full(old.postings.rows, -1, np.int64)
        new_rows[rows] = np.arange(len(rows))
        self._postings.carry(old.postings, new_rows)
        self._count += len(rows)

    def finish(self) -> dict[str, Any]:
        """Write the index and return what its header should say."""
        size = int(self._model.get_embedding_dimension() or 0)
        postings = self._postings.finish(size)
        return {
            "model": self._settings.sparse_model,
            "terms": size,
            "postings": postings,
            "probe": [float(value) for value in probe(self._model)],
            "max_tokens": self._settings.max_tokens,
        }


class SparseRetriever:
    """Searches what ``SparseWriter`` wrote. The model is loaded by the first search, not by opening."""

    name = NAME

    def __init__(self, folder: Path, settings: IndexSettings, header: dict[str, Any], entries: int) -> None:
        self._settings = settings
        self.probe: list[float] = header["probe"]
        self.postings = Postings(folder, entries)
        self._model: SparseEncoder | None = None

    def search(self, queries: Sequence[str], depth: int, *, threads: int = 1) -> list[Ranked]:
        """Return for each query the entries with the largest products of weights; none for a query without a letter."""
        model = self.load_model()
        parsed: list[Query] = [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
        asked = [number for number, query in enumerate(queries) if any(c.isalnum() for c in query)]
        if asked:
            texts = [queries[number] for number in asked]
            rows, terms, weights = encode(model, texts, self._settings.encode_batch, query=True)
            for position, number in enumerate(asked):
                own = rows == position
                parsed[number] = (terms[own], weights[own])
        return self.postings.search(parsed, depth, threads=threads)

    def load_model(self) -> SparseEncoder:
        """Return the model, loaded by the first call; ``OtherModelError`` if it is not the index's."""
        if self._model is None:
            model = sparse_encoder(self._settings.sparse_model, self._settings.max_tokens)
            check_probe(self._settings.sparse_model, self.probe, probe(model))
            self._model = model
        return self._model


def encode(
    model: SparseEncoder, texts: list[str], batch: int, *, query: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the weights above 0 as (rows, terms, weights), rows and then terms ascending."""
    encode = model.encode_query if query else model.encode_document
    tensor: Any = encode(texts, batch_size=batch, convert_to_tensor=True, show_progress_bar=False, save_to_cpu=True)
    tensor = tensor.coalesce()
    rows, terms = tensor.indices().numpy()
    weights = tensor.values().float().numpy()
    kept = weights > 0
    return rows[kept].astype(np.int64), terms[kept].astype(np.int64), weights[kept].astype(np.float32)


def probe(model: SparseEncoder) -> NDArray[np.float32]:
    """Return the largest weights of the probe text, descending: a short print of the model."""
    _, _, weights = encode(model, [PROBE], 1, query=False)
    return np.sort(weights)[::-1][:_PROBE_KEPT]
