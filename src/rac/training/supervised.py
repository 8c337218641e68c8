"""Stage 1: fine-tune a base model on the gold questions, with passages (``grounded``) or without (``ungrounded``)."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rac.errors import UserError
from rac.training.attention import use_trees
from rac.training.identity import fingerprint, finished
from rac.training.keeper import Job
from rac.training.loop import run_training
from rac.training.objectives import Supervised
from rac.training.packing import Tree
from rac.training.record import TrainingRecord
from rac.training.selection import Rule, Validate
from rac.training.settings import Stage1

log = logging.getLogger(__name__)


def train_supervised(
    model: Any,
    trees: Sequence[Tree],
    settings: Stage1,
    *,
    output_dir: Path | str,
    seed: int,
    validation: Sequence[Tree] | None = None,
    validate: Validate | None = None,
    validated_by: str = "",
    rule: Rule | None = None,
    tokenizer: Any = None,
    base: str | None = None,
    label: str = "stage 1",
) -> TrainingRecord:
    """Train on all questions of each query; the loss is the negative log-likelihood per token.

    If exactly this training is finished in ``output_dir``, nothing is done; if it was interrupted, it continues from
    its last whole checkpoint, and the weights in the end are those of an unbroken run.

    Args:
        model: A causal language model. It is changed in place; load the result from ``output_dir``.
        trees: One tree for each query, with all its gold questions.
        settings: The recipe's section ``training``.
        output_dir: Gets weights (or adapter), ``training_log.jsonl`` and ``training.json``.
        seed: Seed of the order of the data and of new adapters.
        validation: Held-out trees, scored ``settings.validations`` times.
        validate: Asks validation questions and returns metrics, called at the same times.
        validated_by: Names what ``validate`` asks and how it judges: validated otherwise it is another training.
        rule: Chooses the weights to keep from what ``validate`` returned; without it the last ones are kept.
        tokenizer: Saved beside full weights, if given.
        base: Name of the base model, saved beside the weights, if given.
        label: What progress and log call it.

    Returns:
        The record of the training.

    Raises:
        UserError: for no data, a loss that is no number, a full disk, or settings that do not fit the model.
    """
    if not trees:
        raise UserError(
            f"{label} was given no training query, so there is nothing to learn; add data or loosen filters"
        )
    weighted = [weigh(tree, settings.weighting) for tree in trees]
    identity = fingerprint(model, weighted, settings, seed, rule, validated_by)
    if (record := finished(Path(output_dir), identity)) is not None:
        log.info("%s is finished in %s", label, output_dir)
        return record
    job = Job(
        model=model, trees=weighted, objective=Supervised(), settings=settings, output_dir=Path(output_dir), seed=seed,
        label=label, fingerprint=identity, plain=not (settings.trees and use_trees(model)), tokenizer=tokenizer,
        base=base,
        validation=[weigh(tree, settings.weighting) for tree in validation or ()][: settings.validation_queries],
        validate=validate, rule=rule,
    )  # fmt: skip
    return run_training(job)


def weigh(tree: Tree, weighting: str) -> Tree:
    """Return the tree with weights: 1 for every question, or shares of 1 for every query; given weights multiply."""
    share = 1.0 if weighting == "question" else 1.0 / len(tree.branches)
    return dataclasses.replace(tree, weights=[share * weight for weight in tree.branch_weights])
