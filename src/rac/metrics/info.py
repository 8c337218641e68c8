"""Info: how much the user's answer would tell about what they want, measured without any gold.

The target passage i is uniform over D. A simulated user answers with one of the options that fit it (s_ij >= tau), and
"none of these" if none does. Among the options that fit, the user takes the most telling one, that is the one that fits
the fewest passages, as people answer (the pragmatic speaker of Frank and Goodman 2012); among equals, at random. With H
the entropy in bits,

    Info = min(1, I(target; answer) / log2 min(N, 3)),   I = H(answer) - H(answer given target),   0 for N = 1

``info_uniform`` is the variant that the definition began with: the user picks at random among all options that fit. It
punishes "actor X or director X" where one X is both and the other an actor only, although "director" tells them apart;
CLAQUA's gold loses 0.15 by it.

An option offered twice is no choice: Info is multiplied by (different options - 1) / (options - 1) where there are two
or more, so that "actor X or actor X", which could still be answered by "none of these", gives 0.

Range 0..1. "What do you mean?", "X or X" and invented options give 0. What fools it: passages about the same thing
count as different targets. Cost: m N operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def info(matrix: npt.NDArray[np.float64], tau: float, *, pragmatic: bool = True) -> float:
    """Return Info of a question.

    Args:
        matrix: s_ij of its options, shape (m, N).
        tau: From which s_ij a user takes an option as meant.
        pragmatic: Whether the user takes the most telling option; else any that fits.

    >>> info(np.array([[1.0, 0.0], [0.0, 1.0]]), 0.5)
    1.0
    >>> info(np.array([[1.0, 1.0], [1.0, 1.0]]), 0.5)
    0.0
    >>> info(np.array([[1.0, 1.0], [1.0, 0.0]]), 0.5)
    1.0
    """
    m, n = matrix.shape
    if m == 0 or n < 2:
        return 0.0
    fits = matrix >= tau
    if pragmatic:
        # How many passages each option fits; the fewest among the options that fit passage i.
        breadth = np.where(fits, fits.sum(axis=1, keepdims=True), n + 1)
        fits = fits & (breadth == breadth.min(axis=0, keepdims=True))
    totals = fits.sum(axis=0)
    answers = np.zeros((m + 1, n))
    answers[:m] = fits / np.maximum(totals, 1)
    answers[m] = totals == 0
    gained = entropy(answers.mean(axis=1)) - float(np.mean([entropy(answers[:, i]) for i in range(n)]))
    return min(1.0, max(0.0, gained) / math.log2(min(n, 3)))


def choice_share(identities: Sequence[object]) -> float:
    """Return the share of alternatives that are alternatives: (different - 1) / (m - 1), 1 for a single option.

    >>> choice_share(["actor", "actor"]), choice_share(["actor", "writer", "actor"]), choice_share(["actor"])
    (0.0, 0.5, 1.0)
    """
    return (len(set(identities)) - 1) / (len(identities) - 1) if len(identities) > 1 else 1.0


def entropy(probabilities: Sequence[float] | npt.NDArray[np.float64]) -> float:
    """Return the entropy of a distribution in bits."""
    return -sum(float(p) * math.log2(p) for p in probabilities if p > 0)
