"""Which systems are asked over which D, and what the tables then hold; on runs that need no model."""

from __future__ import annotations

from pathlib import Path

import pytest

from rac.config import EvaluationSettings, Recipe
from rac.files import read_json, write_records
from rac.pipeline.data import data_stage, index_stage, retrieve_stage
from rac.pipeline.evaluation import metrics_stage, predict_stages, report_stage
from rac.pipeline.run_directory import RunDirectory
from rac.records import ClarificationExample, Passage
from rac.report.stored import load, pack


def test_systems_over_gold_passages_are_some_of_the_systems() -> None:
    settings = EvaluationSettings(systems=("template", "rac", "gold"), passages=("retrieved", "gold"))
    assert settings.systems_over("gold") == settings.systems_over("retrieved") == ("template", "rac", "gold")
    some = settings.model_copy(update={"gold_systems": ("gold", "rac")})
    assert some.systems_over("gold") == ("rac", "gold")
    assert some.systems_over("retrieved") == ("template", "rac", "gold")
    assert some.sources_of("template") == ["retrieved"]
    assert some.sources_of("gold") == ["retrieved", "gold"]
    # Other systems on the command line do not make a recipe wrong.
    assert EvaluationSettings(systems=("base",), gold_systems=("rac",)).systems_over("gold") == ("base",)
    with pytest.raises(ValueError, match="unknown system 'goold'; did you mean 'gold'"):
        EvaluationSettings(gold_systems=("goold",))


def test_a_table_has_the_systems_that_were_asked_over_its_passages(tmp_path: Path) -> None:
    examples = []
    for number in range(40):
        name = f"luna{number}"
        passages = tuple(
            Passage(id=f"{name}-{kind}", title=name, text=f"{name} is a {kind}.", types=(kind,))
            for kind in ("film", "book")
        )
        examples.append(
            ClarificationExample(
                id=name, query=f"who made {name}", questions=(f"Do you mean the film or the book {name}?",),
                passages=passages, group=name, split="train",
            )
        )  # fmt: skip
    write_records(tmp_path / "examples.jsonl", examples)
    recipe = Recipe.model_validate(
        {
            "data": {"source": str(tmp_path / "examples.jsonl")},
            "prompt": {"top_k": 2},
            "evaluation": {
                "systems": ["template-titles", "template", "gold"],
                "passages": ["retrieved", "gold"],
                "gold_systems": ["template", "gold"],
                "bootstrap_samples": 100,
                "nli": "none",
            },
        }
    )
    run = RunDirectory(tmp_path / "run", recipe)
    for stage in (index_stage, data_stage, retrieve_stage, predict_stages, metrics_stage, report_stage):
        stage(run)
    assert not (run / "predictions/gold/template-titles.jsonl").exists()
    tables = read_json(run / "metrics.json")["tables"]
    assert [(table["passages"], list(table["systems"])) for table in tables] == [
        ("retrieved", ["template-titles", "template", "gold"]),
        ("gold", ["template", "gold"]),
    ]
    pack(run.path, tmp_path / "packed")
    stored = load(tmp_path / "packed")
    assert set(stored.asked["retrieved"][0].questions) == {"template-titles", "template", "gold"}
    assert set(stored.asked["gold"][0].questions) == set(stored.scores["gold"]) == {"template", "gold"}
