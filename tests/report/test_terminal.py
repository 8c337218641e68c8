"""What the commands print: nothing that a terminal would obey, and no verdict on what was not tested."""

from __future__ import annotations

from rich.console import Console

from rac.report.data import MetricInfo, Table
from rac.report.terminal import show_judgement, show_table

HOSTILE = "r\x1b]0;owned\x07ac"


def pair(b: str, p: float | None) -> dict:
    return {"metric": "faith", "a": "base", "b": b, "difference": 0.1, "low": None, "high": None, "p": p, "p_holm": p,
            "significant": False}  # fmt: skip


def test_system_names_are_shown_without_control_characters() -> None:
    summary = {"mean": 0.5, "low": None, "high": None, "n": 3, "unscored": 0}
    systems = {name: {"faith": summary} for name in ("base", HOSTILE)}
    screen = Console(record=True, width=120, no_color=True)
    show_table(screen, Table("t", systems, [pair(HOSTILE, 0.4)]), [MetricInfo("faith")])  # type: ignore[dict-item,list-item]
    shown = screen.export_text()
    assert "the order is NOT significant for 1 of 1 pairs: base – r ]0;owned ac (p = 0.400)" in shown
    assert "\x1b" not in shown and "\x07" not in shown


def test_a_judged_pair_that_was_not_tested_has_no_verdict(capsys) -> None:
    rows = [pair("rac", None), pair("gold", 0.3)]
    show_judgement(
        {"systems": {"base": {}}, "comparisons": rows, "pairs": {}, "reasons": {}, "spent": {}, "signature": "s"}
    )
    shown = capsys.readouterr().out
    assert "NOT significant for base – gold" in shown and "base – rac" not in shown
