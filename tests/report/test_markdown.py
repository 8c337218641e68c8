"""The Markdown report: same numbers as the page, statements of order, nothing that Markdown would interpret."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rac.report.data import MetricInfo, Table, best_systems, format_p, format_value, order_statement, plain
from rac.report.markdown import escape, metrics_table, render_markdown, write_markdown


def summary(mean, low=None, high=None, n=10, unscored=0):
    return {"mean": mean, "low": low, "high": high, "n": n, "unscored": unscored}


def row(a, b, p, significant, metric="faith"):
    return {"metric": metric, "a": a, "b": b, "difference": 0.1, "low": 0.0, "high": 0.2, "p": p, "p_holm": p,
            "significant": significant}  # fmt: skip


TABLE = Table(
    "All",
    {
        "ba|se": {"faith": summary(0.41234, 0.3, 0.5), "bad": summary(0.2, 0.1, 0.3)},
        "rac": {"faith": summary(0.9, 0.85, 0.95, 8, 2), "bad": summary(None, n=0, unscored=10)},
        "gold": {"faith": summary(0.88, 0.8, 0.93)},
    },
    [row("ba|se", "rac", 0.0002, True), row("ba|se", "gold", 0.01, True), row("rac", "gold", 0.4, False)],
)
FAITH, BAD = MetricInfo("faith", "Faith"), MetricInfo("bad", "Bad", better="lower", percent=True)


def test_table_by_hand():
    assert metrics_table(TABLE, [FAITH, BAD]).splitlines() == [
        "| system | Faith ↑ | Bad ↓ |",
        "| --- | ---: | ---: |",
        r"| ba\|se | 0.412 (0.300 to 0.500) | **20.0 %** (10.0 % to 30.0 %) |",
        "| rac | **0.900** (0.850 to 0.950), n = 8, 2 unscored | –, n = 0, 10 unscored |",
        "| gold | 0.880 ≈ (0.800 to 0.930) | – |",
    ]


def test_best_and_those_not_told_apart_from_it():
    assert best_systems(TABLE, FAITH) == ("rac", {"gold"})
    assert best_systems(TABLE, MetricInfo("faith", better="lower"))[0] == "ba|se"
    assert best_systems(TABLE, MetricInfo("faith", better="")) == (None, set())


def test_a_pair_that_could_not_be_tested_is_not_called_level():
    untested = Table("t", TABLE.systems, [row("ba|se", "rac", 0.2, False), row("rac", "gold", None, False)])
    assert best_systems(untested, FAITH) == ("rac", {"ba|se"})
    lines = metrics_table(untested, [FAITH]).splitlines()
    assert "≈" in lines[2] and "≈" not in lines[4]


def test_statements_of_order():
    assert order_statement(TABLE, FAITH) == "the order is NOT significant for 1 of 3 pairs: rac – gold (p = 0.400)."
    sure = Table("t", TABLE.systems, [row("a", "b", 0.001, True)])
    assert order_statement(sure, FAITH).startswith("the order of the two systems is significant (p ≤ 0.05")
    assert order_statement(TABLE, BAD) == "no two systems were compared."
    untested = Table("t", TABLE.systems, [row("a", "b", None, False), row("a", "c", 0.2, False)])
    assert order_statement(untested, FAITH) == (
        "the order is NOT significant for 1 of 1 pairs: a – c (p = 0.200). 1 of 2 pairs could not be tested."
    )
    nothing = Table("t", TABLE.systems, [row("a", "b", None, False)])
    assert "none of the 1 pairs could be tested" in order_statement(nothing, FAITH)


def test_formats():
    assert [format_p(p) for p in (None, 0.0004, 0.04)] == ["–", "< 0.001", "0.040"]
    assert [format_value(v, FAITH) for v in (None, 0.12345, 12.34)] == ["–", "0.123", "12.3"]


def test_the_whole_page_has_tables_statements_and_examples(report_data, tmp_path):
    text = render_markdown(report_data)
    assert text.startswith("# rac on CLAQUA &lt;validation&gt;\n")
    assert text.count("\n## ") == 2 + 6 and "**Worst**" in text and "**Best**" in text
    assert "the order is NOT significant for" in text and "small embedded model only" in text
    assert "<img" not in text
    assert "## Questions of" not in render_markdown(report_data, examples=0)
    write_markdown(tmp_path / "r.md", report_data)
    assert (tmp_path / "r.md").read_text(encoding="utf-8") == text


def test_no_control_character_and_every_ordinary_one_is_kept():
    assert escape("a\x1b[31mb\x07\x9bc\u202ed\ud800") == "a \\[31mb c d"
    for text in (
        "Café naïve ångström",
        "Αθήνα",
        "東京 駅",
        "1990–1995 — “x”",
        "می\u200cخواهم",
        "👩\u200d🚀",
        "co\xadop",
    ):
        assert escape(text) == plain(text) == text
    assert plain("10\xa0km") == "10\xa0km" and escape("10\xa0km") == "10 km"


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=40))
def test_escaped_text_has_no_markup(text):
    shown = escape(text)
    assert "\n" not in shown and "<" not in shown and ">" not in shown
    for char in "*_|`[":
        assert shown.replace("\\\\", "").replace("\\" + char, "").count(char) == 0
