"""Milvus, on milvus-lite: the same client and the same calls as a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rac.errors import UserError
from rac.records import Passage
from rac.retrieval import Index, IndexSettings, build_index, open_index
from rac.retrieval.milvus_encoders import MilvusEncoders

pytestmark = pytest.mark.extra


@pytest.fixture(autouse=True)
def _one_encoder(encoder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rac.retrieval.encoders.bi_encoder", lambda name, max_tokens=None: encoder)


def settings(**changes: object) -> IndexSettings:
    return IndexSettings.model_validate({"strategy": "milvus", "parts": ("bm25",), **changes})


def test_another_model_is_refused_every_time_it_is_asked(encoder: Any) -> None:
    chosen = settings(parts=("dense",))
    header = MilvusEncoders(chosen).header()
    encoder.salt = "another"
    opened = MilvusEncoders(chosen, header)
    for _ in range(2):  # the second time it had been taken for the right one
        with pytest.raises(UserError, match="gives other vectors"):
            opened.fill([{}], ["text"])


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"fields": "facets"},
        {"parts": ("dense",)},
        {"parts": ("bm25", "dense"), "fields": "facets"},
        {"parts": ("bm25", "dense"), "fusion": "weighted", "weights": {"dense": 2.0}},
        {"parts": ("dense",), "approximate": True},
    ],
)
def test_builds_finds_adds_deletes_and_opens_again(change: dict, passages: list[Passage], tmp_path: Path) -> None:
    index = build_index(iter(passages[:4]), settings(**change), tmp_path / "i")
    assert isinstance(index, Index) and len(index) == 4
    assert index.search_batch(["city in Morocco"], 2)[0][0].passage.id in ("city", "rabat")
    assert index.add(passages[4:]) == 1
    (hits,) = index.search_batch(["Jazz music"], 1, explain=True)
    assert hits[0].passage == passages[4] and hits[0].terms == ("Jazz", "music")
    assert set(hits[0].parts) == set(index.info()["retrievers"])
    assert index.delete(["jazz", "film"]) == 2 and len(index) == 3
    found = {hit.passage.id for hit in index.search_batch(["Casablanca film jazz"], 9)[0]}
    assert found and not found & {"jazz", "film"}
    again = open_index(tmp_path / "i", verify=True)
    assert again.search_batch(["Rabat"], 3) == index.search_batch(["Rabat"], 3)
    assert again.search_batch(["", "?!"], 3) == [[], []]


@pytest.mark.parametrize("parts", [("bm25",), ("bm25", "dense")])
def test_added_passages_are_weighed_as_if_they_had_been_there(
    parts: tuple, passages: list[Passage], tmp_path: Path
) -> None:
    """milvus-lite counts words within a segment; one new passage alone would hardly be found."""
    more = [Passage(id=str(n), title=f"Quiet {n}", text="Nothing of interest happens here.") for n in range(20)]
    new = Passage(id="new", title="Rabat airport", text="The airport of Rabat lies east of the city.")
    whole = build_index([*passages, *more, new], settings(parts=parts), tmp_path / "whole")
    grown = build_index([*passages, *more], settings(parts=parts), tmp_path / "grown")
    assert grown.add([new]) == 1
    again = open_index(tmp_path / "grown")
    for query, depth in (("airport of Rabat", 3), ("city in Morocco", 3), ("quiet 7", 1)):
        (first,), (second,), (third,) = (index.search_batch([query], depth) for index in (whole, grown, again))
        assert [(h.passage.id, pytest.approx(h.score, rel=1e-4)) for h in first] == [
            (h.passage.id, h.score) for h in second
        ]
        assert second == third
    names = grown._engine._client.list_collections()  # type: ignore[attr-defined]
    assert len(names) == 1, "the old collection is gone"


def test_what_a_killed_build_left_is_dropped_by_the_next(passages: list[Passage], tmp_path: Path) -> None:
    index = build_index(passages, settings(), tmp_path / "i")
    client = index._engine._client  # type: ignore[attr-defined]
    index._engine.create("passages_0123abcd", settings(), None)  # type: ignore[attr-defined]
    index._engine.create("passages_of_others", settings(), None)  # type: ignore[attr-defined]
    index.add([Passage(id="n", text="new")])
    left = client.list_collections()
    assert len(left) == 2 and "passages_of_others" in left and "passages_0123abcd" not in left


def test_words_are_analysed_as_in_the_local_index(passages: list[Passage], tmp_path: Path) -> None:
    """The engine gets terms, so stems, stop words and accents work though milvus-lite knows none of them."""
    local = build_index(passages, IndexSettings(), tmp_path / "local")
    engine = build_index(passages, settings(), tmp_path / "engine")
    queries = ["the cities of MOROCCO", "cafe", "romantic dramas", "the", "zzz"]
    for first, second in zip(local.search_batch(queries, 3), engine.search_batch(queries, 3), strict=True):
        assert [hit.passage.id for hit in first] == [hit.passage.id for hit in second]
        # The engine's formula has the constant factor k1 + 1.
        assert [hit.score * 2.5 for hit in first] == pytest.approx([hit.score for hit in second], rel=1e-4)


def test_ranks_are_fused_in_the_engine_as_here(passages: list[Passage], tmp_path: Path) -> None:
    # With several entries a passage the engine fuses entries, where rac fuses passages.
    local = build_index(passages, IndexSettings(strategy="hybrid", fields="title+text"), tmp_path / "local")
    engine = build_index(passages, settings(parts=("bm25", "dense"), fields="title+text"), tmp_path / "engine")
    for first, second in zip(*(i.search_batch(["Casablanca city", "film"], 5) for i in (local, engine)), strict=True):
        assert {hit.passage.id: pytest.approx(hit.score, rel=1e-4) for hit in first} == {
            hit.passage.id: hit.score for hit in second
        }


def test_diversifying_uses_the_vectors_of_the_engine(passages: list[Passage], tmp_path: Path) -> None:
    twin = passages[1].model_copy(update={"id": "twin"})
    build_index([*passages, twin], settings(parts=("bm25", "dense")), tmp_path / "i")
    plain = open_index(tmp_path / "i").search_batch(["Casablanca city Morocco"], 2)[0]
    varied = open_index(tmp_path / "i", diversify="facets", facet_similarity=0.99).search_batch(
        ["Casablanca city Morocco"], 2
    )[0]
    assert {hit.passage.id for hit in plain} == {"city", "twin"}
    assert len({hit.passage.id for hit in varied} & {"city", "twin"}) == 1


def test_a_rebuild_replaces_the_collection_and_a_failing_one_does_not(passages: list[Passage], tmp_path: Path) -> None:
    from pymilvus import MilvusClient

    uri = str(tmp_path / "corpus.db")
    chosen = settings(uri=uri)
    build_index(passages, chosen, tmp_path / "i")
    with pytest.raises(UserError, match="has the id 'city' of an earlier one"):
        build_index([*passages, passages[1]], chosen, tmp_path / "i")
    assert len(open_index(tmp_path / "i")) == 5
    build_index(passages[:2], chosen, tmp_path / "i")
    assert len(open_index(tmp_path / "i")) == 2
    assert len(MilvusClient(uri).list_collections()) == 1


def test_refusals(passages: list[Passage], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no passages"):
        build_index([], settings(), tmp_path / "empty")
    with pytest.raises(UserError, match="give a file ending in"):
        build_index(passages, settings(uri="somewhere"), tmp_path / "i")
    with pytest.raises(UserError, match="fuses ranks without weights"):
        build_index(passages, settings(parts=("bm25", "dense"), weights={"dense": 2.0}), tmp_path / "i")
    with pytest.raises(UserError, match="split the corpus into passages"):
        build_index([Passage(id="long", text="word " * 20_000)], settings(), tmp_path / "i")
    index = build_index(passages, settings(), tmp_path / "i")
    with pytest.raises(UserError, match="already in the index, so nothing was added"):
        index.add([Passage(id="new"), passages[0]])
    with pytest.raises(UserError, match="twice among the new passages"):
        index.add([Passage(id="new"), Passage(id="new")])
    with pytest.raises(UserError, match="1 of 1 ids to delete are not in the index"):
        index.delete(["nope"])
    assert len(index) == 5
    with pytest.raises(UserError, match="cannot be saved to"):
        index.save(tmp_path / "copy")


def test_a_file_is_found_from_every_directory_and_may_move(
    passages: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = settings(uri="./corpus.db")
    build_index(passages, chosen, "i")
    monkeypatch.chdir("/")
    assert len(open_index(tmp_path / "i", settings())) == 5
    with pytest.raises(UserError, match="has no collection 'passages'"):
        open_index(tmp_path / "i", uri=str(tmp_path / "other.db"))


def test_ids_may_hold_anything(tmp_path: Path) -> None:
    odd = ['a"] or key != "', "\\", "x" * 3000, "日本 \u2028"]
    index = build_index([Passage(id=key, text="same") for key in odd], settings(), tmp_path / "i")
    assert index.delete([odd[0]]) == 1
    assert sorted(hit.passage.id for hit in index.search_batch(["same"], 9)[0]) == sorted(odd[1:])


def test_a_server_that_does_not_answer_is_one_sentence(
    passages: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAC_MILVUS_TOKEN", "secret-token")
    with pytest.raises(UserError, match=r"Milvus at http://127\.0\.0\.1:9 cannot be used") as caught:
        build_index(passages, settings(uri="http://127.0.0.1:9"), tmp_path / "i")
    assert "secret-token" not in str(caught.value)
    assert not (tmp_path / "i").exists()
