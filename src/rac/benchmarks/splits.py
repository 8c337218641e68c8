"""Splits and folds that keep clusters together and depend on nothing but the cluster's name.

The unit is ``example.cluster`` (topic, rule, document, name): each one's place follows from a hash of its name, so it
stays where it is when examples are added, and the same topic falls into the same fold in every benchmark that has it
(ClariQ and Qulac share their topics).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from rac.errors import UserError
from rac.records import ClarificationExample

_PART = re.compile(r"(fold|but)\s+(\d+)\s*/\s*(\d+)")


def place(cluster: str, salt: str) -> float:
    """Return a number in [0, 1) that depends on the two strings only, evenly spread over clusters."""
    digest = hashlib.sha256(f"{salt}\x1f{cluster}".encode("utf-8", "surrogatepass")).digest()
    # 48 bits are exact in a float and keep the result below 1.
    return int.from_bytes(digest[:6], "big") / 2**48


def fold_of(cluster: str, k: int) -> int:
    """Return the fold, 1 to k, of a cluster."""
    return 1 + int(place(cluster, "fold") * k)


def connect(items: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Join clusters that share an item, directly or through others.

    Args:
        items: Cluster -> what it holds (texts of passages, say).

    Returns:
        Cluster -> the first cluster of its joined set, in the order given; its own name if it shares nothing.
    """
    leader = {name: name for name in items}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    order = {name: number for number, name in enumerate(items)}
    holder: dict[str, str] = {}
    for name, held in items.items():
        for item in held:
            first, second = sorted((find(holder.setdefault(item, name)), find(name)), key=order.__getitem__)
            leader[second] = first
    return {name: find(name) for name in items}


def carve(examples: Iterable[ClarificationExample], shares: Sequence[tuple[str, float]]) -> list[ClarificationExample]:
    """Give every example one of the named splits, by cluster; ``meta.published_split`` keeps the source's name.

    Args:
        examples: Any examples.
        shares: Names and shares, which add up to 1.
    """
    carved = []
    for example in examples:
        where = place(example.cluster, "split")
        name = shares[-1][0]
        passed = 0.0
        for candidate, share in shares:
            passed += share
            if where < passed:
                name = candidate
                break
        meta = {**example.meta, "published_split": example.split}
        carved.append(example.model_copy(update={"split": name, "meta": meta}))
    return carved


def folds(
    examples: Sequence[ClarificationExample], k: int
) -> list[tuple[list[ClarificationExample], list[ClarificationExample]]]:
    """Return k pairs (all other folds, held-out fold) for cross-fitting: train on the first, predict the second.

    Every example is held out once; no cluster is on both sides. Folds are equal only on average, because each
    cluster's fold follows from its name alone.

    Raises:
        UserError: if k is below 2 or a fold would be empty.
    """
    if k < 2:
        raise UserError(f"{k} folds cannot be crossed; use at least 2")
    numbers = range(1, k + 1)
    return [(take_part(examples, f"but {i}/{k}"), take_part(examples, f"fold {i}/{k}")) for i in numbers]


def take_part(examples: Sequence[ClarificationExample], part: str) -> list[ClarificationExample]:
    """Return fold I of K (``fold I/K``) or all the others (``but I/K``), I from 1.

    Raises:
        UserError: if the part is written otherwise, I is not in 1 to K, or nothing is left.
    """
    match = _PART.fullmatch(part.strip())
    if match is None or not 1 <= int(match[2]) <= int(match[3]):
        raise UserError(f"'{part}' is not a part of a split; write 'fold 1/5' for fold 1 of 5, 'but 1/5' for the rest")
    number, k = int(match[2]), int(match[3])
    taken = [e for e in examples if (fold_of(e.cluster, k) == number) == (match[1] == "fold")]
    if examples and not taken:
        clusters = len({e.cluster for e in examples})
        raise UserError(f"'{part}' is empty: {clusters} clusters are too few for {k} folds; use fewer folds")
    return taken
