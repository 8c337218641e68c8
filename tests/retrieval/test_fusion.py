from __future__ import annotations

import numpy as np
import pytest

from rac.retrieval.base import Contribution
from rac.retrieval.fusion import fuse
from rac.retrieval.postings import Ranked
from rac.retrieval.settings import IndexSettings


def ranked(*pairs: tuple[int, float]) -> Ranked:
    return np.array([row for row, _ in pairs], np.int64), np.array([score for _, score in pairs], np.float32)


RANKINGS = {"bm25": ranked((7, 8.0), (3, 4.0)), "dense": ranked((3, 0.9), (5, 0.45), (7, 0.0))}


def test_reciprocal_ranks_by_hand() -> None:
    found = fuse(RANKINGS, IndexSettings(strategy="hybrid", rrf_k=60))
    expected = {7: 1 / 61 + 1 / 63, 3: 1 / 62 + 1 / 61, 5: 1 / 62}
    assert [one.row for one in found] == [3, 7, 5]
    assert [one.score for one in found] == pytest.approx([expected[3], expected[7], expected[5]])
    assert found[0].parts == {"bm25": Contribution(4.0, 2), "dense": Contribution(pytest.approx(0.9), 1)}


def test_weighted_scores_by_hand() -> None:
    chosen = IndexSettings(strategy="hybrid", fusion="weighted", weights={"dense": 3.0})
    found = fuse(RANKINGS, chosen)
    assert {one.row: one.score for one in found} == pytest.approx({7: 0.25, 3: 0.25 * 0.5 + 0.75, 5: 0.75 * 0.5})


def test_weights_apply_to_ranks_and_zero_leaves_a_part_out() -> None:
    found = fuse(RANKINGS, IndexSettings(strategy="hybrid", weights={"bm25": 0.0, "dense": 2.0}, rrf_k=0))
    assert [(one.row, one.score) for one in found] == [(3, 2.0), (5, 1.0), (7, pytest.approx(2 / 3))]
    assert all("bm25" not in one.parts for one in found)


def test_ties_are_decided_by_row() -> None:
    found = fuse({"bm25": ranked((9, 1.0)), "dense": ranked((2, 1.0))}, IndexSettings(strategy="hybrid"))
    assert [one.row for one in found] == [2, 9]


def test_nothing_found_gives_nothing() -> None:
    assert fuse({"bm25": ranked(), "dense": ranked()}, IndexSettings(strategy="hybrid")) == []
