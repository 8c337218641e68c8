"""A simulated user: sees a question and the passage they are after, and answers with one of its options or "none".

The answer is the option whose support by the target passage is highest and reaches the threshold, else "none of these":
never a word that the question did not offer, so that nothing of the passage leaks into the retrieval that follows. The
user judges as the report scorer does (``rac.metrics.support``); it is no part of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rac.errors import UserError
from rac.metrics.claims import Claim, claims, unreadable
from rac.metrics.support import SupportFit, load_fit, support
from rac.records import Passage

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer

NONE_OF_THESE = "none of these"
OFFERED = ("OPTION", "TOPIC", "NOT-TYPE")


@dataclass(frozen=True)
class SimulatedAnswer:
    """What the user says.

    Attributes:
        text: The option in the question's words, or ``none of these``.
        option: The claim that it is, None for none.
        support: How far the target passage supports it, 0..1; for none the best that was on offer (0 without options).
        reason: Why there is no option: ``nothing-offered``, ``not-among-them``, or why the question cannot be read.
    """

    text: str
    option: Claim | None
    support: float
    reason: str = ""


def simulated_answers(
    questions: Sequence[str], queries: Sequence[str], targets: Sequence[Passage], *,
    entailment: EntailmentScorer | None = None, fit: SupportFit | None = None,
) -> list[SimulatedAnswer]:  # fmt: skip
    """Answer each question for the passage that the user is after.

    Args:
        questions: The clarifying questions.
        queries: Their queries.
        targets: For each the passage that the user wants.
        entailment: Entailment model for support; without one words alone decide.
        fit: Parameters of support; the shipped ones if None.

    Returns:
        One answer per question, in order; among equally supported options the first.

    Raises:
        UserError: for lists of different length.
    """
    if not len(questions) == len(queries) == len(targets):
        raise UserError(
            f"{len(questions)} questions, {len(queries)} queries and {len(targets)} target passages were given, so "
            "they cannot be paired; give one of each per question"
        )
    fit = fit or load_fit(with_entailment=entailment is not None)
    offered = [
        [c for c in claims(question, query, [target.title]) if c.kind in OFFERED]
        for question, query, target in zip(questions, queries, targets, strict=True)
    ]
    found = support(
        [(query, options, [target]) for query, options, target in zip(queries, offered, targets, strict=True)],
        entailment=entailment, fit=fit,
    )  # fmt: skip
    answers = []
    for question, options, result in zip(questions, offered, found, strict=True):
        values = result.per_claim
        if not options:
            answers.append(SimulatedAnswer(NONE_OF_THESE, None, 0.0, unreadable(question) or "nothing-offered"))
            continue
        best = max(range(len(options)), key=lambda j: values[j])
        if values[best] < fit.tau:
            answers.append(SimulatedAnswer(NONE_OF_THESE, None, values[best], "not-among-them"))
        else:
            answers.append(SimulatedAnswer(options[best].text, options[best], values[best]))
    return answers
