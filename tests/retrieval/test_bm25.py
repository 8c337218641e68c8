from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.records import Passage
from rac.retrieval import IndexSettings, build_index
from rac.retrieval.analyzer import Analyzer
from rac.retrieval.bm25 import BM25Retriever, BM25Writer
from rac.retrieval.postings import PostingsWriter

WORDS = ["king", "queen", "paint", "the", "dog", "dogs", "x", "é"]


def reference_scores(texts: list[str], query: str, chosen: IndexSettings) -> np.ndarray:
    """What bm25s itself computes for the same terms."""
    import bm25s

    analyzer = Analyzer(chosen)
    corpus = [analyzer.terms(text) for text in texts]
    index = bm25s.BM25(k1=chosen.k1, b=chosen.b, method="lucene")
    index.index(corpus, show_progress=False)
    terms = [term for term in analyzer.terms(query) if term in index.vocab_dict]
    return index.get_scores(terms) if terms else np.zeros(len(texts), np.float32)


def search(folder: Path, texts: list[str], query: str, chosen: IndexSettings, depth: int = 100) -> dict[int, float]:
    writer = BM25Writer(folder, chosen)
    for start in range(0, len(texts), 2):  # in pieces, as a stream gives them
        writer.add(texts[start : start + 2])
    header = writer.finish()
    rows, scores = BM25Retriever(folder, chosen, header, len(texts)).search([query], depth)[0]
    return dict(zip(rows.tolist(), scores.tolist(), strict=True))


TEXT = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=9), TEXT, st.sampled_from([(1.5, 0.75), (0.9, 0.4), (2.0, 0.0)]))
def test_scores_are_those_of_bm25s(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], query: str, weights: tuple[float, float]
) -> None:
    chosen = IndexSettings(k1=weights[0], b=weights[1])
    if not any(Analyzer(chosen).terms(text) for text in texts):
        return  # bm25s cannot index a corpus without a term
    found = search(tmp_path_factory.mktemp("bm25") / "bm25", texts, query, chosen)
    expected = reference_scores(texts, query, chosen)
    assert set(found) == set(np.flatnonzero(expected > 0).tolist())
    for row, score in found.items():
        assert score == pytest.approx(expected[row], rel=1e-5)


def test_a_score_by_hand(tmp_path: Path) -> None:
    found = search(tmp_path / "bm25", ["king king", "dog"], "king", IndexSettings())
    idf = np.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    assert found == {0: pytest.approx(idf * 2 / (2 + 1.5 * (0.25 + 0.75 * 2 / 1.5)), rel=1e-6)}


def test_arrays_load_into_bm25s(tmp_path: Path) -> None:
    import bm25s

    texts = ["king dog", "dog dog", "queen"]
    found = search(tmp_path / "bm25", texts, "dog", IndexSettings())
    other = bm25s.BM25()
    other.nonoccurrence_array = None  # what its own load does for this variant
    other.load_scores(tmp_path / "bm25", num_docs=3, mmap=True)
    number = int(np.load(tmp_path / "bm25" / "vocabulary.numbers.npy")[0])  # 'dog' is the first in the sorted list
    scores = other.get_scores_from_ids([number])
    assert {row: pytest.approx(score) for row, score in found.items()} == {0: scores[0], 1: scores[1]}


def test_small_blocks_give_the_same_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 6)) for _ in range(50)]
    whole = search(tmp_path / "a", texts, "king dog é", IndexSettings())
    monkeypatch.setattr(PostingsWriter.__init__, "__kwdefaults__", {"block": 7})
    assert search(tmp_path / "b", texts, "king dog é", IndexSettings()) == whole
    for name in ("data", "indices", "indptr"):
        first, second = (np.load(tmp_path / f / f"{name}.csc.index.npy") for f in "ab")
        assert np.array_equal(first, second)
    assert not list((tmp_path / "b").glob("spill-*"))


def test_a_full_memory_of_words_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(WORDS[n:] + WORDS[:n]) for n in range(8)]
    whole = search(tmp_path / "whole", texts, "king dogs the x", IndexSettings())
    monkeypatch.setattr("rac.retrieval.bm25.CACHE_LIMIT", 2)
    assert search(tmp_path / "cut", texts, "king dogs the x", IndexSettings()) == whole
    for file in (tmp_path / "whole").iterdir():
        assert (tmp_path / "cut" / file.name).read_bytes() == file.read_bytes()


def test_ties_come_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    passages = [Passage(id=f"p{n}", text="same words") for n in range(20)]
    index = build_index(passages, IndexSettings(), tmp_path / "i")
    assert [hit.passage.id for hit in index.search_batch(["same"], 5)[0]] == ["p0", "p1", "p2", "p3", "p4"]


def test_known_terms_only(passages: list[Passage], tmp_path: Path) -> None:
    index = build_index(passages, IndexSettings(fields="title+text"), tmp_path / "i")
    hits = index.search_batch(["Casablanca", "zzz", "", "the of and", "zzz jazz", "?!"], 3)
    assert [[hit.passage.id for hit in some] for some in hits] == [["city", "rick", "rabat"], [], [], [], ["jazz"], []]
    assert [hit.rank for hit in hits[0]] == [1, 2, 3]
    assert all(a.score >= b.score > 0 for some in hits for a, b in itertools.pairwise(some))


def test_results_do_not_depend_on_the_batch_or_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rac.retrieval.postings._WORTH_A_THREAD", 10)
    rng = np.random.default_rng(1)
    corpus = [Passage(id=str(n), text=" ".join(rng.choice(WORDS, 5))) for n in range(300)]
    queries = [" ".join(rng.choice(WORDS, 3)) for _ in range(40)]
    index = build_index(corpus, IndexSettings(threads=1), tmp_path / "i")
    from rac.retrieval import open_index

    many = open_index(tmp_path / "i", threads=4)
    alone = [index.search_batch([query], 7)[0] for query in queries]
    assert index.search_batch(queries, 7) == alone == many.search_batch(queries, 7)


@pytest.mark.parametrize("change", [{"stemming": False}, {"stop_words": False}, {"language": "none"}])
def test_analyzer_keys_change_what_is_found(change: dict, tmp_path: Path) -> None:
    corpus = [Passage(id="a", text="the paintings"), Passage(id="b", text="music")]
    plain = build_index(corpus, IndexSettings(), tmp_path / "plain")
    other = build_index(corpus, IndexSettings.model_validate(change), tmp_path / "other")
    assert [len(hits) for hits in plain.search_batch(["painting", "the"], 5)] == [1, 0]
    assert [len(hits) for hits in other.search_batch(["painting", "the"], 5)] != [1, 0]
