"""Stage 2: contrastive preference training of the grounded model into ``rac``."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rac.errors import UserError
from rac.files import read_json, sha256_json, write_json
from rac.training.adapters import prepare_weights
from rac.training.attention import use_trees
from rac.training.identity import fingerprint, finished
from rac.training.keeper import Job
from rac.training.logps import score_branches
from rac.training.loop import run_training
from rac.training.objectives import Preference
from rac.training.packing import Tree
from rac.training.record import TrainingRecord
from rac.training.selection import Rule, Validate
from rac.training.settings import Stage2
from rac.training.trainer import arithmetic

log = logging.getLogger(__name__)


def train_preference(
    model: Any,
    trees: Sequence[Tree],
    settings: Stage2,
    *,
    output_dir: Path | str,
    seed: int,
    validation: Sequence[Tree] | None = None,
    validate: Validate | None = None,
    validated_by: str = "",
    rule: Rule | None = None,
    tokenizer: Any = None,
    base: str | None = None,
    label: str = "stage 2",
) -> TrainingRecord:
    """Train the grounded model to prefer chosen questions to rejected ones of the same prompt.

    Resuming, outputs and errors are as in ``rac.training.supervised.train_supervised``. Where the loss needs a
    reference, it is the model as given: its log-probabilities are computed once for each pair, before training, and
    cached in ``output_dir`` by content.

    Args:
        model: The grounded model. It is changed in place; load the result from ``output_dir``.
        trees: Prompts with the chosen question as first branch and the rejected ones behind it; the first branch's
            weight says how much a prompt counts.
        settings: The recipe's section ``preference``.
        output_dir: Gets weights (or adapter), ``training_log.jsonl`` and ``training.json``.
        seed: Seed of the order of the data and of new adapters.
        validation: Held-out trees of the same kind, scored ``settings.validations`` times.
        validate: Asks validation questions and returns metrics, called at the same times.
        validated_by: Names what ``validate`` asks and how it judges: validated otherwise it is another training.
        rule: Chooses the weights to keep from what ``validate`` returned; without it the last ones are kept.
        tokenizer: Saved beside full weights, if given.
        base: Name of the base model, saved beside the weights, if given.
        label: What progress and log call it.

    Returns:
        The record. A fall of the chosen questions' log-probability, which is how preference training goes wrong, is
        in ``extra`` ("first nll/chosen" against "last nll/chosen") and in the log.
    """
    if not trees:
        raise UserError(
            f"{label} was given no preference pair, so there is nothing to learn; see the counts of the pairs"
        )
    for tree in trees:
        if len(tree.branches) < 2:
            raise UserError(
                f"pair '{tree.id}' has no rejected question, so there is nothing to prefer the chosen one to; leave "
                "it out"
            )
    identity = fingerprint(model, trees, settings, seed, rule, validated_by)
    output_dir = Path(output_dir)
    if (record := finished(output_dir, identity)) is not None:
        log.info("%s is finished in %s", label, output_dir)
        return record
    plain = not (settings.trees and use_trees(model))
    continued = hasattr(model, "peft_config")
    model = prepare_weights(model, settings, seed)
    trees = list(trees)
    if settings.needs_reference:
        # A new adapter is switched off, so that no second model is needed. One that is trained further *is* the start.
        off = model.disable_adapter() if settings.adapter == "lora" and not continued else contextlib.nullcontext()
        device = next(model.parameters()).device
        kind = arithmetic(settings.precision, device)
        # Rounded as in training, so that the margins start at 0 there too.
        rounded = torch.autocast(device.type, getattr(torch, kind), enabled=kind != "float32")
        with off, rounded:
            trees = with_reference(
                model, trees, output_dir / "reference_logps.json", identity, settings.max_row_tokens, plain=plain
            )
    job = Job(
        model=model, trees=trees, objective=Preference(settings), settings=settings, output_dir=output_dir, seed=seed,
        label=label, fingerprint=identity, plain=plain, tokenizer=tokenizer, base=base,
        validation=list(validation or ())[: settings.validation_queries], validate=validate, rule=rule,
    )  # fmt: skip
    record = run_training(job)
    first, last = record.extra.get("first nll/chosen", 0.0), record.extra.get("last nll/chosen", 0.0)
    log.log(
        logging.WARNING if last > first + 0.1 else logging.INFO,
        "%s: the chosen questions' log-probability per token went from %.3f to %.3f%s", label, -first, -last,
        "; the preference is being bought with likelihood: raise nll_weight or lower the learning rate"
        if last > first + 0.1 else "",
    )  # fmt: skip
    return record


def with_reference(
    model: Any, trees: Sequence[Tree], cache: Path, identity: str, max_row_tokens: int, *, plain: bool
) -> list[Tree]:
    """Return the trees with a model's log-probabilities of all their branches, each computed once.

    Args:
        model: The reference model: the one to be trained, before its first step.
        trees: Prompts with chosen and rejected questions.
        cache: File of values computed before, keyed by each tree's content.
        identity: Fingerprint of the training, which holds the starting weights; values of another one are not used.
        max_row_tokens: Room of a row.
        plain: Use the plain layout.
    """
    known: dict[str, list[float]] = {}
    if cache.is_file():
        stored = read_json(cache)
        known = stored["logps"] if stored.get("fingerprint") == identity else {}
    keys = [sha256_json([tree.prompt_ids, tree.branches]) for tree in trees]
    missing = {key: tree for key, tree in zip(keys, trees, strict=True) if key not in known}
    if missing:
        log.info("reference log-probabilities of %d prompts ...", len(missing))
        scores = score_branches(model, list(missing.values()), max_row_tokens=max_row_tokens, plain=plain)
        known.update({key: logps for key, (logps, _) in zip(missing, scores, strict=True)})
        write_json(cache, {"fingerprint": identity, "logps": known})
    return [dataclasses.replace(tree, reference=known[key]) for key, tree in zip(keys, trees, strict=True)]
