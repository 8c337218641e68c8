"""What Milvus is given for entries and queries: terms, vectors, learned weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rac.retrieval import encoders, sparse
from rac.retrieval.analyzer import Analyzer
from rac.retrieval.settings import IndexSettings

_PROBE_KEPT = 16


class MilvusEncoders:
    """The models behind the parts of a Milvus index, loaded when they are first needed.

    Args:
        settings: ``parts``, ``model``, ``sparse_model``.
        header: What the header of an existing index says of its models, to refuse other ones.
    """

    def __init__(self, settings: IndexSettings, header: dict[str, Any] | None = None) -> None:
        self._settings, self._header = settings, header or {}
        self._dense: Any = None
        self._sparse: Any = None

    @property
    def dimensions(self) -> int | None:
        """Length of the dense vectors; None without a dense part."""
        return len(self._dense_probe()) if "dense" in self._settings.parts else None

    def _dense_model(self) -> Any:
        if self._dense is None:
            model = encoders.bi_encoder(self._settings.model, self._settings.max_tokens)
            if "dense" in self._header:
                now = encoders.encode_documents(model, [encoders.PROBE], 1)[0]
                encoders.check_probe(self._settings.model, self._header["dense"]["probe"], now)
            self._dense = model  # only now, so that a model that was refused once is refused again
        return self._dense

    def _sparse_model(self) -> Any:
        if self._sparse is None:
            model = encoders.sparse_encoder(self._settings.sparse_model, self._settings.max_tokens)
            if "sparse" in self._header:
                stored = self._header["sparse"]["probe"]
                encoders.check_probe(self._settings.sparse_model, stored, sparse.probe(model))
            self._sparse = model
        return self._sparse

    def _dense_probe(self) -> NDArray[np.float32]:
        return encoders.encode_documents(self._dense_model(), [encoders.PROBE], 1)[0]

    def header(self) -> dict[str, Any]:
        """Return what the header of a new index should say of each part."""
        made: dict[str, Any] = {}
        for part in self._settings.parts:
            if part == "dense":
                probe = self._dense_probe()
                kept = [float(value) for value in probe[:_PROBE_KEPT]]
                made[part] = {"model": self._settings.model, "dimensions": len(probe), "probe": kept}
            elif part == "sparse":
                kept = [float(value) for value in sparse.probe(self._sparse_model())]
                made[part] = {"model": self._settings.sparse_model, "probe": kept}
            else:
                made[part] = {}
        return made

    def fill(self, rows: Sequence[dict[str, Any]], texts: list[str]) -> None:
        """Put vectors and weights into the rows of entries; take the terms out if nothing searches them."""
        settings = self._settings
        if "dense" in settings.parts:
            vectors = encoders.encode_documents(self._dense_model(), texts, settings.encode_batch)
            for row, vector in zip(rows, vectors, strict=True):
                row["vector"] = vector.tolist()
        if "sparse" in settings.parts:
            for row, weights in zip(rows, self._weights(texts, query=False), strict=True):
                row["learned"] = weights
        if "bm25" not in settings.parts:
            for row in rows:
                del row["text"]

    def _weights(self, texts: list[str], *, query: bool) -> list[dict[int, float]]:
        owners, terms, weights = sparse.encode(self._sparse_model(), texts, self._settings.encode_batch, query=query)
        found: list[dict[int, float]] = [{} for _ in texts]
        for owner, term, weight in zip(owners.tolist(), terms.tolist(), weights.tolist(), strict=True):
            found[owner][term] = weight
        return found

    def request(self, part: str, queries: list[str], analyzer: Analyzer) -> list[Any]:
        """Return what a search of one part is given for each query."""
        if part == "dense":
            vectors = encoders.encode_queries(self._dense_model(), queries, self._settings.encode_batch)
            return [vector.tolist() for vector in vectors]
        if part == "sparse":
            return list(self._weights(queries, query=True))
        return [" ".join(analyzer.terms(query)) for query in queries]
