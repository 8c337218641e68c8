"""Prompt trees: one prompt and all its questions in one row, instead of one row for each question.

A clarification prompt is long (query and passages) and has several short questions. Packed as a tree, the prompt is
computed once: the positions of every branch continue from the prompt's end, and a token attends to its ancestors only,
that is to the prompt and to its own branch. Branches that begin alike share those tokens as well (a trie), and so do
prompts in the same row (instructions, passages), which changes no number: a token's context is the same wherever it
stands.

Tokens are laid out in depth-first order, so that the descendants of a token are the interval that follows it. One
integer a token, the end of that interval, then says everything about attention: position ``q`` sees ``k`` exactly if
``k <= q < end[k]``. Several trees in one row (a forest), and padding, need nothing else.

A small example, prompt ``[1, 2]`` with the questions ``[5, 6, 9]`` and ``[5, 7, 9]`` (9 ends a question; the last token
of a question is predicted but never read, so it is not in the row)::

    tokens     1  2  5  6  7
    positions  0  1  2  3  3
    end        5  5  5  4  5
    predicts      5  6  9  9        2 predicts 5 for both questions, 5 predicts 6 for one and 7 for the other
                     7
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rac.errors import UserError


@dataclass(frozen=True)
class Tree:
    """A tokenised prompt and its questions.

    Args:
        id: The example's id, for reports.
        prompt_ids: Token ids of the prompt, at least one.
        branches: Token ids of each question, its end-of-turn token included; at least one token each.
        weights: Weight of each branch; 1 each if empty.
        reference: Log-probability of each branch under the reference model, where a loss needs it; 0 each if empty.
    """

    id: str
    prompt_ids: list[int]
    branches: list[list[int]]
    weights: list[float] = dataclasses.field(default_factory=list)
    reference: list[float] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.prompt_ids:
            raise UserError(
                f"example '{self.id}' has an empty prompt, so nothing can predict its first token; give it one"
            )
        if not self.branches or not all(self.branches):
            raise UserError(
                f"example '{self.id}' has no question, or one without a token, so there is nothing to learn from it; "
                "leave the example out"
            )
        for name in ("weights", "reference"):
            values = getattr(self, name)
            if values and len(values) != len(self.branches):
                raise UserError(
                    f"example '{self.id}' has {len(self.branches)} questions but {len(values)} values in '{name}', so "
                    "they cannot be matched; give one each"
                )

    @cached_property
    def layout(self) -> Layout:
        """Where each token of the tree lies in a row."""
        return _lay_out([(self.prompt_ids, self.branches)])

    @property
    def length(self) -> int:
        """Tokens that the tree takes in a row."""
        return len(self.layout.tokens)

    @property
    def branch_weights(self) -> list[float]:
        """The weight of each branch."""
        return self.weights or [1.0] * len(self.branches)


@dataclass(frozen=True)
class Layout:
    """A tree, or several in one row, as flat lists in depth-first order.

    ``tokens``, ``positions`` and ``ends`` have one entry a token. ``target_positions``, ``target_ids`` and
    ``target_branches`` have one entry for each token of each branch: the position that predicts it, its id, its branch.
    """

    tokens: list[int]
    positions: list[int]
    ends: list[int]
    target_positions: list[int]
    target_ids: list[int]
    target_branches: list[int]


def _lay_out(trees: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]]) -> Layout:
    """Lay out prompts with their branches as one forest: whatever begins alike is there once."""
    # Nodes are numbered as they are made; node 0 stands above all first tokens and is not in the row.
    children: list[dict[int, int]] = [{}]
    token_of, depth = [-1], [-1]

    def below(node: int, token: int) -> int:
        if token not in children[node]:
            children[node][token] = len(children)
            children.append({})
            token_of.append(token)
            depth.append(depth[node] + 1)
        return children[node][token]

    targets: list[tuple[int, int, int]] = []
    number = 0
    for prompt, branches in trees:
        last = 0
        for token in prompt:
            last = below(last, token)
        for branch in branches:
            node = last
            for place, token in enumerate(branch):
                targets.append((node, token, number))
                if place < len(branch) - 1:
                    node = below(node, token)
            number += 1

    order, stack = [], list(reversed(children[0].values()))
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(reversed(children[node].values()))
    size = [1] * len(children)
    for node in reversed(order):
        size[node] += sum(size[child] for child in children[node].values())

    place_of = {node: place for place, node in enumerate(order)}
    return Layout(
        tokens=[token_of[node] for node in order],
        positions=[depth[node] for node in order],
        ends=[place + size[node] for place, node in enumerate(order)],
        target_positions=[place_of[node] for node, _, _ in targets],
        target_ids=[token for _, token, _ in targets],
        target_branches=[number for _, _, number in targets],
    )


def pack(trees: Sequence[Tree], max_row_tokens: int, *, attention_cost: float = 1 / 3000) -> list[list[Tree]]:
    """Fill rows with trees so that the batch costs least.

    Longer rows waste less padding, shorter ones less attention. For every possible number of rows the trees are dealt
    out by length, longest first, each to the emptiest row; the cheapest of these layouts is taken.

    Args:
        trees: What to pack, at least one.
        max_row_tokens: Room of a row. A longer tree gets a row of its own.
        attention_cost: Cost of one attended position relative to the rest of a token's work; attention over a row of L
            tokens then adds ``attention_cost * L`` to each token. The default is about right for the embedded model.

    Returns:
        The rows; each tree is in exactly one.
    """
    ordered = sorted(trees, key=lambda tree: -tree.length)
    limit = max(max_row_tokens, ordered[0].length)
    best: tuple[float, list[list[Tree]]] | None = None
    for count in range(len(trees), 0, -1):
        rows, width = _deal(ordered, count)
        if width > limit:
            break
        cost = count * width * (1 + attention_cost * width)
        if best is None or cost < best[0]:
            best = cost, rows
    assert best is not None
    return best[1]


def _deal(ordered: Sequence[Tree], count: int) -> tuple[list[list[Tree]], int]:
    rows: list[list[Tree]] = [[] for _ in range(count)]
    emptiest = [(0, number) for number in range(count)]
    for tree in ordered:
        used, number = heapq.heappop(emptiest)
        rows[number].append(tree)
        heapq.heappush(emptiest, (used + tree.length, number))
    return rows, max(emptiest)[0]


@dataclass(frozen=True)
class PackedBatch:
    """Trees as tensors. R rows of L tokens, H positions with a target, T targets, B branches.

    Args:
        input_ids: [R, L] token ids, padded on the right.
        position_ids: [R, L] positions; every branch continues from its prompt's end.
        ends: [R, L] end of each token's descendants in its row (see the module's text); a pad sees only itself.
        attention: [R, L] 1 for tokens and 0 for pads.
        head_positions: [H] flat positions (row * L + column) whose next token is asked for, each once.
        target_rows: [T] which of the H positions predicts the target.
        target_ids: [T] the target's token id.
        target_branches: [T] the target's branch.
        weights: [B] weight of each branch.
        reference: [B] log-probability under the reference model, 0 where there is none.
        branch_trees: [B] which tree, in ``ids``, a branch belongs to.
        ids: Ids of the trees, in the order in which they were given.
        plain: Whether every row is one prompt with one question, so that a model's usual causal mask is right.
    """

    input_ids: Tensor
    position_ids: Tensor
    ends: Tensor
    attention: Tensor
    head_positions: Tensor
    target_rows: Tensor
    target_ids: Tensor
    target_branches: Tensor
    weights: Tensor
    reference: Tensor
    branch_trees: Tensor
    ids: list[str]
    plain: bool

    @property
    def branches(self) -> int:
        """Number of branches."""
        return len(self.weights)

    @property
    def tokens(self) -> int:
        """Tokens that the model reads, without padding."""
        return int(self.attention.sum())

    def to(self, device: torch.device | str) -> PackedBatch:
        """Return the batch on another device."""
        moved: dict[str, Any] = {
            field.name: value.to(device)
            for field in dataclasses.fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return dataclasses.replace(self, **moved)


def collate(
    trees: Sequence[Tree],
    *,
    max_row_tokens: int = 1024,
    plain: bool = False,
    one_row: bool = False,
    pad_id: int = 0,
) -> PackedBatch:
    """Pack trees into a batch.

    Args:
        trees: At least one tree.
        max_row_tokens: Room of a row (see ``pack``).
        one_row: Put all trees into one row whatever its length, for ``rac.training.tree_attention``.
        plain: Lay every question out in its own row behind a copy of the prompt, as other trainers do.
        pad_id: Token id of the padding; it never matters for a result.

    Returns:
        The batch. Branches are numbered in the order of the trees given, however the rows were filled.
    """
    first_branch, count = [], 0
    for tree in trees:
        first_branch.append(count)
        count += len(tree.branches)
    rows: list[tuple[Layout, list[int]]]  # with the number of each branch in the batch
    if plain:
        rows = [
            (_lay_out([(tree.prompt_ids, [branch])]), [first_branch[number] + index])
            for number, tree in enumerate(trees)
            for index, branch in enumerate(tree.branches)
        ]
    else:
        first_of = {id(tree): first for tree, first in zip(trees, first_branch, strict=True)}
        packed = [list(trees)] if one_row else pack(trees, max_row_tokens)
        rows = [
            (
                _lay_out([(tree.prompt_ids, tree.branches) for tree in row]),
                [first_of[id(tree)] + index for tree in row for index in range(len(tree.branches))],
            )
            for row in packed
        ]

    width = max(len(layout.tokens) for layout, _ in rows)
    input_ids, position_ids, ends, attention = [], [], [], []
    targets: list[tuple[int, int, int]] = []
    for number, (layout, branches) in enumerate(rows):
        targets += [
            (number * width + position, token, branches[branch])
            for position, token, branch in zip(
                layout.target_positions, layout.target_ids, layout.target_branches, strict=True
            )
        ]
        used = len(layout.tokens)
        pads = width - used
        input_ids.append(layout.tokens + [pad_id] * pads)
        position_ids.append(layout.positions + [0] * pads)
        ends.append(layout.ends + list(range(used + 1, width + 1)))
        attention.append([1] * used + [0] * pads)

    targets.sort(key=lambda target: (target[2], target[0]))
    heads = sorted({position for position, _, _ in targets})
    head_of = {position: index for index, position in enumerate(heads)}
    return PackedBatch(
        input_ids=torch.tensor(input_ids),
        position_ids=torch.tensor(position_ids),
        ends=torch.tensor(ends),
        attention=torch.tensor(attention),
        head_positions=torch.tensor(heads),
        target_rows=torch.tensor([head_of[position] for position, _, _ in targets]),
        target_ids=torch.tensor([token for _, token, _ in targets]),
        target_branches=torch.tensor([branch for _, _, branch in targets]),
        weights=torch.tensor([weight for tree in trees for weight in tree.branch_weights], dtype=torch.float32),
        reference=torch.tensor(
            [value for tree in trees for value in tree.reference or [0.0] * len(tree.branches)], dtype=torch.float32
        ),
        branch_trees=torch.tensor([number for number, tree in enumerate(trees) for _ in tree.branches]),
        ids=[tree.id for tree in trees],
        plain=plain,
    )
