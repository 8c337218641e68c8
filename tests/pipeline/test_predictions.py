from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

from rac.config import Recipe
from rac.pipeline.predictions import predict_stage
from rac.pipeline.run_directory import RunDirectory
from sources_support import RecordedRun


def asked(base: str) -> dict[str, dict[str, Any]]:
    recipe = Recipe.model_validate({"model": {"base": base}, "evaluation": {"systems": ["base", "template", "rac"]}})
    run = RecordedRun(recipe)
    for system in run.recipe.evaluation.systems:
        predict_stage(cast(RunDirectory, run), system)
    return run.inputs


def test_answers_of_a_base_model_in_a_folder_depend_on_its_files(tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(tiny_model_dir, folder)
    first = asked(str(folder))
    assert asked(str(folder)) == first
    with (folder / "config.json").open("a", encoding="utf-8") as config:
        config.write("\n")
    second = asked(str(folder))
    assert second["predict-base"] != first["predict-base"], "another model under the same name"
    assert second["predict-template"] == first["predict-template"], "asks no model"
    # What stage 2 trained hangs on its own weights, which are upstream.
    assert first["predict-rac"]["upstream"].endswith("rac") and "base" not in first["predict-rac"]
    assert "base" not in asked("embedded")["predict-base"], "shipped with the version"
