"""``transformers.Trainer`` fed with prompt trees.

The steps are planned beforehand (``rac.training.plan``), so the trainer reads them in order: one item for each forward
pass, which holds every process's share. The loss of a pass is divided by totals of the whole step.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

from rac.arithmetic import has_fast_bfloat16
from rac.errors import UserError
from rac.training.adapter_products import plain_adapters, quick_adapters
from rac.training.attention import quick_attention, takes_quick_attention
from rac.training.logps import branch_logps
from rac.training.objectives import Objective, Totals
from rac.training.packing import Tree, collate
from rac.training.plan import split_step

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pass:
    """One forward pass of one optimiser step: each process's trees, and the totals of the whole step."""

    shares: list[list[Tree]]
    totals: Totals


def make_passes(
    trees: Sequence[Tree], steps: Sequence[Sequence[int]], objective: Objective, accumulation: int, world: int
) -> list[Pass]:
    """Return the forward passes of all steps, ``accumulation`` for each step."""
    passes = []
    for step in steps:
        chosen = [trees[index] for index in step]
        totals = objective.totals(chosen)
        shares = split_step(chosen, accumulation * world)
        passes += [Pass(shares[start : start + world], totals) for start in range(0, len(shares), world)]
    return passes


class TreeTrainer(Trainer):  # type: ignore[misc]
    """A trainer whose batches are packed trees and whose loss is an ``Objective`` over branches.

    Args:
        model: The model, with its trainable weights chosen.
        args: Arguments of ``transformers``; one item a batch.
        passes: What to compute, in order.
        objective: The loss.
        plain: Use the plain layout instead of trees.
        max_row_tokens: Room of a row.
        callbacks: Callbacks of ``transformers``.
    """

    def __init__(
        self, model: Any, args: TrainingArguments, *, passes: Sequence[Pass], objective: Objective, plain: bool,
        max_row_tokens: int, callbacks: list[Any],
    ) -> None:  # fmt: skip
        self.objective, self.plain, self.max_row_tokens = objective, plain, max_row_tokens
        self.longest = max((tree.length for item in passes for share in item.shares for tree in share), default=0)
        self.quick = not plain and takes_quick_attention(model, self.longest)
        self.adapted = plain_adapters(model)
        self._sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=args.device))
        self.logged: set[str] = set()
        self.complete: Callable[[dict[str, Any]], None] = lambda logs: None
        self.pending: list[tuple[list[str], Tensor]] = []
        """Ids and losses of the passes since the last optimiser step."""
        # A compute_loss_func tells the trainer that the loss is already divided by the whole step's totals.
        super().__init__(
            model=model, args=args, train_dataset=passes, data_collator=self._collate, callbacks=callbacks,
            compute_loss_func=objective,
        )  # fmt: skip
        self.loss_is_scaled_for_ga = True
        self.remove_callback(PrinterCallback)

    def _collate(self, items: list[Pass]) -> dict[str, Any]:
        (item,) = items
        share = item.shares[self.args.process_index]
        batch = collate(share, max_row_tokens=self.max_row_tokens, plain=self.plain, one_row=self.quick)
        return {"input_ids": batch.input_ids, "batch": batch, "totals": item.totals}

    def get_train_dataloader(self) -> DataLoader:
        """Return the passes in order; every process reads all of them and computes its own share."""
        return DataLoader(self.train_dataset, batch_size=1, shuffle=False, collate_fn=self._collate)

    def training_step(self, model: Any, *arguments: Any, **named: Any) -> Tensor:
        """Compute a pass forward and backward."""
        with quick_attention(model, self.longest) if self.quick else nullcontext(), quick_adapters(self.adapted):
            loss: Tensor = super().training_step(model, *arguments, **named)
        return loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """Return this pass's share of the step's loss, times the number of processes (whose mean is taken later)."""
        batch = inputs["batch"].to(self.args.device)
        logps, counts = branch_logps(model, batch)
        loss, sums = self.objective(logps, counts, batch, inputs["totals"])
        for name, (value, total) in sums.items():
            self._sums[name] += value.detach() / total
        self.pending.append((batch.ids, loss.detach()))
        return loss * self.args.world_size

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Complete a line of the log before callbacks and trackers see it."""
        if "loss" in logs:
            self.complete(logs)
        super().log(logs, start_time)

    def drain_sums(self) -> dict[str, float]:
        """Return what the objective logged since the last call, summed over passes and processes."""
        values = {name: value.clone() for name, value in sorted(self._sums.items())}
        self._sums.clear()
        self.logged.update(values)
        if self.args.world_size > 1:
            for value in values.values():
                torch.distributed.all_reduce(value)
        return {name: float(value) for name, value in values.items()}


def arithmetic(precision: str, device: torch.device) -> str:
    """Return the arithmetic that a stage's setting ``precision`` means on a device: ``float32``, ``bfloat16``, ..."""
    if precision != "auto":
        return precision
    return "bfloat16" if has_fast_bfloat16(device) else "float32"


@contextmanager
def trackers_explained(report_to: Sequence[str]) -> Iterator[None]:
    """Turn what transformers says of an unknown or missing tracker into a ``UserError``."""
    try:
        yield
    except (ValueError, RuntimeError, ImportError) as error:
        if not report_to:
            raise
        raise UserError(
            f"report_to: {', '.join(report_to)} cannot be used, because transformers says: {error}; install the "
            "tracker or leave it out"
        ) from error


def training_arguments(folder: str, settings: Any, *, steps: int, seed: int, device: torch.device) -> TrainingArguments:
    """Return the arguments of ``transformers`` for a stage's settings.

    Args:
        folder: Where checkpoints go.
        settings: ``Stage1`` or ``Stage2``.
        steps: Optimiser steps in all.
        seed: Seed of everything random in the loop.
        device: Where the model is.

    Raises:
        UserError: if transformers refuses them (half precision on a device that has none, say).
    """
    half = arithmetic(settings.precision, device)
    distributed = int(os.environ.get("WORLD_SIZE", "1")) > 1
    kinds = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
    try:
        args = TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=settings.accumulation,
            learning_rate=settings.learning_rate,
            lr_scheduler_type=kinds[settings.schedule],
            warmup_steps=round(settings.warmup_ratio * steps),
            weight_decay=settings.weight_decay,
            # Clipping and its count are done in a callback; the trainer's own would not count.
            max_grad_norm=0.0,
            optim="adamw_torch_fused" if device.type in ("cpu", "cuda") else "adamw_torch",
            bf16=half == "bfloat16",
            fp16=half == "float16",
            logging_strategy="steps",
            logging_steps=settings.log_every,
            logging_nan_inf_filter=False,
            save_strategy="no",
            eval_strategy="no",
            report_to=list(settings.report_to) or "none",
            disable_tqdm=True,
            remove_unused_columns=False,
            seed=seed,
            use_cpu=device.type == "cpu",
            ddp_backend="gloo" if device.type == "cpu" and distributed else None,
            ddp_find_unused_parameters=False,
        )
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"transformers refuses the training settings: {error}; change or leave out that setting"
        ) from error
    # One process drives one device: several visible GPUs need one process each (torchrun), not nn.DataParallel.
    if args.n_gpu > 1:
        args._n_gpu = 1
    return args
