"""Significance: hand-computed values, coverage by simulation, ties, missing values, clusters."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rac.errors import UserError
from rac.metrics.significance import bootstrap_ci, compare_systems, holm, paired_test


def test_mean_and_counts_leave_unscored_values_out():
    interval = bootstrap_ci([1.0, None, 0.0, float("nan"), 1.0], None, seed=0)
    assert interval.mean == pytest.approx(2 / 3)
    assert (interval.n, interval.unscored, interval.clusters) == (3, 2, 3)
    assert interval.low is not None and interval.high is not None
    assert interval.low <= interval.mean <= interval.high


def test_nothing_scored_has_no_mean():
    interval = bootstrap_ci([None, float("nan")], ["a", "b"], seed=0)
    assert (interval.mean, interval.low, interval.high, interval.n, interval.unscored) == (None, None, None, 0, 2)
    assert bootstrap_ci([], None, seed=0).mean is None


def test_one_cluster_has_a_mean_but_no_interval():
    interval = bootstrap_ci([0.0, 1.0], ["same", "same"], seed=0)
    assert (interval.mean, interval.low, interval.high, interval.clusters) == (0.5, None, None, 1)


def test_same_seed_same_interval_and_item_order_does_not_matter():
    rng = np.random.default_rng(3)
    values = rng.random(60).tolist()
    clusters = [f"c{i % 13}" for i in range(60)]
    first = bootstrap_ci(values, clusters, seed=7)
    assert first == bootstrap_ci(values, clusters, seed=7)
    assert first != bootstrap_ci(values, clusters, seed=8)
    order = rng.permutation(60)
    shuffled = bootstrap_ci([values[i] for i in order], [clusters[i] for i in order], seed=7)
    assert shuffled.low == pytest.approx(first.low) and shuffled.high == pytest.approx(first.high)


def test_chunked_resampling_agrees_with_one_block(monkeypatch):
    values = np.random.default_rng(0).random(40).tolist()
    whole = bootstrap_ci(values, None, seed=1, n=500)
    monkeypatch.setattr("rac.metrics.resampling.CELLS_AT_ONCE", 170)
    pieces = bootstrap_ci(values, None, seed=1, n=500)
    assert pieces.low == pytest.approx(whole.low, abs=0.02)
    assert pieces.mean == whole.mean


def test_intervals_of_independent_items_match_the_normal_theory():
    values = np.random.default_rng(5).normal(0.3, 0.2, size=2000).tolist()
    interval = bootstrap_ci(values, None, seed=0, n=4000)
    half = 1.96 * np.std(values, ddof=1) / math.sqrt(2000)
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.06)


def test_clusters_widen_the_interval_as_they_should():
    rng = np.random.default_rng(1)
    topic = rng.normal(size=40)
    values = np.repeat(topic, 10).tolist()
    clusters = [f"t{i}" for i in range(40) for _ in range(10)]
    naive = bootstrap_ci(values, None, seed=0)
    honest = bootstrap_ci(values, clusters, seed=0)
    # Ten copies of 40 values hold the information of 40 values: sqrt(10) times the naive width.
    assert (honest.high - honest.low) / (naive.high - naive.low) == pytest.approx(math.sqrt(10), rel=0.15)


def test_all_zero_or_all_one_leaves_doubt():
    # No failure among 20 clusters: the exact 95 % bound is 1 - 0.025^(1/20).
    none = bootstrap_ci([0.0] * 40, [f"c{i // 2}" for i in range(40)], seed=0)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 20)))
    every = bootstrap_ci([True] * 20, None, seed=0)
    assert (every.low, every.high) == (pytest.approx(0.025 ** (1 / 20)), 1.0)
    constant = bootstrap_ci([0.5] * 20, None, seed=0)
    assert (constant.low, constant.high) == (0.5, 0.5)
    # Gains and losses that cancel in every cluster are no row of failures.
    cancelled = bootstrap_ci([1.0, -1.0] * 10, [f"c{i // 2}" for i in range(20)], seed=0)
    assert (cancelled.low, cancelled.high) == (0.0, 0.0)


@pytest.mark.parametrize("clusters", [5, 8, 15])
def test_few_clusters_keep_most_of_the_promise(clusters):
    rng = np.random.default_rng(clusters)
    hits = 0
    for trial in range(400):
        interval = bootstrap_ci(rng.normal(size=clusters).tolist(), None, seed=trial, n=400)
        hits += interval.low <= 0.0 <= interval.high
    assert hits / 400 >= 0.86  # the plain percentile interval has 0.815 with 5


def test_coverage_of_the_cluster_interval_is_near_nominal():
    rng = np.random.default_rng(11)
    clusters = [f"t{i}" for i in range(40) for _ in range(4)]
    hits = 0
    for trial in range(300):
        values = (np.repeat(rng.normal(size=40), 4) + rng.normal(size=160)).tolist()
        interval = bootstrap_ci(values, clusters, seed=trial, n=500)
        hits += interval.low <= 0.0 <= interval.high
    assert 0.90 <= hits / 300 <= 0.98


def test_exact_randomisation_against_enumeration_by_hand():
    a, b = [1.0, 0.8, 0.9, 0.4, 0.7], [0.5, 0.6, 0.2, 0.5, 0.1]
    delta = [x - y for x, y in zip(a, b, strict=True)]
    observed = abs(sum(delta))
    flips = [
        abs(sum(s * d for s, d in zip(signs, delta, strict=True))) for signs in itertools.product((1, -1), repeat=5)
    ]
    expected = sum(f >= observed - 1e-12 for f in flips) / 32
    test = paired_test(a, b, None, seed=0)
    assert test.exact and test.p == pytest.approx(expected)
    assert test.difference == pytest.approx(sum(delta) / 5)
    assert test.superiority == pytest.approx(4 / 5)
    assert test.effect == pytest.approx(np.mean(delta) / np.std(delta, ddof=1))


def test_sampled_randomisation_agrees_with_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.random(80), rng.random(80) - 0.06
    ours = paired_test(a.tolist(), b.tolist(), None, seed=0, n=20_000)
    theirs = stats.permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", n_resamples=20_000, rng=1
    )
    assert not ours.exact
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.015)


def test_p_is_uniform_under_the_null():
    rng = np.random.default_rng(4)
    clusters = [f"t{i}" for i in range(25) for _ in range(3)]
    ps = []
    for trial in range(300):
        common = np.repeat(rng.normal(size=25), 3)
        a, b = common + rng.normal(size=75), common + rng.normal(size=75)
        ps.append(paired_test(a.tolist(), b.tolist(), clusters, seed=trial, n=500, resamples=50).p)
    assert stats.kstest(ps, "uniform").pvalue > 0.01


def test_ignoring_clusters_would_be_anticonservative():
    rng = np.random.default_rng(6)
    clusters = [f"t{i}" for i in range(20) for _ in range(10)]
    honest = naive = 0
    for trial in range(120):
        difference = np.repeat(rng.normal(size=20), 10)
        zeros = [0.0] * 200
        honest += paired_test(difference.tolist(), zeros, clusters, seed=trial, n=400, resamples=20).p <= 0.05
        naive += paired_test(difference.tolist(), zeros, None, seed=trial, n=400, resamples=20).p <= 0.05
    assert honest / 120 <= 0.12
    assert naive / 120 >= 0.35


def test_identical_systems_are_never_significant():
    values = [0.1, 0.9, 0.4] * 20
    test = paired_test(values, values, None, seed=0)
    assert (test.difference, test.p, test.effect, test.superiority) == (0.0, 1.0, 0.0, 0.5)


def test_constant_difference_has_no_finite_effect_size():
    test = paired_test([0.75] * 30, [0.25] * 30, None, seed=0)
    assert test.effect is None and test.p < 0.001 and test.difference == 0.5


def test_pairs_with_a_missing_score_are_counted():
    test = paired_test([1.0, None, 0.5, 0.2], [0.0, 1.0, None, 0.1], None, seed=0)
    assert (test.n, test.unscored) == (2, 2)
    nothing = paired_test([None], [1.0], None, seed=0)
    assert (nothing.difference, nothing.p, nothing.n) == (None, None, 0)


def test_p_is_never_zero():
    assert paired_test([1.0] * 200, [0.0] * 200, None, seed=0, n=99).p == pytest.approx(1 / 100)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_order_and_never_lowers(ps):
    adjusted = holm(ps)
    assert all(q >= p for p, q in zip(ps, adjusted, strict=True))
    assert all(q <= 1 for q in adjusted)
    by_p = [adjusted[i] for i in sorted(range(len(ps)), key=lambda i: ps[i])]
    assert by_p == sorted(by_p)


def test_compare_systems_corrects_within_a_metric():
    rng = np.random.default_rng(0)
    base = rng.random(60)
    scores = {
        "a": {"faith": (base + 0.3).tolist(), "length": base.tolist()},
        "b": {"faith": base.tolist(), "length": base.tolist()},
        "c": {"faith": (base + rng.normal(0, 0.01, 60)).tolist()},
    }
    rows = compare_systems(scores, None, seed=0)
    assert [(r.metric, r.a, r.b) for r in rows] == [
        ("faith", "a", "b"), ("faith", "a", "c"), ("faith", "b", "c"), ("length", "a", "b"),
    ]  # fmt: skip
    assert [r.significant for r in rows] == [True, True, False, False]
    raw = [r.test.p for r in rows[:3]]
    assert [r.p_holm for r in rows[:3]] == holm(raw)
    assert rows[3].p_holm == rows[3].test.p == 1.0
    assert compare_systems(scores, None, seed=0, family="table")[0].p_holm == pytest.approx(4 * raw[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_test([1.0], [1.0, 2.0], None, seed=0), "align the scores by id"),
        (lambda: bootstrap_ci([1.0, 2.0], ["a"], seed=0), "one cluster per value"),
        (lambda: bootstrap_ci([1.0, float("inf")], None, seed=0), "item 1 has an infinite score"),
        (lambda: bootstrap_ci([1.0], None, seed=0, level=1.0), "0 < level < 1"),
        (lambda: compare_systems({}, None, seed=0, family="all"), "use 'metric' or 'table'"),
    ],
)
def test_bad_input_is_said(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_a_test_has_the_same_p_alone_and_among_others():
    rng = np.random.default_rng(9)
    clusters = [f"c{i % 25}" for i in range(100)]
    scores = {
        name: {"x": rng.random(100).tolist(), "y": [None if i % 25 == 3 else v for i, v in enumerate(rng.random(100))]}
        for name in "abc"
    }
    for row in compare_systems(scores, clusters, seed=5, n=2000):
        alone = paired_test(scores[row.a][row.metric], scores[row.b][row.metric], clusters, seed=5, n=2000)
        assert row.test == alone
    assert {row.test.clusters for row in compare_systems(scores, clusters, seed=5)} == {24, 25}


def test_many_tests_are_cheap():
    import time

    rng = np.random.default_rng(0)
    metrics = [f"m{i}" for i in range(30)]
    scores = {f"s{j}": {m: rng.random(400).tolist() for m in metrics} for j in range(6)}
    start = time.process_time()
    rows = compare_systems(scores, None, seed=0)
    assert len(rows) == 450
    assert time.process_time() - start < 5, "450 tests of 400 clusters take about 0.3 s of one core"
