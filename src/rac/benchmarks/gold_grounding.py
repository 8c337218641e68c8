"""How grounded the gold questions of a benchmark are in passages: a crude word measure for describing data.

It says whether a data set is fit for learning faithful questions; it is no metric for systems (see ``rac.metrics``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from rac.benchmarks.text import plain_words
from rac.records import ClarificationExample, Passage

# Function words, and the words with which clarifying questions are framed: they carry no option.
_FRAME = frozenset(
    re.findall(r"[a-z]+", """
    a about above after all also am an and any are as ask asking at be because been before being both but by can could
    did do does doing don down during each else exactly find for from further get give had has have having he help her
    here hers him his how i if im in information interested into is it its just kind know learn like list ll looking
    lot may me mean meant might more most much my need no non not of off ok on one ones only or other our out over own
    part particular perhaps please re refer referring regarding s said same say saying see seeking select she should so
    some something specific specifically such t talk talking tell than that the their them then there these they thing
    this those through to too type under until up us use ve version very want wanted was we were what when where
    whether which while who whom whose why will with would yes you your
    """)
)  # fmt: skip


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


def content_stems(text: str) -> list[str]:
    """Return the stems of a text's words, without function words and the words that frame a question."""
    return [_stem(word) for word in plain_words(text) if word not in _FRAME]


def _passage_stems(passage: Passage) -> set[str]:
    text = " ".join([passage.title, *passage.types, passage.description, passage.text])
    return {_stem(word) for word in plain_words(text)}


def question_grounding(question: str, query: str, passages: Sequence[Passage]) -> float | None:
    """Return the share of a question's content words outside the query that occur in any of the passages.

    Returns:
        0 to 1, or None if the question has no such word or there are no passages.
    """
    if not passages:
        return None
    asked = {_stem(word) for word in plain_words(query)}
    words = {stem for stem in content_stems(question) if stem not in asked}
    if not words:
        return None
    known = set().union(*map(_passage_stems, passages))
    return len(words & known) / len(words)


def gold_grounding(
    examples: Iterable[ClarificationExample],
    passages_of: Callable[[ClarificationExample], Sequence[Passage]] = lambda e: e.passages,
    texts_of: Callable[[ClarificationExample], Sequence[str]] = lambda e: e.questions,
) -> dict[str, Any]:
    """Measure the gold questions (or other texts) of examples against their own (or given) passages.

    Returns:
        ``scored`` and ``unscored`` numbers of texts (unscored: no passage, or no word beside query and frame);
        ``mean`` share of grounded words and ``full`` share of texts with all words grounded, None without any.
    """
    values: list[float] = []
    unscored = 0
    for example in examples:
        passages = passages_of(example)
        for question in texts_of(example):
            value = question_grounding(question, example.query, passages)
            if value is None:
                unscored += 1
            else:
                values.append(value)
    return {
        "scored": len(values),
        "unscored": unscored,
        "mean": sum(values) / len(values) if values else None,
        "full": sum(v == 1 for v in values) / len(values) if values else None,
    }
