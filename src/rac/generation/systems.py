"""The systems that a run can ask and compare: the one table of their names, models and ways of asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Way = Literal[
    "greedy", "best-of-n", "few-shot", "facet-constrained", "context-aware", "server", "template-titles", "template",
    "gold",
]  # fmt: skip


@dataclass(frozen=True)
class System:
    """One system.

    Attributes:
        name: As recipes, files and tables call it.
        about: One line for pages.
        way: How its question comes about.
        models: The models that it needs: ``base``, ``shipped`` (an adapter installed with rac) or models of the run.
        sees_passages: Whether D is in its prompt.
    """

    name: str
    about: str
    way: Way = "greedy"
    models: tuple[str, ...] = ()
    sees_passages: bool = True


_ALL = (
    System("base-ungrounded", "the untuned base model without passages", models=("base",), sees_passages=False),
    System("base", "the untuned base model with the same prompt as the tuned ones", models=("base",)),
    System("base-few-shot", "the base model with solved training examples in its prompt", "few-shot", ("base",)),
    System("openai", "a model on an OpenAI-compatible server with the same prompt", "server"),
    System("template-titles", "the titles of two passages, no model", "template-titles"),
    System("template", "titles with the type or attribute that tells two passages apart, no model", "template"),
    System(
        "facet-constrained",
        "the base model, forced to name two facets (Wang et al., WWW 2023)",
        "facet-constrained",
        ("base",),
    ),
    System("ungrounded", "stage 1 without passages", models=("ungrounded",), sees_passages=False),
    System("grounded", "stage 1 with passages", models=("grounded",)),
    System(
        "grounded-continued",
        "grounded, trained on for as many tokens as stage 2 reads (equal compute)",
        models=("grounded-continued",),
    ),
    System(
        "grounded-best-of-n", "the best of N samples of grounded by the selection scorer", "best-of-n", ("grounded",)
    ),
    System(
        "context-aware",
        "grounded and ungrounded together: log p + alpha (log p - log p_uncond) at each token",
        "context-aware",
        ("grounded", "ungrounded"),
    ),
    System("rac-paper", "stage 2 on pairs by the paper's plain reading, same stage 1", models=("rac-paper",)),
    System("rac-round-1", "rac after its first round of stage 2", models=("rac-round-1",)),
    System("rac", "stage 2 by the recipe", models=("rac",)),
    System("rac-best-of-n", "the best of N samples of rac by the selection scorer", "best-of-n", ("rac",)),
    System(
        "shipped",
        "the adapter of the embedded model that was installed with rac when the run asked",
        models=("shipped",),
    ),
    System("gold", "the data's own question", "gold", sees_passages=False),
)

SYSTEMS: dict[str, System] = {system.name: system for system in _ALL}
"""Name -> system, in table order."""
