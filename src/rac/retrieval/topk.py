"""The best k of many scores, with ties decided by position, so that equal inputs give equal results everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def top_k(scores: NDArray, k: int, rows: NDArray | None = None) -> NDArray[np.int64]:
    """Return positions of the k best scores, best first; equal scores in ascending order of row.

    Args:
        scores: [n] scores.
        k: How many; fewer are returned if n is smaller.
        rows: [n] row of each score, for ties; the positions themselves by default.
    """
    n = len(scores)
    k = min(k, n)
    if k <= 0:
        return np.empty(0, np.int64)
    if k < n:
        # argpartition leaves open which of several equal scores it keeps at the border; that choice is made here.
        border = np.partition(scores, n - k)[n - k]
        above = np.flatnonzero(scores > border)
        level = np.flatnonzero(scores == border)
        missing = k - len(above)
        if len(level) > missing:
            order = level if rows is None else level[np.argsort(rows[level], kind="stable")]
            level = order[:missing]
        chosen = np.concatenate([above, level])
    else:
        chosen = np.arange(n)
    return chosen[np.lexsort((chosen if rows is None else rows[chosen], -scores[chosen]))]
