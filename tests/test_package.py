"""The package from outside: what works without torch, completion, versions of file formats."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rac
from rac.errors import UserError
from rac.files import header_path, write_json, write_records
from rac.records import ClarificationExample, Passage, Prediction

_BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "accelerate", "peft"}:
            raise ImportError(f"{name} is blocked in this test")

sys.meta_path.insert(0, Block())
from rac.cli import main
sys.argv = ["rac", *sys.argv[1:]]
main()
"""


def without_torch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BLOCKED, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "RAC_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "tea.md").write_text("# Tea\n\n## Green\n\nSteep it.\n", encoding="utf-8")
    (tmp_path / "docs" / "beans.html").write_text("<h1>Coffee</h1><h2>Green</h2><p>Unroasted.", encoding="utf-8")
    passages = (Passage(id="a", title="Green tea", text="Steep it."), Passage(id="b", title="Green beans", text="x"))
    write_records(tmp_path / "examples.jsonl", [ClarificationExample(id="q", query="green", passages=passages)])
    question = "Do you mean green tea or green beans?"
    write_records(tmp_path / "predictions.jsonl", [Prediction(id="q", question=question, passages=passages)])
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["index", "docs", "-o", "i"], "passages   2"),
        (["bootstrap", "docs", "-o", "data", "--examples", "3"], "data card"),
        (["describe", "examples.jsonl"], "1"),
        (["evaluate", "predictions.jsonl", "--examples", "examples.jsonl", "--json"], "faith"),
        (["recipe", "--help"], "recipe"),
        (["doctor", "--no-probe"], "torch cannot be used (torch is blocked"),
    ],
)
def test_readers_metrics_and_data_work_without_torch(arguments: list[str], words: str, folder: Path) -> None:
    done = without_torch(folder, *arguments)
    assert done.returncode in ((0, 1) if arguments[0] == "doctor" else (0,)), done.stderr[-2000:]
    assert words.lower() in done.stdout.lower()


def test_the_version_is_semantic_and_shown() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?", rac.__version__)
    done = subprocess.run([sys.executable, "-m", "rac", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"rac {rac.__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    words = {
        "COMP_WORDS": "rac boot",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "rac boot",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    environment = {**os.environ, "_RAC_COMPLETE": f"complete_{shell}", **words}
    program = "from rac.cli import main; import sys; sys.argv = ['rac']; main()"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert "bootstrap" in done.stdout


# Every format that rac writes and reads back, and how a version of tomorrow comes in.


def _records(folder: Path) -> tuple[Path, str, Callable[[], Any]]:
    from rac.files import read_records

    path = folder / "x.jsonl"
    write_records(path, [Passage(id="a", text="x")])
    return header_path(path), "schema", lambda: read_records(path, Passage)


def _corpus(folder: Path) -> tuple[Path, str, Callable[[], Any]]:
    from rac.corpus import read_corpus

    path = folder / "x.jsonl"
    write_records(path, [Passage(id="a", text="x")])
    return header_path(path), "schema", lambda: list(read_corpus(path))


def _index(folder: Path) -> tuple[Path, str, Callable[[], Any]]:
    from rac.retrieval import IndexSettings, build_index, open_index

    build_index([Passage(id="a", text="x")], IndexSettings(), folder / "i")
    return next((folder / "i").glob("generation-*/header.json")), "format", lambda: open_index(folder / "i")


def _run(folder: Path) -> tuple[Path, str, Callable[[], Any]]:
    from rac.config import Recipe
    from rac.pipeline.run_directory import RunDirectory

    RunDirectory(folder / "run", Recipe())
    return folder / "run" / "run.json", "schema", lambda: RunDirectory(folder / "run")


def _recipe(folder: Path) -> tuple[Path, str, Callable[[], Any]]:
    from rac.config import load_recipe

    path = folder / "r.yaml"
    write_json(path, {"schema": 1})  # JSON is YAML
    return path, "schema", lambda: load_recipe(path)


@pytest.mark.parametrize("make", [_records, _corpus, _index, _run, _recipe])
def test_an_unknown_version_of_a_format_is_refused_with_advice(make: Callable[..., Any], tmp_path: Path) -> None:
    path, key, read = make(tmp_path)
    read()
    value = json.loads(path.read_text(encoding="utf-8"))
    for version in (99, "2", None):
        write_json(path, {**value, key: version})
        with pytest.raises(UserError) as caught:
            read()
        message = str(caught.value)
        assert str(path) in message and ("99" in message or version != 99)
        assert "use the rac" in message or "again" in message or "this rac reads" in message or "integer" in message


def test_every_dependency_is_pinned_to_a_version_that_it_allows() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    root = Path(__file__).resolve().parents[1]
    pins: dict[str, str] = {}
    for file in ("core", "embedded", "test", "all", "llama-cpp"):
        for line in (root / "requirements" / f"{file}.txt").read_text(encoding="utf-8").splitlines():
            name, equals, version = line.partition("==")
            if equals:
                assert canonicalize_name(name) not in pins, f"{name} is pinned twice"
                pins[canonicalize_name(name)] = version.strip()
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *(text for extra in extras.values() for text in extra)]:
        requirement = Requirement(text)
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{text} has no pin in requirements/"
        assert requirement.specifier.contains(pinned), f"{text} does not allow the pinned {pinned}"
