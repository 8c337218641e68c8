"""Agreement of people with each other and with metrics: Krippendorff's alpha and rank correlation.

Alpha (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"): with n_uc the number of times value c was given
to unit u and m_u = sum_c n_uc, over units with m_u >= 2,

    o_ck = sum_u n_uc (n_uk - [c = k]) / (m_u - 1)     n_c = sum_k o_ck     n = sum_c n_c
    alpha = 1 - (n - 1) sum_ck o_ck d_ck / sum_ck n_c n_k d_ck

with d_ck = [c != k] (nominal), (c - k)^2 (interval), or (sum of n from c to k minus (n_c + n_k) / 2)^2 (ordinal). 1 is
perfect, 0 is chance, below 0 is systematic disagreement; None where it is not defined (no unit with two values, or only
one value was ever given: then nothing could have been told apart).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from rac.errors import UserError

Floats = npt.NDArray[np.float64]
LEVELS = ("nominal", "ordinal", "interval")


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha with its bootstrap interval over units.

    Attributes:
        alpha: The coefficient, None where it is not defined.
        low: Lower end of the 95 % interval over resampled units; None if too few resamples define alpha.
        high: Upper end.
        units: Units with at least two values.
        single: Units with one value, which say nothing about agreement.
        values: Values given to the units counted.
    """

    alpha: float | None
    low: float | None
    high: float | None
    units: int
    single: int
    values: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of a metric with people.

    Attributes:
        spearman: Spearman's rho, None with fewer than three pairs or where one side is constant.
        low: Lower end of its 95 % interval over resampled clusters.
        high: Upper end.
        kendall: Kendall's tau-b.
        n: Pairs with both values.
        unscored: Items that lack one of them.
    """

    spearman: float | None
    low: float | None
    high: float | None
    kendall: float | None
    n: int
    unscored: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return asdict(self)


def krippendorff_alpha(
    units: Sequence[Sequence[float]], *, level: str = "ordinal", seed: int = 0, resamples: int = 1000
) -> Agreement:
    """Return alpha over units.

    Args:
        units: Per unit the values that it was given, in any order; units may have different numbers of values.
        level: ``nominal``, ``ordinal`` or ``interval``.
        seed: Of the bootstrap.
        resamples: Number of resamples of the units; 0 for no interval.

    Raises:
        UserError: for an unknown level.
    """
    if level not in LEVELS:
        raise UserError(f"level '{level}' of measurement is not known; use {', '.join(LEVELS)}")
    paired = [list(unit) for unit in units if len(unit) >= 2]
    single = sum(len(unit) == 1 for unit in units)
    values = sorted({value for unit in paired for value in unit})
    place = {value: i for i, value in enumerate(values)}
    coincidences = np.zeros((len(paired), len(values), len(values)))
    for u, unit in enumerate(paired):
        counts = np.bincount([place[v] for v in unit], minlength=len(values)).astype(np.float64)
        coincidences[u] = (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    alpha = _alpha(coincidences.sum(axis=0), values, level) if paired else None
    low = high = None
    if len(paired) >= 2 and resamples:
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(paired), np.full(len(paired), 1 / len(paired)), size=resamples)
        sums = np.tensordot(drawn.astype(np.float64), coincidences, axes=1)
        found = [a for a in (_alpha(o, values, level) for o in sums) if a is not None]
        low, high = _ends(found, resamples)
    return Agreement(alpha, low, high, len(paired), single, sum(map(len, paired)))


def _alpha(observed: Floats, values: Sequence[float], level: str) -> float | None:
    totals = observed.sum(axis=1)
    n = float(totals.sum())
    distance = _distance(totals, np.array(values, dtype=np.float64), level)
    expected = float((np.outer(totals, totals) * distance).sum())
    if expected <= 0:
        return None
    return 1.0 - (n - 1) * float((observed * distance).sum()) / expected


def _distance(totals: Floats, values: Floats, level: str) -> Floats:
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        return (values[:, None] - values[None, :]) ** 2
    # Sum of the totals from c to k, half of each end: a difference of the cumulative sums at the middles.
    middles = np.cumsum(totals) - totals / 2
    return (middles[:, None] - middles[None, :]) ** 2


def rank_correlation(
    people: Sequence[float | None], metric: Sequence[float | None], clusters: Sequence[str] | None = None, *,
    seed: int = 0, resamples: int = 500,
) -> Correlation:  # fmt: skip
    """Return the rank correlation of people's grades with a metric over items.

    Args:
        people: One grade per item (a mean over annotators), None where there is none.
        metric: The metric's value per item, None where unscored.
        clusters: The cluster of each item, resampled whole; None makes each item its own.
        seed: Of the bootstrap.
        resamples: Number of resamples.

    Raises:
        UserError: for lists of different length.
    """
    if len(people) != len(metric) or (clusters is not None and len(clusters) != len(people)):
        raise UserError(
            f"{len(people)} grades and {len(metric)} scores were given (or another number of clusters), so they "
            "cannot be paired; give one of each per item"
        )
    kept = [i for i, (a, b) in enumerate(zip(people, metric, strict=True)) if a is not None and b is not None]
    x = np.array([people[i] for i in kept], dtype=np.float64)
    y = np.array([metric[i] for i in kept], dtype=np.float64)
    rho = _spearman(x, y)
    unscored = len(people) - len(kept)
    if rho is None:
        return Correlation(None, None, None, None, len(kept), unscored)
    tau = float(stats.kendalltau(x, y).statistic)
    names = [clusters[i] if clusters is not None else str(i) for i in kept]
    members = [np.flatnonzero(np.array(names) == name) for name in sorted(set(names))]
    low = high = None
    if len(members) >= 2:
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(resamples):
            rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
            value = _spearman(x[rows], y[rows])
            if value is not None:
                found.append(value)
        low, high = _ends(found, resamples)
    return Correlation(rho, low, high, tau, len(kept), unscored)


def _spearman(x: Floats, y: Floats) -> float | None:
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])


def _ends(found: Sequence[float], resamples: int) -> tuple[float | None, float | None]:
    """Return the 95 % percentile interval, none if more than one resample in twenty defines no value."""
    if len(found) < 0.95 * resamples:
        return None, None
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
