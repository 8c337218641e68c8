"""Distribution plots: bins, range of the axis, well-formed SVG with nothing unescaped."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.report.data import MetricInfo
from rac.report.plots import bin_count, distribution_plot, domain, histogram

SUMMARY = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 4, "unscored": 0}


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.2, 1.0], (0, 1)), ([], (0, 1)), ([3, 17], (0, 18)), ([-0.3, 0.4], (-0.3, 0.4)), ([120.0], (0, 120))],
)
def test_domain(values, expected):
    assert domain(values) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_every_value_is_inside_the_axis_and_in_a_bin(values):
    low, high = domain(values)
    assert low <= min(values) and max(values) <= high * (1 + 1e-9) + 1e-12 and low < high
    assert sum(histogram(values, low, high)) == pytest.approx(1.0)


def test_histogram_by_hand():
    assert histogram([0.0, 0.05, 0.5, 1.0], 0, 1, 4) == [0.5, 0, 0.25, 0.25]
    assert bin_count([3.0, 9.0], 0, 18) == 18 and bin_count([3.5], 0, 18) == 20


def test_svg_is_well_formed_and_escaped():
    metric = MetricInfo("m", 'a <b> & "c"')
    svg = distribution_plot(
        metric, {"<script>x</script>": [0.1, None, 0.9], "plain": [0.5], "none": [None]},
        {"<script>x</script>": SUMMARY, "plain": {**SUMMARY, "low": None, "high": None}},
    )  # fmt: skip
    root = ElementTree.fromstring(str(svg))
    names = [element.text for element in root.iter("text") if element.get("class") == "name"]
    assert names == ["<script>x</sc…", "plain"]
    assert sum(e.get("class") == "interval" for e in root.iter("line")) == 1
    assert sum(e.get("class") == "mean" for e in root.iter("circle")) == 2
    assert 'Distribution of a <b> & "c"' in root.get("aria-label")


def test_yes_no_metrics_have_no_bars_and_no_values_no_plot():
    binary = distribution_plot(MetricInfo("m"), {"s": [0.0, 1.0]}, {"s": SUMMARY})
    assert "rect" not in binary and "circle" in binary
    assert distribution_plot(MetricInfo("m"), {"s": [None]}, {}) == ""
