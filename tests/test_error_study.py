from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from rac.annotation_sources import questions
from rac.error_study import LABELS, agreements, draw, export_errors, read_errors, render_errors
from rac.errors import DataError, UserError
from rac.files import read_json
from rac.report.stored import load
from run_support import finished_run

SYSTEMS = ["ungrounded", "grounded", "rac"]


def score(d: str, system: str, number: int) -> dict[str, float | None]:
    bad = system == "ungrounded" or number % 3 == 0
    return {
        "hallucinated": float(bad), "hallucinated_option": float(bad), "unsupported": float(number % 2),
        "faith": 0.2 if bad else 0.9, "headline": 0.2 if bad else 0.9, "same_option": 0.0, "info": 0.5,
    }  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return finished_run(tmp_path / "run", SYSTEMS, score, queries=30).path


@pytest.fixture
def sheet(run: Path, tmp_path: Path) -> Path:
    counts = export_errors(questions([run], None), tmp_path / "errors", items=24, seed=1)
    assert counts == dict.fromkeys(SYSTEMS, 8)
    return tmp_path / "errors/sheet.csv"


def rows_of(sheet: Path) -> list[dict[str, str]]:
    with sheet.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def fill(sheet: Path, rows: list[dict[str, str]]) -> Path:
    filled = sheet.with_name("filled.csv")
    with filled.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return filled


def labelled(sheet: Path) -> Path:
    """Label as the scores say: an unsupported option where the hidden output is bad; nothing else."""
    key = read_json(sheet.with_name("key.json"))["items"]
    rows = rows_of(sheet)
    for row in rows:
        item = key[row["item"]]
        bad = score("", item["systems"][0], int(item["id"][1:]))["hallucinated"]
        row.update(dict.fromkeys(LABELS, "0"), unsupported_option=str(int(bad or 0)))
    rows[0]["useless"] = ""
    rows[1]["comment"] = "near <miss>"
    return fill(sheet, rows)


def test_the_sheet_hides_systems_and_spreads_over_queries(sheet: Path) -> None:
    rows = rows_of(sheet)
    assert list(rows[0]) == ["item", "query", "passages", "question", *LABELS, "comment"]
    assert len(rows) == 24 and max(Counter(row["query"] for row in rows).values()) == 1
    assert "[1] Luna" in rows[0]["passages"] and not any(row[label] for row in rows for label in LABELS)
    assert not any(system in row["item"] for row in rows for system in SYSTEMS)


def test_draws_are_repeatable_and_fair_when_a_system_runs_out(run: Path) -> None:
    asked = questions([run], None)
    assert draw(asked, 24, 1) == draw(list(reversed(asked)), 24, 1) != draw(asked, 24, 2)
    few = [a for a in asked if a.system != "rac"] + [a for a in asked if a.system == "rac"][:3]
    assert Counter(a.system for a in draw(few, 21, 0)) == {"rac": 3, "grounded": 9, "ungrounded": 9}
    assert len(draw(few, 500, 0)) == len(few)


def test_metrics_are_held_against_the_labels(run: Path, sheet: Path) -> None:
    items = read_errors(sheet.parent, labelled(sheet))
    found = {(a.label, a.metric): a for a in agreements(items, load(run), "retrieved")}
    option = found["unsupported_option", "hallucinated_option"]
    assert (option.auc, option.low, option.high, option.found, option.false_alarms) == (1.0, 1.0, 1.0, 1.0, 0.0)
    assert option.faulty + option.sound == 24
    words = found["unsupported_option", "unsupported"]
    assert words.auc is not None and 0.2 < words.auc < 0.8
    assert found["not_supported", "headline"].auc == 1.0
    # Nobody was labelled so: no pair to order.
    assert found["same_option_twice", "same_option"].auc is None
    assert found["useless", "info"].sound == 23


def test_the_page_states_who_labelled_shares_agreement_and_examples(run: Path, sheet: Path) -> None:
    items = read_errors(sheet.parent / "key.json", labelled(sheet))
    page = render_errors(items, load(run), "retrieved", labelled_by="a *test*", notes="## What was fixed\n\nNothing.")
    assert "24 outputs of the run study (D = retrieved)" in page
    assert "by a \\*test\\*." in page
    assert "| ungrounded | 8 | 100.0 %" in page
    assert "## What was fixed" in page and "No output has the fault same option twice." in page
    assert "<miss>" not in page
    assert render_errors(items, load(run), "retrieved", labelled_by="a *test*") != page
    name = next(iter(items))
    changed = {**items, name: {**items[name], "question": "Do you mean something else?"}}
    with pytest.raises(UserError, match=r"another question of (ungrounded|grounded|rac) for"):
        render_errors(changed, load(run), "retrieved", labelled_by="a *test*")


@pytest.mark.parametrize(("left", "shown"), [("", "–"), ("0", "100.0 %"), ("1", "0.0 %")])
def test_an_undecided_output_is_not_one_without_a_fault(run: Path, sheet: Path, left: str, shown: str) -> None:
    rows = rows_of(sheet)
    for row in rows:
        row.update(dict.fromkeys(LABELS, ""))
        row.update(dict.fromkeys(LABELS[:-1], "0") if left != "1" else {}, useless=left)
    rows[0]["useless"] = "0"  # a sheet with nothing in it is refused
    page = render_errors(read_errors(sheet.parent, fill(sheet, rows)), load(run), "retrieved", labelled_by="me")
    systems = [line for line in page.splitlines() if line.startswith(tuple(f"| {s} | 8" for s in SYSTEMS))]
    cells = Counter(line.split(" | ")[-1].split(" (")[0].strip(" |") for line in systems)
    assert len(systems) == 3 and cells[shown] >= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": "nobody"}, r"line 2, field 'item': item 'nobody' is not in the key"),
        ({"useless": "yes"}, r"line 2, field 'useless': 'yes' is no label; a label is 0, 1 or empty"),
    ],
)
def test_wrong_sheets_are_refused(sheet: Path, change: dict[str, str], message: str) -> None:
    rows = rows_of(sheet)
    for row in rows:
        row["passages"] = row["passages"].replace("\n", " ")
    rows[0].update(change)
    with pytest.raises(DataError, match=message):
        read_errors(sheet.parent, fill(sheet, rows))


def test_sheets_that_are_empty_repeated_or_of_another_form_are_refused(sheet: Path, run: Path) -> None:
    rows = rows_of(sheet)
    with pytest.raises(UserError, match="nothing is filled in"):
        read_errors(sheet.parent, sheet)
    with pytest.raises(DataError, match="occurs twice"):
        read_errors(sheet.parent, fill(sheet, [rows[0], rows[0]]))
    with pytest.raises(DataError, match="has no column 'useless'"):
        read_errors(sheet.parent, fill(sheet, [{k: v for k, v in row.items() if k != "useless"} for row in rows]))
    with pytest.raises(DataError, match="is no key of an error study"):
        read_errors(run / "metrics.json", sheet)
    with pytest.raises(UserError, match="is not empty"):
        export_errors(questions([run], None), sheet.parent)
