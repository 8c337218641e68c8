"""Several systems' predictions against each other: names as files, and passages that differ by system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rac.errors import UserError
from rac.files import check_header, write_records
from rac.records import ClarificationExample, Passage, Prediction
from rac.report.compare import load_systems
from rac.report.evaluation import EvaluatedSystems, evaluate_files, write_folder

SHIP, BAND, OPERA, GOLD = (
    Passage(id=kind, title="Luna", types=(kind,), text=f"Luna is a {kind}.")
    for kind in ("ship", "band", "opera", "gold")
)

Systems = dict[str, dict[str, Sequence[Passage] | None]]
"""System -> query -> D of its prediction."""


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., EvaluatedSystems]:
    def run(systems: Systems, **options: Any) -> EvaluatedSystems:
        examples = [ClarificationExample(id=f"q{i}", query="luna", passages=(GOLD,)) for i in (1, 2)]
        write_records(tmp_path / "examples.jsonl", examples)
        files = []
        for number, (system, own) in enumerate(systems.items()):
            made = [
                Prediction(id=query, system=system, passages=passages, question="Do you mean the ship or the opera?")
                for query, passages in own.items()
            ]
            files.append(tmp_path / f"file{number}.jsonl")
            write_records(files[-1], made)
        return evaluate_files(files, tmp_path / "examples.jsonl", **options)

    return run


@pytest.mark.parametrize(
    ("system", "file"),
    [
        ("rac", "rac"),
        ("grounded-best-of-n", "grounded-best-of-n"),
        ("rac-round-1", "rac-round-1"),
        ("Llama_3.1+rac", "Llama_3.1+rac"),
        ("система", "система"),
        ("rac of runs/claqua", "rac-of-runs-claqua"),
        ("/proc/me/x", "proc-me-x"),  # where nothing can be written, if it were tried
        ("../../x", "x"),
        ("..\\x\0y\nz", "x-y-z"),
        ("..", "system"),
        ("月" * 300, "月" * 50),
    ],
)
def test_the_scores_of_any_system_lie_in_the_folder_and_keep_its_name(evaluate, tmp_path, system, file) -> None:
    write_folder(tmp_path / "out", evaluate({system: {"q1": (SHIP, BAND)}}), title="One")
    written = {path.relative_to(tmp_path / "out/scores") for path in tmp_path.rglob("out/scores/**/*")}
    assert written == {Path(f"{file}.jsonl"), Path(f"{file}.jsonl.header.json")}
    (read,) = load_systems([tmp_path / "out"])
    assert read.name == system


@pytest.mark.parametrize(("one", "other"), [("runs/a", "runs a"), ("Rac", "rac")])
def test_systems_whose_files_would_have_one_name_are_refused(evaluate, one: str, other: str) -> None:
    with pytest.raises(UserError, match=f"systems '{one}' and '{other}' would both be .*; rename one"):
        evaluate({one: {"q1": None}, other: {"q1": None}})


def test_a_page_has_the_passages_that_any_system_was_scored_against(evaluate, tmp_path) -> None:
    systems: Systems = {
        "first": {"q1": (SHIP, BAND), "q2": (SHIP, BAND)},
        "second": {"q1": (OPERA, BAND), "q2": (BAND.model_copy(update={"meta": {"rank": 1}}), SHIP)},
        "third": {"q1": (SHIP, BAND)},
    }
    result = evaluate(systems)
    assert result.contexts == {"q1": [SHIP, BAND, OPERA], "q2": [SHIP, BAND]}
    (note,) = [note for note in result.notes if "different D" in note]
    assert "for 1 of 2 queries, so their rows are not comparable in faithfulness" in note
    write_folder(tmp_path / "out", result, title="Three")
    for name in ("report.html", "report.md"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "scored against different D for 1 of 2 queries" in text
    assert all(note in check_header(tmp_path / f"out/scores/{name}.jsonl")["notes"] for name in systems)


def test_the_same_passages_need_no_note(evaluate) -> None:
    # A query that nobody asked about is shown with its example's passages.
    result = evaluate({"first": {"q1": (SHIP, BAND)}, "second": {"q1": (BAND, SHIP)}})
    assert result.contexts == {"q1": [SHIP, BAND], "q2": [GOLD]}
    own = {"first": {"q1": (SHIP, BAND), "q2": None}, "second": {"q1": (OPERA,), "q2": None}}
    shared = evaluate(own, passages="examples")
    assert shared.contexts == {"q1": [GOLD], "q2": [GOLD]}
    assert not any("different D" in note for note in [*result.notes, *shared.notes])


def test_copies_of_a_passage_may_differ_in_what_stands_beside_the_text(evaluate) -> None:
    bare = SHIP.model_copy(update={"title": "", "types": (), "description": ""})
    result = evaluate({"one": {"q1": (bare, BAND)}, "two": {"q1": (SHIP, BAND)}})
    assert result.contexts["q1"] == [SHIP, BAND]


def test_two_passages_with_one_id_are_refused_before_scoring(evaluate, monkeypatch) -> None:
    monkeypatch.delattr("rac.report.evaluation.evaluate")
    other = SHIP.model_copy(update={"text": "Luna is a steamer."})
    with pytest.raises(UserError, match=r"query 'q1' has two different passages .* 'ship' \(in D of 'one' and 'two'\)"):
        evaluate({"one": {"q1": (SHIP, BAND)}, "two": {"q1": (other, BAND)}})
    with pytest.raises(UserError, match=r"'ship' \(in D of 'one'\)"):
        evaluate({"one": {"q1": (SHIP, other)}})
