"""The random draws behind significance: resampled clusters and flipped signs, vectorised and shared between tests.

The draws depend on the seed, their number and the number of clusters only, so a figure is the same whether it is
computed alone or as one of a table's.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CELLS_AT_ONCE = 4_000_000
"""Upper bound of the numbers held at once while resampling (32 MB of float64)."""


def _chunks(total: int, width: int) -> Iterator[int]:
    """Split ``total`` rows of ``width`` numbers into chunks that fit the memory bound."""
    rows = max(1, CELLS_AT_ONCE // max(width, 1))
    for start in range(0, total, rows):
        yield min(rows, total - start)


def bootstrap_interval(
    sums: Floats, sizes: Floats, seed: int, n: int, level: float
) -> tuple[float | None, float | None]:
    """Return the expanded percentile interval of sum(sums) / sum(sizes) over resampled clusters.

    Args:
        sums: Sum of the values of each cluster, shape (clusters,).
        sizes: Number of its values.
        seed: Seed of the resampling.
        n: Number of resamples.
        level: Coverage.

    Returns:
        Lower and upper end; (None, None) with fewer than two clusters.
    """
    clusters = len(sums)
    if clusters < 2:
        return None, None
    # The metrics of a table are resampled alike, so the draws of one cluster count are made once.
    draws = [_cached_draws(seed, n, clusters)] if n * clusters <= CELLS_AT_ONCE else _draws(seed, n, clusters)
    both = np.stack([sums, sizes], axis=1)
    totals = np.concatenate([counts @ both for counts in draws])
    tail = 100 * _expanded_tail(clusters, level)
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [tail, 100 - tail])
    return float(low), float(high)


def _draws(seed: int, n: int, clusters: int) -> Iterator[Floats]:
    """Yield, for n resamples in chunks, how often each cluster was drawn: shape (rows, clusters)."""
    rng = np.random.default_rng(seed)
    for rows in _chunks(n, clusters):
        drawn = rng.integers(0, clusters, size=(rows, clusters))
        flat = (drawn + np.arange(rows)[:, None] * clusters).ravel()
        yield np.bincount(flat, minlength=rows * clusters).reshape(rows, clusters).astype(np.float64)


@functools.lru_cache(maxsize=2)
def _cached_draws(seed: int, n: int, clusters: int) -> Floats:
    return np.concatenate(list(_draws(seed, n, clusters)))


def _expanded_tail(clusters: int, level: float) -> float:
    """Return the share of resamples to cut off at each end, less than (1 - level) / 2 with few clusters."""
    from scipy.special import ndtr, stdtrit

    quantile = stdtrit(clusters - 1, (1 - level) / 2)
    return float(ndtr(np.sqrt(clusters / (clusters - 1)) * quantile))


def randomisation_ps(sums: Sequence[Floats], seed: int, n: int) -> list[tuple[float | None, bool]]:
    """Return (p, whether it is exact) of each test, given its differences summed per cluster.

    The flips depend on seed, n and the number of clusters only, so that a test has the same p alone and among others;
    tests with as many clusters share them and are computed as one matrix product.
    """
    found: list[tuple[float | None, bool]] = [(None, False)] * len(sums)
    by_count: dict[int, list[int]] = {}
    for i, own in enumerate(sums):
        if len(own) >= 2:
            by_count.setdefault(len(own), []).append(i)
    for clusters, members in by_count.items():
        columns = np.stack([sums[i] for i in members], axis=1)
        # Equal up to rounding counts as "at least as large": ties of exact fractions would otherwise fall either way.
        bounds = np.abs(columns.sum(axis=0)) - 1e-12 * np.abs(columns).sum(axis=0)
        exact = clusters < 31 and 2**clusters <= n
        hits = np.zeros(len(members), dtype=np.int64)
        total = 0
        for signs in _all_signs(clusters) if exact else _random_signs(seed, n, clusters, len(members)):
            hits += (np.abs(signs @ columns) >= bounds).sum(axis=0)
            total += len(signs)
        for i, hit in zip(members, hits, strict=True):
            found[i] = (int(hit) / total, True) if exact else ((1 + int(hit)) / (1 + total), False)
    return found


def _all_signs(clusters: int) -> Iterator[Floats]:
    """Yield all 2^clusters rows of signs."""
    codes = np.arange(2**clusters)
    yield (1.0 - 2.0 * ((codes[:, None] >> np.arange(clusters)) & 1)).astype(np.float64)


def _random_signs(seed: int, n: int, clusters: int, tests: int) -> Iterator[Floats]:
    """Yield n random rows of signs, in chunks that fit the memory bound together with their products."""
    rng = np.random.default_rng(seed)
    for rows in _chunks(n, max(clusters, tests)):
        yield (1.0 - 2.0 * rng.integers(0, 2, size=(rows, clusters), dtype=np.int8)).astype(np.float64)
