"""How sure a mean or a difference is: cluster bootstrap, approximate randomisation, Holm's correction, effect sizes.

Questions about the same topic, rule or document are not independent, so whole *clusters* are resampled and flipped,
never single questions. A value of None or NaN is *unscored*: left out of every figure and counted.

Intervals are *expanded* percentile intervals: with k clusters the percentiles alpha/2 and 1 - alpha/2 are replaced by
Phi(+-sqrt(k / (k - 1)) t_{alpha/2, k-1}), which is the plain percentile interval for many clusters and keeps the
promised coverage better for few (measured in docs/significance.md).

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; Hesterberg, What Teachers Should Know
About the Bootstrap (2015), for the expansion; Noreen, Computer Intensive Methods for Testing Hypotheses (1989); Holm, A
simple sequentially rejective multiple test procedure (1979); Phipson and Smyth, Permutation p-values should never be
zero (2010), for the "+1" in p.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rac.errors import UserError
from rac.metrics.resampling import Floats, bootstrap_interval, randomisation_ps

Value = float | int | bool | None

RESAMPLES = 2000
FLIPS = 10_000
ALPHA = 0.05


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval.

    Attributes:
        mean: Mean of the scored values; None if nothing was scored.
        low: Lower end of the interval; None with fewer than two clusters, for which no interval can be had.
        high: Upper end of the interval; None likewise.
        n: Number of scored values.
        unscored: Number of values that were None or NaN.
        clusters: Number of clusters with a scored value.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    clusters: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class PairedTest:
    """The comparison of two systems on the items that both have a score for.

    Attributes:
        difference: Mean of a - b.
        low: Lower end of the bootstrap interval of the difference (None with fewer than two clusters).
        high: Upper end.
        p: Two-sided p-value of approximate randomisation over clusters, in (0, 1]; None with fewer than two clusters.
        effect: Standardised difference d_z = mean(a - b) / sd(a - b) over items; None if all differences are equal
            and not zero (it would be infinite) or there are fewer than two items.
        superiority: Share of items on which a is higher, ties counted half (0.5 = no difference).
        n: Items with both scores.
        unscored: Items where at least one score is missing.
        clusters: Clusters with a scored pair.
        exact: Whether p is over all 2^clusters flips instead of a sample of them.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    effect: float | None
    superiority: float | None
    n: int
    unscored: int
    clusters: int
    exact: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """One row of a table of pairwise comparisons; ``p_holm`` is corrected for all rows of its family."""

    metric: str
    a: str
    b: str
    test: PairedTest
    p_holm: float | None
    significant: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON types, the test's fields beside the names."""
        rest = {"p_holm": self.p_holm, "significant": self.significant}
        return {"metric": self.metric, "a": self.a, "b": self.b, **self.test.to_dict(), **rest}


def bootstrap_ci(
    values: Sequence[Value], clusters: Sequence[str] | None, seed: int, n: int = RESAMPLES, level: float = 0.95
) -> Interval:
    """Return the mean of ``values`` and its expanded percentile interval over resampled clusters.

    Every resample draws as many clusters as there are, with replacement, and takes the mean over *their items*, so a
    large cluster weighs as much as in the plain mean. Where every value is 0, or every value is 1, resampling shows no
    uncertainty at all; the exact binomial interval (Clopper-Pearson) of that many clusters is given instead.

    Args:
        values: One value per item; None and NaN are unscored.
        clusters: The cluster of each item; None makes every item its own cluster.
        seed: Seed of the resampling.
        n: Number of resamples.
        level: Coverage of the interval, in (0, 1).

    Raises:
        UserError: if lengths differ, a value is infinite, or ``n`` or ``level`` is out of range.
    """
    _check_level(n, level)
    array = _as_floats(values)
    names = _cluster_names(clusters, len(array))
    scored = ~np.isnan(array)
    count = int(scored.sum())
    unscored = len(array) - count
    if count == 0:
        return Interval(None, None, None, 0, unscored, 0)
    sums, sizes = _cluster_sums(array[scored], names[scored])
    mean = float(array[scored].mean())
    low, high = bootstrap_interval(sums, sizes, seed, n, level)
    if low is not None and (array[scored] == mean).all() and mean in (0.0, 1.0):
        doubt = 1.0 - ((1.0 - level) / 2) ** (1.0 / len(sums))
        low, high = (0.0, doubt) if mean == 0.0 else (1.0 - doubt, 1.0)
    return Interval(mean, low, high, count, unscored, len(sums))


def paired_test(
    a: Sequence[Value], b: Sequence[Value], clusters: Sequence[str] | None, seed: int,
    n: int = FLIPS, resamples: int = RESAMPLES, level: float = 0.95,
) -> PairedTest:  # fmt: skip
    """Compare two systems item by item.

    The null hypothesis is that within every cluster the two systems could have been swapped: the signs of the
    clusters' summed differences are flipped at random and the absolute mean difference is compared with the observed
    one. With 2^clusters <= ``n`` all flips are listed and p is exact; otherwise p = (1 + hits) / (1 + n), which is
    never 0. The interval is the bootstrap of the same cluster differences.

    Args:
        a: Scores of the first system, None or NaN where unscored.
        b: Scores of the second system for the same items in the same order.
        clusters: The cluster of each item, or None.
        seed: Seed of flipping and resampling.
        n: Number of random flips.
        resamples: Number of bootstrap resamples for the interval.
        level: Coverage of the interval.

    Raises:
        UserError: if the lengths differ or a number is out of range.
    """
    _check_level(n, level)
    paired = _Paired.make(a, b, clusters)
    ((p, exact),) = randomisation_ps([paired.sums], seed, n)
    return paired.test(p, exact, seed, resamples, level)


