"""One question, its faithfulness: the shortest way in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from rac.metrics.suite import MetricSettings, evaluate
from rac.records import ClarificationExample, Passage, Prediction

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer


@dataclass(frozen=True)
class Faithfulness:
    """Scores of one question; None is unscored, and ``reason`` says why.

    Attributes:
        headline: Harmonic mean of faith and info, 0..1.
        faith: Mean support of the claims, 0..1.
        info: What an answer would tell, 0..1.
        hallucinated: Whether a claim's support is under the threshold.
        claims: The claims with their support and evidence.
        reason: Why something is unscored or zero ("no-claims", "empty", "script", ...), else "".
        signature: What made the scores.
    """

    headline: float | None
    faith: float | None
    info: float | None
    hallucinated: bool | None
    claims: list[dict[str, Any]]
    reason: str
    signature: str


@lru_cache(maxsize=1)
def _embedded() -> EntailmentScorer | None:
    from rac.metrics.entailment import chosen_entailment

    return chosen_entailment("auto")


def faithfulness(
    question: str,
    query: str,
    passages: Sequence[Passage | str],
    *,
    entailment: EntailmentScorer | Literal["auto"] | None = "auto",
) -> Faithfulness:
    """Score one question against passages.

    Args:
        question: The clarifying question.
        query: The user's query.
        passages: D, as records or plain texts.
        entailment: An entailment model (``rac.metrics.entailment.load_entailment``); ``"auto"`` takes the embedded one,
            or words alone where it cannot run (``signature`` says which); None words alone. For many questions use
            ``evaluate``, which runs the model in batches.

    >>> faithfulness("Do you mean the city or the film?", "casablanca", ["A city.", "A film."]).headline > 0.9
    True
    """
    scorer = _embedded() if entailment == "auto" else entailment
    made = [p if isinstance(p, Passage) else Passage(id=f"p{i}", text=p) for i, p in enumerate(passages, start=1)]
    result = evaluate(
        [Prediction(id="q", question=question)], [ClarificationExample(id="q", query=query)], {"q": made},
        MetricSettings(references=(), raw=False), entailment=scorer,
    )  # fmt: skip
    row = result.per_item[0]
    flag = row.get("hallucinated")
    return Faithfulness(
        headline=row.get("headline"), faith=row.get("faith"), info=row.get("info"),
        hallucinated=None if flag is None else bool(flag), claims=row["claims"], reason=row["reason"],
        signature=result.signature,
    )  # fmt: skip
