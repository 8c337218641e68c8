"""Info: how much the user's answer would tell about what they want, measured without any gold.

The target passage i is uniform over D. A simulated user picks uniformly among the options with s_ij >= tau, and answers
"none of these" if there is none. With H the entropy in bits,

    Info = min(1, I(target; answer) / log2 min(N, 3)),   I = H(answer) - H(answer given target),   0 for N = 1

Range 0..1. "What do you mean?", "X or X" and invented options give 0. What fools it: passages about the same thing
count as different targets. Cost: m N operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def info(matrix: npt.NDArray[np.float64], tau: float) -> float:
    """Return Info of a question.

    Args:
        matrix: s_ij of its options, shape (m, N).
        tau: From which s_ij a user takes an option as meant.

    >>> info(np.array([[1.0, 0.0], [0.0, 1.0]]), 0.5)
    1.0
    >>> info(np.array([[1.0, 1.0], [1.0, 1.0]]), 0.5)
    0.0
    """
    m, n = matrix.shape
    if m == 0 or n < 2:
        return 0.0
    fits = matrix >= tau
    totals = fits.sum(axis=0)
    answers = np.zeros((m + 1, n))
    answers[:m] = fits / np.maximum(totals, 1)
    answers[m] = totals == 0
    gained = entropy(answers.mean(axis=1)) - float(np.mean([entropy(answers[:, i]) for i in range(n)]))
    return min(1.0, max(0.0, gained) / math.log2(min(n, 3)))


def entropy(probabilities: Sequence[float] | npt.NDArray[np.float64]) -> float:
    """Return the entropy of a distribution in bits."""
    return -sum(float(p) * math.log2(p) for p in probabilities if p > 0)
