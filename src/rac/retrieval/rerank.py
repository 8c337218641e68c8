"""Reranking: a cross-encoder reads the query together with each of the best passages and reorders them."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from rac.records import Passage
from rac.retrieval.base import Contribution
from rac.retrieval.encoders import cross_encoder
from rac.retrieval.entries import full_text
from rac.retrieval.fusion import Found
from rac.retrieval.settings import IndexSettings

PART = "rerank"


class Passages(Protocol):
    """Passages by row."""

    def __getitem__(self, row: int, /) -> Passage: ...


def rerank(
    queries: list[str], found: list[list[Found]], passages: Passages, settings: IndexSettings
) -> list[list[Found]]:
    """Return the passages of each query in the order of the cross-encoder, whose score becomes the hit's score.

    The pairs of all queries go through the model together, so that batches are full.

    Args:
        queries: The queries.
        found: Per query the passages to reorder.
        passages: Passages by row.
        settings: ``reranker``, ``encode_batch``.
    """
    pairs = [
        (query, full_text(passages[one.row])) for query, ranking in zip(queries, found, strict=True) for one in ranking
    ]
    if not pairs:
        return found
    model = cross_encoder(settings.reranker, settings.reranker_revision)
    scores = model.predict(pairs, batch_size=settings.encode_batch, show_progress_bar=False).tolist()
    results, start = [], 0
    for ranking in found:
        own = scores[start : start + len(ranking)]
        start += len(ranking)
        order = sorted(range(len(ranking)), key=lambda position: (-own[position], position))
        results.append(
            [
                replace(
                    ranking[position],
                    score=own[position],
                    parts={**ranking[position].parts, PART: Contribution(own[position], rank)},
                )
                for rank, position in enumerate(order, start=1)
            ]
        )
    return results
