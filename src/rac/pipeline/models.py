"""The models of a run: which there are, which stage makes each, and loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rac.arithmetic import has_fast_bfloat16
from rac.config import Recipe
from rac.generation.systems import SYSTEMS
from rac.models import load_model
from rac.pipeline.run_directory import RunDirectory

TRAINED = ("ungrounded", "grounded", "grounded-continued", "rac-paper", "rac-round-1", "rac")
"""Every model that a run can train. Not every run trains all: see ``needs``."""


def model_stage(recipe: Recipe, name: str) -> str:
    """Return the stage (and folder under ``models/``) of a model: ``rac`` is what the last round trained.

    The first round is ``rac``, the second ``rac-2`` and so on, so that a run that gets another round keeps the ones it
    has.
    """
    if name == "rac-round-1":
        return "rac"
    return rounds_of(recipe)[-1] if name == "rac" else name


def rounds_of(recipe: Recipe) -> list[str]:
    """Return the stages of the rounds of stage 2, in order: on labelled, on unlabelled and on mined queries."""
    return ["rac", *(f"rac-{number}" for number in range(2, 1 + recipe.preference.all_rounds))]


def needs(recipe: Recipe, name: str) -> bool:
    """Whether a system of the recipe asks a model."""
    return any(name in SYSTEMS[system].models for system in recipe.evaluation.systems)


def models_of(run: RunDirectory) -> list[str]:
    """Return the names of the finished models of a run directory."""
    found = []
    for name in TRAINED:
        stage = model_stage(run.recipe, name)
        if name == "rac-round-1" and stage == model_stage(run.recipe, "rac"):
            continue
        if (run.trained / "models" / stage).is_dir() and run.record(stage) is not None:
            found.append(name)
    return found


def model_folder(run: RunDirectory, name: str) -> Path:
    """Return where a model of a run lies."""
    return run.trained / "models" / model_stage(run.recipe, name)


def device_of(run: RunDirectory) -> str:
    """Return the torch device that the recipe means."""
    import torch

    if run.recipe.model.device != "auto":
        return run.recipe.model.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def sampling_dtype(run: RunDirectory) -> str:
    """Return the dtype in which the run samples questions for pairs."""
    if run.recipe.pairs.precision != "auto":
        return run.recipe.pairs.precision
    return "bfloat16" if has_fast_bfloat16(device_of(run)) else run.recipe.model.dtype


def load_run_model(run: RunDirectory, stage: str, *, dtype: str | None = None, merged: bool = False) -> tuple[Any, Any]:
    """Load the base model (``base``) or the model of a stage, with its tokenizer.

    Args:
        run: The run.
        stage: ``base`` or a stage that trains a model, see ``model_stage``.
        dtype: None: the recipe's.
        merged: Add an adapter to the weights: faster to ask, cannot be trained further.
    """
    source = run.recipe.model.base if stage == "base" else run.trained / "models" / stage
    return load_model(source, device=device_of(run), dtype=dtype or run.recipe.model.dtype, merged=merged)
