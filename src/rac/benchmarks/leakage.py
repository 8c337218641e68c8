"""What two sets of examples share: queries, near-duplicate queries, topics, gold questions, gold passages."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rac.benchmarks.text import plain_words
from rac.records import ClarificationExample

NEAR = 0.8
"""Two queries are near duplicates if the Jaccard overlap of their words is at least this."""
_SHORTEST_NEAR = 3


@dataclass(frozen=True)
class Overlap:
    """How much of ``right`` occurs in ``left``; each count is of things of ``right``, as many as named by its ``of``.

    ``queries`` are equal after case, punctuation and white space are taken away; ``near_queries`` are others that
    overlap by ``NEAR`` (of at least three words). ``groups`` are clusters, ``questions`` different gold questions and
    ``passages`` different gold passages (by text). A query that is only words like "When?" counts like any other.
    """

    queries: int
    near_queries: int
    of_queries: int
    groups: int
    of_groups: int
    questions: int
    of_questions: int
    passages: int
    of_passages: int

    @property
    def any(self) -> bool:
        """Whether anything is shared."""
        return any((self.queries, self.near_queries, self.groups, self.questions, self.passages))

    def to_dict(self) -> dict[str, Any]:
        """Return the counts by name."""
        return asdict(self)


def overlap(left: Sequence[ClarificationExample], right: Sequence[ClarificationExample]) -> Overlap:
    """Count what of ``right`` (what is held out) occurs in ``left`` (what is trained on)."""
    left_queries, right_queries = _queries(left), _queries(right)
    exact = right_queries & left_queries
    groups = {e.cluster for e in right}
    questions = {" ".join(plain_words(q)) for e in right for q in e.questions}
    known = {" ".join(plain_words(q)) for e in left for q in e.questions}
    passages = _passages(right)
    return Overlap(
        queries=len(exact),
        near_queries=len(near_duplicates(left_queries, right_queries - exact)),
        of_queries=len(right_queries),
        groups=len(groups & {e.cluster for e in left}),
        of_groups=len(groups),
        questions=len(questions & known),
        of_questions=len(questions),
        passages=len(passages & _passages(left)),
        of_passages=len(passages),
    )


def _queries(examples: Iterable[ClarificationExample]) -> set[tuple[str, ...]]:
    return {words for e in examples if (words := tuple(plain_words(e.query)))}


def _passages(examples: Iterable[ClarificationExample]) -> set[str]:
    return {" ".join(plain_words(f"{p.title} {p.text}")) for e in examples for p in e.passages}


def near_duplicates(
    left: Iterable[tuple[str, ...]], right: Iterable[tuple[str, ...]], threshold: float = NEAR
) -> set[tuple[str, ...]]:
    """Return the word sequences of ``right`` whose word set overlaps with one of ``left`` by ``threshold`` (Jaccard).

    Only sets of at least three words are compared. If two sets overlap that much, they share one of the few rarest
    words of each, so only those are looked up.
    """
    left_sets = {frozenset(words) for words in left}
    right_list = sorted(set(right))
    frequency = Counter(word for words in left_sets for word in words)
    by_word: dict[str, list[frozenset[str]]] = defaultdict(list)
    for words in left_sets:
        if len(words) >= _SHORTEST_NEAR:
            for word in _rarest(words, frequency, threshold):
                by_word[word].append(words)
    found = set()
    for sequence in right_list:
        own = frozenset(sequence)
        if len(own) < _SHORTEST_NEAR:
            continue
        candidates = {words for word in _rarest(own, frequency, threshold) for words in by_word.get(word, ())}
        # Compared as shared >= t * union, in integers of hundredths, so that 4 of 5 counts at 0.8.
        if any(100 * len(own & other) >= round(100 * threshold) * len(own | other) for other in candidates):
            found.add(sequence)
    return found


def _rarest(words: frozenset[str], frequency: Counter[str], threshold: float) -> list[str]:
    ordered = sorted(words, key=lambda w: (frequency[w], w))
    return ordered[: len(ordered) - math.ceil(threshold * len(ordered) - 1e-9) + 1]
