"""The report scorer as one function over (query, question, D), for monitoring questions that others asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rac.metrics import MetricSettings, evaluate
from rac.records import ClarificationExample, Passage, Prediction

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer

Triple = tuple[str, str, Sequence[Passage]]


def question_scorer(
    entailment: EntailmentScorer | None = None,
) -> Callable[[Sequence[Triple]], tuple[list[dict[str, Any]], str]]:
    """Return what scores (query, question, D) triples.

    Args:
        entailment: An entailment model; words alone decide without one.

    Returns:
        A function that returns one row per triple, as ``rac.metrics.evaluate`` makes them, and their signature.
    """
    settings = MetricSettings(passages="given", references=(), parent=False, raw=False)

    def score(items: Sequence[Triple]) -> tuple[list[dict[str, Any]], str]:
        ids = [str(number) for number in range(len(items))]
        result = evaluate(
            [Prediction(id=i, question=question) for i, (_, question, _) in zip(ids, items, strict=True)],
            [ClarificationExample(id=i, query=query) for i, (query, _, _) in zip(ids, items, strict=True)],
            {i: list(passages) for i, (_, _, passages) in zip(ids, items, strict=True)},
            settings,
            entailment=entailment,
        )
        return result.per_item, result.signature

    return score
