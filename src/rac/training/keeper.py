"""What watches a training: its log, clipping, checkpoints, validation, and the weights that are kept in the end."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rac.errors import UserError
from rac.files import atomic_path, write_json, write_text
from rac.progress import Progress
from rac.training.checkpoints import keep_last, mark_whole
from rac.training.identity import RECORD
from rac.training.logps import score_branches
from rac.training.objectives import Objective
from rac.training.packing import Tree
from rac.training.record import TrainingRecord, peak_memory
from rac.training.selection import Rule, Validate, validation_steps
from rac.training.settings import Optimisation
from rac.training.trainer import TreeTrainer

log = logging.getLogger(__name__)

_WEIGHTS = ("adapter_*", "*.safetensors", "*.safetensors.index.json", "config.json", "rac_base.json")
"""Files of a saved model that say which weights are loaded."""

LOG = "training_log.jsonl"
"""Name of the log in the output folder: one line for each logged step."""


@dataclass
class Job:
    """Everything that a training needs, see ``run_training``."""

    model: Any
    trees: list[Tree]
    objective: Objective
    settings: Optimisation
    output_dir: Path
    seed: int
    label: str
    fingerprint: str
    plain: bool
    tokenizer: Any = None
    base: str | None = None
    validation: Sequence[Tree] = ()
    validate: Validate | None = None
    rule: Rule | None = None

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints for resuming lie."""
        return self.output_dir / "checkpoints"


@contextlib.contextmanager
def _unrounded(model: Any) -> Iterator[None]:
    """Let a model compute in the precision of its weights, as it does when it is asked later.

    For mixed precision accelerate puts a ``forward`` that rounds in front of the class's own one. Decoding with it is
    slow, too: the check of the fast path takes rounding for a fault.
    """
    rounding = vars(model).pop("forward", None)
    try:
        yield
    finally:
        if rounding is not None:
            vars(model)["forward"] = rounding


