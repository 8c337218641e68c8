from __future__ import annotations

import errno
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac import files
from rac.errors import DataError, UserError
from rac.records import ClarificationExample, Passage, Prediction


def lines(path: Path, *values: object) -> Path:
    path.write_text("".join((v if isinstance(v, str) else json.dumps(v)) + "\n" for v in values), encoding="utf-8")
    return path


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
passages = st.builds(
    Passage,
    id=st.text(min_size=1, max_size=8),
    text=st.text(max_size=30),
    title=st.text(max_size=10),
    types=st.lists(st.text(max_size=6), max_size=3).map(tuple),
    start=st.none() | st.integers(0, 100),
    meta=st.dictionaries(st.text(max_size=5), json_values, max_size=2),
)
examples = st.builds(
    ClarificationExample,
    id=st.text(min_size=1, max_size=8),
    query=st.text(min_size=1, max_size=20).filter(lambda t: bool(t.strip())),
    questions=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    passages=st.lists(passages, max_size=2).map(tuple),
    qrels=st.dictionaries(st.text(max_size=5), st.integers(-2, 4), max_size=2),
)


@given(st.lists(examples, max_size=5, unique_by=lambda e: e.id))
@settings(deadline=None, max_examples=60)
def test_records_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, records: list[ClarificationExample]
) -> None:
    path = tmp_path_factory.mktemp("records") / "examples.jsonl"
    assert files.write_records(path, records) == len(records)
    assert files.read_records(path, ClarificationExample) == records
    assert files.check_header(path)["count"] == len(records)


def test_only_id_and_query_are_needed(tmp_path: Path) -> None:
    path = lines(tmp_path / "e.jsonl", {"id": "q1", "query": "dune"}, "")
    assert files.read_records(path, ClarificationExample) == [ClarificationExample(id="q1", query="dune")]


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a", "query": "x"}\r\n{"id": "b", "query": "y"}\r\n')
    assert [e.id for e in files.read_records(path, ClarificationExample)] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "a", "query": "x"}\n{"id": "b", "query": \n', r"line 2: is not valid JSON"),
        ('{"id": "a"}\n', r"line 1, field 'query': field required"),
        (
            '{"id": "a", "query": "x"}\n\n{"id": "a", "query": "y"}\n',
            r"line 3, field 'id': id 'a' was already used in line 1",
        ),
        ('{"id": "a", "query": "   "}\n', r"line 1, field 'query': must contain something"),
        ('{"id": 7, "query": "x"}\n', r"line 1, field 'id': input should be a valid string, not 7"),
        ('{"id": "a", "query": null}\n', r"line 1, field 'query': input should be a valid string, not null"),
        ('{"id": "a", "query": "x", "questions": "y"}\n', r"field 'questions': input should be a list, not \"y\""),
        ('{"id": "a", "query": "x", "passages": ["y"]}\n', r"field 'passages.0': input should be a JSON object, not"),
        (
            '{"id": "a", "query": "x"}\n{"id": "b", "query": "\\ud800"}\n',
            r"line 2: a text has half of a surrogate pair",
        ),
        ('{"id": "a", "query": "x", "passages": [{"text": "y"}]}\n', r"line 1, field 'passages.0.id'"),
        ("[1, 2]\n", r"line 1: is a JSON list where an object is expected"),
        ("[" * 100_000 + "\n", r"line 1: is nested too deeply"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        files.read_records(path, ClarificationExample)
    assert str(path) in str(caught.value)


def test_a_whole_surrogate_pair_is_one_character(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"id": "a", "query": "\\ud83d\\ude00"}\n', encoding="utf-8")
    assert files.read_records(path, ClarificationExample)[0].query == "😀"


def test_invalid_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"id": "a", "query": "x"}\n{"id": "b", "query": "caf\xe9"}\n')
    with pytest.raises(DataError, match=r"line 2: byte \d+ is not valid UTF-8"):
        files.read_records(path, ClarificationExample)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        files.read_records(tmp_path / "none.jsonl", Prediction)
    with pytest.raises(DataError, match="is a directory"):
        files.read_records(tmp_path, Prediction)


def test_unknown_keys_are_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = lines(tmp_path / "e.jsonl", {"id": "a", "query": "x", "question": ["y"]}, {"id": "b", "query": "z"})
    with caplog.at_level(logging.WARNING):
        files.read_records(path, ClarificationExample)
    assert (
        "e.jsonl: unknown keys ignored: 'question' in 1 record (did you mean 'questions'?); known: id, " in caplog.text
    )


def test_many_unknown_keys_are_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = lines(tmp_path / "e.jsonl", *({"id": str(n), "query": "x", "zz": 1, f"key {n}": 1} for n in range(2000)))
    with caplog.at_level(logging.WARNING):
        files.read_records(path, ClarificationExample)
    assert len(caplog.records) == 1
    assert "'zz' in 2,000 records, " in caplog.text
    assert ", 1996 more; known: " in caplog.text


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    files.write_records(path, [Prediction(id="a", question="b")])
    files.write_json(files.header_path(path), {"schema": 99})
    with pytest.raises(DataError, match="schema version 99 cannot be read"):
        files.read_records(path, Prediction)


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(path, {"old": True})
    with pytest.raises(RuntimeError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert files.read_json(path) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_sentence_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "weights").write_text("old")
    with (
        pytest.raises(UserError, match="no space left on the device while writing"),
        files.atomic_path(path) as temporary,
    ):
        temporary.mkdir()
        (temporary / "weights").write_text("new")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (path / "weights").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_known_whichever_library_reports_it() -> None:
    assert files.is_disk_full(OSError("425897 requested and 218080 written"))
    assert files.is_disk_full(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert not files.is_disk_full(OSError(errno.EACCES, "Permission denied"))


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for name in ("first", "second"):
        with files.atomic_path(path) as temporary:
            temporary.mkdir()
            (temporary / name).write_text(name)
    assert [p.name for p in path.iterdir()] == ["second"]


@pytest.mark.parametrize("name", [".", "..", "/", "folder/.."])
def test_a_path_without_a_name_of_its_own_is_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is a folder that cannot be replaced"), files.atomic_path(name):
        raise AssertionError
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "x.json", float("nan"))
    assert not list(tmp_path.iterdir())


def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 30)
    path = lines(tmp_path / "e.jsonl", {"id": "a", "query": "x"}, {"id": "b", "query": "x" * 30})
    with pytest.raises(DataError, match=r"line 2: has more than 0 MB"):
        files.read_records(path, ClarificationExample)
