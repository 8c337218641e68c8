"""Whether the passages that are retrieved for a word fall into clusters: groups that share more than the word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rac.corpus.bootstrap.case import words
from rac.corpus.bootstrap.subjects import document_of
from rac.records import Passage

LINK = 0.12
"""Overlap (Jaccard) of two passages' content words above which they are in one cluster. Two passages on one matter
share a sixth and more of their words, two that only share the searched word a twentieth."""
_SHORTEST_WORD = 4


def clusters(passages: Sequence[Passage], term: str) -> list[list[Passage]]:
    """Group passages by single linkage on their content words; each group and all groups in the order given.

    Words that more than half of the passages have tell nothing apart and are left out, the searched term among them.

    Args:
        passages: What was retrieved, best first.
        term: The searched words, in small letters.
    """
    sets = [_content(p) - {term} for p in passages]
    counts = Counter(word for own in sets for word in own)
    sets = [{word for word in own if counts[word] * 2 <= len(passages) or len(passages) < 4} for own in sets]
    group, documents = list(range(len(passages))), [document_of(p) for p in passages]
    for first in range(len(passages)):
        for second in range(first + 1, len(passages)):
            if _overlap(sets[first], sets[second]) >= LINK or documents[first] == documents[second]:
                old, new = group[second], group[first]
                group = [new if number == old else number for number in group]
    found: dict[int, list[Passage]] = {}
    for number, passage in zip(group, passages, strict=True):
        found.setdefault(number, []).append(passage)
    return list(found.values())


def _content(passage: Passage) -> set[str]:
    return {w.lower().rstrip(".") for w in words(f"{passage.title} {passage.text}") if len(w) >= _SHORTEST_WORD}


def _overlap(first: set[str], second: set[str]) -> float:
    return len(first & second) / (len(first | second) or 1)
