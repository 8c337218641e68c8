from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, tsv, words, write
from rac.benchmarks.column_settings import ColumnMap
from rac.benchmarks.columns import make_column_map, read_column_map, read_mapped
from rac.errors import DataError, UserError

FULL: dict[str, Any] = {
    "query": "q", "id": "nr", "questions": ["c1", "c2"], "facets": "f", "answers": "a", "passages": "p",
    "passage_titles": "t", "history": "h", "group": "g", "split": "s", "labels": "l", "separator": "|",
}  # fmt: skip


def test_every_key_of_the_map_is_used(tmp_path: Path) -> None:
    header = ["nr", "q", "c1", "c2", "f", "a", "p", "t", "h", "g", "s", "l"]
    rows = [
        [
            "7",
            " the  query ",
            "A?",
            "B?",
            "one | two",
            "yes",
            "text 1|text 2",
            "T1|T2",
            "['hi', 'ho']",
            "doc",
            "dev",
            "3",
        ],
        ["7", "The query", "C?", "A?", "two|three", "", "text 1", "T1", "", "doc", "dev", "4"],
        ["8", "", "x", "", "", "", "", "", "", "", "", ""],
    ]
    path = write(tmp_path / "t.csv", tsv(header, rows, ",", "\r\n"))
    (example,), counts = read_mapped(path, make_column_map(FULL))
    assert (example.id, example.query, example.questions) == ("7", "the query", ("A?", "B?", "C?"))
    assert (example.facets, example.answers) == (("one", "two", "three"), ("yes",))
    assert [(p.title, p.text) for p in example.passages] == [("T1", "text 1"), ("T2", "text 2")]
    assert example.qrels == {p.id: 1 for p in example.passages}
    assert (example.history, example.group, example.split) == (("hi", "ho"), "doc", "dev")
    assert example.labels == {"l": "3"}
    assert counts == {
        "rows": 3, "rows of a query that has an earlier row (merged)": 1, "rows without a query (left out)": 1,
        "examples": 1,
    }  # fmt: skip


def test_without_an_id_rows_of_one_query_are_merged_unless_groups_differ(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "q\tc\tg\nq1\ta\tx\nQ1\tb\tx\nq1\tc\ty\n")
    examples, _ = read_mapped(path, ColumnMap(query="q", questions=("c",), group="g"))
    assert [(e.id, e.questions, e.cluster) for e in examples] == [("row-2", ("a", "b"), "x"), ("row-4", ("c",), "y")]
    examples, counts = read_mapped(path, ColumnMap(query="q"))
    assert [(e.id, e.cluster) for e in examples] == [("row-2", "q1")]
    assert counts["examples without a gold question"] == 1


def test_cells_with_line_ends_and_lists_are_understood(tmp_path: Path) -> None:
    cells = [
        ["q", "line 1\r\nline 2"],
        ["r", '["a", "b, c"]'],
        ["s", "['x', 'y']"],
        ["t", "[not a list"],
        ["u", "[1, __import__('os')]"],
    ]
    path = write(tmp_path / "t.csv", tsv(["q", "p"], cells, ","))
    examples, _ = read_mapped(path, ColumnMap(query="q", facets=("p",)))
    assert [e.facets for e in examples] == [
        ("line 1 line 2",), ("a", "b, c"), ("x", "y"), ("[not a list",), ("[1, __import__('os')]",),
    ]  # fmt: skip


def test_json_lines_with_nested_keys_and_passage_objects(tmp_path: Path) -> None:
    rows = [
        {
            "q": {"text": "query"},
            "cs": ["A?", "B?"],
            "ps": [{"id": "p1", "title": "T", "text": "x"}, "plain", {}, None],
            "n": 3,
        },
        {"q": {"text": "other"}, "cs": None, "ps": [{"contents": "c"}], "n": None},
    ]
    path = write(tmp_path / "t.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    examples, _ = read_mapped(path, ColumnMap(query="q.text", questions=("cs",), passages=("ps",), labels=("n",)))
    assert [e.questions for e in examples] == [("A?", "B?"), ()]
    assert (examples[0].passages[0].id, examples[0].passages[0].title) == ("p1", "T")
    assert [p.text for e in examples for p in e.passages] == ["x", "plain", "c"]
    assert examples[0].labels == {"n": 3}
    with pytest.raises(DataError, match="no line has the key 'question'; keys found: cs, n, ps, q"):
        read_mapped(path, ColumnMap(query="question"))


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("nr,q\n,x\n", {"query": "q", "id": "nr"}, "line 2, field 'nr': is empty where every row needs an id"),
        ("nr,q\n1,x\n1,y\n", {"query": "q", "id": "nr"}, "line 3, field 'nr': id '1' has another query in line 2"),
        ("a;b\n1;2\n", {"query": "b"}, "no column 'b'; columns found: 'a;b'; the delimiter seems to be ';', not ','"),
        ("a,b\n1,2,3\n", {"query": "b"}, "line 2: has 3 cells where the header has 2 columns"),
        ('a,b\n1,"2\n', {"query": "b"}, "not a well-formed table"),
    ],
)
def test_broken_tables_are_refused(content: str, columns: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_mapped(write(tmp_path / "t.csv", content), make_column_map(columns))


def test_delimiter_and_encoding_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a;b\n1;café\n".encode("latin-1"))
    with pytest.raises(DataError, match="not valid UTF-8"):
        read_mapped(path, ColumnMap(query="b", delimiter=";"))
    (example,), _ = read_mapped(path, ColumnMap(query="b", delimiter=";", encoding="latin-1"))
    assert example.query == "café"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"query": "q", "quesions": "c"}, "unknown key 'quesions'; did you mean 'questions'"),
        ({"questions": "c"}, "needs at least 'query'"),
        ({"query": " "}, "'query' must name a column"),
        ({"query": "q", "delimiter": "||"}, "delimiter must be one character"),
        ({"query": "q", "passage_titles": "t"}, "'passage_titles' needs 'passages'"),
        ({"query": 3}, "key 'query': input should be a valid string"),
    ],
)
def test_wrong_maps_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_column_map(values)


def test_maps_are_read_from_yaml(tmp_path: Path) -> None:
    assert read_column_map(write(tmp_path / "m.yaml", "query: q\nquestions: [a, b]\n")).questions == ("a", "b")
    with pytest.raises(DataError, match="line 2: is not valid YAML"):
        read_column_map(write(tmp_path / "m.yaml", "query: [q\nx: 1\n"))
    with pytest.raises(DataError, match="must map keys to columns"):
        read_column_map(write(tmp_path / "m.yaml", "- q\n"))
    with pytest.raises(DataError, match=r"m\.yaml: the column map has an unknown key 'qery'"):
        read_column_map(write(tmp_path / "m.yaml", "qery: q\n"))


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=5, unique_by=lambda r: r[0].casefold()))
@SOME
def test_tables_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]) -> None:
    rows = [r for r in rows if not any(c.startswith("[") for c in r)]
    path = write(tmp_path_factory.mktemp("m") / "t.csv", tsv(["q", "c", "p"], [list(r) for r in rows], ","))
    examples, _ = read_mapped(path, ColumnMap(query="q", questions=("c",), passages=("p",)))
    assert [(e.query, e.questions[0], e.passages[0].text) for e in examples] == rows
