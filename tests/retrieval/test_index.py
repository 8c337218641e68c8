from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import UserError
from rac.records import Passage
from rac.retrieval import Hit, Index, IndexSettings, build_index, open_index

STRATEGIES = [
    {"strategy": "bm25"},
    {"strategy": "bm25", "fields": "facets"},
    {"strategy": "dense"},
    {"strategy": "dense", "fields": "queries"},
    {"strategy": "hybrid", "fields": "facets"},
    {"strategy": "hybrid", "fusion": "weighted", "weights": {"dense": 2.0}},
]


def ids(hits: list[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


@pytest.mark.parametrize("change", STRATEGIES)
class TestEveryStrategy:
    def test_builds_opens_and_finds(
        self, change: dict, passages: list[Passage], tmp_path: Path, encoder: object
    ) -> None:
        built = build_index(iter(passages), IndexSettings.model_validate(change), tmp_path / "i")
        assert isinstance(built, Index)
        opened = open_index(tmp_path / "i", verify=True)
        assert len(opened) == len(passages) == opened.info()["passages"]
        hits = opened.search_batch(["city in Morocco", "jazz"], 2)
        assert hits == built.search_batch(["city in Morocco", "jazz"], 2)
        assert ids(hits[0])[0] in ("city", "rabat") and ids(hits[1])[0] == "jazz"
        assert hits[1][0].passage == passages[-1]
        assert [hit.rank for hit in hits[0]] == [1, 2]

    def test_adding_and_deleting_equals_building_anew(
        self, change: dict, passages: list[Passage], tmp_path: Path, encoder: object
    ) -> None:
        chosen = IndexSettings.model_validate(change)
        index = build_index(passages[:3], chosen, tmp_path / "i")
        assert index.add(passages[3:]) == 2
        assert index.delete(["rick", "film", "rick"]) == 2
        left = [passages[1], *passages[3:]]
        anew = build_index(left, chosen, tmp_path / "new")
        queries = ["Casablanca", "city on the Atlantic", "jazz", "zzz"]
        assert index.search_batch(queries, 9) == anew.search_batch(queries, 9)
        assert len(index) == 3
        index.save(tmp_path / "i")
        assert open_index(tmp_path / "i", verify=True).search_batch(queries, 9) == anew.search_batch(queries, 9)

    def test_queries_without_a_word_find_nothing(
        self, change: dict, passages: list[Passage], tmp_path: Path, encoder: object
    ) -> None:
        index = build_index(passages, IndexSettings.model_validate(change), tmp_path / "i")
        assert index.search_batch(["", "?!", "   "], 3) == [[], [], []]

    def test_each_passage_is_found_once_with_its_best_entry(
        self, change: dict, passages: list[Passage], tmp_path: Path, encoder: object
    ) -> None:
        index = build_index(passages, IndexSettings.model_validate(change), tmp_path / "i")
        for hits in index.search_batch(["Rabat city capital of Morocco", "Casablanca film"], 5):
            assert len(set(ids(hits))) == len(hits)


def test_unsaved_changes_stay_with_the_process(passages: list[Passage], tmp_path: Path) -> None:
    index = build_index(passages[:3], IndexSettings(), tmp_path / "i")
    index.add(passages[3:])
    assert len(index) == 5 and len(open_index(tmp_path / "i")) == 3
    work = list((tmp_path / "i").glob(".update-*"))
    assert len(work) == 1
    index.save(tmp_path / "other")
    assert len(open_index(tmp_path / "other", verify=True)) == 5 and len(open_index(tmp_path / "i")) == 3
    del index
    assert not list((tmp_path / "i").glob(".update-*"))


def test_old_vectors_are_carried_over(passages: list[Passage], tmp_path: Path, encoder: object) -> None:
    index = build_index(passages[:4], IndexSettings(strategy="dense", fields="title+text"), tmp_path / "i")
    encoder.seen.clear()  # type: ignore[attr-defined]
    index.add(passages[4:])
    index.delete(["film"])
    assert [text for text in encoder.seen if "lazy dogs" not in text] == [  # type: ignore[attr-defined]
        "Jazz\nMusic genre\nSwing and blue notes."
    ]


def test_an_empty_corpus_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no passages"):
        build_index([], IndexSettings(), tmp_path / "i")
    assert list(tmp_path.iterdir()) == []


def test_duplicate_ids_are_refused_with_their_positions(passages: list[Passage], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="passages 2 and 6 of the corpus have the same id 'city'"):
        build_index([*passages, passages[1]], IndexSettings(), tmp_path / "i")
    index = build_index(passages, IndexSettings(), tmp_path / "i")
    with pytest.raises(UserError, match="same id 'jazz'"):
        index.add([passages[-1]])
    assert len(index) == 5


def test_duplicate_texts_are_two_passages(tmp_path: Path) -> None:
    index = build_index([Passage(id="a", text="twin"), Passage(id="b", text="twin")], IndexSettings(), tmp_path / "i")
    assert ids(index.search_batch(["twin"], 5)[0]) == ["a", "b"]


def test_unknown_ids_delete_nothing(passages: list[Passage], tmp_path: Path) -> None:
    index = build_index(passages, IndexSettings(), tmp_path / "i")
    with pytest.raises(UserError, match="1 of 2 ids to delete are not in the index \\('nope' first\\)"):
        index.delete(["city", "nope"])
    with pytest.raises(UserError, match="would leave an empty index"):
        index.delete([passage.id for passage in passages])
    assert len(index) == 5 and index.delete([]) == 0


def test_long_empty_and_unicode_passages(tmp_path: Path) -> None:
    corpus = [
        Passage(id="long", text="word " * 50_000 + "needle"),
        Passage(id="empty"),
        Passage(id="日本 \u2028 \"'\\", title="東京", text="首都 \U0001f600 e\u0301"),
    ]
    index = build_index(corpus, IndexSettings(), tmp_path / "i")
    assert ids(index.search_batch(["needle"], 2)[0]) == ["long"]
    (hit,) = open_index(tmp_path / "i").search_batch(["京"], 2)[0]
    assert hit.passage == corpus[2]
    assert index.search_batch(["\ud800"], 1) == [[]]  # a query may hold what no passage can
    index.delete(["日本 \u2028 \"'\\"])
    assert index.search_batch(["京"], 2) == [[]]


def test_what_cannot_be_searched_is_refused(passages: list[Passage], tmp_path: Path) -> None:
    index = build_index(passages, IndexSettings(), tmp_path / "i")
    with pytest.raises(UserError, match="top_k is 0"):
        index.search_batch(["x"], 0)
    with pytest.raises(UserError, match="one string"):
        index.search_batch("x", 1)
    assert index.search_batch([], 1) == []


def test_explaining_shows_words_and_contributions(passages: list[Passage], tmp_path: Path, encoder: object) -> None:
    index = build_index(passages, IndexSettings(strategy="hybrid"), tmp_path / "i")
    plain, explained = (index.search_batch(["Morocco's cities"], 2, explain=flag)[0] for flag in (False, True))
    assert [hit.terms for hit in plain] == [(), ()]
    assert explained[0].terms == ("Morocco", "cities")
    assert set(explained[0].parts) == {"bm25", "dense"}
    total = sum(1 / (60 + part.rank) for part in explained[0].parts.values())
    assert explained[0].score == pytest.approx(total)
    assert explained[0].to_dict()["parts"]["bm25"]["rank"] == explained[0].parts["bm25"].rank


def test_settings_of_searching_may_change_and_others_not(passages: list[Passage], tmp_path: Path) -> None:
    build_index(passages, IndexSettings(), tmp_path / "i")
    assert open_index(tmp_path / "i", diversify="mmr").settings.diversify == "mmr"  # type: ignore[attr-defined]
    expected = IndexSettings(diversify="facets", threads=1)
    assert open_index(tmp_path / "i", expected).settings.diversify == "facets"  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="built with stemming = True, but False is asked for"):
        open_index(tmp_path / "i", IndexSettings(stemming=False))
    with pytest.raises(UserError, match="'stemming' is fixed when an index is built"):
        open_index(tmp_path / "i", stemming=False)
    with pytest.raises(UserError, match="did you mean 'diversify'"):
        open_index(tmp_path / "i", diversfy="mmr")
    with pytest.raises(UserError, match="mmr_lambda = 7"):
        open_index(tmp_path / "i", mmr_lambda=7)
    assert open_index(tmp_path / "i", IndexSettings(model="other"))  # no effect on a lexical index


def test_another_model_is_refused(
    passages: list[Passage], tmp_path: Path, encoder: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(passages, IndexSettings(strategy="dense"), tmp_path / "i")
    with pytest.raises(UserError, match="built with model = 'embedded', but 'other' is asked for"):
        open_index(tmp_path / "i", IndexSettings(strategy="dense", model="other"))
    changed = type(encoder)("salt")
    monkeypatch.setattr("rac.retrieval.dense.bi_encoder", lambda name, max_tokens=None: changed)
    with pytest.raises(UserError, match="gives other vectors than when the index was built"):
        open_index(tmp_path / "i").search_batch(["x"], 1)


def test_vectors_of_two_models_are_not_mixed(passages: list[Passage], tmp_path: Path, encoder: Any) -> None:
    index = build_index(passages[:4], IndexSettings(strategy="hybrid"), tmp_path / "i")
    encoder.salt = "another"
    for change in (lambda: index.add(passages[4:]), lambda: index.delete(["film"])):
        with pytest.raises(UserError, match="gives other vectors than when the index was built"):
            change()
    assert len(index) == 4 and not list((tmp_path / "i").glob(".update-*"))


def test_the_same_corpus_gives_the_same_bytes(passages: list[Passage], tmp_path: Path, encoder: object) -> None:
    for name in "ab":
        build_index(passages, IndexSettings(strategy="hybrid", fields="facets"), tmp_path / name)
    first, second = (open_index(tmp_path / name) for name in "ab")
    headers = [index.opened.header for index in (first, second)]  # type: ignore[attr-defined]
    assert headers[0] == headers[1]
    assert first.info()["corpus"]["sha256"] == second.info()["corpus"]["sha256"]


def test_passages_stream_through(tmp_path: Path) -> None:
    def stream() -> Iterator[Passage]:
        for number in range(5000):
            yield Passage(id=str(number), text=f"word{number % 7}")

    index = build_index(stream(), IndexSettings(), tmp_path / "i")
    assert len(index) == 5000


TEXTS = st.lists(st.text(max_size=30), min_size=1, max_size=6)


@settings(deadline=None, max_examples=40)
@given(TEXTS, st.text(max_size=20), st.sampled_from(["text", "title+text", "facets", "queries"]))
def test_any_text_can_be_indexed_and_asked(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], query: str, fields: str
) -> None:
    corpus = [Passage(id=str(n), text=text, title=text[:5], description=text[5:9]) for n, text in enumerate(texts)]
    settings_ = IndexSettings.model_validate({"fields": fields})
    index = build_index(corpus, settings_, tmp_path_factory.mktemp("i") / "x")
    hits = index.search_batch([query, *texts], 3, explain=True)
    assert all(hit.passage == corpus[int(hit.passage.id)] for some in hits for hit in some)
