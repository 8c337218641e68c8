"""Bad input ends with one clear sentence and status 2, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(result: Any, *words: str) -> None:
    assert result.status == 2, result.err
    lines = [line for line in result.err.splitlines() if line.startswith("rac: ")]
    assert len(lines) == 1, result.err
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training:\n  epoch: 1\n", ["line 2", "training.epoch", "did you mean 'epochs'"]),
        ("training: 5\n", ["line 1", "training"]),
        ("prompt:\n  top_k: lots\n", ["line 2", "prompt.top_k"]),
        (b"name: caf\xe9\n", ["line 1", "not valid UTF-8"]),
        ("prompt:\n  passages: gold\n", ["needs gold passages"]),
    ],
)
def test_recipes(rac: Run, tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    recipe = write(tmp_path / "r.yaml", text)
    refused(rac("train", recipe, "-o", tmp_path / "run"), str(recipe), *words)
    assert not (tmp_path / "run").exists()


def test_a_missing_recipe(rac: Run, tmp_path: Path) -> None:
    refused(rac("train", tmp_path / "none.yaml"), "no recipe at", "none.yaml")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", ["holds no"]),
        ('{"id": "a", "query": "x"', ["line 1", "not valid JSON"]),
        ('{"id": "a", "query": "x"}\n{"query": "y"}\n', ["line 2", "field 'id'"]),
        ('{"id": "a", "query": "x"}\n{"id": "a", "query": "y"}\n', ["line 2", "already used in line 1"]),
        (b'{"id": "a", "query": "\xff"}\n', ["line 1", "not valid UTF-8"]),
    ],
)
def test_example_files(rac: Run, tmp_path: Path, tiny_model_dir: Path, lines: str | bytes, words: list[str]) -> None:
    examples = write(tmp_path / "examples.jsonl", lines)
    out = tmp_path / "predictions.jsonl"
    refused(rac("predict", tiny_model_dir, "--examples", examples, "-o", out), str(examples), *words)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["examples.jsonl"]


def test_a_missing_example_file(rac: Run, tmp_path: Path, tiny_model_dir: Path) -> None:
    refused(rac("predict", tiny_model_dir, "--examples", tmp_path / "no.jsonl", "-o", tmp_path / "p"), "no such file")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["holds no passage"]),
        ('{"text": "no id"}\n', ["line 1", "field 'id'"]),
        ('{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n', ["line 2", "already used in line 1"]),
    ],
)
def test_passage_files(rac: Run, tmp_path: Path, tiny_model_dir: Path, text: str, words: list[str]) -> None:
    passages = write(tmp_path / "passages.jsonl", text)
    refused(rac("ask", tiny_model_dir, "dune", "--passages", passages), str(passages), *words)


def test_an_empty_corpus(rac: Run, tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "docs").mkdir()
    refused(rac("ask", tiny_model_dir, "dune", "--corpus", tmp_path / "docs"), str(tmp_path / "docs"))


def test_questions_without_a_query_model_or_index(rac: Run, tmp_path: Path, tiny_model_dir: Path) -> None:
    refused(rac("ask", tiny_model_dir, " "), "the query is empty")
    refused(rac("ask", tiny_model_dir, "dune"), "without an index", "--corpus")
    refused(rac("ask", tmp_path, "dune"), "holds no model")
    refused(rac("ask", tmp_path / "missing", "dune"), "no model at")
    refused(rac("ask", "a", "b", "c"), "put the query in quotes")
    refused(rac("ask", tiny_model_dir, "x", "--corpus", "a", "--passages", tmp_path / "b"), "exclude each other")


def test_a_query_that_does_not_fit_the_prompt_is_refused(rac: Run, tmp_path: Path, tiny_model_dir: Path) -> None:
    passages = write(tmp_path / "p.jsonl", '{"id": "a", "text": "dune"}\n')
    refused(rac("ask", tiny_model_dir, "dune " * 400, "--passages", passages), "a query is never cut")


def test_a_run_of_another_schema_version(rac: Run, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run / "run.json", '{"schema": 42}')
    refused(rac("ask", run, "dune"), "schema version 42 and this rac knows 1")
    refused(rac("train", "quickstart", "-o", run), "schema version 42")
    assert [p.name for p in run.iterdir()] == ["run.json"]


def test_debug_shows_the_traceback(rac: Run, tmp_path: Path) -> None:
    from rac.errors import UserError

    with pytest.raises(UserError):
        rac("train", tmp_path / "none.yaml", "--debug")


@pytest.mark.parametrize("query", ["mercury \udcff", "  "])
def test_queries_without_text(rac: Run, tmp_path: Path, query: str) -> None:
    refused(rac("ask", query), "the query is")
    refused(rac("search", tmp_path, query), "the query is")


def test_a_query_may_be_longer_than_the_name_of_a_file(rac: Run, tmp_path: Path) -> None:
    refused(rac("ask", "mercury " * 1000, "--passages", tmp_path / "none.jsonl"), "none.jsonl", "no such file")


@pytest.mark.parametrize("option", ["--per-item", "--out"])
def test_a_path_that_cannot_be_written(rac: Run, tmp_path: Path, option: str) -> None:
    examples = write(tmp_path / "e.jsonl", '{"id": "a", "query": "x"}\n')
    predictions = write(tmp_path / "p.jsonl", '{"id": "a", "question": "x or y?"}\n')
    taken = write(tmp_path / "taken", "")
    result = rac("evaluate", predictions, "--examples", examples, "--nli", "none", option, taken / "x.jsonl")
    refused(result, str(taken), "cannot be read or written")
    assert taken.read_bytes() == b""
