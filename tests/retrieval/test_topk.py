from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.retrieval.topk import top_k


def test_best_first_and_ties_by_position() -> None:
    assert top_k(np.array([1.0, 3.0, 2.0, 3.0]), 3).tolist() == [1, 3, 2]


def test_ties_by_row_if_rows_are_given() -> None:
    assert top_k(np.array([2.0, 2.0, 2.0]), 2, np.array([9, 4, 7])).tolist() == [1, 2]


def test_more_than_there_are_and_none() -> None:
    assert top_k(np.array([1.0]), 5).tolist() == [0]
    assert top_k(np.empty(0), 5).tolist() == []
    assert top_k(np.array([1.0]), 0).tolist() == []


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 32), st.randoms())
def test_equals_a_full_sort(scores: list[int], k: int, random: object) -> None:
    rows = np.arange(len(scores))
    np.random.default_rng(len(scores)).shuffle(rows)
    values = np.array(scores, float)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], rows[i]))[:k]
    assert top_k(values, k, rows).tolist() == expected
