"""Scores of a question from the support of its claims: Faith, strict, hallucinated, by kind, Info and the headline.

    Faith = mean_j s_j     strict = min_j s_j     hallucinated = [min_j s_j < tau]
    headline = 2 Faith Info / (Faith + Info), 0 if both are 0 or there is no claim

over the claims k_j, except what only takes up the user's words ("when you say the motherland"): that says what the user
asked, not what the corpus has, and CLAQUA's gold paraphrases it freely (supported in 32 % of its questions, so that it
would decide every score). ``faith_all`` counts those too, as the definition first had it.

Range 0..1. No gold question, answer or facet is read. Faith alone is fooled by saying little ("What do you mean?" has
no claims, "X or X" only claims that every passage supports); the headline is 0 for both.
"""

from __future__ import annotations

from dataclasses import dataclass

from rac.metrics.info import choice_share, info
from rac.metrics.selection import option_identity
from rac.metrics.support import QuestionSupport

KINDS = {"OPTION": "option", "TOPIC": "topic", "NOT-TYPE": "not_type", "ATTRIBUTE": "attribute"}
OFFERED = ("OPTION", "TOPIC", "NOT-TYPE")
"""Kinds among which a simulated user chooses."""


@dataclass(frozen=True)
class FaithScores:
    """Metric -> value; None is unscored."""

    values: dict[str, float | None]


def faith_scores(result: QuestionSupport, tau: float, problem: str | None = None) -> FaithScores:
    """Return the claim-based scores of one question.

    Args:
        result: Support of its claims.
        tau: Threshold on s_j.
        problem: Why the question cannot be read, if so. ``empty`` and ``too-long`` count as no claims: the headline
            is 0. With any other (``script``, ``language``, ``no-passages``, a splitter's failure) nothing is scored.
    """
    names = ["faith", "faith_strict", "hallucinated", "info", "headline", "faith_all", "info_uniform"]
    names += [f"{m}_{k}" for k in KINDS.values() for m in ("faith", "hallucinated")]
    values: dict[str, float | None] = dict.fromkeys(names)
    if problem and problem not in ("empty", "too-long"):
        return FaithScores(values)
    every = result.per_claim
    counted = [j for j, c in enumerate(result.claims) if not c.echo]
    offered = [j for j, c in enumerate(result.claims) if c.kind in OFFERED]
    choice = choice_share([option_identity(result.claims[j]) for j in offered])
    gained = info(result.matrix[offered], tau) * choice if offered else 0.0
    values["info"] = gained
    values["info_uniform"] = info(result.matrix[offered], tau, pragmatic=False) if offered else 0.0
    if every:
        values["faith_all"] = sum(every) / len(every)
    for kind, name in KINDS.items():
        own = [s for s, c in zip(every, result.claims, strict=True) if c.kind == kind]
        if own:
            values[f"faith_{name}"] = sum(own) / len(own)
            values[f"hallucinated_{name}"] = float(min(own) < tau)
    support = [every[j] for j in counted]
    if not support:
        values["headline"] = 0.0
        return FaithScores(values)
    faith = sum(support) / len(support)
    values |= {
        "faith": faith,
        "faith_strict": min(support),
        "hallucinated": float(min(support) < tau),
        "headline": 2 * faith * gained / (faith + gained) if faith + gained else 0.0,
    }
    return FaithScores(values)
