from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.records import Passage
from rac.retrieval import IndexSettings, build_index, open_index
from rac.retrieval.diversify import facet_order, mmr, relevance, term_similarity

ALIKE = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.1], [0.1, 0.1, 1.0]])


def test_mmr_by_hand() -> None:
    scores = np.array([1.0, 0.95, 0.5])
    assert mmr(scores, ALIKE, 3, 1.0) == [0, 1, 2]
    # second pick at 0.5: 0.5*0.95 - 0.5*0.9 = 0.025 against 0.5*0.5 - 0.5*0.1 = 0.2
    assert mmr(scores, ALIKE, 3, 0.5) == [0, 2, 1]
    assert mmr(scores, ALIKE, 1, 0.5) == [0]


def test_one_pick_per_cluster_before_a_second() -> None:
    assert facet_order(ALIKE, 0.5) == [0, 2, 1]
    assert facet_order(ALIKE, 0.95) == [0, 1, 2]
    assert facet_order(np.ones((3, 3)), 0.5) == [0, 1, 2]
    assert facet_order(np.empty((0, 0)), 0.5) == []


def test_relevance_is_scaled_to_the_best() -> None:
    assert relevance([4.0, 2.0]).tolist() == [1.0, 0.5]
    assert relevance([3.0, -1.0]).tolist() == [1.0, 0.0]
    assert relevance([0.0, 0.0]).tolist() == [1.0, 1.0]
    assert relevance([-2.0, -2.0]).tolist() == [1.0, 1.0]


def test_shared_terms_by_hand() -> None:
    alike = term_similarity([["a", "b", "a"], ["b", "c", "d", "e"], []])
    assert alike[0, 1] == alike[1, 0] == pytest.approx(1 / np.sqrt(8))
    assert alike[0, 2] == 0 and alike.diagonal().tolist() == [1, 1, 1]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 8), st.integers(0, 10), st.floats(0, 1), st.integers(0, 1000))
def test_every_order_is_a_permutation_that_starts_with_the_best(n: int, k: int, balance: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    alike = np.clip(rng.random((n, n)), 0, 1)
    scores = np.sort(rng.random(n))[::-1]
    picks = mmr(scores, alike, k, balance)
    assert len(picks) == len(set(picks)) == min(k, n)
    assert sorted(facet_order(alike, balance)) == list(range(n))


CORPUS = [
    Passage(id="f1", title="Mercury", description="planet", text="smallest planet of the solar system near the sun"),
    Passage(id="f2", title="Mercury", description="planet", text="the planet near the sun in the solar system, small"),
    Passage(
        id="e", title="Mercury", description="chemical element", text="liquid metal used in thermometers and lamps"
    ),
    Passage(id="g", title="Venus", text="love and beauty"),
]


@pytest.mark.parametrize("kind", ["mmr", "facets"])
@pytest.mark.parametrize("strategy", ["bm25", "hybrid"])
def test_another_facet_comes_before_a_second_passage_of_the_same(
    kind: str, strategy: str, tmp_path: Path, encoder: object
) -> None:
    chosen = {"strategy": strategy, "fields": "title+text", "facet_similarity": 0.6, "mmr_lambda": 0.3}
    build_index(CORPUS, IndexSettings.model_validate(chosen), tmp_path / "i")
    plain = open_index(tmp_path / "i").search_batch(["Mercury planet sun"], 3)[0]
    assert [hit.passage.id for hit in plain][:2] in (["f1", "f2"], ["f2", "f1"])
    hits = open_index(tmp_path / "i", diversify=kind).search_batch(["Mercury planet sun"], 2)[0]
    assert [hit.passage.id for hit in hits] == [plain[0].passage.id, "e"]
    assert [hit.rank for hit in hits] == [1, 2]
    assert hits[0].score == plain[0].score


def test_few_passages_need_no_choice(tmp_path: Path) -> None:
    index = build_index(CORPUS, IndexSettings(diversify="mmr"), tmp_path / "i")
    assert [hit.passage.id for hit in index.search_batch(["love"], 3)[0]] == ["g"]
    assert index.search_batch(["zzz"], 3) == [[]]
