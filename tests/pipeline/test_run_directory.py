from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rac.config import Recipe
from rac.errors import DataError, UserError
from rac.files import ResumableLines
from rac.pipeline.run_directory import RunDirectory, Stage, machine


def stage_of(run: RunDirectory, calls: list[str], text: str = "x") -> None:
    def work() -> Stage:
        calls.append(text)
        (run / "out.txt").write_text(text)
        return Stage(["out.txt"], {"items": 1})

    run.run("demo", {"text": text}, work)


def test_a_stage_runs_once_for_the_same_inputs_and_again_for_others(tmp_path: Path) -> None:
    calls: list[str] = []
    run = RunDirectory(tmp_path / "run", Recipe())
    stage_of(run, calls)
    stage_of(RunDirectory(tmp_path / "run", Recipe()), calls)
    assert calls == ["x"]
    stage_of(run, calls, "y")
    assert calls == ["x", "y"]
    record = json.loads((tmp_path / "run/stages/demo.json").read_text())
    assert record["counts"] == {"items": 1}
    assert record["outputs"]["out.txt"]["bytes"] == 1
    assert {"seconds", "peak_memory_mb", "versions", "seed", "input_hash"} <= set(record)
    assert record["machine"] == machine()


def test_a_stage_whose_output_is_gone_runs_again(tmp_path: Path) -> None:
    calls: list[str] = []
    run = RunDirectory(tmp_path / "run", Recipe())
    stage_of(run, calls)
    (run / "out.txt").unlink()
    stage_of(run, calls)
    assert calls == ["x", "x"]


def test_a_failed_stage_leaves_no_record(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", Recipe())

    def work() -> Stage:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        run.run("demo", {}, work)
    assert run.record("demo") is None


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    RunDirectory(tmp_path / "run", Recipe())
    (tmp_path / "run/run.json").write_text('{"schema": 99}')
    with pytest.raises(DataError, match="schema version 99 and this rac knows 1"):
        RunDirectory(tmp_path / "run")


def test_a_foreign_folder_is_never_written_to(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty and not a run directory"):
        RunDirectory(tmp_path, Recipe())
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(UserError, match="is no run directory"):
        RunDirectory(tmp_path)


def test_a_transfer_is_of_one_run_and_no_run_becomes_one(tmp_path: Path) -> None:
    first, second = (RunDirectory(tmp_path / name, Recipe(name=name)) for name in ("a", "b"))
    transfer = RunDirectory(tmp_path / "t", Recipe(), trained=first)
    assert RunDirectory(tmp_path / "t", Recipe(), trained=first).trained.path.samefile(first.path)
    with pytest.raises(UserError, match=r"t is a transfer of .*a, not a transfer of .*b; give another directory"):
        RunDirectory(transfer.path, Recipe(name="other"), trained=second)
    with pytest.raises(UserError, match="is a run with models of its own, not a transfer of"):
        RunDirectory(second.path, Recipe(name="other"), trained=first)
    assert RunDirectory(second.path).recipe.name == "b"


def test_two_processes_do_not_work_on_one_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", Recipe())
    code = (
        "import sys; from rac.pipeline.run_directory import RunDirectory\n"
        "from rac.errors import UserError\n"
        "try:\n"
        "    with RunDirectory(sys.argv[1]).lock(): print('locked')\n"
        "except UserError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(run.path)]
    with run.lock():
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "another process is working on" in out
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "locked\n"


def test_a_refused_command_leaves_the_recipe_of_the_one_at_work(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", Recipe(name="at-work"))
    with run.lock(), pytest.raises(UserError, match="another process is working on"):
        RunDirectory(run.path, Recipe(name="refused"))
    assert RunDirectory(run.path).recipe.name == "at-work"
    assert RunDirectory(run.path, Recipe(name="later")).recipe.name == "later"


def test_lines_survive_a_kill_in_mid_write(tmp_path: Path) -> None:
    path = tmp_path / "work/lines.jsonl"
    lines = ResumableLines(path, "d1")
    lines.add({"a": "one"})
    lines.add({"b": ["two", "zwö"]})
    with path.open("a") as handle:
        handle.write('{"id": "c", "val')
    again = ResumableLines(path, "d1")
    assert again.done == {"a": "one", "b": ["two", "zwö"]}
    again.add({"c": 3})
    assert ResumableLines(path, "d1").done == {"a": "one", "b": ["two", "zwö"], "c": 3}
    assert ResumableLines(path, "other inputs").done == {}
