"""``rac fetch``, ``describe``, ``export`` and ``import`` as typed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

RECORDS = (
    '{"id": "1", "query": "dune", "questions": ["the film or the game?"], "split": "train", '
    '"passages": [{"id": "p", "title": "Dune", "text": "A film."}]}\n'
    '{"id": "2", "query": "Dune?", "questions": ["film?"], "split": "dev", "facets": ["film", "book"]}\n'
)


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAC_MIRROR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "examples.jsonl"
    path.write_text(RECORDS, encoding="utf-8")
    return path


def refused(result: Any, *words: str) -> None:
    assert result.status == 2, result.err
    lines = [line for line in result.err.splitlines() if line.startswith("rac: ")]
    assert len(lines) == 1 and "Traceback" not in result.err, result.err
    for word in words:
        assert word in lines[0]


def test_list_is_a_table_of_every_benchmark(rac: Run, tmp_path: Path) -> None:
    result = rac("fetch", "--list", "--dir", tmp_path)
    assert result.status == 0
    for word in ("clariq", "qulac", "cambignq", "paqa", "ambignq", "Apache-2.0", "yours to bring", "licence", "here"):
        assert word in result.out


def test_fetch_copies_verifies_and_says_licence_and_citation(rac: Run, data_mirror: Path, tmp_path: Path) -> None:
    result = rac("fetch", "qulac", "--mirror", data_mirror, "--dir", tmp_path)
    assert result.status == 0
    assert (tmp_path / "aliannejadi/qulac/data/qulac/qulac.json").is_file()
    for word in ("copied", "3,799,709 bytes", "SHA-256 verified", "licence:  MIT", "SIGIR 2019", "rac describe qulac"):
        assert word in result.out
    assert "present" in rac("fetch", "QULAC", "--dir", tmp_path).out
    assert "yes" in rac("fetch", "--list", "--dir", tmp_path).out


def test_the_mirror_may_be_a_variable(rac: Run, data_mirror: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(os.environ, "RAC_MIRROR", str(data_mirror))
    assert rac("fetch", "mimics", "--split", "train").status == 0
    assert (tmp_path / "home/rac/benchmarks/microsoft/MIMICS/data/MIMICS-Manual.tsv").is_file()


def test_fetch_refuses_kindly(rac: Run, tmp_path: Path) -> None:
    refused(rac("fetch"), "no benchmark was named", "--list")
    refused(rac("fetch", "clarik"), "did you mean 'clariq'")
    refused(rac("fetch", "paqa"), "cannot be fetched", "https://arxiv.org", "docs/benchmarks.md")
    refused(rac("fetch", "claqua", "--mirror", tmp_path / "none"), "is not a directory")
    (tmp_path / "mirror").mkdir()
    refused(rac("fetch", "claqua", "--mirror", tmp_path / "mirror", "--dir", tmp_path), "the mirror has no")
    refused(rac("fetch", "claqua", "--split", "tests"), "no split 'tests'")


def test_describe_a_file(rac: Run, records: Path) -> None:
    result = rac("describe", records)
    assert result.status == 0
    for line in (
        "Split train (lengths in words and marks: mean, median, 95 %, longest)",
        "  train -> dev: 1 of 1 queries;",
        "50.0% of words, 0.0% with all  (n 1, 0 unscored)",
        "not here: clariq",
    ):
        assert line in result.out
    found = json.loads(rac("describe", records, "--json", "--no-compare").out)
    assert found["splits"]["dev"]["facets_per_query"]["mean"] == 2
    assert found["leakage"] == [
        {
            "from": "train", "to": "dev", "queries": 1, "near_queries": 0, "of_queries": 1, "groups": 0, "of_groups": 1,
            "questions": 0, "of_questions": 1, "passages": 0, "of_passages": 0,
        }
    ]  # fmt: skip


def test_a_file_whose_passage_ids_are_shared_is_described(rac: Run, records: Path, tmp_path: Path) -> None:
    """Every example is held against its own passages, so two passages of one id do no harm here."""
    other = RECORDS.splitlines()[0].replace('"1"', '"3"').replace("A film.", "A game.")
    path = tmp_path / "shared.jsonl"
    path.write_text(f"{RECORDS}{other}\n", encoding="utf-8")
    found = json.loads(rac("describe", path, "--json", "--no-compare").out)
    assert found["counts"] == {"examples": 3, "passage ids with several texts (no corpus to search)": 1}
    # "the film or the game?": each of the two passages has one of the two words.
    assert found["splits"]["train"]["grounding"] == {"scored": 2, "unscored": 0, "mean": 0.5, "full": 0.0}
    assert "several texts" not in rac("describe", records, "--no-compare").out


def test_a_split_of_examples_that_name_none(rac: Run, tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    path.write_text('{"id": "1", "query": "dune"}\n', encoding="utf-8")
    refused(rac("describe", path, "--split", "train"), "no split 'train'", "name none")


def test_describe_a_benchmark_beside_the_others(rac: Run, data_mirror: Path, tmp_path: Path) -> None:
    result = rac("describe", "qulac", "--mirror", data_mirror, "--dir", tmp_path, "--json")
    assert result.status == 0
    found = json.loads(result.out)
    assert found["benchmark"]["licence"] == "MIT"
    assert found["shared"]["clariq"]["questions"] == found["shared"]["clariq"]["of_questions"] == 2592
    assert found["not_here"] == ["cambignq", "paqa"]
    assert found["counts"]["rows with the empty question (no gold question)"] == 762


def test_describe_against_an_index(rac: Run, records: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"id": "p", "title": "Dune", "text": "A film or a game."}\n{"id": "q", "text": "Else."}\n')
    assert rac("index", corpus, "-o", tmp_path / "index").status == 0
    found = json.loads(rac("describe", records, "--index", tmp_path / "index", "--top-k", 1, "--json").out)
    retrieved = found["retrieved_grounding"]
    assert (retrieved["scored"], retrieved["mean"], retrieved["gold_recall"], retrieved["top_k"]) == (2, 1.0, 1.0, 1)
    assert (
        "Gold questions against the top 1" in rac("describe", records, "--index", tmp_path / "index", "--top-k", 1).out
    )


def test_describe_refuses_kindly(rac: Run, tmp_path: Path) -> None:
    refused(rac("describe", "claqa"), "did you mean 'claqua'")
    refused(rac("describe", tmp_path / "none.jsonl"), "no such file")
    table = tmp_path / "t.csv"
    table.write_text("question,x\nq,y\n")
    refused(rac("describe", table), "--columns MAP.yaml")
    columns = tmp_path / "map.yaml"
    columns.write_text("query: nothing\n")
    refused(rac("describe", table, "--columns", columns), "columns found: 'question', 'x'")
    columns.write_text("query: question\n")
    assert rac("describe", table, "--columns", columns).status == 0
    (tmp_path / "cut.jsonl").write_text('{"id": "1", "query": "q"}\n{"id": "2", "que')
    refused(rac("describe", tmp_path / "cut.jsonl"), "line 2", "not valid JSON")


def test_export_and_import(rac: Run, records: Path, tmp_path: Path) -> None:
    result = rac("export", records, "--to", "trec", "-o", tmp_path / "out")
    assert result.status == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.suffix) == [
        "corpus.trec", "qrels.dev.txt", "qrels.train.txt", "topics.dev.txt", "topics.train.txt",
    ]  # fmt: skip
    assert (tmp_path / "out/qrels.train.txt").read_text() == "1 0 p 1\n"
    refused(rac("export", records, "-o", tmp_path), "holds files that rac export did not write")

    table, columns = tmp_path / "t.csv", tmp_path / "map.yaml"
    table.write_text("ask,cq\ndune,film or book?\ndune,the game?\n")
    columns.write_text("query: ask\nquestions: cq\n")
    result = rac("import", table, "--columns", columns, "-o", tmp_path / "mine.jsonl")
    assert result.status == 0 and "1  rows of a query that has an earlier row (merged)" in result.out
    assert json.loads((tmp_path / "mine.jsonl").read_text())["questions"] == ["film or book?", "the game?"]
    refused(rac("import", table, "-o", tmp_path / "x.jsonl"), "one of --columns and --clariq-run is needed")
    assert not (tmp_path / "x.jsonl").exists()


def test_import_a_clariq_run(rac: Run, data_mirror: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.write_text("170 0 Q00002 1 6.5 bm25\n170 0 Q00003 2 6.4 bm25\n")
    result = rac("import", run, "--clariq-run", "-o", tmp_path / "p.jsonl", "--mirror", data_mirror, "--dir", tmp_path)
    assert result.status == 0
    prediction = json.loads((tmp_path / "p.jsonl").read_text())
    assert prediction["id"] == "clariq-170" and prediction["question"].startswith("a total cholesterol")
    assert prediction["candidates"] == ["about how many years experience do you want the instructor to have"]


def test_evaluate_takes_a_clariq_run(rac: Run, tmp_path: Path) -> None:
    (tmp_path / "run").write_text('7 0 "the film or the game?" 1 2 mine\n7 0 "which?" 2 1 mine\n')
    examples = tmp_path / "e.jsonl"
    examples.write_text(
        '{"id": "clariq-7", "query": "dune", "passages": [{"id": "p", "title": "Dune", "text": "A film, a game."}]}\n'
    )
    result = rac("evaluate", tmp_path / "run", "--examples", examples, "--json")
    assert result.status == 0, result.err
    assert list(json.loads(result.out)["systems"]) == ["mine"]


def test_a_file_without_an_example_is_not_described(rac: Run, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("", encoding="utf-8")
    refused = rac("describe", tmp_path / "none.jsonl")
    assert refused.status != 0
    assert "none.jsonl holds no example" in refused.err
