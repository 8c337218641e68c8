"""Which training examples, D and questions a stage uses."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from rac.config import Recipe
from rac.pipeline import training
from rac.records import ClarificationExample, Passage

GOLD = (
    Passage(id="1", title="Rescue", text="Rescue is an arcade game."),
    Passage(id="2", title="Rescue", text="Rescue is a novel."),
)
OTHER = Passage(id="3", title="Rescue dog", text="A dog.")
EXAMPLES = [
    ClarificationExample(
        id=f"q{number}",
        query="who made rescue",
        questions=["Do you mean the arcade game Rescue or the novel Rescue?"],
        passages=GOLD,
    )
    for number in range(200)
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(training, "load_examples", lambda run, split: EXAMPLES)
    monkeypatch.setattr(training, "load_retrieved", lambda run: {e.id: [OTHER, *GOLD] for e in EXAMPLES})
    return SimpleNamespace(recipe=Recipe())


def alone(run: Any, **settings: Any) -> set[str]:
    """Return the queries whose D is the gold passages alone."""
    counts: Counter[str] = Counter()
    found = {g.example.id for g in training.ground(run, "pairs", counts, **settings) if g.passages == GOLD}
    assert counts["queries whose D is the gold passages alone"] == len(found)
    assert counts["queries kept"] == len(EXAMPLES)
    return found


def test_a_share_of_the_queries_has_the_gold_passages_alone_drawn_by_seed(run: Any) -> None:
    assert alone(run) == set()
    assert len(alone(run, gold_only=1.0)) == len(EXAMPLES)
    first = alone(run, gold_only=0.25)
    assert 25 <= len(first) <= 75
    assert alone(run, gold_only=0.25) == first
    assert alone(run, gold_only=0.25, seed=1) != first
    # A larger share adds queries and takes none away.
    assert first < alone(run, gold_only=0.5)


def test_an_example_without_gold_passages_keeps_what_was_retrieved(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = EXAMPLES[0].model_copy(update={"passages": ()})
    monkeypatch.setattr(training, "load_examples", lambda run, split: [bare])
    (only,) = training.ground(run, "pairs", Counter(), gold_only=1.0)
    assert only.passages == (OTHER, *GOLD)