class Keeper(TrainerCallback):  # type: ignore[misc]
    """Watches a training: what it logs, clips, saves, validates, and finally keeps."""

    def __init__(self, job: Job, steps: Sequence[Sequence[int]], found: tuple[Path, dict[str, Any]] | None) -> None:
        self.job, self.steps = job, steps
        self.trainer: TreeTrainer
        state = found[1] if found else {}
        self.done = int(state.get("step", 0))
        self.clipped = int(state.get("clipped", 0))
        self.seconds = float(state.get("seconds", 0.0))
        self.losses: list[float] = list(state.get("losses", []))
        self.history: list[tuple[int, dict[str, float]]] = [
            (int(step), metrics) for step, metrics in state.get("history", [])
        ]
        self.validate_at = validation_steps(len(steps), job.settings.validations) if self._validates else []
        self.tokens = [sum(self._length(job.trees[index]) for index in step) for step in steps]
        self.progress = Progress(job.label, len(steps), unit="steps", done=self.done)
        self.log_path = job.output_dir / LOG
        self._step_started = self._saved_at = time.monotonic()
        self._logged_step, self._logged_tokens, self._logged_seconds = self.done, 0, 0.0
        if self.done:
            log.info("%s continues after step %d of %d", job.label, self.done, len(steps))

    @property
    def _validates(self) -> bool:
        return bool(self.job.validation) or self.job.validate is not None

    def _length(self, tree: Tree) -> int:
        if not self.job.plain:
            return tree.length
        return sum(len(tree.prompt_ids) + len(branch) - 1 for branch in tree.branches)

    @property
    def _main(self) -> bool:
        return bool(self.trainer.is_world_process_zero())

    # Hooks of transformers, in the order in which they are called.

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Bring the log back to the checkpoint's step; validate the start."""
        if self._main:
            kept = [line for line in self._logged() if self.done and line["step"] <= self.done]
            write_text(self.log_path, "".join(json.dumps(line) + "\n" for line in kept))
        if self._validates and not self.history and self.job.settings.validations:
            self._validate(0, kwargs["model"])

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock of a step."""
        self._step_started = time.monotonic()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Stop if the loss or the gradient is no number; clip the gradient and count it."""
        limit = self.job.settings.max_grad_norm
        parameters = [p for p in kwargs["model"].parameters() if p.requires_grad]
        norm = float(self.trainer.accelerator.clip_grad_norm_(parameters, limit))
        losses = [(ids, float(loss)) for ids, loss in self.trainer.pending]
        self.trainer.pending.clear()
        bad = [(ids, loss) for ids, loss in losses if not _is_number(loss)]
        # With float16, an infinite gradient is the loss scaler's business: it skips the step and scales down.
        if bad or not (_is_number(norm) or args.fp16):
            self._stop(state.global_step + 1, bad, norm)
        self.clipped += norm > limit

    def _stop(self, step: int, bad: list[tuple[list[str], float]], norm: float) -> None:
        ids = [i for group, _ in bad for i in group] or [self.job.trees[i].id for i in self.steps[step - 1]]
        what = f"the loss is {bad[0][1]}" if bad else f"the gradient's length is {norm}"
        path = self.job.output_dir / "bad_batch.json"
        if self._main:
            write_json(path, {"step": step, "problem": what, "ids": ids})
        shown = ", ".join(ids[:8]) + (", ..." if len(ids) > 8 else "")
        raise UserError(
            f"{what} in step {step} of {len(self.steps)} of {self.job.label}, so training on would spoil the weights; "
            f"the examples of that batch are in {path} ({shown}): look at them, or lower `learning_rate`"
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Stop the clock, show progress, validate; ask for a checkpoint if the last is old, and for a log line last."""
        now = time.monotonic()
        self.seconds += now - self._step_started
        self._logged_seconds += now - self._step_started
        step = state.global_step
        self._logged_tokens += self.tokens[step - 1]
        self.done = step
        note = f"loss {self.losses[-1]:.3f}" if self.losses else ""
        self.progress.advance(note=f"{note}, {sum(self.tokens[:step]) / self.seconds:.0f} tokens/s".lstrip(", "))
        if step in self.validate_at:
            self._validate(step, kwargs["model"])
        last = step == len(self.steps)
        due = self._agree(time.monotonic() - self._saved_at >= self.job.settings.checkpoint_seconds)
        control.should_save = due and not last
        # Steps that do not fill the last interval of the log would otherwise be in no line of it.
        control.should_log = control.should_log or last
        return control

    def _agree(self, due: bool) -> bool:
        """Let the first process's clock decide for all."""
        if self.trainer.args.world_size == 1:
            return due
        decision = torch.tensor([float(due)], device=self.trainer.args.device)
        torch.distributed.broadcast(decision, 0)
        return bool(decision.item())

    def complete(self, logs: dict[str, Any]) -> None:
        """Complete a line of the log and write it; called before any tracker sees it."""
        step = self.trainer.state.global_step
        steps = step - self._logged_step
        share = step / len(self.steps)
        logs.update({name: value / steps for name, value in self.trainer.drain_sums().items()})
        logs.update(
            epoch=round(share * self.job.settings.epochs, 4),
            clipped=self.clipped,
            tokens_per_second=round(self._logged_tokens / max(self._logged_seconds, 1e-9), 1),
            seconds_left=round(self.seconds / step * (len(self.steps) - step), 1),
        )
        self.losses.append(float(logs["loss"]))
        self._logged_step, self._logged_tokens, self._logged_seconds = step, 0, 0.0
        if self._main:
            with self.log_path.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps({"step": step, **logs}) + "\n")

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Make the checkpoint count, then drop the older ones and weights that are no longer the best."""
        if args.world_size > 1:
            torch.distributed.barrier()
        if self._main:
            checkpoint = self.job.checkpoints / f"checkpoint-{state.global_step}"
            contents = {
                "fingerprint": self.job.fingerprint, "step": state.global_step, "clipped": self.clipped,
                "seconds": self.seconds, "losses": self.losses, "history": self.history,
            }  # fmt: skip
            mark_whole(checkpoint, contents)
            keep_last(self.job.checkpoints, checkpoint)
            self._drop_old_best()
        self._saved_at = time.monotonic()

    # Validation and the end.

    def _validate(self, step: int, model: Any) -> None:
        job = self.job
        metrics: dict[str, float] = {}
        was_training, use_cache = model.training, model.config.use_cache
        model.eval()
        model.config.use_cache = True
        try:
            with torch.random.fork_rng(), torch.no_grad(), _unrounded(model):
                if job.validation:
                    scores = score_branches(
                        model, job.validation, max_row_tokens=job.settings.max_row_tokens, plain=job.plain
                    )
                    metrics.update(job.objective.evaluate(job.validation, scores))
                if job.validate is not None:
                    metrics.update(job.validate(model))
        finally:
            model.train(was_training)
            model.config.use_cache = use_cache
        self.history.append((step, metrics))
        shown = ", ".join(f"{name} {value:.4g}" for name, value in sorted(metrics.items()))
        log.info("%s, validation after step %d: %s", job.label, step, shown)
        if job.rule is not None and job.rule.best(self.history) == step and self._main:
            with atomic_path(job.output_dir / f"best-{step}") as folder:
                model.save_pretrained(folder)

    def _drop_old_best(self) -> None:
        if self.job.rule is None or not self.history:
            return
        best = self.job.rule.best(self.history)
        for folder in self.job.output_dir.glob("best-*"):
            if folder.name != f"best-{best}":
                shutil.rmtree(folder)

    def _logged(self) -> list[dict[str, Any]]:
        """Return the lines of the log; one that a full disk or a lost machine cut short is left out."""
        lines = []
        for text in self.log_path.read_text(encoding="utf-8").splitlines() if self.log_path.exists() else ():
            with contextlib.suppress(json.JSONDecodeError):
                lines.append(json.loads(text))
        return lines

    def _trend(self) -> dict[str, float]:
        """Return what the objective logged, as means over the first and the last tenth of the log."""
        if not self._main:
            return {}
        lines = self._logged()
        tenth = max(1, len(lines) // 10)
        return {
            f"{when} {name}": sum(line[name] for line in part) / tenth
            for name in sorted(self.trainer.logged)
            for when, part in (("first", lines[:tenth]), ("last", lines[-tenth:]))
        }

    def finish(self, model: Any) -> TrainingRecord:
        """Save the chosen weights and the record, and remove what was only needed on the way."""
        job, total = self.job, len(self.steps)
        selected = job.rule.best(self.history) if job.rule is not None and self.history else total
        tenth = max(1, len(self.losses) // 10)
        record = TrainingRecord(
            fingerprint=job.fingerprint, steps=total, prompts=len(job.trees),
            questions=sum(len(tree.branches) for tree in job.trees), tokens=sum(self.tokens),
            target_tokens=sum(
                len(branch) for step in self.steps for index in step for branch in job.trees[index].branches
            ),
            seconds=self.seconds, first_loss=sum(self.losses[:tenth]) / tenth,
            last_loss=sum(self.losses[-tenth:]) / tenth, clipped=self.clipped,
            path="plain" if job.plain else "trees",
            trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
            validation=dict(self.history), selected_step=selected, peak_memory=peak_memory(), extra=self._trend(),
        )  # fmt: skip
        if self._main:
            best = job.output_dir / f"best-{selected}"
            with atomic_path(job.output_dir / ".weights") as folder:
                if selected == total:
                    model.save_pretrained(folder)
                else:
                    shutil.copytree(best, folder)
                # The model card that peft writes is an empty form.
                (folder / "README.md").unlink(missing_ok=True)
                if job.tokenizer is not None and not (folder / "adapter_config.json").exists():
                    job.tokenizer.save_pretrained(folder)
                if job.base is not None:
                    write_json(folder / "rac_base.json", {"base": job.base})
            # What an earlier training of another kind left here would be loaded instead of these, or with them.
            for pattern in _WEIGHTS:
                for path in job.output_dir.glob(pattern):
                    path.unlink()
            for path in sorted((job.output_dir / ".weights").iterdir()):
                path.replace(job.output_dir / path.name)
            (job.output_dir / ".weights").rmdir()
            write_json(job.output_dir / RECORD, record.to_dict())
            shutil.rmtree(job.checkpoints, ignore_errors=True)
            for folder in job.output_dir.glob("best-*"):
                shutil.rmtree(folder)
        if self.trainer.args.world_size > 1:
            torch.distributed.barrier()
        return record


def _is_number(value: float) -> bool:
    return value == value and abs(value) != float("inf")
