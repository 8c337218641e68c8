"""Hybrid retrieval: several rankings of passages become one, by ranks or by scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rac.retrieval.base import Contribution
from rac.retrieval.postings import Ranked
from rac.retrieval.settings import IndexSettings


@dataclass(frozen=True)
class Found:
    """A passage row with its score and what each strategy contributed to it."""

    row: int
    score: float
    parts: Mapping[str, Contribution]


def fuse(rankings: Mapping[str, Ranked], settings: IndexSettings) -> list[Found]:
    """Combine the rankings of one query.

    ``rrf``:       sum over parts of weight / (rrf_k + rank)          (Cormack, Clarke, Büttcher 2009)
    ``weighted``:  sum over parts of weight * scaled score / sum of weights; a part's scores are scaled so that its best
                   passage gets 1 and a score of 0 stays 0, and a passage that the part did not find gets 0.

    A part of weight 0 adds no passage. Ties are decided by the row.

    Args:
        rankings: Per part the passage rows and scores, best first.
        settings: ``fusion``, ``weights``, ``rrf_k``.
    """
    parts: dict[int, dict[str, Contribution]] = {}
    totals: dict[int, float] = {}
    weights = {name: settings.weights.get(name, 1.0) for name in rankings}  # type: ignore[call-overload]
    whole = sum(weights.values())
    for name, (rows, scores) in rankings.items():
        weight = weights[name]
        if weight == 0 or not len(rows):
            continue
        best = float(scores[0])
        for rank, (row, score) in enumerate(zip(rows.tolist(), scores.tolist(), strict=True), start=1):
            if settings.fusion == "rrf":
                gain = weight / (settings.rrf_k + rank)
            else:
                gain = weight / whole * (max(score, 0.0) / best if best > 0 else 0.0)
            totals[row] = totals.get(row, 0.0) + gain
            parts.setdefault(row, {})[name] = Contribution(score, rank)
    order = sorted(totals, key=lambda row: (-totals[row], row))
    return [Found(row, totals[row], parts[row]) for row in order]
