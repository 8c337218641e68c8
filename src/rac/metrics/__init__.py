"""Metrics of clarifying questions: how faithful a question is to passages, and how sure a table of it is.

    from rac.metrics import faithfulness
    score = faithfulness("Do you mean the city or the film?", "casablanca", ["A Moroccan city.", "A film of 1942."])
    print(score.headline, score.claims)

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rac.metrics.faithfulness import Faithfulness, faithfulness
    from rac.metrics.suite import Evaluation, MetricSettings, evaluate

__all__ = ["Evaluation", "Faithfulness", "MetricSettings", "evaluate", "faithfulness"]

_HOMES = {
    "faithfulness": "rac.metrics.faithfulness", "Faithfulness": "rac.metrics.faithfulness",
    "evaluate": "rac.metrics.suite", "Evaluation": "rac.metrics.suite", "MetricSettings": "rac.metrics.suite",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the public names on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rac.metrics' has no attribute '{name}'")
    import importlib

    # The module of the same name would hide the function, so the name is bound here once.
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
