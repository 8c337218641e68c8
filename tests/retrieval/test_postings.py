from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.errors import DataError
from rac.retrieval.postings import Postings, PostingsWriter, Query, term_ranges

TERMS, ROWS = 6, 9
MATRICES = st.lists(
    st.dictionaries(st.integers(0, TERMS - 1), st.integers(1, 5), max_size=TERMS), min_size=1, max_size=ROWS
)


def write(folder: Path, rows: list[dict[int, int]], block: int = 3) -> Postings:
    folder.mkdir()
    writer = PostingsWriter(folder, block=block)
    for number, row in enumerate(rows):
        if row:
            terms = np.array(sorted(row))
            writer.add(np.full(len(terms), number), terms, np.array([row[t] for t in terms.tolist()], float))
    writer.finish(TERMS)
    return Postings(folder, len(rows))


def dense(rows: list[dict[int, int]]) -> np.ndarray:
    matrix = np.zeros((len(rows), TERMS))
    for number, row in enumerate(rows):
        for term, value in row.items():
            matrix[number, term] = value
    return matrix


def query(weights: dict[int, float]) -> Query:
    terms = np.array(sorted(weights), np.int64)
    return terms, np.array([weights[int(term)] for term in terms], np.float32)


@settings(deadline=None, max_examples=60)
@given(MATRICES, st.dictionaries(st.integers(0, TERMS - 1), st.sampled_from([0.5, 1.0, 2.0])), st.integers(1, 20))
def test_products_are_those_of_the_full_matrix(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[int, int]], weights: dict[int, float], block: int
) -> None:
    postings = write(tmp_path_factory.mktemp("p") / "x", rows, block)
    expected = dense(rows) @ np.array([weights.get(term, 0.0) for term in range(TERMS)])
    order = [int(i) for i in np.lexsort((np.arange(len(rows)), -expected)) if expected[i] > 0]
    found, scores = postings.search([query(weights)], len(rows))[0]
    assert found.tolist() == order
    assert scores.tolist() == pytest.approx([expected[i] for i in order])


@settings(deadline=None, max_examples=40)
@given(MATRICES, st.sets(st.integers(0, ROWS - 1)), MATRICES)
def test_carrying_rows_over_equals_writing_them_anew(
    tmp_path_factory: pytest.TempPathFactory, old: list[dict[int, int]], dropped: set[int], new: list[dict[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("p")
    before = write(folder / "old", old)
    kept = [number for number in range(len(old)) if number not in dropped]
    expected = write(folder / "expected", [*(old[number] for number in kept), *new])
    (folder / "new").mkdir()
    writer = PostingsWriter(folder / "new", block=4)
    numbers = np.full(len(old), -1)
    numbers[kept] = np.arange(len(kept))
    writer.carry(before, numbers)
    for number, row in enumerate(new, start=len(kept)):
        terms = np.array(sorted(row), np.int64)
        writer.add(np.full(len(terms), number), terms, np.array([row[t] for t in terms.tolist()], float))
    writer.finish(TERMS)
    after = Postings(folder / "new", len(kept) + len(new))
    for name in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(after, name), getattr(expected, name))


def test_an_empty_file_finds_nothing(tmp_path: Path) -> None:
    postings = write(tmp_path / "x", [{}, {}])
    assert postings.search([query({1: 1.0}), query({})], 3)[0][0].tolist() == []
    assert postings.search([], 3) == []


def test_many_queries_are_cut_into_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [dict.fromkeys(range(TERMS), row % 5 + 1) for row in range(9)]
    postings = write(tmp_path / "x", rows)
    queries = [query({term % TERMS: 1.0}) for term in range(25)] + [query({})]
    whole = postings.search(queries, 4)
    monkeypatch.setattr("rac.retrieval.postings._TOUCHED", 10)
    monkeypatch.setattr("rac.retrieval.postings._WORTH_A_THREAD", 1)
    cut = postings.search(queries, 4, threads=3)
    assert [(r.tolist(), s.tolist()) for r, s in cut] == [(r.tolist(), s.tolist()) for r, s in whole]


def test_ranges_cover_all_terms_within_the_block() -> None:
    indptr = np.array([0, 2, 2, 9, 10, 11])
    assert term_ranges(indptr, 3) == [(0, 2), (2, 3), (3, 5)]


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "x", [{1: 1}, {2: 1}])
    np.save(tmp_path / "x" / "data.csc.index.npy", np.ones(1, np.float32))
    with pytest.raises(DataError, match="lengths do not agree"):
        Postings(tmp_path / "x", 2)
