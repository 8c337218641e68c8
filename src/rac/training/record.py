"""What a training leaves behind as numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrainingRecord:
    """Summary of a finished training, written as ``training.json`` after everything else.

    Args:
        fingerprint: Identity of data, settings, seed and starting weights.
        steps: Optimiser steps of the whole training.
        prompts: Prompts in the data.
        questions: Questions in the data.
        tokens: Tokens of all trees that were read, each with its whole prompt: what trees of one row have in common,
            which is computed once, counts for each of them, and padding does not.
        target_tokens: Question tokens that were learned from.
        seconds: Time in optimiser steps, over all starts; checkpoints and validation not counted.
        first_loss: Mean loss of the first tenth of the log's lines, at least one.
        last_loss: Mean loss of the last tenth.
        clipped: Steps whose gradient was cut to ``max_grad_norm``.
        path: ``trees`` or ``plain``.
        trainable: Number of trained weights.
        validation: Metrics of each validation, by step.
        selected_step: The step whose weights were kept.
        peak_memory: Peak resident bytes of the process.
        extra: What else was logged (margins, accuracy, log-probabilities), over the first and the last tenth of it.
    """

    fingerprint: str
    steps: int
    prompts: int
    questions: int
    tokens: int
    target_tokens: int
    seconds: float
    first_loss: float
    last_loss: float
    clipped: int
    path: str
    trainable: int
    validation: dict[int, dict[str, float]] = field(default_factory=dict)
    selected_step: int = 0
    peak_memory: int = 0
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def tokens_per_second(self) -> float:
        """Tokens that the model read per second of training."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        values = dataclasses.asdict(self)
        values["validation"] = {str(step): metrics for step, metrics in self.validation.items()}
        return {**values, "tokens_per_second": round(self.tokens_per_second, 2)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingRecord:
        """Read a record back."""
        known = {item.name for item in dataclasses.fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        kept["validation"] = {int(step): metrics for step, metrics in kept.get("validation", {}).items()}
        return cls(**kept)


def peak_memory() -> int:
    """Return the peak resident memory of this process, in bytes."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
