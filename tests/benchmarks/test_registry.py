"""The registry, what readers say of themselves, and reading whatever a user names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import rac.benchmarks as benchmarks
from benchmark_support import write
from rac.benchmarks import READERS, get_benchmark, load, stand_in_note
from rac.benchmarks.column_settings import ColumnMap
from rac.benchmarks.resolve import is_file_source, read_present, read_source
from rac.benchmarks.user_collections import is_collection, read_user_collection
from rac.errors import DataError, UserError


def test_the_benchmarks_of_the_paper_come_first_and_all_are_there() -> None:
    assert list(READERS)[:4] == ["clariq", "qulac", "cambignq", "paqa"]
    assert set(READERS) == {
        "clariq", "qulac", "cambignq", "paqa", "claqua", "inscit", "abg-coqa", "pacific", "white-sharc", "mimics",
        "mimics-duo", "ambignq",
    }  # fmt: skip


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_says_source_licence_sizes_fields_and_what_is_missing(name: str) -> None:
    module = sys.modules[f"rac.benchmarks.{name.replace('-', '_')}"]
    text = " ".join((module.__doc__ or "").split())
    for word in ("Source:", "icence", "``questions``", "``group``"):
        assert word in text, word
    info = READERS[name].info
    assert all((info.title, info.url, info.licence, info.citation, info.passages, info.missing, info.splitting))
    if info.files:
        assert "Size" in text and "Not here" in text
    else:
        assert "has not met" in text
    shares = [share for _, share in info.carved]
    assert not shares or sum(shares) == pytest.approx(1)
    assert {s for s, _ in info.carved} <= set(info.splits)


def test_names_are_looked_up_kindly() -> None:
    assert get_benchmark("CLAQUA").info.name == "claqua"
    with pytest.raises(UserError, match="no benchmark 'clarik'; did you mean 'clariq'"):
        get_benchmark("clarik")


def test_load_fetches_reads_and_takes_parts(mirror: Path, tmp_path: Path) -> None:
    whole = load("clariq", "dev", directory=tmp_path, mirror=mirror)
    assert len(whole.examples) == 50
    parts = [load("clariq", f"dev:fold {i}/5", directory=tmp_path) for i in range(1, 6)]
    assert sorted(e.id for p in parts for e in p.examples) == sorted(e.id for e in whole.examples)
    rest = load("clariq", "dev:but 1/5", directory=tmp_path)
    assert len(rest.examples) + len(parts[0].examples) == 50
    assert rest.counts["examples"] == len(rest.examples)
    with pytest.raises(UserError, match="not a part of a split"):
        load("clariq", "dev:half", directory=tmp_path)


def test_topics_fall_into_the_same_fold_in_both_benchmarks(mirror: Path) -> None:
    for i in range(1, 4):
        clariq = {e.cluster for e in READERS["clariq"].read(mirror, f"all:fold {i}/3").examples}
        qulac = {e.cluster for e in READERS["qulac"].read(mirror, f"all:but {i}/3").examples}
        assert not clariq & qulac


def test_sources_are_files_tables_or_benchmarks(mirror: Path, tmp_path: Path) -> None:
    data, info = read_source("qulac", "dev", directory=tmp_path, mirror=mirror)
    assert info is READERS["qulac"].info and len(data.examples) == 39
    record = '{"id": "1", "query": "q", "split": "%s", "passages": [{"id": "p", "text": "t"}]}\n'
    path = write(tmp_path / "e.jsonl", record % "a")
    data, info = read_source(str(path))
    assert info is None and [p.id for p in data.corpus] == ["p"]
    assert len(read_source(str(path), "a")[0].examples) == 1
    with pytest.raises(UserError, match="has no split 'b'; known: a"):
        read_source(str(path), "b")
    table = write(tmp_path / "t.csv", "q,c\nquery,asked?\n")
    with pytest.raises(UserError, match="is a table, and nothing says which column holds what"):
        read_source(str(table))
    assert read_source(str(table), columns=ColumnMap(query="q"))[0].examples[0].query == "query"
    with pytest.raises(UserError, match=r"neither a file nor a benchmark.*did you mean 'claqua'"):
        read_source("claqa")
    with pytest.raises(DataError, match="no such file"):
        read_source(str(tmp_path / "none.jsonl"))
    assert not is_file_source("Mimics") and is_file_source("x.csv")


def test_one_id_for_different_passages_is_refused(tmp_path: Path) -> None:
    def record(identity: str, text: str, split: str = "") -> str:
        passages = json.dumps([{"id": "p1", "title": "T", "text": text}])
        return f'{{"id": "{identity}", "query": "q", "split": "{split}", "passages": {passages}}}\n'

    same = write(tmp_path / "same.jsonl", record("a", "x") + record("b", "x"))
    assert len(read_source(str(same))[0].corpus) == 1
    other = write(tmp_path / "other.jsonl", record("a", "x", "dev") + record("b", "y"))
    with pytest.raises(UserError, match=r"other.jsonl: example 'a' of split 'dev' and example 'b' have .* id 'p1'"):
        read_source(str(other))
    table = write(tmp_path / "t.jsonl", "".join(f'{{"q": "{t}", "d": {{"id": "1", "text": "{t}"}}}}\n' for t in "xy"))
    with pytest.raises(UserError, match=r"example 'row-1' and example 'row-2' have .* id '1'"):
        read_source(str(table), columns=ColumnMap(query="q", passages=("d",)))


def test_only_what_is_here_is_compared(mirror: Path, tmp_path: Path) -> None:
    found, absent = read_present(without="clariq", directory=tmp_path)
    assert found == {} and len(absent) == len(READERS) - 1
    found, absent = read_present(without="clariq", directory=tmp_path, mirror=mirror)
    assert set(absent) == {"cambignq", "paqa"} and len(found) == 9
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_left_out_of_the_comparison_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "DongryeolLee96/AskCQ/cq_dev.json", "[{")
    found, absent = read_present(directory=tmp_path)
    assert "cambignq" in absent and not found
    assert "cambignq is left out of the comparison" in caplog.text


def test_tables_on_benchmarks_without_passages_carry_a_note() -> None:
    assert "no claim about faithfulness" in stand_in_note("clariq", "wikipedia")
    assert "'wikipedia'" in stand_in_note("Qulac", "wikipedia")
    assert stand_in_note("claqua", "wikipedia") == "" == stand_in_note("my.jsonl", "x")


def test_trec_collections_are_corpora(tmp_path: Path) -> None:
    path = write(tmp_path / "c.trec", "<DOC><DOCNO>d1</DOCNO><TEXT>text</TEXT></DOC>\n")
    assert is_collection(f"trec:{path}") and is_collection("ir_datasets:vaswani") and not is_collection("wikipedia")
    assert [p.id for p in read_user_collection(f"trec:{path}")] == ["d1"]
    with pytest.raises(UserError, match="is no collection"):
        read_user_collection("wikipedia")


def test_a_missing_ir_datasets_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    with pytest.raises(UserError, match=r"rac-clarify\[ir\]"):
        list(read_user_collection("ir_datasets:vaswani"))


@pytest.mark.extra
def test_ir_datasets_names(monkeypatch: pytest.MonkeyPatch) -> None:
    ir_datasets = pytest.importorskip("ir_datasets")
    from ir_datasets.datasets.base import Dataset
    from ir_datasets.formats import BaseDocs
    from ir_datasets.formats.trec import TitleUrlTextDoc

    class Docs(BaseDocs):
        def docs_iter(self):  # type: ignore[no-untyped-def]
            return iter(
                [TitleUrlTextDoc("d1", "Dune", "http://x", "Dune is a film."), TitleUrlTextDoc("d2", "", "", "Other.")]
            )

    monkeypatch.setitem(ir_datasets.registry._registered, "rac-test", Dataset(Docs()))
    found = list(read_user_collection("ir_datasets:rac-test"))
    assert [(p.id, p.title, p.source) for p in found] == [("d1", "Dune", "rac-test"), ("d2", "", "rac-test")]
    assert "film" in found[0].text and found[1].text.strip() == "Other."
    with pytest.raises(UserError, match="knows no document collection 'no-such-name'"):
        list(read_user_collection("ir_datasets:no-such-name"))


def test_reading_needs_no_heavy_imports() -> None:
    import subprocess

    heavy = ("torch", "transformers", "datasets", "ir_datasets", "pandas")
    code = (
        f"import sys, rac.benchmarks.describe, rac.benchmarks.resolve; print([m for m in {heavy} if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert benchmarks.READERS


def test_splits_brought_by_hand_need_the_files_that_every_split_does() -> None:
    names = {name: [f.path for f in READERS[name].info.files_of(split)] for name, split in (
        ("clariq", "test"), ("mimics", "click"), ("inscit", "publisher-train"), ("qulac", "dev:fold 1/5"),
    )}  # fmt: skip
    assert names == {
        "clariq": ["data/question_bank.tsv"], "mimics": [], "inscit": [], "qulac": ["data/qulac/qulac.json"],
    }  # fmt: skip
    assert len(READERS["claqua"].info.files_of("test")) == 4
    assert len(READERS["white-sharc"].info.files_of("publisher-train")) == 1
