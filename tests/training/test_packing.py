from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import UserError
from rac.training.packing import Tree, collate, pack
from training_support import random_trees


def test_a_layout_written_by_hand() -> None:
    layout = Tree("x", [1, 2], [[5, 6, 9], [5, 7, 9]]).layout
    assert layout.tokens == [1, 2, 5, 6, 7]
    assert layout.positions == [0, 1, 2, 3, 3]
    assert layout.ends == [5, 5, 5, 4, 5]
    assert list(zip(layout.target_positions, layout.target_ids, layout.target_branches, strict=True)) == [
        (1, 5, 0), (2, 6, 0), (3, 9, 0), (1, 5, 1), (2, 7, 1), (4, 9, 1),
    ]  # fmt: skip


def test_a_batch_written_by_hand() -> None:
    trees = [Tree("a", [1, 2], [[5, 9], [6, 9]]), Tree("b", [3], [[7]])]
    batch = collate(trees, max_row_tokens=16, pad_id=0)
    # The cheapest layout is one row: "a" takes 4 places and "b" one.
    assert batch.input_ids.tolist() == [[1, 2, 5, 6, 3]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 2, 0]]
    assert batch.ends.tolist() == [[4, 4, 3, 4, 5]]
    assert batch.attention.tolist() == [[1, 1, 1, 1, 1]]
    assert batch.head_positions.tolist() == [1, 2, 3, 4]
    assert batch.target_rows.tolist() == [0, 1, 0, 2, 3]
    assert batch.target_ids.tolist() == [5, 9, 6, 9, 7]
    assert batch.target_branches.tolist() == [0, 0, 1, 1, 2]
    assert batch.branch_trees.tolist() == [0, 0, 1]
    assert batch.ids == ["a", "b"]
    assert batch.tokens == 5


def test_prompts_that_begin_alike_share_their_beginning_within_a_row() -> None:
    trees = [Tree("a", [1, 2, 3], [[5, 9]]), Tree("b", [4], [[7]]), Tree("c", [1, 2], [[3, 9], [6, 9]])]
    batch = collate(trees, one_row=True)
    # "c" asks 3 behind 1 2, which is where "a" goes on; "b" begins otherwise.
    assert batch.input_ids.tolist() == [[1, 2, 3, 5, 6, 4]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 2, 0]]
    assert batch.ends.tolist() == [[5, 5, 4, 4, 5, 6]]
    # What is asked: of "a" 5 and 9, of "b" 7, of "c" 3 and 9, then 6 and 9.
    asked = zip(batch.head_positions[batch.target_rows].tolist(), batch.target_ids.tolist(), strict=True)
    assert list(asked) == [(2, 5), (3, 9), (5, 7), (1, 3), (2, 9), (1, 6), (4, 9)]
    assert batch.target_branches.tolist() == [0, 0, 1, 2, 2, 3, 3]


def test_a_plain_batch_repeats_the_prompt_and_pads_on_the_right() -> None:
    batch = collate([Tree("a", [1, 2], [[5, 8, 9], [6, 9]])], plain=True)
    assert batch.input_ids.tolist() == [[1, 2, 5, 8], [1, 2, 6, 0]]
    assert batch.attention.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch.head_positions.tolist() == [1, 2, 3, 5, 6]
    assert batch.target_ids.tolist() == [5, 8, 9, 6, 9]


@given(random_trees())
@settings(deadline=None, max_examples=60)
def test_what_a_token_sees_is_its_branch(trees: list[Tree]) -> None:
    """Every target's ancestors, read off ``ends``, are the prompt and the branch up to there, in this order."""
    for tree in trees:
        layout = tree.layout
        for position, target, branch in zip(
            layout.target_positions, layout.target_ids, layout.target_branches, strict=True
        ):
            seen = [k for k in range(position + 1) if position < layout.ends[k]]
            context = [layout.tokens[k] for k in seen]
            whole = [*tree.prompt_ids, *tree.branches[branch]]
            assert context == whole[: len(context)]
            assert [layout.positions[k] for k in seen] == list(range(len(seen)))
            assert whole[len(context)] == target
        assert len(layout.target_ids) == sum(map(len, tree.branches))


@given(random_trees(most=8), st.integers(4, 60))
@settings(deadline=None, max_examples=60)
def test_rows_hold_every_tree_once_and_no_more_than_their_room(trees: list[Tree], room: int) -> None:
    rows = pack(trees, room)
    assert sorted(tree.id for row in rows for tree in row) == sorted(tree.id for tree in trees)
    assert all(rows)
    for row in rows:
        assert len(row) == 1 or sum(tree.length for tree in row) <= max(room, *(tree.length for tree in trees))


def test_rows_are_chosen_by_cost() -> None:
    trees = [Tree(str(size), [1] * size, [[2]]) for size in (100, 60, 50, 40)]
    free = [[tree.length for tree in row] for row in pack(trees, 1000, attention_cost=0)]
    assert free == [[100, 60, 50, 40]]  # nothing is padded
    dear = [[tree.length for tree in row] for row in pack(trees, 1000, attention_cost=1)]
    assert dear == [[100], [60, 40], [50]] or dear == [[100], [60], [50, 40]]
    assert [[tree.length for tree in row] for row in pack(trees, 10, attention_cost=0)] == dear


@given(random_trees(most=6), st.integers(4, 60))
@settings(deadline=None, max_examples=60)
def test_branches_keep_their_order_however_rows_are_filled(trees: list[Tree], room: int) -> None:
    batch = collate(trees, max_row_tokens=room)
    flat = batch.input_ids.reshape(-1)
    branches = [branch for tree in trees for branch in tree.branches]
    for number, branch in enumerate(branches):
        of_branch = batch.target_branches == number
        assert batch.target_ids[of_branch].tolist() == branch
        first = batch.head_positions[batch.target_rows[of_branch]][0]
        assert flat[first] == trees[int(batch.branch_trees[number])].prompt_ids[-1]
    assert len(set(batch.head_positions.tolist())) == len(batch.head_positions)
    pads = batch.attention == 0
    place = torch.arange(batch.ends.shape[1]).expand_as(batch.ends)
    assert torch.equal(batch.ends[pads], place[pads] + 1)


def test_weights_and_references_follow_their_branches() -> None:
    trees = [Tree("long", [1] * 9, [[3], [4]], [0.5, 2.0], [-1.0, -2.0]), Tree("short", [1], [[5]])]
    batch = collate(trees)
    assert batch.weights.tolist() == [0.5, 2.0, 1.0]
    assert batch.reference.tolist() == [-1.0, -2.0, 0.0]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (lambda: Tree("q7", [], [[1]]), "example 'q7' has an empty prompt"),
        (lambda: Tree("q7", [1], []), "example 'q7' has no question"),
        (lambda: Tree("q7", [1], [[1], []]), "one without a token"),
        (lambda: Tree("q7", [1], [[1], [2]], [1.0]), "2 questions but 1 values in 'weights'"),
        (lambda: Tree("q7", [1], [[1]], [1.0], [0.0, 0.0]), "1 questions but 2 values in 'reference'"),
    ],
)
def test_impossible_trees_are_refused(tree: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        tree()  # type: ignore[operator]
