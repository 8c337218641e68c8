"""The recipe's sections ``training`` (stage 1) and ``preference`` (stage 2)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Loss = Literal["cpo", "dpo", "ipo", "simpo", "listwise"]


class Optimisation(BaseModel):
    """What both stages share: how long, how fast, on which weights, and how safely."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float = Field(1.0, gt=0, description="Passes over the training queries; a fraction is allowed.")
    learning_rate: float = Field(1e-4, gt=0, description="Highest learning rate of AdamW.")
    batch_size: int = Field(8, ge=1, description="Prompts in one optimiser step, over all processes.")
    accumulation: int = Field(
        1, ge=1, description="Forward passes that an optimiser step is split into, to save memory; no result changes."
    )
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="How the learning rate falls after the warm-up."
    )
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay of AdamW.")
    max_grad_norm: float = Field(1.0, gt=0, description="Longer gradients are cut to this length, and counted.")
    adapter: Literal["full", "lora"] = Field(
        "full", description="`full` changes the weights themselves, `lora` trains low-rank adapters beside them."
    )
    lora_rank: int = Field(16, ge=1, description="Rank of the adapters; their scale is twice the rank.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Arithmetic of forward and backward (the weights stay float32); `auto` is bfloat16 where the "
        "device multiplies it faster (GPUs; CPUs with AMX, or AMD's with AVX512-BF16), else float32.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute activations twice instead of keeping them: a third slower, much less memory."
    )
    keep_memory: bool = Field(
        True,
        description="On a CPU keep freed memory from step to step instead of fetching it from the system again: a "
        "tenth faster, up to a quarter more memory; no result changes.",
    )
    trees: bool = Field(
        True, description="Compute a prompt once for all its questions; false repeats it, as other trainers do."
    )
    max_row_tokens: int = Field(1024, ge=16, description="Longest row that several prompts may share.")
    checkpoint_seconds: float = Field(
        120.0, ge=0, description="Least time between two checkpoints for resuming; 0 writes one after every step."
    )
    log_every: int = Field(1, ge=1, description="Steps between two lines of the training log.")
    report_to: tuple[str, ...] = Field(
        (), description="Trackers that transformers knows (tensorboard, wandb, mlflow, ...) to report to as well."
    )
    validations: int = Field(
        0, ge=0, description="Times that a model in training is validated, the last time at its end; 0: never."
    )
    validation_queries: int = Field(64, ge=1, description="Validation queries used at most.")


class Stage1(Optimisation):
    """Stage 1: supervised training on the gold questions of a query, all in one tree."""

    weighting: Literal["question", "query"] = Field(
        "question", description="Whether every question counts the same, or every query however many questions it has."
    )


ROUNDS = ("rounds", "unlabelled_rounds", "mined_rounds")
"""Keys that say which rounds there are, in their order, and change nothing in what comes out of any of them."""


class Stage2(Optimisation):
    """Stage 2: contrastive preference training on a faithful question against less faithful ones."""

    learning_rate: float = Field(2e-5, gt=0, description="Highest learning rate of AdamW.")
    loss: Loss = Field(
        "cpo",
        description="`cpo` and `simpo` need no reference model; `dpo`, `ipo` and `listwise` compare with the start.",
    )
    rounds: int = Field(
        1,
        ge=1,
        le=8,
        description="Times that pairs are made and trained on; from the second one on the last round's model is "
        "sampled and trained further.",
    )
    unlabelled_rounds: int = Field(
        0,
        ge=0,
        le=8,
        description="Rounds after those, on other queries (`data.unlabelled_queries`) without their gold questions: "
        "C_q+ is the best supported sample that is worded most like the others.",
    )
    mined_rounds: int = Field(
        0,
        ge=0,
        le=8,
        description="Rounds at the end, in turn on the queries of stage 1 and on the unlabelled ones if any, over what "
        "is retrieved and without gold questions: only queries whose greedy question has a fault are sampled, and that "
        "question is the first C_q- to be taken. Needs `pairs.positives: best-of-n` and `grounded` negatives.",
    )
    beta: float = Field(0.1, gt=0, description="Sharpness of the preference (see the loss).")
    gamma: float = Field(1.0, ge=0, description="Margin that SimPO asks for, in units of its reward.")
    nll_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the chosen question's negative log-likelihood per token beside the preference.",
    )
    length_normalised: bool | None = Field(
        None, description="Use log-probabilities per token; empty: as the loss's authors do (`simpo` and `ipo`: yes)."
    )
    reference: Literal["start", "none"] = Field(
        "start", description="`none` drops the comparison with the start from `dpo`, `ipo` and `listwise`."
    )

    @property
    def all_rounds(self) -> int:
        """Rounds on labelled, unlabelled and mined queries together."""
        return sum(getattr(self, key) for key in ROUNDS)

    @model_validator(mode="after")
    def _fits_together(self) -> Stage2:
        if self.loss == "simpo" and self.length_normalised is False:
            raise ValueError("loss: simpo is defined on log-probabilities per token; leave length_normalised out")
        return self

    @property
    def normalised(self) -> bool:
        """Whether the loss sees log-probabilities per token."""
        return self.loss in ("simpo", "ipo") if self.length_normalised is None else self.length_normalised

    @property
    def needs_reference(self) -> bool:
        """Whether log-probabilities of the starting model are needed."""
        return self.loss in ("dpo", "ipo", "listwise") and self.reference == "start"
