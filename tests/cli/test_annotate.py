"""``rac annotate``: blind, shuffled sheets; grades back with agreement and correlation; wrong sheets are refused."""

from __future__ import annotations

import csv
import json
import random

import pytest

from rac.annotate import CRITERIA, Asked, export_sheets, safe_cell
from rac.annotation_sources import questions_of_run
from rac.config import Recipe
from rac.errors import UserError
from rac.files import write_json, write_records
from rac.pipeline.run_directory import RunDirectory
from rac.records import ClarificationExample, Passage, Prediction

SYSTEMS = {"ungrounded": 2, "grounded": 4, "gold": 5}


def passages(i):
    return (
        Passage(id=f"p{i}a", title=f"Luna {i}", types=("ship",), text="Built in Dumbarton."),
        Passage(id=f"p{i}b", title=f"Luna {i}", description="2014 film"),
    )


def question(system, i):
    # The tuned systems ask the same words for every fifth query.
    if system != "ungrounded" and i % 5 == 0:
        return f"The ship Luna {i} or the film Luna {i}?"
    return {"ungrounded": f"=Opera {i}?", "grounded": f"Is it the ship {i}?", "gold": f"Ship {i} or film {i}?"}[system]


@pytest.fixture
def files(tmp_path):
    """Prediction files of three systems, their examples, and score files with a metric that follows quality."""
    examples = [
        ClarificationExample(id=f"q{i}", query=f"luna {i}", passages=passages(i), group=f"g{i // 2}") for i in range(20)
    ]
    write_records(tmp_path / "examples.jsonl", examples)
    rng = random.Random(0)
    made = []
    for system, quality in SYSTEMS.items():
        predictions = [
            Prediction(id=e.id, question=question(system, i) if i != 19 else "", system=system)
            for i, e in enumerate(examples)
        ]
        write_records(tmp_path / f"{system}.jsonl", predictions)
        made.append(tmp_path / f"{system}.jsonl")
        rows = [{"id": e.id, "system": system, "headline": quality / 5 + rng.uniform(-0.1, 0.1)} for e in examples]
        (tmp_path / f"scores-{system}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        write_json(tmp_path / f"scores-{system}.jsonl.header.json", {"schema": 1, "signature": "v1|x"})
    return made, tmp_path


@pytest.fixture
def sheets(rac, files):
    made, folder = files
    result = rac("annotate", "export", *made, "--examples", folder / "examples.jsonl", "-o", folder / "sheets")
    assert result.status == 0, result.err
    return folder / "sheets"


def read(path):
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def fill(sheet, target, grade, delimiter=","):
    rows = read(sheet)
    for row in rows:
        row.update(zip(CRITERIA, grade(row), strict=True))
    with target.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return target


def by_quality(row):
    text = row["question"]
    value = 2 if "Opera" in text else 4 if "Is it" in text else 5
    return value, value, 5 if int(text.split()[-1].strip("?")) % 2 else 4


def test_sheets_are_blind_and_shuffled(sheets):
    first, second = read(sheets / "sheet-1.csv"), read(sheets / "sheet-2.csv")
    # 19 queries x 3 systems, of which 4 are asked word for word by two systems.
    assert len(first) == len(second) == 19 * 3 - 4
    assert {row["item"] for row in first} == {row["item"] for row in second}
    assert [row["item"] for row in first] != [row["item"] for row in second]
    text = (sheets / "sheet-1.csv").read_text(encoding="utf-8")
    for name in (*SYSTEMS, "q1", "scores"):
        assert name not in text
    assert all(row["faithfulness"] == "" for row in first)
    opera = next(row for row in first if "Opera" in row["question"])
    assert opera["question"].startswith("'=Opera"), "a spreadsheet would run it"
    number = opera["question"].split()[-1].strip("?")
    assert opera["passages"] == f"[1] Luna {number} (ship): Built in Dumbarton.\n[2] Luna {number} (2014 film): "
    assert "1 (worst) to 5" in (sheets / "guideline.md").read_text()


def test_no_item_is_a_number_to_a_spreadsheet_and_old_keys_are_read(rac, sheets, tmp_path):
    key = json.loads((sheets / "key.json").read_text())
    for name in key["items"]:
        with pytest.raises(ValueError, match="could not convert"):
            float(name)
        assert name[0] == "x" and name[1:].isalnum()
    names = dict(zip(key["items"], ("465880803208", "79816300e562"), strict=False))
    items = {names.get(name, name): {**item, "name": names.get(name, name)} for name, item in key["items"].items()}
    (tmp_path / "old").mkdir()
    write_json(tmp_path / "old/key.json", {**key, "items": items})
    text = (sheets / "sheet-1.csv").read_text(encoding="utf-8")
    for name, before in names.items():
        text = text.replace(name, before)
    (tmp_path / "old/sheet-1.csv").write_text(text, encoding="utf-8")
    filled = fill(tmp_path / "old/sheet-1.csv", tmp_path / "one.csv", by_quality)
    result = rac("annotate", "import", tmp_path / "old", filled, "--json")
    assert result.status == 0 and json.loads(result.out)["counts"]["graded items"] == 53


def test_the_same_seed_makes_the_same_sheets(rac, files):
    made, folder = files
    for name in ("one", "two", "other"):
        seed = 1 if name == "other" else 0
        rac("annotate", "export", *made, "--examples", folder / "examples.jsonl", "-o", folder / name, "--seed", seed)
    texts = [(folder / name / "sheet-1.csv").read_text() for name in ("one", "two", "other")]
    assert texts[0] == texts[1] != texts[2]


def test_grades_come_back(rac, sheets, tmp_path):
    one = fill(sheets / "sheet-1.csv", tmp_path / "one.csv", by_quality)
    two = fill(sheets / "sheet-2.csv", tmp_path / "two.csv", by_quality, delimiter=";")
    scores = [part for system in SYSTEMS for part in ("--scores", tmp_path / f"scores-{system}.jsonl")]
    result = rac("annotate", "import", sheets, one, two, *scores, "--json")
    assert result.status == 0, result.err
    value = json.loads(result.out)
    assert value["agreement"]["faithfulness"]["alpha"] == 1.0
    assert value["agreement"]["faithfulness"]["units"] == 53
    assert value["systems"]["ungrounded"]["faithfulness"]["mean"] == 2.0
    assert value["systems"]["gold"]["faithfulness"]["n"] == 19
    assert value["systems"]["grounded"]["faithfulness"]["mean"] == pytest.approx((15 * 4 + 4 * 5) / 19)
    faith = value["correlations"]["faithfulness"]["headline"]
    assert faith["spearman"] > 0.85 and faith["low"] < faith["spearman"] and faith["n"] == 57
    assert abs(value["correlations"]["clarity"]["headline"]["spearman"]) < 0.3
    printed = rac("annotate", "import", sheets, one, two, *scores)
    assert printed.status == 0 and "Krippendorff" in printed.out and "headline" in printed.out


def test_scores_of_other_questions_are_refused(rac, sheets, files, tmp_path):
    one = fill(sheets / "sheet-1.csv", tmp_path / "one.csv", by_quality)
    path = tmp_path / "scores-gold.jsonl"
    asked = [(f"q{i}", question("gold", i) if i != 19 else "") for i in range(20)]

    def write(changed):
        rows = [{"id": i, "system": "gold", "question": changed.get(i, text), "headline": 0.5} for i, text in asked]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    write({})
    assert rac("annotate", "import", sheets, one, "--scores", path).status == 0
    write({"q3": "Which of the two?"})
    result = rac("annotate", "import", sheets, one, "--scores", path)
    assert result.status == 2 and "another question of 'gold' for query 'q3'" in result.err
    write({})
    result = rac("annotate", "import", sheets, one, "--scores", path, "--scores", path)
    assert result.status == 2 and "have scores of the system 'gold'" in result.err


def test_disagreement_and_empty_cells_are_counted(rac, sheets, tmp_path):
    rng = random.Random(0)
    one = fill(sheets / "sheet-1.csv", tmp_path / "one.csv", lambda row: ("", rng.randint(1, 5), 3))
    two = fill(sheets / "sheet-2.csv", tmp_path / "two.csv", lambda row: (4, rng.randint(1, 5), 3))
    value = json.loads(rac("annotate", "import", sheets / "key.json", one, two, "--json").out)
    assert value["agreement"]["faithfulness"] == {
        "alpha": None, "low": None, "high": None, "units": 0, "single": 53, "values": 0,
    }  # fmt: skip
    assert abs(value["agreement"]["usefulness"]["alpha"]) < 0.35
    assert value["agreement"]["clarity"]["alpha"] is None, "one value was ever given"
    assert value["counts"]["empty cells"] == 53
    assert value["correlations"] == {}


@pytest.mark.parametrize(("overlap", "rows"), [(0.0, 40), (0.25, 10 * 2 + 30), (1.0, 80)])
def test_overlap_deals_the_rest_out(tmp_path, overlap, rows):
    asked = [Asked(f"q{i}", "s", "luna", f"a {i}?", passages(0)) for i in range(40)]
    counts = export_sheets(asked, tmp_path / "sheets", overlap=overlap)
    assert counts.rows == rows and counts.items == 40
    names = [{row["item"] for row in read(tmp_path / "sheets" / f"sheet-{n}.csv")} for n in (1, 2)]
    assert len(names[0] | names[1]) == 40 and len(names[0] & names[1]) == round(40 * overlap)


def test_a_sample_of_queries_keeps_all_systems(rac, files):
    made, folder = files
    target = folder / "few"
    rac("annotate", "export", *made, "--examples", folder / "examples.jsonl", "-o", target, "--queries", 4)
    key = json.loads((target / "key.json").read_text())
    ids = {item["id"] for item in key["items"].values()}
    assert len(ids) == 4
    for i in ids:
        systems = [s for item in key["items"].values() if item["id"] == i for s in item["systems"]]
        assert sorted(systems) == sorted(SYSTEMS)


def test_systems_that_a_run_no_longer_asks_are_no_source(tmp_path):
    evaluation = {"systems": ("base", "rac"), "passages": ("retrieved", "gold"), "gold_systems": ("rac",)}
    run = RunDirectory(tmp_path / "run", Recipe(data={"source": "claqua"}, evaluation=evaluation))
    example = ClarificationExample(id="q", query="luna", passages=passages(0), passage_ids=("p0a", "p0b"))
    write_records(run / "examples/evaluation.jsonl", [example])
    write_records(run / "passages.jsonl", example.passages)
    write_json(run / "retrieved.json", {"q": ["p0a", "p0b"]})
    for source in ("retrieved", "gold"):
        # What earlier recipes asked stays on disk.
        for system in ("base", "rac", "openai"):
            write_records(run / f"predictions/{source}/{system}.jsonl", [Prediction(id="q", question="Ship?")])
    assert [a.system for a in questions_of_run(run.path)] == ["base", "rac"]
    assert [a.system for a in questions_of_run(run.path, "gold")] == ["rac"]


def test_a_run_is_a_source(rac, tmp_path):
    run = RunDirectory(tmp_path / "run", Recipe())
    examples = [ClarificationExample(id=f"q{i}", query=f"luna {i}", passages=passages(i)) for i in range(3)]
    write_records(run / "examples/evaluation.jsonl", examples)
    write_records(run / "passages.jsonl", [p for e in examples for p in e.passages])
    write_json(run / "retrieved.json", {e.id: [p.id for p in e.passages] for e in examples})
    write_records(
        run / "predictions/retrieved/rac.jsonl", [Prediction(id=e.id, question="Ship or film?") for e in examples]
    )
    result = rac("annotate", "export", run.path, "-o", tmp_path / "sheets", "--annotators", 1)
    assert result.status == 0, result.err
    assert len(read(tmp_path / "sheets" / "sheet-1.csv")) == 3
    refused = rac("annotate", "export", run.path, "-o", tmp_path / "other", "--passages", "gold")
    assert refused.status == 2 and "no predictions for D 'gold'" in refused.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        (" @x", "' @x"),
        ("a=b", "a=b"),
        ("\x00a\x1b[31m", "a[31m"),
        ("-", "'-"),
        ("", ""),
    ],
)
def test_cells_are_no_formulas(text, shown):
    assert safe_cell(text) == shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[0].update(faithfulness="6"), "line 2, field 'faithfulness': '6' is no grade"),
        (lambda rows: rows[0].update(clarity="good"), "'good' is no grade"),
        (lambda rows: rows[1].update(item="x"), "item 'x' is not in the key"),
        (lambda rows: rows.append(dict(rows[0])), "occurs twice"),
        (lambda rows: [row.pop("clarity") for row in rows], "no column 'clarity'"),
        (lambda rows: None, "no grade is filled in"),
    ],
)
def test_wrong_sheets_are_refused(rac, sheets, tmp_path, change, message):
    rows = read(sheets / "sheet-1.csv")
    for row in rows:
        row["passages"] = ""
    change(rows)
    with (tmp_path / "x.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    result = rac("annotate", "import", sheets, tmp_path / "x.csv")
    assert result.status == 2 and message in result.err, result.err
    assert "Traceback" not in result.err


def test_bad_exports_are_refused(rac, files, sheets):
    made, folder = files
    examples = ("--examples", folder / "examples.jsonl")
    for arguments, message in (
        ((*made, *examples, "-o", sheets), "not empty"),
        ((*made, "-o", folder / "n"), "give their examples with --examples"),
        ((*made, *examples, "-o", folder / "n", "--system", "grnded"), "did you mean 'grounded'?"),
        ((folder, made[0], "-o", folder / "n"), "give one run"),
        ((folder, "-o", folder / "n"), "no run directory"),
    ):
        result = rac("annotate", "export", *arguments)
        assert result.status == 2 and message in result.err, result.err
    assert not (folder / "n").exists()
    with pytest.raises(UserError, match="nothing to annotate"):
        export_sheets([Asked("q", "s", "luna", " ", ())], folder / "n")
