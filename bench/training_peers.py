"""One optimiser step of our trainer and of TRL's, driven alike: collate, forward, backward, clip, AdamW."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rac.training.logps import plain_branch_logps, score_branches
from rac.training.memory import give_back_memory, keep_freed_memory
from rac.training.objectives import Objective, Preference, Supervised
from rac.training.packing import Tree
from rac.training.settings import Stage1, Stage2
from rac.training.trainer import Pass, TreeTrainer, training_arguments
from step_memory import peak_of, reset_peak


@dataclass
class Example:
    """A tree with the texts it was made of, since the peers tokenise for themselves."""

    tree: Tree
    prompt: str
    questions: list[str]


@dataclass
class Measure:
    """What one step took: wall and CPU seconds, and the resident bytes that it added at its peak."""

    seconds: float
    cpu_seconds: float
    memory: int


class System:
    """A trainer that can do one step on a batch, and say which log-probabilities it computes."""

    name: str
    trainer: Any
    reference_bytes = 0
    whole_head = True
    """Whether the output head runs on all positions, those of the prompt included."""

    def inputs(self) -> Any:
        """Collate the batch."""
        raise NotImplementedError

    def passes(self) -> list[tuple[Any, ...]]:
        """Collate the passes of a step: arguments of the trainer's ``training_step`` after the model."""
        return [(self.inputs(),)]

    def before_step(self) -> None:
        """Work that is done once for each example before training (reference log-probabilities)."""

    def logps(self) -> list[float]:
        """Log-probability of every question, chosen or gold ones first within each prompt."""
        raise NotImplementedError

    def step(self, optimizer: torch.optim.Optimizer, *, trim: bool = False) -> Measure:
        """Do one whole step, reference pass included; return its time and the memory that it added.

        Args:
            optimizer: Of the model's weights.
            trim: Hand freed memory back first, so that what the step adds can be seen; its time is then not a usual
                one.
        """
        gc.collect()
        if trim:
            give_back_memory()
        before = reset_peak()
        started, cpu_started = time.perf_counter(), time.process_time()
        self.before_step()
        for arguments in self.passes():
            self.trainer.training_step(self.trainer.model, *arguments)
        torch.nn.utils.clip_grad_norm_(self.trainer.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
        return Measure(seconds, cpu_seconds, peak_of() - before)


class Ours(System):
    """Prompt trees; with ``plain`` the same loop on padded rows."""

    def __init__(self, model: Any, examples: Sequence[Example], objective: Objective, *, plain: bool = False) -> None:
        self.name = "rac"
        self.model, self.objective, self.plain = model, objective, plain
        self.trees = [example.tree for example in examples]
        args = training_arguments(
            tempfile.mkdtemp(), Stage1(precision="float32"), steps=1, seed=0, device=next(model.parameters()).device
        )
        totals = objective.totals(self.trees)
        self.trainer = TreeTrainer(
            model, args, passes=[Pass([self.trees], totals)], objective=objective, plain=plain, max_row_tokens=1024,
            callbacks=[],
        )  # fmt: skip

    def step(self, optimizer: torch.optim.Optimizer, *, trim: bool = False) -> Measure:
        """Do a step as in a training, which keeps freed memory from step to step: the second one is measured."""
        keep_freed_memory(True)
        try:
            if not trim:
                super().step(optimizer)
            return super().step(optimizer, trim=trim)
        finally:
            keep_freed_memory(False)

    def before_step(self) -> None:
        """Compute reference log-probabilities, if the loss needs them."""
        if isinstance(self.objective, Preference) and self.objective.settings.needs_reference:
            scores = score_branches(self.model, self.trees)
            references = [logps for logps, _ in scores]
            self.trees = [
                Tree(tree.id, tree.prompt_ids, tree.branches, tree.weights, reference)
                for tree, reference in zip(self.trees, references, strict=True)
            ]

    def inputs(self) -> Any:
        """Pack the trees."""
        return self.trainer._collate([Pass([self.trees], self.objective.totals(self.trees))])

    def logps(self) -> list[float]:
        """Compute them from packed trees."""
        return [value for logps, _ in score_branches(self.model, self.trees) for value in logps]


def textbook_logps(model: Any, trees: Sequence[Tree]) -> list[float]:
    """Return log-probabilities computed row by row with full logits."""
    values: list[float] = []
    with torch.no_grad():
        for tree in trees:
            for branch in tree.branches:
                values += plain_branch_logps(model.eval(), [Tree(tree.id, tree.prompt_ids, [branch])])[0].tolist()
    return values


def _config(kind: Any, batch: int, **more: Any) -> Any:
    return kind(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=batch, max_steps=1, report_to="none", use_cpu=True,
        bf16=False, gradient_checkpointing=False, disable_tqdm=True, remove_unused_columns=False, seed=0, **more,
    )  # fmt: skip


def _pairs_dataset(examples: Sequence[Example]) -> Any:
    from datasets import Dataset

    return Dataset.from_list(
        [{"prompt": e.prompt, "chosen": e.questions[0], "rejected": e.questions[1]} for e in examples]
    )


class TrlDpo(System):
    """TRL's ``DPOTrainer``; the reference online (a second model, run in every step) or precomputed."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        examples: Sequence[Example],
        *,
        precomputed: bool,
        reference: Any,
        **settings: Any,
    ) -> None:
        from trl import DPOConfig, DPOTrainer

        self.name = f"TRL DPO, reference {'precomputed' if precomputed else 'online'}"
        self.precomputed = precomputed
        # Precomputing in the constructor is switched off, because its time has to be measured in each step.
        config = _config(DPOConfig, len(examples), **{"max_length": None, "beta": 0.1, **settings})
        self.trainer = DPOTrainer(
            model, ref_model=reference, args=config,
            train_dataset=_pairs_dataset(examples), processing_class=tokenizer,
        )  # fmt: skip
        self.reference_bytes = 0 if precomputed else sum(p.numel() * p.element_size() for p in reference.parameters())
        self.trainer.current_gradient_accumulation_steps = 1
        self.trainer.precompute_ref_logps = precomputed
        self.batch = [self.trainer.train_dataset[index] for index in range(len(examples))]
        self._extra: dict[str, Any] = {}

    def _collated(self) -> dict[str, Any]:
        return dict(self.trainer.data_collator(self.batch))

    def before_step(self) -> None:
        """Compute the reference as ``precompute_ref_log_probs=True`` does, one batch at a time."""
        if self.precomputed:
            chosen, rejected = self.trainer.compute_ref_log_probs(self.trainer.model.eval(), self._collated())
            self._extra = {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}

    def inputs(self) -> Any:
        """Pad the batch."""
        return {**self._collated(), **self._extra}

    def logps(self) -> list[float]:
        """Ask TRL's own function."""
        chosen, rejected = self.trainer.compute_ref_log_probs(self.trainer.model.eval(), self._collated())
        return [value for pair in zip(chosen.tolist(), rejected.tolist(), strict=True) for value in pair]


class TrlCpo(System):
    """TRL's ``CPOTrainer``."""

    def __init__(self, model: Any, tokenizer: Any, examples: Sequence[Example], **settings: Any) -> None:
        from trl.experimental.cpo import CPOConfig, CPOTrainer

        self.name = "TRL CPO"
        settings = {"max_length": 4096, "max_completion_length": 4096, "beta": 0.1, "cpo_alpha": 1.0, **settings}
        config = _config(CPOConfig, len(examples), **settings)
        self.trainer = CPOTrainer(
            model, args=config, train_dataset=_pairs_dataset(examples), processing_class=tokenizer
        )  # fmt: skip
        self.trainer.current_gradient_accumulation_steps = 1
        self.batch = [self.trainer.train_dataset[index] for index in range(len(examples))]

    def inputs(self) -> Any:
        """Pad the batch."""
        return self.trainer.data_collator(self.batch)

    def logps(self) -> list[float]:
        """Ask TRL's own function."""
        with torch.no_grad():
            chosen, rejected = self.trainer.concatenated_forward(self.trainer.model.eval(), self.inputs())[:2]
        return [value for pair in zip(chosen.tolist(), rejected.tolist(), strict=True) for value in pair]


class TrlSft(System):
    """TRL's ``SFTTrainer`` with the loss on the completion only: every question repeats its prompt.

    The rows of a step are split into ``accumulation`` passes (``gradient_accumulation_steps``), or thirteen copies of a
    long prompt would not fit into the memory of a small machine. Its head runs on the targets only.
    """

    whole_head = False

    def __init__(self, model: Any, tokenizer: Any, examples: Sequence[Example], accumulation: int = 1) -> None:
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        self.name = "TRL SFT"
        rows = [{"prompt": e.prompt, "completion": question} for e in examples for question in e.questions]
        self.trainer = SFTTrainer(
            model, args=_config(SFTConfig, len(rows), completion_only_loss=True, max_length=None),
            train_dataset=Dataset.from_list(rows), processing_class=tokenizer,
        )  # fmt: skip
        self.trainer.current_gradient_accumulation_steps = accumulation
        self.batch = [self.trainer.train_dataset[index] for index in range(len(rows))]
        size = -(-len(rows) // accumulation)
        self.parts = [self.batch[start : start + size] for start in range(0, len(rows), size)]

    def inputs(self) -> Any:
        """Pad the batch."""
        return self.trainer.data_collator(self.batch)

    def passes(self) -> list[tuple[Any, ...]]:
        """Pad the parts; each is divided by the targets of all."""
        padded = [self.trainer.data_collator(part) for part in self.parts]
        targets = sum((part["labels"][:, 1:] != -100).sum() for part in padded)
        return [(part, targets) for part in padded]

    def logps(self) -> list[float]:
        """Run the model as the trainer's loss does."""
        values: list[float] = []
        for part in self.parts:
            inputs = dict(self.trainer.data_collator(part))
            with torch.no_grad():
                output = self.trainer.model.eval()(**inputs, use_cache=False, fused_lm_head=True)
            values += output.log_probs.sum(-1).tolist()
        return values


def supervised(model: Any, examples: Sequence[Example]) -> Ours:
    """Return our stage 1."""
    return Ours(model, examples, Supervised())


def preference(model: Any, examples: Sequence[Example], loss: str) -> Ours:
    """Return our stage 2 with a loss; the NLL weight is that of the peer (1 in CPO, 0 in DPO)."""
    return Ours(model, examples, Preference(Stage2(loss=loss, nll_weight=1.0 if loss == "cpo" else 0.0)))
