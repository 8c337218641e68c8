from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, texts, tsv, write
from rac.benchmarks.sources import SourceModel, read_source_json, read_table, unescape_quotes, unique_rows
from rac.errors import DataError

cells = texts.filter(lambda t: t == t.strip() and "\r" not in t)


class Row(SourceModel):
    id: str
    values: list[int]


@given(
    st.lists(st.tuples(cells, cells, cells), max_size=5),
    st.sampled_from(["\t", ",", ";"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
@SOME
def test_tables_round_trip_whatever_the_delimiter_line_end_and_quotes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], delimiter: str, end: str, bom: bool
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.txt"
    write(path, b"\xef\xbb\xbf" * bom + tsv(["a", "b", "c"], [list(r) for r in rows], delimiter, end).encode())
    counts: Counter[str] = Counter()
    found = read_table(path, ("a", "c"), delimiter=delimiter, counts=counts)
    assert [tuple(row.values()) for _, row in found] == [r for r in rows if any(r)]
    assert counts["empty lines (left out)"] == sum(not any(r) for r in rows)


def test_quotes_inside_fields_are_undone_only_where_they_quote(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", 'a\tb\n"say ""hi"""\tWhich ""x"" do you\n')
    assert read_table(path, ("a",)) == [(2, {"a": 'say "hi"', "b": 'Which ""x"" do you'})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty where a header line is expected"),
        ("query,question\na,b\n", r"no column 'query'; columns found: 'query,question'; the delimiter seems to be ','"),
        ("qery\tquestion\na\tb\n", r"no column 'query'; columns found: 'qery', 'question'; did you mean 'qery'"),
        ("query\tx\nonly one\n", r"line 2: has 1 cells where the header has 2 columns, so columns are shifted"),
        ("query\tx\na\tb\nc\td\te\n", r"line 3: has 3 cells"),
        ('query\tx\n"a\tb\nc\td\n', r"line 2: is not a well-formed table"),
        ('query\tx\n"a\nb"\tc\n', r"line 2: a quote opened here does not close on this line"),
        ('query\tx\n"a" b\tc\n', r"line 2: is not a well-formed table"),
        ("query\tquery\na\tb\n", r"two columns named 'query'"),
    ],
)
def test_broken_tables_are_refused_with_their_place(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path / "t.tsv", content), ("query",))


def test_empty_cells_and_lines_beyond_the_table_are_dropped_and_counted(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    path = write(tmp_path / "t.tsv", "a\tb\t\t\n1\t2\t\t\n\n3\t4\n5\t\n")
    assert [row for _, row in read_table(path, ("a",), counts=counts)] == [
        {"a": "1", "b": "2"}, {"a": "3", "b": "4"}, {"a": "5", "b": ""},
    ]  # fmt: skip
    assert counts == {"rows with empty cells beyond the header (cells dropped)": 1, "empty lines (left out)": 1}


def test_other_encodings_are_named_never_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "a\tb\ncafé\t1\n".encode("latin-1"))
    with pytest.raises(DataError, match="line 2: byte 7 is not valid UTF-8"):
        read_table(path, ("a",))
    assert read_table(path, ("a",), encoding="latin-1")[0][1]["a"] == "café"
    with pytest.raises(DataError, match="no encoding of that name"):
        read_table(path, ("a",), encoding="latin-7b")
    with pytest.raises(DataError, match="is not valid ascii"):
        read_table(path, ("a",), encoding="ascii")
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "none.tsv", ("a",), encoding="latin-1")


def test_json_of_another_shape_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write(path, [{"id": "a", "values": [1]}, {"id": "b", "values": [1, "2"]}])
    with pytest.raises(DataError, match=r"field '1\.values\.1': .*not '2'"):
        read_source_json(path, list[Row])
    write(path, [{"id": "a"}])
    with pytest.raises(DataError, match=r"field '0\.values': field required"):
        read_source_json(path, list[Row])
    write(path, '[{"id": "a", "values": [1]}, {"id":')
    with pytest.raises(DataError, match="line 1: is not valid JSON"):
        read_source_json(path, list[Row])
    write(path, {"id": "a"})
    with pytest.raises(DataError, match="list"):
        read_source_json(path, list[Row])
    write(path, [{"id": "a", "values": [1], "more": 2}])
    assert read_source_json(path, list[Row]) == [Row(id="a", values=[1])]


def test_repeated_rows_are_counted() -> None:
    counts: Counter[str] = Counter()
    assert unique_rows([1, 2, 1, 3, 2], lambda r: r, counts) == [1, 2, 3]
    assert counts == {"rows that repeat an earlier one exactly (left out)": 2}


def test_escaped_quotes() -> None:
    assert unescape_quotes(r"Obama\'s \"tree\" C:\n") == 'Obama\'s "tree" C:\\n'
