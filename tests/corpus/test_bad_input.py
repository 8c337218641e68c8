"""What real folders hold beside documents: each has a defined outcome, and none stops the reading."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from corpus_support import encrypted_pdf, make_pdf
from rac.corpus import ReadOptions, ReadReport, read_corpus
from rac.corpus.walk import safe_name
from rac.errors import DataError

GOOD = "good.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / GOOD).write_text("This one can be read.", encoding="utf-8")
    return tmp_path / "corpus"


def problem(folder: Path, name: str, options: ReadOptions | None = None) -> str:
    """Return the reason why one file of a folder is not read, after checking that the other one is."""
    report = ReadReport()
    found = list(read_corpus(folder, options, report))
    assert GOOD in {p.id for p in found} and name not in {p.source for p in found}
    (only,) = report.problems
    assert only.file == name and only.passages == 0
    return only.reason


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.txt", b"", "empty (0 bytes)"),
        ("empty.pdf", b"", "empty (0 bytes)"),
        ("blank.md", b" \n\n", "holds no text"),
        ("blank.txt", b"\n \n", "holds no text"),
        ("scripts.html", b"<html><script>steal()</script><nav>Home</nav></html>", "no text outside of scripts"),
        ("binary.txt", bytes(range(256)) * 4, "binary data"),
        ("pdf.txt", b"%PDF-1.4 ...", "is a PDF, not text"),
        ("zip.md", b"PK\x03\x04...", "is a zip archive"),
        ("image.html", b"\x89PNG\r\n\x1a\n", "is a PNG image"),
        ("broken.jsonl", b'{"id": "a"', "line 1: is not valid JSON"),
        ("examples.jsonl", b'{"id": "a", "query": "dune"}\n', "search for (they look like examples"),
        ("unnamed.jsonl", b'{"id": "a", "body": "dune"}\n', "has anything to search for; a passage has"),
        ("bytes.jsonl", b'{"id": "\xff"}', "not valid UTF-8"),
        ("broken.pdf", b"%PDF-1.4 but then nothing", "damaged or no PDF"),
        ("notapdf.pdf", b"plain words", "damaged or no PDF"),
        ("secret.pdf", encrypted_pdf(), "is encrypted; give a copy without a password"),
        ("pictures.pdf", make_pdf([""]), "has no text (its pages are pictures)"),
        ("broken.docx", b"PK\x03\x04 and nothing", "damaged or no DOCX"),
        ("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "encrypted or an old .doc"),
        ("broken.parquet", b"PAR1", "damaged or no Parquet"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: bytes, reason: str, folder: Path) -> None:
    if name.endswith(".pdf"):
        pytest.importorskip("pypdfium2")
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    (folder / name).write_bytes(content)
    assert reason in problem(folder, name)
    with pytest.raises(DataError):
        list(read_corpus(folder / name))


def test_a_docx_that_unpacks_to_far_too_much_is_not_opened(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 20_000_000)
    assert "as no document does; it was not opened" in problem(folder, "bomb.docx")


def test_a_docx_without_its_parts(folder: Path) -> None:
    pytest.importorskip("docx")
    with zipfile.ZipFile(folder / "odd.docx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "damaged or no DOCX" in problem(folder, "odd.docx")


def test_a_docx_that_breaks_in_the_middle(folder: Path) -> None:
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.add_heading("Fine", 1)
    document.add_paragraph("Fine as well.")
    document.add_heading("Odd", 1)._p.pPr.pStyle.attrib.clear()  # a style without a name
    document.save(str(folder / "odd.docx"))
    assert "damaged or no DOCX" in problem(folder, "odd.docx")


def test_files_of_a_format_that_is_read_at_once_have_a_limit(folder: Path) -> None:
    (folder / "large.md").write_text("# T\n\n" + "words " * 100, encoding="utf-8")
    assert "split it" in problem(folder, "large.md", ReadOptions(whole_file_bytes=200))


def test_one_endless_line_is_cut_between_words(folder: Path) -> None:
    (folder / GOOD).write_text("word " * 200_000, encoding="utf-8")
    found = list(read_corpus(folder, ReadOptions(passage_tokens=1000, overlap_tokens=0)))
    assert len(found) > 200 and max(len(p.text) for p in found) <= 5_000
    assert sum(p.text.count("word") for p in found) == 200_000


def test_one_endless_word_is_data_and_not_text(folder: Path) -> None:
    (folder / "data.txt").write_text("a" * 600_000, encoding="utf-8")
    assert "without a space" in problem(folder, "data.txt")


_BOUNDED = """
import resource, sys
from rac.corpus import read_corpus
list_of = sum(1 for _ in read_corpus("x.txt"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(1 for _ in read_corpus(sys.argv[1]))
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("suffix", [".txt", ".csv"])
def test_memory_does_not_grow_with_one_long_line(suffix: str, tmp_path: Path) -> None:
    """10 MB in one line; ``docs/file-formats.md`` says what came of 1 GB."""
    (tmp_path / "x.txt").write_text("to load the modules", encoding="utf-8")
    with (tmp_path / f"long{suffix}").open("w", encoding="utf-8") as handle:
        handle.write("id,text\n" if suffix == ".csv" else "")
        for number in range(10 if suffix == ".txt" else 36):
            handle.write(("some words, " * 83_000 + f"{number} ") if suffix == ".txt" else "v,w," * 250_000)
    command = [sys.executable, "-c", _BOUNDED, f"long{suffix}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if suffix == ".txt":
        assert done.returncode == 0, done.stderr
        passages, grown = map(int, done.stdout.split())
        assert passages > 10_000 and grown < 25
    else:
        assert "line of more than" in done.stderr


def test_links_are_not_followed_and_loops_do_not_matter(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("Not part of the corpus.", encoding="utf-8")
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    (folder / "out.txt").symlink_to(tmp_path / "outside.txt")
    report = ReadReport()
    assert [p.id for p in read_corpus(folder, report=report)] == [GOOD]
    assert report.skipped == {"symbolic links (not followed)": 3} and not report.problems


def test_pipes_and_sockets_are_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder / "pipe.txt")
    monkeypatch.chdir(folder)  # names of sockets must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
        report = ReadReport()
        assert [p.id for p in read_corpus(folder, report=report)] == [GOOD]
    assert report.skipped == {"pipes and sockets": 2}


def test_odd_names_become_one_line_and_stay_distinct(folder: Path) -> None:
    names = ["a\nb.txt", "a\\x0ab.txt", "\u202egpj.txt", "tab\t.txt"]
    for name in names:
        (folder / name).write_text(f"Text of {len(name)}.", encoding="utf-8")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text("Latin name.", encoding="utf-8")
    found = list(read_corpus(folder))
    assert len({p.id for p in found}) == 6
    for passage in found:
        assert passage.id.isprintable() and "\n" not in passage.title
        passage.id.encode("utf-8")
    assert safe_name("plain name.txt") == "plain name.txt"


def test_files_and_folders_without_permission_are_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "locked").mkdir()
    (folder / "closed.txt").write_text("x", encoding="utf-8")
    (folder / "closed.jsonl").write_text('{"id": "x"}', encoding="utf-8")
    listed, opened = os.scandir, Path.open

    def scandir(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    def open_file(path: Path, *arguments: object, **named: object) -> object:
        if path.name.startswith("closed"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "open", open_file)
    report = ReadReport()
    assert [p.id for p in read_corpus(folder, report=report)] == [GOOD]
    assert {p.file: p.reason for p in report.problems} == {
        "locked/": "cannot be listed (Permission denied)",
        "closed.txt": "cannot be read (Permission denied)",
        "closed.jsonl": "cannot be read (Permission denied)",
    }


def test_a_file_that_vanishes_while_reading_is_listed(folder: Path) -> None:
    (folder / "z.txt").write_text("x", encoding="utf-8")
    report = ReadReport()
    stream = read_corpus(folder, report=report)
    assert next(stream).id == GOOD
    (folder / "z.txt").unlink()
    assert list(stream) == [] and "cannot be read" in report.problems[0].reason


def test_what_rac_wrote_is_no_document(folder: Path) -> None:
    for name in (
        "run/run.json",
        "data/bootstrap.json",
        "my.index/current",
        "my.index/generation-000001/passages.jsonl",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}", encoding="utf-8")
    report = ReadReport()
    assert [p.id for p in read_corpus(folder, report=report)] == [GOOD]
    assert report.skipped == {"folders that rac wrote": 3}


def test_ids_that_two_files_share_are_left_out_and_counted(folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"id": "1", "text": "one"}\n{"id": "2"}\n', encoding="utf-8")
    (folder / "b.jsonl").write_text('{"id": "2", "text": "two"}\n{"id": "3"}\n', encoding="utf-8")
    report = ReadReport()
    assert [p.id for p in read_corpus(folder, report=report)] == ["1", "2", "3", GOOD]
    assert report.problems[0].file == "b.jsonl" and "1 passages have ids" in report.problems[0].reason


def test_deeply_nested_pages_do_not_break_the_reader(folder: Path) -> None:
    (folder / "deep.html").write_text("<div>" * 50_000 + "deep text" + "</div>" * 50_000, encoding="utf-8")
    (folder / "deep.md").write_text(">" * 5_000 + " deep quote\n\n" + "[" * 20_000, encoding="utf-8")
    report = ReadReport()
    sources = {p.source for p in read_corpus(folder, report=report)}
    assert GOOD in sources and {"deep.html", "deep.md"} == (sources - {GOOD}) | {p.file for p in report.problems}
    (deep,) = (p.reason for p in report.problems if p.file == "deep.html")
    assert "more than the HTML parser can take (Excessive depth in document: 2048); simplify" in deep


@pytest.mark.parametrize(
    "before", ["<div>" * 1_000 + "deep" + "</div>" * 1_000, "<p hidden>" + "x " * 5_500_000 + "</p>"]
)
def test_nothing_of_a_page_is_lost_behind_deep_or_long_elements(before: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f"<body>{before}<p>behind it", encoding="utf-8")
    assert "behind it" in list(read_corpus(tmp_path / "page.html"))[-1].text


def test_a_fragment_of_html_that_is_nested_too_deeply(folder: Path) -> None:
    (folder / "deep.md").write_text("<div>" * 5_000 + "deep text", encoding="utf-8")
    assert "more than the HTML parser can take" in problem(folder, "deep.md")


def test_a_missing_package_is_named_for_each_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.pdf").write_bytes(make_pdf(["text"]))
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    assert "pip install 'rac-clarify[documents]'" in problem(folder, "a.pdf")


def test_the_report_shows_twenty_problems_and_counts_the_rest(folder: Path) -> None:
    for number in range(25):
        (folder / f"e{number:02d}.txt").touch()
    report = ReadReport()
    list(read_corpus(folder, report=report))
    lines = report.lines()
    assert lines[0] == "files not read, or not to their end: 25" and lines[-1] == "  ... and 5 more; --json lists all"
    assert len(report.to_dict()["problems"]) == 25
