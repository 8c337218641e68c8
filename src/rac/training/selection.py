"""Choosing the weights to keep by what the model asks, not by its loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rac.errors import UserError

Validate = Callable[[Any], dict[str, float]]
"""Takes the model in evaluation mode, asks validation questions, returns metrics by name."""


@dataclass(frozen=True)
class Rule:
    """Which validation is best: the lowest ``minimise`` among those that keep their floors.

    A floor is a share of the first validation's value (before any training of the stage): with
    ``at_least={"rouge_l": 0.95}`` a checkpoint that loses more than 5 % of the starting ROUGE-L cannot win, however low
    its unsupported share. If no checkpoint keeps the floors, the start itself does, and it is kept.

    Args:
        minimise: The metric to bring down.
        at_least: Metric -> share of its starting value that must be kept.
    """

    minimise: str = "unsupported"
    at_least: dict[str, float] = field(default_factory=lambda: {"informativeness": 0.95, "rouge_l": 0.95})

    def best(self, history: Sequence[tuple[int, dict[str, float]]]) -> int:
        """Return the step of the best validation.

        Args:
            history: (step, metrics), the start (step 0) first. Of equals the latest wins.

        Raises:
            UserError: if a metric that the rule names is missing.
        """
        start = history[0][1]
        for name in (self.minimise, *self.at_least):
            for step, metrics in history:
                if name not in metrics:
                    raise UserError(
                        f"the validation of step {step} has no metric '{name}', so the best weights cannot be chosen: "
                        f"it has {', '.join(sorted(metrics)) or 'none'}; change the rule or the validation"
                    )
        eligible = [
            (step, metrics)
            for step, metrics in history
            if all(metrics[name] >= share * start[name] - 1e-12 for name, share in self.at_least.items())
            and not math.isnan(metrics[self.minimise])
        ]
        if not eligible:
            return history[0][0]
        lowest = min(metrics[self.minimise] for _, metrics in eligible)
        return max(step for step, metrics in eligible if metrics[self.minimise] == lowest)


def validation_steps(total: int, validations: int) -> list[int]:
    """Return after which steps to validate: evenly spread, the last one after the last step."""
    return sorted({round(total * number / validations) for number in range(1, validations + 1)} - {0})
