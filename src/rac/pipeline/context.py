"""Choose D for each example: retrieved, gold or mixed passages, in the order in which the prompt shows them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Literal

from rac.prompting import PromptSettings
from rac.records import ClarificationExample, Passage

Role = Literal["training", "evaluation"]


def seeded(seed: int, *names: str) -> random.Random:
    """Return a random generator that depends on the seed and names only (not on the order of other draws)."""
    digest = hashlib.sha256("\x1f".join([str(seed), *names]).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


def choose_passages(
    example: ClarificationExample,
    retrieved: Sequence[Passage],
    settings: PromptSettings,
    *,
    seed: int,
    role: Role,
    source: Literal["retrieved", "gold", "mixed"] | None = None,
) -> list[Passage]:
    """Return D for one example.

    Args:
        example: Its gold passages are used where ``source`` asks for them.
        retrieved: What the index returned, best first, at least ``settings.top_k`` long if the corpus allows.
        settings: ``top_k``, ``shuffle`` and ``gold_share``.
        seed: Seed of shuffling and mixing.
        role: Only training prompts are shuffled and mixed; evaluation shows D as retrieved.
        source: Overrides ``settings.passages``.

    Returns:
        At most ``top_k`` passages. With ``mixed``, missing gold passages replace the lowest ranked others in
        ``gold_share`` of the training prompts; the remaining prompts keep D as retrieved.
    """
    source = source or settings.passages
    generator = seeded(seed, "context", example.id)
    if source == "gold":
        passages = list(example.passages[: settings.top_k])
    else:
        passages = list(retrieved[: settings.top_k])
        if source == "mixed" and role == "training" and generator.random() < settings.gold_share:
            passages = _with_gold(passages, example, settings.top_k)
    if role == "training" and settings.shuffle:
        generator.shuffle(passages)
    return passages


def _with_gold(passages: list[Passage], example: ClarificationExample, top_k: int) -> list[Passage]:
    gold = set(example.gold_ids)
    present = {p.id for p in passages}
    missing = [p for p in example.passages if p.id not in present][:top_k]
    keep = len(passages) - max(0, len(passages) + len(missing) - top_k)
    others = [p for p in passages if p.id not in gold]
    drop = {p.id for p in others[max(0, len(others) - (len(passages) - keep)) :]}
    return [p for p in passages if p.id not in drop][: top_k - len(missing)] + missing
