from __future__ import annotations

import pytest

from rac.errors import UserError
from rac.retrieval.settings import SEARCH_TIME, IndexSettings, parse_settings


def test_every_key_is_described() -> None:
    assert all(field.description for field in IndexSettings.model_fields.values())
    assert set(IndexSettings.model_fields) >= SEARCH_TIME


def test_assignments_are_read_as_yaml() -> None:
    chosen = parse_settings(["strategy=hybrid", "index.stemming=false", "weights={dense: 2}", "parts=[bm25, sparse]"])
    assert (chosen.strategy, chosen.stemming, chosen.weights) == ("hybrid", False, {"dense": 2.0})
    assert chosen.retrievers == ("bm25", "sparse")
    assert parse_settings(["k1=0.9"], chosen).strategy == "hybrid"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("strategi=bm25", "did you mean 'strategy'"),
        ("strategy", "has no value"),
        ("strategy=magic", "strategy = 'magic' cannot be used"),
        ("parts=[bm25, bm25]", "at most once"),
        ("parts=[]", "at least one"),
        ("weights={dense: -1}", "must not be negative"),
        ("weights={bmx: 1}", "cannot be used"),
        ("b=2", "b = 2 cannot be used"),
        ("language=klingon", "language = 'klingon' cannot be used"),
        ("k1=[", "not valid YAML"),
        ("model=2024-13-45", "the value is not valid YAML; put it in quotes"),
    ],
)
def test_what_cannot_be_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_settings([assignment])


def test_a_hybrid_without_weight_is_refused() -> None:
    with pytest.raises(UserError, match="a weight above 0"):
        parse_settings(["strategy=hybrid", "weights={bm25: 0, dense: 0}"])
