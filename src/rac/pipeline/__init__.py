"""The whole method as stages over a run directory: index, data, retrieval, training, evaluation, report."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from rac.config import Recipe
from rac.pipeline.run_directory import RunDirectory

log = logging.getLogger(__name__)

Until = Literal["ungrounded", "grounded", "pairs", "rac", "predict", "report"]


def run_recipe(recipe: Recipe, path: Path | str, *, until: Until | str = "report") -> RunDirectory:
    """Run a recipe in a directory; stages whose inputs have not changed are kept.

    Args:
        recipe: The resolved recipe.
        path: The run directory: new, empty, or of an earlier run.
        until: The last stage to run.

    Returns:
        The run directory.
    """
    from rac.pipeline import data, evaluation, preference, training, unlabelled
    from rac.pipeline.models import needs

    run = RunDirectory(path, recipe)
    if unused := unused_adapter(recipe):
        log.warning("%s", unused)
    with run.lock():
        data.index_stage(run)
        data.data_stage(run)
        data.retrieve_stage(run)
        training.supervised_stage(run, "ungrounded")
        if until == "ungrounded":
            return run
        training.supervised_stage(run, "grounded")
        if until == "grounded":
            return run
        if recipe.preference.unlabelled_rounds:
            unlabelled.unlabelled_stage(run)
        for variant in preference.round_variants(recipe):
            preference.pairs_stage(run, variant)
            if until == "pairs":
                return run
            preference.preference_stage(run, variant)
        if until == "rac":
            return run
        if needs(recipe, "rac-paper"):
            preference.pairs_stage(run, preference.paper_variant(recipe))
            preference.preference_stage(run, preference.paper_variant(recipe))
        if needs(recipe, "grounded-continued"):
            training.continued_stage(run)
        evaluation.predict_stages(run)
        if until == "predict":
            return run
        evaluation.metrics_stage(run)
        evaluation.report_stage(run)
    return run


__all__ = ["RunDirectory", "run_recipe"]


def unused_adapter(recipe: Recipe) -> str:
    """Return what to say where stage 2 cannot have the adapter that ``preference`` names; nothing where it has it."""
    first, second = recipe.training, recipe.preference
    if first.adapter != "lora" or (second.adapter, second.lora_rank) == ("lora", first.lora_rank):
        return ""
    return (
        f"preference.adapter: {second.adapter} and preference.lora_rank: {second.lora_rank} are not used: stage 2 goes "
        f"on with the adapters of rank {first.lora_rank} that stage 1 trains"
    )
