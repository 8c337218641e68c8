"""Splits: queries of one term stay together, and so do terms whose options are the same passages."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Splits:
    """Which split each group is in.

    Attributes:
        split_of: Group to "train", "validation" or "test"; groups that had to be left out are missing.
        dropped: Groups left out because they share a passage with a group of another split.
    """

    split_of: dict[str, str]
    dropped: tuple[str, ...]


def split_groups(
    passages_of: Mapping[str, set[str]], sizes: Mapping[str, int], shares: Mapping[str, float], seed: int
) -> Splits:
    """Split groups so that no passage is an option in two splits.

    Groups that share a passage, directly or through others, form a component, and components are never cut as long as
    the small ones suffice for the held-out splits. If they do not, groups of large components are held out as well and
    the training groups that share a passage with them are dropped, unless that costs more than twice as many examples
    as are held out; the held-out splits are smaller then.

    Args:
        passages_of: Ids of the passages that each group's options come from.
        sizes: Number of examples of each group.
        shares: Wanted share of examples of "validation" and "test"; the rest is "train".
        seed: Seed of the random order.
    """
    rng = random.Random(seed)
    components = _components(passages_of)
    rng.shuffle(components)
    total = sum(sizes.values())
    room = {split: round(shares.get(split, 0.0) * total) for split in ("test", "validation")}
    biggest = max(1, min([r for r in room.values() if r] or [1]) // 5)
    split_of: dict[str, str] = {}
    left: list[str] = []
    for component in components:
        size = sum(sizes[g] for g in component)
        split = next((s for s, r in room.items() if size <= min(r, biggest)), None)
        if split is None:
            left.extend(component)
            continue
        room[split] -= size
        split_of.update(dict.fromkeys(component, split))
    dropped = _cut_components(left, passages_of, sizes, room, split_of, rng)
    for group in left:
        if group not in dropped:
            split_of.setdefault(group, "train")
    return Splits(split_of, tuple(sorted(dropped)))


def _cut_components(
    left: Sequence[str], passages_of: Mapping[str, set[str]], sizes: Mapping[str, int], room: dict[str, int],
    split_of: dict[str, str], rng: random.Random,
) -> set[str]:  # fmt: skip
    groups_of: dict[str, set[str]] = defaultdict(set)
    for group in left:
        for passage in passages_of[group]:
            groups_of[passage].add(group)
    neighbours = {g: set().union(*(groups_of[p] for p in passages_of[g])) - {g} for g in left}
    order = sorted(left)
    rng.shuffle(order)
    order.sort(key=lambda g: len(neighbours[g]))
    dropped: set[str] = set()
    for group in order:
        split = next((s for s, r in room.items() if sizes[group] <= r), None)
        if split is None:
            break
        if group in dropped or any(n in split_of for n in neighbours[group]):
            continue
        if sum(sizes[n] for n in neighbours[group] - dropped) > 2 * sizes[group]:
            continue  # a small held-out split is better than hardly any training data
        split_of[group] = split
        room[split] -= sizes[group]
        dropped |= neighbours[group]
    return dropped


def _components(passages_of: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups connected through shared passages, each component sorted, components in a fixed order."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for group in sorted(passages_of):
        root(f"group {group}")
        for passage in sorted(passages_of[group]):
            parent[root(f"passage {passage}")] = root(f"group {group}")
    members: dict[str, list[str]] = defaultdict(list)
    for group in sorted(passages_of):
        members[root(f"group {group}")].append(group)
    return sorted(members.values())


def leakage(retrieved_of: Mapping[str, set[str]], split_of: Mapping[str, str]) -> dict[str, float]:
    """Measure how much of what held-out queries retrieve was also retrieved in training.

    Args:
        retrieved_of: Ids of the passages in D, per example.
        split_of: The split of each example.

    Returns:
        For each held-out split the share (0..1) of its distinct passages that are in D of a training example.
    """
    seen: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    for example, passages in retrieved_of.items():
        seen[split_of[example]].update(passages)
    return {
        split: len(seen[split].keys() & seen["train"].keys()) / len(seen[split])
        for split in ("validation", "test")
        if seen[split]
    }
