"""Repairs: a faulty question with the options that D does not carry exchanged for some that it does.

The mirror of one-claim edits. A model that has been tuned is sure of itself: on half of the queries that it asks a
faulty question about, none of its samples is sound, and there is no C_q+ to learn from. A repair has the words of the
model's own question but for the option at fault, so that C_q+ and C_q- differ in that claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rac.metrics.claims import options_of
from rac.metrics.text import content_keys
from rac.records import Passage


def repaired(
    question: str, query: str, passages: Sequence[Passage], samples: Iterable[str], value: Callable[[str], float]
) -> str | None:
    """Return a question with its faulty options exchanged, one after another, until it is sound.

    Args:
        question: A faulty question.
        query: U_q.
        passages: D as the prompt shows it.
        samples: Other questions to the query, whose options are tried first, the most frequent first; then titles
            that the query names, with a type before them ("album Rescue").
        value: Share of a question's options that are supported and different, in 0..1; 1 is sound.

    Returns:
        The repaired question; None if no exchange of whole options makes it sound.
    """
    donors = [*_offered(samples, query, passages), *_typed(query, passages)]
    best = value(question)
    # At most as many exchanges as it offers options, each of which must mend something.
    for _ in options_of(question, query, passages):
        if best >= 1:
            break
        tried = [
            question[: option.start] + donor + question[option.end :]
            for option in options_of(question, query, passages)
            for donor in donors
        ]
        # The first of equals: `max` keeps it, and donors come best first.
        question = max(tried, key=value, default=question)
        before, best = best, value(question)
        if best <= before:
            return None
    return question if best >= 1 else None


def _offered(samples: Iterable[str], query: str, passages: Sequence[Passage]) -> list[str]:
    """Return the options of questions, the most frequent first; those that say what a thing is not are left out."""
    counts = Counter(
        text[option.start : option.end]
        for text in samples
        for option in options_of(text, query, passages)
        if option.kind != "NOT-TYPE"
    )
    return [text for text, _ in counts.most_common()]


def _typed(query: str, passages: Sequence[Passage]) -> list[str]:
    """Return titles with a type before them, of the passages whose title has most words of the query."""
    asked = content_keys(query)
    named = [len(content_keys(p.title) & asked) for p in passages]
    most = max(named, default=0)
    found = [
        f"{kind} {passage.title}"
        for passage, count in zip(passages, named, strict=True)
        if count == most > 0
        for kind in passage.types
        if not content_keys(kind) <= content_keys(passage.title)
    ]
    return list(dict.fromkeys(found))
