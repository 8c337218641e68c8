from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rac.annotation_sources import questions
from rac.cli import app, register_commands
from rac.errors import DataError, UserError
from rac.files import read_json
from rac.pairwise_study import export_pairs, read_pairs, render_pairs
from rac.report.stored import load
from run_support import finished_run


def score(d: str, system: str, number: int) -> dict[str, float | None]:
    return {"headline": 0.5}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return finished_run(tmp_path / "run", ["template", "rac"], score, queries=30).path


@pytest.fixture
def folder(run: Path, tmp_path: Path) -> Path:
    counts = export_pairs(questions([run], None), "rac", "template", tmp_path / "read", queries=20, seed=1)
    assert counts == {"pairs": 20, "same": 0}
    return tmp_path / "read"


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "sheet.csv").open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def fill(folder: Path, rows: list[dict[str, str]]) -> Path:
    with (folder / "filled.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder / "filled.csv"


def preferring_rac(folder: Path) -> Path:
    """Prefer rac on all but two queries: one tie, one for the template."""
    rows = rows_of(folder)
    for number, row in enumerate(rows):
        rac = "a" if row["question_a"].startswith("rac") else "b"
        row["better"] = {0: "Tie", 1: "b" if rac == "a" else "a"}.get(number, rac)
    rows[1]["comment"] = "near <miss>"
    return fill(folder, rows)


def test_the_sheet_hides_who_asked_and_draws_sides(folder: Path, run: Path, tmp_path: Path) -> None:
    rows = rows_of(folder)
    assert list(rows[0]) == ["item", "query", "passages", "question_a", "question_b", "better", "comment"]
    left = sum(row["question_a"].startswith("rac") for row in rows)
    assert 3 < left < 17, "sides are drawn, not fixed"
    assert "[1] Luna" in rows[0]["passages"] and not any(row["better"] for row in rows)
    key = read_json(folder / "key.json")["items"]
    assert all(name[0] == "x" for name in key), "a spreadsheet takes 79816300e562 for a number"
    for row in rows:
        item = key[row["item"]]
        assert row["question_a"] == item["questions"][item["a"]] and row["question_b"] == item["questions"][item["b"]]
    export_pairs(list(reversed(questions([run], None))), "rac", "template", tmp_path / "again", queries=20, seed=1)
    assert (tmp_path / "again/sheet.csv").read_bytes() == (folder / "sheet.csv").read_bytes()


def test_the_page_has_preference_interval_p_and_examples(folder: Path, run: Path) -> None:
    systems, items = read_pairs(folder, preferring_rac(folder))
    page = render_pairs(systems, items, load(run), "retrieved", read_by="one <author>")
    row = next(line for line in page.splitlines() if line.startswith("| 18 "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["18", "1", "1"] and cells[3].startswith("92.5 % (") and float(cells[4]) < 0.01
    assert "one &lt;author&gt;" in page and "near &lt;miss&gt;" in page
    assert "Where `template` was preferred:" in page
    # The other way round the same reading says the opposite.
    flipped = {name: {**item, "value": 1 - item["value"]} for name, item in items.items()}
    assert "| 1 | 1 | 18 | 7.5 % (" in render_pairs(systems, flipped, load(run), "retrieved", read_by="x")


def test_equal_questions_are_ties_that_nobody_reads(run: Path, tmp_path: Path) -> None:
    asked = questions([run], None)
    same = [a if a.id != "q3" else type(a)(**{**vars(a), "question": "Which Luna?"}) for a in asked]
    assert export_pairs(same, "rac", "template", tmp_path / "read") == {"pairs": 29, "same": 1}
    _, items = read_pairs(tmp_path / "read", preferring_rac(tmp_path / "read"))
    assert len(items) == 30 and sum(item["value"] == 0.5 for item in items.values()) == 2


def test_what_cannot_be_read_is_refused(folder: Path, run: Path, tmp_path: Path) -> None:
    rows = rows_of(folder)
    with pytest.raises(UserError, match="nothing is filled in"):
        read_pairs(folder, folder / "sheet.csv")
    with pytest.raises(DataError, match="has no row for item"):
        read_pairs(folder, fill(folder, [{**row, "better": "a"} for row in rows[1:]]))
    with pytest.raises(DataError, match=r"line \d+, field 'better': 'left'.*write a, b or tie"):
        read_pairs(folder, fill(folder, [{**row, "better": "left"} for row in rows]))
    with pytest.raises(DataError, match="is no key of a pairwise reading"):
        (tmp_path / "key.json").write_text('{"schema": 1, "form": "errors", "items": {}}')
        read_pairs(tmp_path / "key.json", folder / "sheet.csv")
    asked = questions([run], None)
    with pytest.raises(UserError, match="is not empty"):
        export_pairs(asked, "rac", "template", folder)
    with pytest.raises(UserError, match="with itself"):
        export_pairs(asked, "rac", "rac", tmp_path / "x")
    with pytest.raises(UserError, match="no query in common"):
        export_pairs(asked, "rac", "gold", tmp_path / "x")
    systems, items = read_pairs(folder, preferring_rac(folder))
    other = finished_run(tmp_path / "other", ["template", "rac"], score, queries=3)
    with pytest.raises(UserError, match="has another question of"):
        render_pairs(systems, items, load(other.path), "retrieved", read_by="x")


def test_the_commands(run: Path, tmp_path: Path) -> None:
    register_commands()
    cli = CliRunner()
    made = cli.invoke(app, ["annotate", "pairwise", str(run), "rac", "template", "-o", str(tmp_path / "p")])
    assert made.exit_code == 0 and "30 pairs to read" in made.output
    page = tmp_path / "page.md"
    filled = preferring_rac(tmp_path / "p")
    command = ["annotate", "pairwise-report", str(tmp_path / "p"), str(filled), "--scores", str(run)]
    assert cli.invoke(app, [*command, "--read-by", "one author", "-o", str(page)]).exit_code == 0
    assert page.read_text().startswith("# Pairwise reading: rac or template\n")
    assert cli.invoke(app, [*command, "--read-by", "x", "--passages", "web"]).exit_code != 0
