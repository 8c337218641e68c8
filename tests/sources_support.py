"""A small source of examples in groups of two, recipes over it that need no model, and a run that only remembers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rac.config import Recipe
from rac.files import write_records
from rac.records import ClarificationExample, Passage


def examples(prefix: str, count: int, split: str = "", *, group: str = "") -> list[ClarificationExample]:
    """Examples in groups of two, each with two passages of its own."""
    found = []
    for number in range(count):
        name = f"{prefix}{number}"
        passages = tuple(
            Passage(id=f"{name}-{kind}", title=f"{name.title()} ({kind})", text=f"{name} is a {kind}.", types=(kind,))
            for kind in ("film", "book")
        )
        found.append(
            ClarificationExample(
                id=name, query=f"who made {name}", questions=(f"Do you mean the film or the book {name}?",),
                passages=passages, group=group or f"{prefix}-group-{number // 2}", split=split,
            )
        )  # fmt: skip
    return found


def source(path: Path, *parts: list[ClarificationExample]) -> str:
    write_records(path, [e for part in parts for e in part])
    return str(path)


def recipe(data: dict[str, Any], **more: Any) -> Recipe:
    evaluation = {"systems": ["template", "gold"], "bootstrap_samples": 100, "nli": "none"}
    return Recipe.model_validate({"data": data, "prompt": {"top_k": 2}, "evaluation": evaluation, **more})


def ids(found: list[ClarificationExample]) -> set[str]:
    return {e.id for e in found}


class RecordedRun:
    """In the place of a run directory: remembers what each stage depends on.

    Args:
        recipe: The run's recipe.
        work: Whether a stage's work is done; it writes nowhere.
    """

    def __init__(self, recipe: Recipe, *, work: bool = False) -> None:
        self.recipe = recipe
        self.inputs: dict[str, dict[str, Any]] = {}
        self._work = work

    def output_hash(self, *names: str) -> str:
        return "-".join(names)

    def __truediv__(self, name: str) -> Path:
        return Path(name)

    def run(self, name: str, inputs: dict[str, Any], work: Callable[[], Any], **more: Any) -> dict[str, Any]:
        self.inputs[name] = inputs
        if self._work:
            work()
        return {}
