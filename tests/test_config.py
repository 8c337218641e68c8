from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rac.config import Recipe, explain_recipe, find_recipe, load_recipe, shipped_recipes
from rac.errors import DataError, UserError
from rac.pipeline import unused_adapter


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_recipe_is_all_defaults(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path / "r.yaml", "")) == Recipe()


def test_a_resolved_recipe_reads_back_the_same(tmp_path: Path) -> None:
    recipe = load_recipe(find_recipe("quickstart"))
    assert load_recipe(write(tmp_path / "r.yaml", recipe.to_yaml())) == recipe


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid_and_named(name: str) -> None:
    recipe = load_recipe(find_recipe(name))
    assert recipe.name == name
    assert find_recipe(f"recipes/{name}.yaml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training:\n  epoch: 2\n", r"line 2, field 'training.epoch': unknown key; did you mean 'epochs'\?"),
        ("trainig:\n  epochs: 2\n", r"line 1, field 'trainig': unknown key; did you mean 'training'\?"),
        ("name: x\ntraining:\n  epochs: many\n", r"line 3, field 'training.epochs': .* valid number.*not 'many'"),
        ("prompt:\n  top_k: 0\n", r"line 2, field 'prompt.top_k': input should be greater than or equal to 1, not 0"),
        (
            "evaluation:\n  systems: [base, golden]\n",
            r"line 2, field 'evaluation.systems'.*unknown system 'golden'; did you mean 'gold'\?",
        ),
        ("seed: 1\nseed: 2\n", r"line 2, field 'seed': is given twice"),
        ("data: [\n", "is not valid YAML"),
        ("seed: 1\nname: 2024-13-45\n", r"line 2: is not valid YAML \(month must be in 1..12; .* needs quotes\)"),
        ("data:\n  source: 0x_\n", r"line 2: is not valid YAML \(.*; a value that .* looks like one, needs quotes\)"),
        ("- a\n", "must be a mapping of sections"),
        ("schema: 7\n", "recipe schema 7 is not known"),
        ("name: x\nprompt:\n  passages: gold\n", r"line 3, field 'prompt.passages': .*needs gold passages"),
        ("model:\n  device: cpu\n  dtype: bfloat16\n", r"line 3, field 'model.dtype': .*bfloat16 on the CPU"),
        ("evaluation:\n  passages: [retrieved, gold]\n", r"line 2, field 'evaluation.passages': .*needs gold passages"),
        ("preference:\n  adapter: lora\n", r"line 2, field 'preference.adapter': .*set both to the same"),
        ("prompt:\n  top_k: 2\n", r"field 'bootstrap.top_k': .*make bootstrap.top_k at most prompt.top_k"),
        ("preference:\n  loss: sft\n", r"line 2, field 'preference.loss'"),
    ],
)  # fmt: skip
def test_bad_recipes_are_refused_with_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_recipe(write(tmp_path / "r.yaml", text))


def test_an_adapter_that_stage_2_cannot_have_is_said() -> None:
    def said(**first: Any) -> str:
        return unused_adapter(Recipe.model_validate({"training": first, "preference": {"adapter": "lora"}}))

    assert said(adapter="lora") == ""
    assert "goes on with the adapters of rank 8" in said(adapter="lora", lora_rank=8)
    assert "preference.adapter: full" in unused_adapter(Recipe.model_validate({"training": {"adapter": "lora"}}))
    assert unused_adapter(Recipe()) == ""


def test_overrides_win_and_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "r.yaml", "training:\n  epochs: 1\n")
    recipe = load_recipe(path, ["training.epochs=2", "training.learning_rate=1e-4", "name=other"])
    assert (recipe.training.epochs, recipe.training.learning_rate, recipe.name) == (2, 1e-4, "other")
    with pytest.raises(UserError, match=r"--set.*field 'training.epoch': unknown key; did you mean 'epochs'"):
        load_recipe(path, ["training.epoch=2"])
    with pytest.raises(UserError, match=r"give SECTION.KEY=VALUE"):
        load_recipe(path, ["training.epochs"])
    with pytest.raises(UserError, match=r"--set name=2024-13-45: the value .*\(month must be in 1..12; .* quotes\)"):
        load_recipe(path, ["name=2024-13-45"])


def test_every_key_is_explained_with_its_default() -> None:
    text = explain_recipe()
    values = yaml.safe_load(text)
    assert Recipe.model_validate(values) == Recipe()
    for name, field in Recipe.model_fields.items():
        sub = getattr(field.annotation, "model_fields", {})
        for key, value in sub.items():
            assert value.description, f"{name}.{key} has no description"
            assert f"  {key}: " in text


def test_unknown_recipes_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match="did you mean 'quickstart'"):
        find_recipe("quikstart")
