"""Screening: what a recipe's choices are worth, one changed at a time, on queries of the training side.

Every variant is a whole run beside the others. Stages whose inputs a variant does not change are taken from the
baseline, so a variant of stage 2 costs its pairs, its training and its questions.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from rac.config import Recipe, find_recipe, load_recipe, overridden
from rac.errors import UserError
from rac.files import atomic_path, write_json, write_text
from rac.pipeline import run_recipe
from rac.pipeline.preference import round_variants
from rac.pipeline.run_directory import RunDirectory
from rac.pipeline.screening_settings import BASELINE, Screening, slug
from rac.report.compare import compare_scored, load_systems
from rac.report.screening import render_screening

log = logging.getLogger(__name__)

SCREENING_SCHEMA = 1
SHOWN = ("headline", "good", "hallucinated", "same_option", "info", "options", "rouge_l")
"""Metrics of a screening's tables."""


def screen(screening: Screening, path: Path | str) -> dict[str, Any]:
    """Run every variant, compare each with the baseline, and write ``screening.json`` and ``screening.md``.

    The same call goes on after an interruption.

    Args:
        screening: What is varied.
        path: Its directory; variants are run directories in it.

    Returns:
        The content of ``screening.json``: per question a table and its comparisons with the baseline.

    Raises:
        UserError: for a key or value that recipes do not have, or a recipe that would ask what a source holds out.
    """
    folder = Path(path)
    recipes = recipes_of(screening)
    for number, (name, recipe) in enumerate(recipes.items(), start=1):
        log.info("variant %d of %d: %s", number, len(recipes), name)
        if name != BASELINE and not (folder / name).exists():
            begin_from(folder / BASELINE, folder / name)
        run_recipe(recipe, folder / name)
    result = {
        "schema": SCREENING_SCHEMA,
        "name": screening.name,
        "recipe": screening.recipe,
        "about": screening.about,
        "settings": screening.settings,
        "questions": [_question(screening, question, folder) for question in screening.questions],
    }
    write_json(folder / "screening.json", result)
    write_text(folder / "screening.md", render_screening(result))
    return result


def recipes_of(screening: Screening) -> dict[str, Recipe]:
    """Return the resolved recipe of every variant, the baseline first.

    Raises:
        UserError: see ``screen``.
    """
    shared = _overrides({"data.held_out": "training", **screening.settings})
    baseline = load_recipe(find_recipe(screening.recipe), [*shared, f"evaluation.systems=[{screening.system}]"])
    found = {}
    for name, settings in screening.variants().items():
        recipe = overridden(baseline, _overrides(settings))
        if recipe.data.held_out != "training":
            raise UserError(
                f"the variant '{name}' of screening '{screening.name}' would choose by queries that the source holds "
                "out; leave data.held_out: training as it is"
            )
        found[name] = recipe.model_copy(update={"name": name})
    return found


def _overrides(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as ``--set`` strings."""
    return [f"{key}={yaml.safe_dump(value, default_flow_style=True).strip()}" for key, value in settings.items()]


def begin_from(base: Path, path: Path) -> None:
    """Make a run directory that starts with all that another one has finished.

    Files are shared with it (hard links) where the file system can; every stage replaces its files as a whole, so the
    other run never changes.
    """
    with atomic_path(path) as temporary:
        shutil.copytree(base, temporary, copy_function=_link, ignore=shutil.ignore_patterns(".lock", "checkpoints"))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _question(screening: Screening, question: str, folder: Path) -> dict[str, Any]:
    names = {BASELINE: BASELINE, **{slug(name): name for name in screening.questions[question]}}
    scored = load_systems([folder / name for name in names], systems=[screening.system])
    named = [replace(system, name=names[system.source.name]) for system in scored]
    result = compare_scored(named, metrics=SHOWN)
    return {
        "question": question,
        "finding": screening.findings.get(question, ""),
        "settings": screening.questions[question],
        "table": {**result.table, "name": question, "sources": list(names)},
        "cost": {name: _cost(RunDirectory(folder / key)) for key, name in names.items()},
        "notes": [note for note in result.notes if "left out" in note],
        "signature": result.signature,
    }


def _cost(run: RunDirectory) -> dict[str, Any]:
    """Return the pairs and the training of stage 2, over all rounds."""
    rounds = round_variants(run.recipe)
    pairs = [run.record(variant.pairs) for variant in rounds]
    models = [run.record(variant.model) for variant in rounds]
    return {
        "pairs": sum(r["counts"]["pairs"] for r in pairs if r),
        "seconds": round(sum(r["seconds"] for r in (*pairs, *models) if r)),
    }
