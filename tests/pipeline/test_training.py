"""Which training examples, D and questions a stage uses."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from rac.config import Recipe
from rac.errors import UserError
from rac.models import load_tokenizer
from rac.pipeline import training
from rac.prompting import build_prompt
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


def test_a_passage_that_the_prompt_has_no_room_for_supports_nothing(run: Any) -> None:
    counts: Counter[str] = Counter()
    assert len(training.ground(run, "pairs", counts)[0].passages) == 3
    # Room for the frame, the query and the first passage.
    tokenizer = load_tokenizer()
    whole = len(build_prompt(tokenizer, "who made rescue", [OTHER, *GOLD], run.recipe.prompt).ids)
    run.recipe = Recipe.model_validate({"prompt": {"max_tokens": whole - 4}, "data": {"supported_only": False}})
    for found in training.ground(run, "pairs", Counter()):
        assert [p.id for p in found.passages] == [p.id for p in found.visible] == ["3", "1"]
    run.recipe = Recipe.model_validate({"prompt": {"max_tokens": whole - 4}})
    with pytest.raises(UserError, match="the prompt does not support an option"):
        training.ground(run, "pairs", Counter())


def test_an_example_without_gold_passages_keeps_what_was_retrieved(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = EXAMPLES[0].model_copy(update={"passages": ()})
    monkeypatch.setattr(training, "load_examples", lambda run, split: [bare])
    (only,) = training.ground(run, "pairs", Counter(), gold_only=1.0)
    assert only.passages == (OTHER, *GOLD)