@dataclass(frozen=True)
class _Paired:
    """Differences of two systems where both are scored, and their sums and counts per cluster."""

    delta: Floats
    sums: Floats
    sizes: Floats
    unscored: int

    @classmethod
    def make(cls, a: Sequence[Value], b: Sequence[Value], clusters: Sequence[str] | None) -> _Paired:
        if len(a) != len(b):
            raise UserError(
                f"two systems with {len(a)} and {len(b)} scores were given, but a paired test needs the same items in "
                "the same order; align the scores by id first"
            )
        delta = _as_floats(a) - _as_floats(b)
        names = _cluster_names(clusters, len(delta))
        scored = ~np.isnan(delta)
        return cls(delta[scored], *_cluster_sums(delta[scored], names[scored]), int((~scored).sum()))

    def test(self, p: float | None, exact: bool, seed: int, resamples: int, level: float) -> PairedTest:
        count, clusters = len(self.delta), len(self.sums)
        if count == 0:
            return PairedTest(None, None, None, None, None, None, 0, self.unscored, 0, False)
        low, high = bootstrap_interval(self.sums, self.sizes, seed, resamples, level)
        superiority = float(((self.delta > 0) + 0.5 * (self.delta == 0)).mean())
        return PairedTest(
            float(self.delta.mean()), low, high, p, _standardised(self.delta), superiority, count, self.unscored,
            clusters, exact,
        )  # fmt: skip


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Return Holm's step-down adjusted p-values in the given order; None (no test) stays None and is not counted."""
    tested = sorted((i for i, p in enumerate(ps) if p is not None), key=lambda i: (ps[i], i))
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, index in enumerate(tested):
        p = ps[index]
        assert p is not None
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        adjusted[index] = highest
    return adjusted


def compare_systems(
    scores: Mapping[str, Mapping[str, Sequence[Value]]], clusters: Sequence[str] | None, seed: int, *,
    metrics: Sequence[str] | None = None, alpha: float = ALPHA, family: str = "metric", n: int = FLIPS,
) -> list[Comparison]:  # fmt: skip
    """Test every pair of systems on every metric and correct the p-values with Holm's method.

    Args:
        scores: system -> metric -> one value per item; the items of all systems in the same order.
        clusters: The cluster of each item, or None.
        seed: Seed.
        metrics: Metrics to test; those that at least two systems have, in order of appearance, by default. A pair in
            which one system lacks the metric is left out: there is nothing to test.
        alpha: A comparison is significant if its corrected p is at most this.
        family: ``"metric"`` corrects over the pairs of one metric; ``"table"`` over all rows.
        n: Flips; raised where the correction could otherwise never reach ``alpha``.

    Returns:
        One row per metric and pair, metric by metric, pairs in the order of the systems.
    """
    if family not in ("metric", "table"):
        raise UserError(f"family '{family}' is not known, so p-values cannot be corrected; use 'metric' or 'table'")
    names = list(dict.fromkeys(m for system in scores.values() for m in system)) if metrics is None else list(metrics)
    pairs = [
        (metric, a, b)
        for metric in names
        for a, b in itertools.combinations(scores, 2)
        if metric in scores[a] and metric in scores[b]
    ]
    largest = max((sum(p[0] == m for p in pairs) for m in names), default=1) if family == "metric" else len(pairs)
    flips = max(n, int(np.ceil(4 * largest / alpha)))
    paired = [_Paired.make(scores[a][m], scores[b][m], clusters) for m, a, b in pairs]
    found = randomisation_ps([one.sums for one in paired], seed, flips)
    tests = [one.test(p, exact, seed, RESAMPLES, 0.95) for one, (p, exact) in zip(paired, found, strict=True)]
    corrected: list[float | None] = [None] * len(pairs)
    for group in [[m] for m in names] if family == "metric" else [names]:
        rows = [i for i, pair in enumerate(pairs) if pair[0] in group]
        for row, p in zip(rows, holm([tests[i].p for i in rows]), strict=True):
            corrected[row] = p
    return [
        Comparison(m, a, b, test, p, p is not None and p <= alpha)
        for (m, a, b), test, p in zip(pairs, tests, corrected, strict=True)
    ]


def _check_level(n: int, level: float) -> None:
    if n < 1 or not 0 < level < 1:
        raise UserError(f"{n} resamples at level {level} cannot give an interval; use n >= 1 and 0 < level < 1")


def _as_floats(values: Sequence[Value]) -> Floats:
    array = np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
    if np.isinf(array).any():
        raise UserError(
            f"item {int(np.flatnonzero(np.isinf(array))[0])} has an infinite score, which has no mean; give None for "
            "an item that could not be scored"
        )
    return array


def _cluster_names(clusters: Sequence[str] | None, length: int) -> npt.NDArray[Any]:
    if clusters is None:
        return np.arange(length)
    if len(clusters) != length:
        raise UserError(
            f"{length} values but {len(clusters)} clusters were given, so it is unknown what belongs together; give "
            "one cluster per value"
        )
    return np.array([str(c) for c in clusters], dtype=object)


def _cluster_sums(values: Floats, names: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Return per cluster, in sorted order of the names, the sum of its values and the number of them."""
    unique, index = np.unique(names, return_inverse=True)
    sums = np.bincount(index, weights=values, minlength=len(unique)).astype(np.float64)
    sizes = np.bincount(index, minlength=len(unique)).astype(np.float64)
    return sums, sizes


def _standardised(delta: Floats) -> float | None:
    if len(delta) < 2:
        return None
    spread = float(delta.std(ddof=1))
    if spread <= 1e-12 * max(1.0, float(np.abs(delta).max())):
        return 0.0 if abs(float(delta.mean())) <= 1e-12 else None
    return float(delta.mean()) / spread
