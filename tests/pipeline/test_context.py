from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rac.pipeline.context import choose_passages, seeded
from rac.prompting import PromptSettings
from rac.records import ClarificationExample, Passage

PASSAGES = [Passage(id=str(i), text=f"text {i}") for i in range(8)]


def example(gold: list[int]) -> ClarificationExample:
    return ClarificationExample(id="q", query="x", passages=tuple(PASSAGES[i] for i in gold))


@given(
    st.lists(st.integers(0, 7), unique=True, max_size=3),
    st.lists(st.integers(0, 7), unique=True, max_size=7),
    st.integers(1, 6),
    st.booleans(),
)
@settings(deadline=None)
def test_mixed_training_prompts_hold_all_gold_that_fits(
    gold: list[int], found: list[int], top_k: int, shuffle: bool
) -> None:
    prompt = PromptSettings(passages="mixed", gold_share=1.0, top_k=top_k, shuffle=shuffle)
    retrieved = [PASSAGES[i] for i in found]
    chosen = choose_passages(example(gold), retrieved, prompt, seed=0, role="training")
    ids = [p.id for p in chosen]
    assert len(ids) == len(set(ids)) <= top_k
    if len(gold) <= top_k:
        assert {str(i) for i in gold} <= set(ids)
    assert set(ids) <= {str(i) for i in gold} | {str(i) for i in found}
    assert len(ids) >= min(top_k, len(found))


def test_evaluation_shows_d_as_retrieved() -> None:
    prompt = PromptSettings(passages="mixed", gold_share=1.0, top_k=3, shuffle=True)
    retrieved = PASSAGES[:5]
    assert choose_passages(example([7]), retrieved, prompt, seed=0, role="evaluation") == PASSAGES[:3]
    assert choose_passages(example([7]), retrieved, prompt, seed=0, role="evaluation", source="gold") == [PASSAGES[7]]


def test_draws_depend_on_seed_and_name_only() -> None:
    assert seeded(1, "a").random() == seeded(1, "a").random()
    assert len({seeded(s, n).random() for s in (1, 2) for n in ("a", "b")}) == 4
