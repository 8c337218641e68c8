from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rac.training.plan import plan_steps, split_step
from training_support import fixed_trees


@given(st.integers(1, 40), st.integers(1, 9), st.floats(0.1, 3.0), st.integers(0, 99))
@settings(deadline=None)
def test_every_whole_epoch_sees_every_prompt_once(count: int, batch: int, epochs: float, seed: int) -> None:
    steps = plan_steps(count, batch, epochs, seed)
    per_epoch = -(-count // batch)
    assert len(steps) == max(1, round(per_epoch * epochs))
    assert all(1 <= len(step) <= batch for step in steps)
    for start in range(0, len(steps) - per_epoch + 1, per_epoch):
        assert sorted(i for step in steps[start : start + per_epoch] for i in step) == list(range(count))
    assert plan_steps(count, batch, epochs, seed) == steps


def test_epochs_and_seeds_shuffle_differently() -> None:
    first, second = plan_steps(20, 20, 2, seed=1)
    assert first != second
    assert plan_steps(20, 20, 1, seed=2) != [first]


@given(st.integers(1, 12), st.integers(1, 6))
@settings(deadline=None)
def test_a_split_loses_nothing_and_leaves_nobody_idle(count: int, parts: int) -> None:
    trees = fixed_trees(count)
    shares = split_step(trees, parts)
    assert len(shares) == parts
    assert all(shares)
    working = [tree for share in shares for tree in share if any(tree.branch_weights)]
    assert sorted(tree.id for tree in working) == sorted(tree.id for tree in trees)
    loads = [sum(tree.length for tree in share) for share in shares]
    if count >= parts:
        assert max(loads) - min(loads) <= max(tree.length for tree in trees)
