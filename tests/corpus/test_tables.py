from __future__ import annotations

import json
from pathlib import Path

import pytest

from rac.corpus import ReadReport, read_corpus
from rac.corpus.tables import LONGEST_FIELD, RowMapper, split_name
from rac.errors import DataError, UserError


def test_columns_are_found_by_their_usual_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('Doc ID,Title,Body,Type\n7,"A, b","line 1\nline ""2""",town\n', encoding="utf-8")
    (passage,) = read_corpus(tmp_path / "a.csv")
    assert (passage.id, passage.title, passage.text, passage.types) == ("7", "A, b", 'line 1\nline "2"', ("town",))


def test_without_a_text_column_every_other_column_is_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name;price;colour\nChair;12;red\nTable;;\n", encoding="utf-8-sig")
    chair, table = read_corpus(tmp_path / "a.csv")
    assert (chair.id, chair.title, chair.text) == ("a.csv#1", "Chair", "price: 12\ncolour: red")
    assert (table.title, table.text, table.meta) == ("Table", "", {"row": 2})


def test_tabs_and_a_description_as_text() -> None:
    mapper = RowMapper(["label", "summary"], "t")
    passage = mapper.passage({"label": "X", "summary": "said in short"}, 3)
    assert passage is not None and passage.text == "said in short" and passage.description == ""
    assert mapper.passage({"label": " ", "summary": None}, 4) is None


def test_odd_rows_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("id\ttext\n1\tx\textra\n\n2\ty\n", encoding="utf-8")
    report = ReadReport()
    assert [p.text for p in read_corpus(tmp_path, report=report)] == ["x", "y"]
    assert any("another length" in note for note in report.notes) and any("empty rows" in n for n in report.notes)


def test_a_huge_field_ends_its_file_and_keeps_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,x\n2," + "y" * (LONGEST_FIELD + 1) + "\n3,z\n", encoding="utf-8")
    report = ReadReport()
    assert [p.id for p in read_corpus(tmp_path, report=report)] == ["1"]
    (problem,) = report.problems
    assert problem.passages == 1 and "row 2 cannot be read" in problem.reason and "field limit" in problem.reason
    with pytest.raises(DataError, match="line 3: row 2 cannot be read"):
        list(read_corpus(tmp_path / "a.csv"))


def test_an_unpaired_quote_is_named_with_the_line_where_its_row_begins(tmp_path: Path) -> None:
    rows = '\nid,text\n1,"two\nlines"\n2,"never closed\n3,lost\n4,lost as well\n'
    (tmp_path / "a.csv").write_text(rows, encoding="utf-8")
    report = ReadReport()
    assert [p.text for p in read_corpus(tmp_path, report=report)] == ["two\nlines"]
    (problem,) = report.problems
    assert problem.passages == 1 and problem.reason.startswith("line 5: row 2 cannot be read")
    (tmp_path / "a.csv").write_text('id,text\n1,x\n2,"closed" early\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"line 3: row 2 cannot be read .*check its quotes"):
        list(read_corpus(tmp_path / "a.csv"))


def test_a_tsv_that_is_quoted_throughout_may_have_line_ends_in_its_cells(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('id\ttext\n1\t"red\napple"\n2\t"say ""hi"""\n\n3\tplain\n', encoding="utf-8")
    assert [(p.id, p.text) for p in read_corpus(tmp_path / "a.tsv")] == [
        ("1", "red\napple"), ("2", 'say "hi"'), ("3", "plain"),
    ]  # fmt: skip


def test_quotes_of_a_tsv_are_text_unless_they_close_on_their_line(tmp_path: Path) -> None:
    rows = 'id\ttext\n1\t"never closed\n2\t"Hello," he said\n3\t"a ""quoted""\tfield"\n4\t5" pipe\n\n5\tlast\n'
    (tmp_path / "a.tsv").write_text(rows, encoding="utf-8")
    texts = [p.text for p in read_corpus(tmp_path / "a.tsv")]
    assert texts == ['"never closed', '"Hello," he said', 'a "quoted"\tfield', '5" pipe', "last"]
    (tmp_path / "a.tsv").write_text("id\ttext\n1\tx\n2\t" + "y" * (LONGEST_FIELD + 1) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 3: row 2 cannot be read .*field limit"):
        list(read_corpus(tmp_path / "a.tsv"))


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n", encoding="utf-8")
    with pytest.raises(DataError, match="no row with text"):
        list(read_corpus(tmp_path / "a.csv"))


def test_parquet(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = pa.table({"_id": [1, 2], "title": ["A", None], "text": ["x", "y"], "category": [["p", "q"], None]})
    pq.write_table(rows, tmp_path / "a.parquet")
    first, second = read_corpus(tmp_path / "a.parquet")
    assert (first.id, first.title, first.types) == ("1", "A", ("p", "q")) and second.types == ()
    (tmp_path / "b.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match="damaged or no Parquet"):
        list(read_corpus(tmp_path / "b.parquet"))


@pytest.mark.extra
def test_data_sets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"id": "a", "title": "T", "text": "one"}, {"id": "b", "title": "", "text": "two"}]
    datasets.DatasetDict({"train": datasets.Dataset.from_list(rows)}).save_to_disk(str(tmp_path / "saved"))
    found = list(read_corpus(f"datasets:{tmp_path}/saved"))
    assert [(p.id, p.title, p.text) for p in found] == [("a", "T", "one"), ("b", "", "two")]
    with pytest.raises(UserError, match="no split 'dev', only train"):
        list(read_corpus(f"datasets:{tmp_path}/saved:dev"))
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert [p.text for p in read_corpus(f"datasets:{tmp_path}/plain:train")] == ["one", "two"]


def test_names_of_data_sets() -> None:
    assert split_name("datasets:owner/name@config:train") == ("owner/name", "config", "train")
    assert split_name("datasets:owner/name") == ("owner/name", None, None)
