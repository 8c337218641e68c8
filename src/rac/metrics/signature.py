"""Signatures: every score says what made it, as sacreBLEU does, and scores with different signatures are not compared.

headline|v1|claims:rules-2|support:lexical-fit-1|nli:none|D:retrieved5|tau:0.42
"""

from __future__ import annotations

from rac.metrics.claims import RULES_VERSION

DEFINITION = "v1"


def signature(*, fit: str, tau: float, passages: str, nli: str = "nli:none", splitter: str = RULES_VERSION) -> str:
    """Return what made the claim-based scores of an evaluation, without the metric's name.

    Args:
        fit: Version of the support parameters.
        tau: Threshold on s_j.
        passages: Which D was used ("gold", "retrieved5", ...).
        nli: ``EntailmentScorer.signature``.
        splitter: What made the claims.
    """
    return f"{DEFINITION}|claims:{splitter}|support:{fit}|{nli}|D:{passages}|tau:{tau:.3f}"


def full(metric: str, rest: str) -> str:
    """Return the signature of one score: the metric's name and what made it."""
    return f"{metric}|{rest}"
