from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, words, write
from rac.benchmarks import clariq
from rac.benchmarks.qulac import BENCHMARK, CLARIQ_DEV_TOPICS, COLUMNS
from rac.errors import DataError

FILE = Path("aliannejadi/qulac/data/qulac/qulac.json")


def put(folder: Path, rows: list[tuple[int, int, str, str]], **changes: Any) -> Path:
    """Write (topic, facet, question, answer) rows in the publisher's form of columns."""
    full = [
        {
            "topic_id": topic, "facet_id": facet, "topic_facet_id": f"{topic}-{facet}",
            "topic_facet_question_id": f"{topic}-{facet}-{i}", "topic": f"topic {topic}", "topic_type": "faceted",
            "facet_type": "inf", "topic_desc": "All \\\"of\\\" it", "facet_desc": f"Facet\\'s {facet}",
            "question": question, "answer": answer,
        }
        for i, (topic, facet, question, answer) in enumerate(rows)
    ]  # fmt: skip
    table: dict[str, Any] = {c: {str(i): row[c] for i, row in enumerate(full)} for c in COLUMNS}
    write(folder / FILE, {**table, **changes})
    return folder


def test_columns_become_one_example_for_each_topic(tmp_path: Path) -> None:
    rows = [(1, 1, "are you", "yes"), (1, 2, "are you", "no"), (1, 1, "", ""), (1, 2, "are you", "no"), (8, 1, "q", "")]
    data = BENCHMARK.read(put(tmp_path, rows))
    first, second = data.examples
    assert (first.query, first.questions, first.answers) == ("topic 1", ("are you",), ("yes", "no"))
    assert first.facets == ("Facet's 1", "Facet's 2")
    assert first.meta["exchanges"] == [[0, 0, "yes"], [1, 0, "no"]]
    assert first.meta["facet_types"] == ["inf", "inf"] and first.labels == {"topic_type": "faceted"}
    assert (first.cluster, second.cluster) == ("trec-web-1", "trec-web-8")
    assert (first.split, second.split) == ("train", "dev")
    assert data.counts["rows with the empty question (no gold question)"] == 1
    assert data.counts["rows that repeat facet, question and answer (merged)"] == 1
    assert data.counts["rows with an empty answer (question kept)"] == 1
    assert [e.id for e in BENCHMARK.read(tmp_path, "dev").examples] == ["qulac-8"]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), words, words), min_size=1, max_size=8))
@SOME
def test_rows_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, str, str]]) -> None:
    data = BENCHMARK.read(put(tmp_path_factory.mktemp("q"), rows))
    found = {
        (int(e.id.removeprefix("qulac-")), e.facets[f], e.questions[q], a)
        for e in data.examples
        for f, q, a in e.meta["exchanges"]
    }
    assert found == {(t, f"Facet's {f}", q, a) for t, f, q, a in rows}


def test_broken_files_are_refused(tmp_path: Path) -> None:
    put(tmp_path, [(1, 1, "q", "a"), (2, 1, "q", "a")], answer={"0": "a"})
    with pytest.raises(DataError, match="field 'answer': has 1 values where 'topic_id' has 2, so rows are shifted"):
        BENCHMARK.read(tmp_path)
    put(tmp_path, [(1, 1, "q", "a")], topic={"0": " "})
    with pytest.raises(DataError, match="no topic_id or no topic"):
        BENCHMARK.read(tmp_path)
    put(tmp_path, [(1, 1, "q", "a"), (1, 1, "r", "a")], topic={"0": "x", "1": "y"})
    with pytest.raises(DataError, match="topic 1 has two different titles"):
        BENCHMARK.read(tmp_path)
    write(tmp_path / FILE, {"topic_id": {}, "question": {}})
    with pytest.raises(DataError, match="no column 'facet_id'; columns found: 'topic_id', 'question'"):
        BENCHMARK.read(tmp_path)
    write(tmp_path / FILE, '{"topic_id": {"0": 1')
    with pytest.raises(DataError, match="not valid JSON"):
        BENCHMARK.read(tmp_path)


def test_the_real_file_lies_inside_clariq_topic_by_topic(mirror: Path) -> None:
    data = BENCHMARK.read(mirror)
    assert len(data.examples) == 198 and data.counts["rows"] == 11039
    assert data.counts["rows with the empty question (no gold question)"] == 762
    assert len({q for e in data.examples for q in e.questions}) == 2592  # one of 2,593 is the empty one
    theirs = {e.cluster: e for e in clariq.BENCHMARK.read(mirror).examples}
    assert {e.cluster for e in theirs.values() if e.split == "dev"} == {
        clariq.topic_group(t) for t in CLARIQ_DEV_TOPICS
    }
    assert all(e.split == theirs[e.cluster].split for e in data.examples)
    known = {q for e in theirs.values() for q in e.questions}
    assert {q for e in data.examples for q in e.questions} <= known
