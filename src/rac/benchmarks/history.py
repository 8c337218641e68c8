"""Conversational benchmarks as single-turn ones: history kept, dropped, or replaced by a resolved query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from rac.benchmarks.text import squeeze
from rac.records import ClarificationExample


def turn(role: Literal["user", "system"], text: str) -> dict[str, str]:
    """Return one turn of a history, as stored in ``ClarificationExample.history``, oldest first."""
    return {"role": role, "text": squeeze(text)}


def single_turn(
    examples: Iterable[ClarificationExample], *, resolve: bool = True
) -> tuple[list[ClarificationExample], dict[str, int]]:
    """Drop the history; with ``resolve`` take the source's context-free form of the query where it has one.

    The resolved form is ``meta.resolved_query``; the query as it stood stays in ``meta.turn``.

    Returns:
        The examples, and counts of what was resolved, and of queries that lost a history without being resolved.
    """
    counts: Counter[str] = Counter()
    result = []
    for example in examples:
        resolved = example.meta.get("resolved_query") if resolve else None
        counts["queries"] += 1
        if resolved and resolved != example.query:
            counts["queries replaced by the source's resolved form"] += 1
            meta = {**example.meta, "turn": example.query}
            example = example.model_copy(update={"query": resolved, "meta": meta})
        elif example.history:
            counts["queries taken as they stand, without their history"] += 1
        result.append(example.model_copy(update={"history": ()}))
    return result, dict(counts)
