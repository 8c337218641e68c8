"""Benchmarks, tables and collections as sources of a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark_support import tsv, write
from rac.config import Recipe, find_recipe, load_recipe
from rac.corpus import read_corpus
from rac.errors import DataError, UserError
from rac.files import read_records
from rac.pipeline.data import data_stage, index_stage, retrieve_stage
from rac.pipeline.evaluation import metrics_stage, report_stage
from rac.pipeline.predictions import predict_stages
from rac.pipeline.run_directory import RunDirectory
from rac.records import Passage, Prediction

NAMES = [
    "Dune",
    "Mercury",
    "Java",
    "Phoenix",
    "Jaguar",
    "Python",
    "Saturn",
    "Apollo",
    "Amazon",
    "Delta",
    "Eagle",
    "Falcon",
]


PARTS = {"train": NAMES[:9], "dev": NAMES[9:]}


def write_cambignq(folder: Path) -> None:
    """Write CAmbigNQ's two files in the form that its publisher documents."""
    for split, names in PARTS.items():
        rows = [
            {
                "id": n, "question": f"Who made {n}?", "dqs": ["film?", "book?"],
                "clarification_question": f"Which {n}: the film, or the book?",
            }
            for n in names
        ]  # fmt: skip
        write(folder / f"DongryeolLee96/AskCQ/cq_{split}.json", rows)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    documents = "".join(
        f"<DOC><DOCNO>{name}-{kind}</DOCNO><TITLE>{name}</TITLE><TEXT>{name} is a {kind}.</TEXT></DOC>\n"
        for name in NAMES
        for kind in ("film", "book")
    )
    return write(tmp_path / "corpus.trec", documents)


def recipe(tmp_path: Path, **data: Any) -> Recipe:
    values = {"name": "toy", "data": data, "evaluation": {"systems": ["template", "gold"], "bootstrap_samples": 100}}
    return load_recipe(write(tmp_path / "recipe.yaml", json.dumps(values)))


def test_tables_of_a_benchmark_without_passages_say_so(tmp_path: Path, corpus: Path) -> None:
    write_cambignq(tmp_path / "benchmarks")
    chosen = recipe(tmp_path, source="cambignq", directory=str(tmp_path / "benchmarks"), corpus=f"trec:{corpus}")
    run = RunDirectory(tmp_path / "run", chosen)
    with run.lock():
        assert index_stage(run)["counts"] == {"passages": 24}
        counts = data_stage(run)["counts"]
        assert counts["benchmark"]["examples"] == 12 and counts["evaluation"] == 3
        retrieve_stage(run)
        predict_stages(run)
        metrics_stage(run)
        report_stage(run)
    metrics = json.loads((run / "metrics.json").read_text())
    assert "cambignq comes without passages" in " ".join(metrics["notes"])
    assert all("no claim about faithfulness" in table["note"] for table in metrics["tables"])
    assert "no claim about faithfulness" in (run / "report.md").read_text()


def test_a_table_is_a_source_through_a_column_map(tmp_path: Path, corpus: Path) -> None:
    table = tsv(["ask", "cq"], [[f"Who made {n}?", f"The film or the book {n}?"] for n in NAMES], ",")
    path = write(tmp_path / "mine.csv", table)
    columns = {"query": "ask", "questions": "cq"}
    run = RunDirectory(tmp_path / "run", recipe(tmp_path, source=str(path), corpus=f"trec:{corpus}", columns=columns))
    with run.lock():
        index_stage(run)
        counts = data_stage(run)["counts"]
    assert counts["evaluation"] + counts["train"] + counts["pairs"] + counts["validation"] == 12


def test_a_table_without_a_map_or_with_a_wrong_one_is_refused(tmp_path: Path, corpus: Path) -> None:
    path = write(tmp_path / "mine.csv", "ask,cq\na,b\n")
    run = RunDirectory(tmp_path / "run", recipe(tmp_path, source=str(path), corpus=f"trec:{corpus}"))
    with run.lock(), pytest.raises(UserError, match=r"is a table.*data\.columns in a recipe"):
        index_stage(run)
        data_stage(run)
    with pytest.raises(DataError, match=r"field 'data\.columns': .*unknown key 'qery'; did you mean 'query'"):
        recipe(tmp_path, source=str(path), columns={"qery": "ask"})
    found = recipe(tmp_path, source=str(path), columns={"query": "ask"})
    assert found.data.columns == {"query": "ask"}


def test_collections_are_corpora(corpus: Path) -> None:
    passages = list(read_corpus(f"trec:{corpus}"))
    assert len(passages) == 24
    assert passages[0] == Passage(id="Dune-film", title="Dune", text="Dune is a film.", source="corpus.trec")


@pytest.mark.parametrize("name", ["cambignq", "paqa"])
def test_the_recipes_for_those_who_have_the_files_run_on_files_of_the_documented_form(
    tmp_path: Path, corpus: Path, name: str
) -> None:
    write_cambignq(tmp_path)
    for split, names in PARTS.items():
        table = [[f"Who made {n}?", f"Do you mean the film or the book {n}?", f"{n} is a film."] for n in names]
        write(tmp_path / f"paqa/{split}.csv", tsv(["question", "clarifying_question", "passages"], table, ","))
    own = [f"data.corpus=trec:{corpus}"] if name == "cambignq" else []
    shipped = load_recipe(
        find_recipe(name), [f"data.directory={tmp_path}", "evaluation.systems=[template, gold]", *own]
    )
    run = RunDirectory(tmp_path / "run", shipped)
    index_stage(run)
    counts = data_stage(run)["counts"]
    retrieve_stage(run)
    predict_stages(run)
    assert counts["evaluation"] == 3
    questions = [p.question for p in read_records(run / "predictions/retrieved/gold.jsonl", Prediction)]
    assert len(questions) == 3 and all("film" in q for q in questions)
