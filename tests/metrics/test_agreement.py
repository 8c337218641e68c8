"""Krippendorff's alpha against the published example and a plain definition; rank correlation against scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rac.errors import UserError
from rac.metrics.agreement import krippendorff_alpha, rank_correlation

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
UNITS = [[row[u] for row in OBSERVERS if row[u] is not None] for u in range(12)]


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(level, published):
    result = krippendorff_alpha(UNITS, level=level)
    assert result.alpha == pytest.approx(published, abs=5e-4)
    assert (result.units, result.single, result.values) == (11, 1, 40)
    assert result.low < result.alpha < result.high <= 1


def test_bounds_of_alpha():
    assert krippendorff_alpha([[1, 1], [5, 5], [3, 3]]).alpha == 1.0
    assert krippendorff_alpha([[1, 5], [5, 1], [1, 5]]).alpha < 0
    chance = np.random.default_rng(0).integers(1, 6, size=(3000, 2)).tolist()
    assert krippendorff_alpha(chance, resamples=0).alpha == pytest.approx(0.0, abs=0.05)


def test_alpha_is_undefined_where_nothing_could_be_told_apart():
    same = krippendorff_alpha([[3, 3], [3, 3]])
    assert (same.alpha, same.low, same.units) == (None, None, 2)
    assert krippendorff_alpha([[1], [2], []]).alpha is None
    assert krippendorff_alpha([]).units == 0
    with pytest.raises(UserError, match="nominal, ordinal, interval"):
        krippendorff_alpha([], level="ratio")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=4), min_size=1, max_size=8))
def test_interval_alpha_is_one_minus_the_ratio_of_disagreements(units):
    pooled = [value for unit in units for value in unit]
    within = sum((a - b) ** 2 / (len(unit) - 1) for unit in units for a, b in itertools.permutations(unit, 2))
    everywhere = sum((a - b) ** 2 for a, b in itertools.permutations(pooled, 2)) / (len(pooled) - 1)
    result = krippendorff_alpha(units, level="interval", resamples=0)
    if everywhere == 0:
        assert result.alpha is None
    else:
        assert result.alpha == pytest.approx(1 - within / everywhere)


def test_correlation_is_scipys_and_leaves_missing_values_out():
    rng = np.random.default_rng(0)
    people = rng.integers(1, 6, 80).astype(float)
    metric = people + rng.normal(0, 1.5, 80)
    result = rank_correlation([*people, None, 3.0], [*metric, 0.5, None])
    assert result.spearman == pytest.approx(stats.spearmanr(people, metric).statistic)
    assert result.kendall == pytest.approx(stats.kendalltau(people, metric).statistic)
    assert (result.n, result.unscored) == (80, 2)
    assert result.low < result.spearman < result.high
    half = (result.high - result.low) / 2
    assert half == pytest.approx(1.96 * (1 - result.spearman**2) / np.sqrt(79), rel=0.35)


def test_clusters_are_resampled_whole():
    rng = np.random.default_rng(1)
    people = np.repeat(rng.normal(size=20), 10)
    metric = np.repeat(rng.normal(size=20), 10)
    names = [f"c{i // 10}" for i in range(200)]
    naive = rank_correlation(people.tolist(), metric.tolist())
    honest = rank_correlation(people.tolist(), metric.tolist(), names)
    assert honest.high - honest.low > 2 * (naive.high - naive.low)


def test_undefined_correlations():
    assert rank_correlation([1, 1, 1], [1, 2, 3]).spearman is None
    assert rank_correlation([1, 2], [1, 2]).spearman is None
    assert rank_correlation([1, 2, 3], [1, 2, 3], ["a"] * 3).low is None
    with pytest.raises(UserError, match="cannot be paired"):
        rank_correlation([1], [])
