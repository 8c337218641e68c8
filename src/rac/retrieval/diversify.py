"""Diversification: clarification wants passages that differ, since each may hold another facet of the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rac.retrieval.fusion import Found
from rac.retrieval.settings import IndexSettings

Similarities = Callable[[Sequence[int]], NDArray[np.float64]]


def diversify(
    found: list[list[Found]], top_k: int, similarities: Similarities, settings: IndexSettings
) -> list[list[Found]]:
    """Return ``top_k`` of each query's passages so that they differ; scores stay those of relevance.

    Args:
        found: Per query the ranked passages to choose from.
        top_k: How many to choose.
        similarities: Gives [n, n] similarities in 0..1 of passage rows.
        settings: ``diversify``, ``diversify_depth``, ``mmr_lambda``, ``facet_similarity``.
    """
    results = []
    for ranking in found:
        pool = ranking[: max(settings.diversify_depth, top_k)]
        if len(pool) < 2:
            results.append(pool[:top_k])
            continue
        alike = similarities([one.row for one in pool])
        if settings.diversify == "mmr":
            order = mmr(relevance([one.score for one in pool]), alike, top_k, settings.mmr_lambda)
        else:
            order = facet_order(alike, settings.facet_similarity)
        results.append([pool[position] for position in order[:top_k]])
    return results


def relevance(scores: Sequence[float]) -> NDArray[np.float64]:
    """Return scores scaled so that the best is 1: divided by it, or shifted first if some are negative (logits)."""
    values = np.asarray(scores, np.float64)
    if values.min() < 0:
        values = values - values.min()
    best = values.max()
    return values / best if best > 0 else np.ones_like(values)


def mmr(relevant: NDArray, alike: NDArray, top_k: int, balance: float) -> list[int]:
    """Return positions by maximal marginal relevance (Carbonell and Goldstein 1998).

    Each pick maximises  balance * relevance - (1 - balance) * largest similarity to a passage picked before;
    ties go to the better ranked one.

    Args:
        relevant: [n] relevance in 0..1, best first.
        alike: [n, n] similarity in 0..1.
        top_k: How many to pick.
        balance: 1 looks at relevance only, 0 at difference only.
    """
    left = np.ones(len(relevant), bool)
    nearest = np.zeros(len(relevant))
    order: list[int] = []
    while left.any() and len(order) < top_k:
        gain = np.where(left, balance * relevant - (1 - balance) * nearest, -np.inf)
        pick = int(np.argmax(gain))  # argmax takes the first of equal gains
        order.append(pick)
        left[pick] = False
        nearest = np.maximum(nearest, alike[pick])
    return order


def facet_order(alike: NDArray, threshold: float) -> list[int]:
    """Return positions so that each cluster of like passages gives one before any gives a second.

    A passage joins the first cluster whose best ranked passage is at least ``threshold`` similar to it, or founds one.
    """
    leaders: list[int] = []
    members: list[list[int]] = []
    for position in range(len(alike)):
        for leader, cluster in zip(leaders, members, strict=True):
            if alike[leader, position] >= threshold:
                cluster.append(position)
                break
        else:
            leaders.append(position)
            members.append([position])
    rounds = max((len(cluster) for cluster in members), default=0)
    return [cluster[turn] for turn in range(rounds) for cluster in members if turn < len(cluster)]


def term_similarity(terms: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Return how many distinct terms passages share, |a and b| / sqrt(|a| |b|), as [n, n] in 0..1."""
    sets = [set(some) for some in terms]
    alike = np.eye(len(sets))
    for first, a in enumerate(sets):
        for second in range(first + 1, len(sets)):
            b = sets[second]
            if a and b:
                alike[first, second] = alike[second, first] = len(a & b) / np.sqrt(len(a) * len(b))
    return alike
