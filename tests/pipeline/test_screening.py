from __future__ import annotations

import json
from pathlib import Path

import pytest

from rac.config import Recipe
from rac.errors import DataError, UserError
from rac.files import sha256_file
from rac.pipeline.screening import begin_from, recipes_of, runs_of, screen
from rac.pipeline.screening_settings import BASELINE, Screening, load_screening, shipped_screenings, slug
from rac.pipeline.splitting import split_examples
from rac.records import ClarificationExample

RECIPE = """
seed: 3
model:
  base: {base}
bootstrap:
  examples: 60
  top_k: 3
prompt:
  top_k: 3
  passage_tokens: 80
training:
  batch_size: 4
  learning_rate: 0.003
preference:
  batch_size: 2
pairs:
  grounded_samples: 2
  ungrounded_samples: 1
evaluation:
  max_new_tokens: 32
  bootstrap_samples: 200
  nli: none
"""


def test_every_seed_has_its_variants_which_share_what_they_do_not_change(tmp_path: Path, tiny_model_dir: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(RECIPE.format(base=tiny_model_dir), encoding="utf-8")
    described = Screening(
        recipe=str(recipe),
        seeds=(5, 4),
        settings={"data.evaluation_queries": 6},
        questions={"NLL": {"no NLL": {"preference.nll_weight": 0.0}}},
        findings={"NLL": "Read and written down."},
    )
    result = screen(described, tmp_path / "out")
    first = tmp_path / "out/seed-5"
    weights = {
        (name, model): sha256_file(first / name / "models" / model / "model.safetensors")
        for name in (BASELINE, "no-nll")
        for model in ("grounded", "rac")
    }
    assert weights[BASELINE, "grounded"] == weights["no-nll", "grounded"]
    assert weights[BASELINE, "rac"] != weights["no-nll", "rac"]
    assert (first / "baseline/pairs.jsonl").samefile(first / "no-nll/pairs.jsonl")
    (entry,) = result["questions"]
    assert list(entry["table"]["systems"]) == [BASELINE, "no NLL"]
    assert entry["cost"][BASELINE]["pairs"] == entry["cost"]["no NLL"]["pairs"] > 0
    # Each seed asks queries of its own; all of them are compared together.
    assert result["seeds"] == [5, 4]
    assert entry["table"]["n"] == 12
    runs = {seed: tmp_path / f"out/seed-{seed}/no-nll" for seed in (5, 4)}
    asked = {seed: (run / "examples/evaluation.jsonl").read_text() for seed, run in runs.items()}
    assert asked[5] != asked[4]
    tables = {seed: json.loads((run / "metrics.json").read_text())["tables"][0] for seed, run in runs.items()}
    for metric in ("rouge_l", "options"):
        means = [tables[seed]["systems"]["rac"][metric]["mean"] for seed in (5, 4)]
        assert entry["by_seed"]["no NLL"][metric] == pytest.approx(means)
        assert entry["table"]["systems"]["no NLL"][metric]["mean"] == pytest.approx(sum(means) / 2)
    page = (tmp_path / "out/screening.md").read_text()
    assert "Read and written down." in page
    assert "`preference.nll_weight: 0.0`" in page
    assert "with the seeds 5, 4; each seed asks queries of its own" in page
    # Goes on where it was: nothing is done twice.
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("stages/*.json")}
    assert screen(described, tmp_path / "out") == json.loads((tmp_path / "out/screening.json").read_text())
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("stages/*.json")} == before


def test_without_seeds_variants_lie_side_by_side_with_the_seed_of_the_recipe(tmp_path: Path) -> None:
    described = Screening(recipe="claqua", settings={"seed": 7}, questions={"q": {"no NLL": {}}})
    ((seed, variants),) = runs_of(described, tmp_path).items()
    assert seed is None
    assert {name: (recipe.seed, run) for name, (recipe, run) in variants.items()} == {
        BASELINE: (7, tmp_path / BASELINE),
        "no-nll": (7, tmp_path / "no-nll"),
    }


def test_a_copy_of_a_run_has_no_lock_and_no_half_done_training(tmp_path: Path) -> None:
    base = tmp_path / "a"
    (base / "models/rac/checkpoints").mkdir(parents=True)
    (base / "run.json").write_text("{}")
    (base / ".lock").touch()
    begin_from(base, tmp_path / "b")
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["models", "run.json"]
    assert list((tmp_path / "b/models/rac").iterdir()) == []


def test_shipped_screenings_describe_recipes_that_hold_out_training_queries_only() -> None:
    assert shipped_screenings()
    for name in shipped_screenings():
        for recipe in recipes_of(load_screening(name)).values():
            assert recipe.data.held_out == "training"
            assert recipe.evaluation.systems == ("rac",)


def test_what_the_source_holds_out_is_never_screened_on() -> None:
    described = Screening(recipe="claqua", questions={"q": {"cheat": {"data.held_out": "source"}}})
    with pytest.raises(UserError, match=r"the variant 'cheat' .* leave data\.held_out: training"):
        recipes_of(described)


def test_with_held_out_training_the_sources_held_out_queries_are_nowhere() -> None:
    def made(name: str, split: str) -> ClarificationExample:
        return ClarificationExample(id=name, query=name, questions=("A or B?",), split=split, group=name)

    by_split = {
        "train": [made(f"t{i}", "train") for i in range(40)] + [made("v1", "train").model_copy(update={"id": "leak"})],
        "validation": [made(f"v{i}", "validation") for i in range(5)],
    }
    recipe = Recipe.model_validate({"data": {"source": "x", "held_out": "training"}})
    parts = split_examples(by_split, recipe)
    found = {e.id for part in parts.values() for e in part}
    assert found == {f"t{i}" for i in range(40)}
    assert 6 <= len(parts["evaluation"]) <= 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: claqua\nquestions: {q: {}}\n", "no variant beside the baseline"),
        ("recipe: claqua\nquestions: {q: {Baseline: {}}}\n", "cannot name a variant"),
        ("recipe: claqua\nquestions: {q: {a: {x.y: 1}}, r: {a: {x.y: 2}}}\n", "described twice"),
        ("recipe: claqua\nquestions: {q: {a: {}}}\nfindings: {other: text}\n", "not asked, 'other'"),
        ("recipe: claqua\nquestions: {q: {a: {}}}\nfinding: {q: x}\n", "line 3, field 'finding'"),
        ("recipe: claqua\nseeds: [1, 1]\nquestions: {q: {a: {}}}\n", "a seed stands twice"),
        ("recipe: claqua\nseeds: [1]\nquestions: {q: {a: {seed: 2}}}\n", "leave `seed` out"),
        ("recipe: claqua\nseeds: [1]\nsettings: {seed: 2}\nquestions: {q: {a: {}}}\n", "leave `seed` out"),
    ],
)
def test_a_screening_that_cannot_be_run_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_screening(str(path))


def test_an_unknown_screening_or_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no screening at 'claqa'"):
        load_screening("claqa")
    with pytest.raises(UserError, match=r"preference\.betta"):
        recipes_of(Screening(recipe="claqua", questions={"q": {"a": {"preference.betta": 1}}}))


def test_names_become_folder_names() -> None:
    assert slug("NLL 0.3, twice!") == "nll-0-3-twice"
