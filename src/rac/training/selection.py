"""Choosing the weights to keep by what the model asks, not by its loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rac.errors import UserError

Validate = Callable[[Any], dict[str, float]]
"""Takes the model in evaluation mode, asks validation questions, returns metrics by name."""


@dataclass(frozen=True)
class Rule:
    """Which validation is best: the lowest ``minimise`` among those that keep their floors.

    A floor lies a little below the first validation's value (before any training of the stage): with
    ``lose_at_most={"rouge_l": 0.01}`` a checkpoint that loses more than a point of the starting ROUGE-L cannot win,
    however low its share of faults. If no checkpoint keeps the floors, the start itself does, and it is kept.

    In stage 1 the start is no standard and no candidate: an untrained model hardly asks, so it invents nothing either.
    There the floors lie below the best value of any validation so far.

    Args:
        minimise: The metric to bring down.
        lose_at_most: Metric -> how far it may fall below its standard, in the metric's unit.
        standard: ``start`` or ``best``, see above.
    """

    minimise: str = "faulty"
    lose_at_most: dict[str, float] = field(default_factory=lambda: {"informativeness": 0.01, "rouge_l": 0.01})
    standard: Literal["start", "best"] = "start"

    def best(self, history: Sequence[tuple[int, dict[str, float]]]) -> int:
        """Return the step of the best validation: one of those that were best when they were made, since only their
        weights are kept.

        Args:
            history: (step, metrics), the start (step 0) first. Of equals the latest wins.

        Raises:
            UserError: if a metric that the rule names is missing.
        """
        for name in (self.minimise, *self.lose_at_most):
            for step, metrics in history:
                if name not in metrics:
                    raise UserError(
                        f"the validation of step {step} has no metric '{name}', so the best weights cannot be chosen: "
                        f"it has {', '.join(sorted(metrics)) or 'none'}; change the rule or the validation"
                    )
        if self.standard == "best":
            history = history[1:] or history
        kept, standard = history[0], dict(history[0][1])
        for step, metrics in history[1:]:
            if self.standard == "best":
                standard = {
                    name: metrics[name] if math.isnan(value) else max(value, metrics[name])
                    for name, value in standard.items()
                    if name in self.lose_at_most
                }
            if self._keeps(metrics, standard) and (
                not self._keeps(kept[1], standard) or metrics[self.minimise] <= kept[1][self.minimise]
            ):
                kept = step, metrics
        return kept[0]

    def _keeps(self, metrics: dict[str, float], standard: dict[str, float]) -> bool:
        return not math.isnan(metrics[self.minimise]) and all(
            metrics[name] >= standard[name] - loss - 1e-12 for name, loss in self.lose_at_most.items()
        )


def validation_steps(total: int, validations: int) -> list[int]:
    """Return after which steps to validate: evenly spread, the last one after the last step."""
    return sorted({round(total * number / validations) for number in range(1, validations + 1)} - {0})
