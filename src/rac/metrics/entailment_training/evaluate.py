"""Measuring the entailment model: transfer to unseen alterations and words, public NLI sets, calibration."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rac.metrics.entailment_training.alterations import HELD_OUT_KINDS
from rac.metrics.entailment_training.claims import LabelledClaim
from rac.metrics.entailment_training.sources import NliPair
from rac.metrics.entailment_windows import windows
from rac.metrics.text import content_keys

Floats = npt.NDArray[np.float64]
Score = Callable[[Sequence[tuple[str, str]]], Floats]
"""Scores (premise, hypothesis) pairs: any number that grows with entailment."""


def auc(positive: Floats, negative: Floats) -> float:
    """Return the chance that a positive scores above a negative, ties counting half; NaN if either is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    upto = np.searchsorted(ordered, positive, side="right")
    return float(((below + upto) / 2).mean() / len(negative))


def sigmoid(margin: Floats, scale: float = 1.0, offset: float = 0.0) -> Floats:
    """Return the probability of a margin (a difference of logits) under a calibration."""
    return 1.0 / (1.0 + np.exp(-(scale * margin + offset)))


def passage_scores(claims: Sequence[LabelledClaim], score: Score) -> Floats:
    """Return max over the windows of each claim's passage, as the metric uses the model; ``score`` is called once."""
    pairs: list[tuple[str, str]] = []
    bounds = [0]
    for claim in claims:
        pairs += [(window, claim.hypothesis) for window in windows(claim.passage)]
        bounds.append(len(pairs))
    scores = score(pairs)
    return np.array([scores[a:b].max() for a, b in itertools.pairwise(bounds)])


def overlap_score(pairs: Sequence[tuple[str, str]]) -> Floats:
    """Return the share of the claim's content words that the premise has: the baseline to beat."""
    found = []
    for premise, claim in pairs:
        keys = content_keys(claim)
        found.append(len(keys & content_keys(premise)) / len(keys) if keys else 0.0)
    return np.array(found)


def claim_table(claims: Sequence[LabelledClaim], scores: Floats) -> dict[str, Any]:
    """Return AUC of supported against altered claims: over all, over held-out kinds, and per kind."""
    supported = np.array([c.supported for c in claims])
    kinds = np.array([c.kind for c in claims])
    positive = scores[supported]
    unseen = ~supported & np.isin(kinds, HELD_OUT_KINDS)
    table: dict[str, Any] = {
        "supported": int(supported.sum()),
        "altered": int((~supported).sum()),
        "auc_all": auc(positive, scores[~supported]),
        "auc_unseen_kinds": auc(positive, scores[unseen]),
        "unseen_kinds_n": int(unseen.sum()),
        "kinds": {},
    }
    for kind in sorted(set(kinds[~supported].tolist())):
        chosen = ~supported & (kinds == kind)
        table["kinds"][kind] = {
            "auc": auc(positive, scores[chosen]), "n": int(chosen.sum()), "in_training": kind not in HELD_OUT_KINDS
        }  # fmt: skip
    return table


def accuracy(pairs: Sequence[NliPair], margins: Floats) -> dict[str, float]:
    """Return two-class accuracy at probability 0.5, the share of the larger class, AUC, and the number of pairs."""
    truth = np.array([p.entailed for p in pairs])
    return {
        "accuracy": float(((margins > 0) == truth).mean()),
        "majority": float(max(truth.mean(), 1 - truth.mean())),
        "auc": auc(margins[truth], margins[~truth]),
        "n": len(pairs),
    }


@dataclass(frozen=True)
class Calibration:
    """p = sigmoid(scale * margin + offset) (Platt), and the error before and after it."""

    scale: float
    offset: float
    error_before: float
    error_after: float


def expected_calibration_error(probs: Floats, truth: npt.NDArray[np.bool_], bins: int = 10) -> float:
    """Return ECE: the mean gap between probability and observed share over equal-width bins, weighted by size."""
    total = 0.0
    for _, mean, share, count in reliability(probs, truth, bins):
        total += abs(mean - share) * count
    return total / len(probs)


def reliability(probs: Floats, truth: npt.NDArray[np.bool_], bins: int = 10) -> list[tuple[float, float, float, int]]:
    """Return (left edge, mean probability, share true, count) of each bin that is not empty."""
    which = np.minimum((probs * bins).astype(int), bins - 1)
    rows = []
    for b in range(bins):
        inside = which == b
        if inside.any():
            rows.append((b / bins, float(probs[inside].mean()), float(truth[inside].mean()), int(inside.sum())))
    return rows


def fit_platt(margins: Floats, truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return (scale, offset) that minimise the log loss of sigmoid(scale * margin + offset)."""
    from scipy.optimize import minimize

    sign = np.where(truth, 1.0, -1.0)

    def loss(parameters: Floats) -> float:
        return float(np.logaddexp(0.0, -sign * (parameters[0] * margins + parameters[1])).mean())

    found = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7})
    return float(found.x[0]), float(found.x[1])


def calibrate(margins: Floats, truth: npt.NDArray[np.bool_]) -> Calibration:
    """Fit on every second pair and measure the error on the others."""
    fitted, kept = slice(0, None, 2), slice(1, None, 2)
    scale, offset = fit_platt(margins[fitted], truth[fitted])
    return Calibration(
        scale, offset,
        expected_calibration_error(sigmoid(margins[kept]), truth[kept]),
        expected_calibration_error(sigmoid(margins[kept], scale, offset), truth[kept]),
    )  # fmt: skip
