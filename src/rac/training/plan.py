"""Which prompts each optimiser step sees: decided once, before training, from the seed alone.

Neither the number of processes nor the number of passes a step is split into changes the plan, so they cannot change
the result, and a resumed run continues exactly where it was.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from rac.training.packing import Tree


def plan_steps(count: int, batch_size: int, epochs: float, seed: int) -> list[list[int]]:
    """Return the prompts of every optimiser step.

    Args:
        count: Number of prompts.
        batch_size: Prompts in a step; the last step of an epoch may have fewer.
        epochs: Passes over the prompts; the last one may be partial.
        seed: Each epoch is shuffled by ``(seed, epoch)``.

    Returns:
        One list of indices for each step; at least one step.
    """
    per_epoch = math.ceil(count / batch_size)
    wanted = max(1, round(per_epoch * epochs))
    steps: list[list[int]] = []
    epoch = 0
    while len(steps) < wanted:
        order = list(range(count))
        random.Random(f"steps/{seed}/{epoch}").shuffle(order)
        steps += [order[start : start + batch_size] for start in range(0, count, batch_size)]
        epoch += 1
    return steps[:wanted]


def split_step(trees: Sequence[Tree], parts: int) -> list[list[Tree]]:
    """Split a step's trees into parts of about the same number of tokens.

    Longest first, each to the part that has least so far. A part that would be empty gets a copy of the shortest tree
    with weight 0, so that every process takes part in every step.
    """
    if parts == 1:
        return [list(trees)]
    shares: list[list[Tree]] = [[] for _ in range(parts)]
    loads = [0] * parts
    for tree in sorted(trees, key=lambda tree: (-tree.length, tree.id)):
        lightest = loads.index(min(loads))
        shares[lightest].append(tree)
        loads[lightest] += tree.length
    shortest = min(trees, key=lambda tree: (tree.length, tree.id))
    idle = Tree(shortest.id, shortest.prompt_ids, shortest.branches, [0.0] * len(shortest.branches), shortest.reference)
    return [share or [idle] for share in shares]
