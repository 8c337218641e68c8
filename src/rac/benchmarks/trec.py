"""TREC formats: topics, qrels and document collections, read and written.

TREC ids hold no white space. Ids of records that do are written with ``%20`` (and ``%`` as ``%25``), and read back.
"""

from __future__ import annotations

import gzip
import html
import logging
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from rac.errors import DataError
from rac.files import atomic_path, write_text
from rac.records import ClarificationExample, Passage

log = logging.getLogger(__name__)
_UNSAFE = re.compile(r"[%\s]")
_DOC_START, _DOC_END = re.compile(r"<DOC>", re.I), re.compile(r"</DOC>", re.I)
_DOCNO = re.compile(r"<DOCNO>\s*(.*?)\s*</DOCNO>", re.I | re.S)
_TITLE = re.compile(r"<(TITLE|HEADLINE|HEAD)>(.*?)</\1>", re.I | re.S)
_BODY = re.compile(r"<(TEXT|BODY)>(.*?)</\1>", re.I | re.S)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


def encode_id(identity: str) -> str:
    """Return an id without white space: ``a b`` becomes ``a%20b``."""
    return _UNSAFE.sub(lambda m: "".join(f"%{byte:02X}" for byte in m.group().encode("utf-8")), identity)


def decode_id(identity: str) -> str:
    """Undo ``encode_id``."""
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), identity.encode("utf-8"))
    return raw.decode("utf-8", "replace")


def write_topics(path: Path | str, examples: Iterable[ClarificationExample]) -> int:
    """Write queries as TREC topics (``<top>``, ``<num>``, ``<title>``); return their number.

    Facets are not written: they are gold, and a description is what retrieval tools search with.
    """
    parts = []
    for example in examples:
        title = html.escape(_line(example.query), quote=False)
        parts.append(f"<top>\n<num> Number: {encode_id(example.id)}\n<title> {title}\n</top>\n")
    write_text(path, "\n".join(parts))
    return len(parts)


def read_topics(path: Path | str) -> dict[str, str]:
    """Read TREC topics (``<top>`` blocks) or ``id TAB query`` lines; return id -> query.

    Raises:
        DataError: for a topic without number or title, or a number that occurs twice.
    """
    from rac.benchmarks.text import read_lines, squeeze
    from rac.files import read_text

    topics: dict[str, str] = {}
    found: list[tuple[int, str, str]] = []
    text = read_text(path)
    if re.search(r"<top>", text, re.I):
        for block in re.split(r"<top>", text, flags=re.I)[1:]:
            number = re.search(r"<num>\s*(?:Number:)?\s*(\S+)", block, re.I)
            title = re.search(r"<title>\s*(?:Topic:)?(.*?)(?=<|\Z)", block, re.I | re.S)
            if number is None or title is None or not title[1].strip():
                raise DataError(path, f"topic {len(found) + 1} has no <num> or no <title>")
            found.append((len(found) + 1, number[1].removesuffix("</num>"), html.unescape(squeeze(title[1]))))
    else:
        for line, row in enumerate(read_lines(path), start=1):
            if row.strip():
                number_text, tab, query = row.partition("\t")
                if not tab or not query.strip():
                    raise DataError(path, "is neither a <top> block nor 'ID<tab>QUERY'", line=line)
                found.append((line, number_text, query.strip()))
    for line, identity, query in found:
        identity = decode_id(identity)
        if identity in topics:
            raise DataError(path, f"topic '{identity}' occurs twice", line=line)
        topics[identity] = query
    return topics


def write_qrels(path: Path | str, examples: Iterable[ClarificationExample]) -> int:
    """Write judgements as ``TOPIC 0 DOCUMENT GRADE``; return the number of lines.

    An example without judgements but with gold passages gives those grade 1.
    """
    lines = []
    for example in examples:
        judged = example.qrels or dict.fromkeys(example.gold_ids, 1)
        lines += [f"{encode_id(example.id)} 0 {encode_id(p)} {grade}" for p, grade in judged.items()]
    write_text(path, "".join(line + "\n" for line in lines))
    return len(lines)


def read_qrels(path: Path | str) -> dict[str, dict[str, int]]:
    """Read ``TOPIC ITERATION DOCUMENT GRADE`` lines; return topic -> document -> grade.

    Raises:
        DataError: for a line of another shape, or a document judged twice with different grades.
    """
    from rac.benchmarks.text import read_lines

    judged: dict[str, dict[str, int]] = {}
    for line, row in enumerate(read_lines(path), start=1):
        if not row.strip():
            continue
        cells = row.split()
        try:
            topic, _, document, grade = cells[0], cells[1], cells[2], int(cells[3])
        except (IndexError, ValueError) as error:
            raise DataError(path, "is not 'TOPIC 0 DOCUMENT GRADE'", line=line) from error
        if len(cells) != 4:
            raise DataError(path, f"has {len(cells)} fields where 'TOPIC 0 DOCUMENT GRADE' has 4", line=line)
        found = judged.setdefault(decode_id(topic), {})
        document = decode_id(document)
        if found.get(document, grade) != grade:
            raise DataError(path, f"judges '{document}' twice for topic '{topic}', with two grades", line=line)
        found[document] = grade
    return judged


def write_collection(path: Path | str, passages: Iterable[Passage]) -> int:
    """Write passages as TREC documents (``<DOC>``, ``<DOCNO>``, ``<TITLE>``, ``<TEXT>``); return their number.

    Markup characters are escaped. Types and description become part of the text, since the format has no place for
    them.
    """
    count = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for passage in passages:
            extra = ", ".join([*passage.types, *([passage.description] if passage.description else [])])
            text = f"{extra}\n{passage.text}" if extra else passage.text
            handle.write(
                f"<DOC>\n<DOCNO>{html.escape(encode_id(passage.id), quote=False)}</DOCNO>\n"
                f"<TITLE>{html.escape(passage.title, quote=False)}</TITLE>\n"
                f"<TEXT>\n{html.escape(text, quote=False)}\n</TEXT>\n</DOC>\n"
            )
            count += 1
    return count


def read_collection(path: Path | str) -> Iterator[Passage]:
    """Stream the documents of a TREC-format file, or of all files of a folder in the order of their paths.

    Files may be gzipped. Bytes that are not UTF-8 are read as Windows-1252 (TREC collections mix encodings). Title and
    text are the contents of TITLE or HEADLINE and of all TEXT or BODY elements, without inner tags; a document without
    such an element gives all that it has beside its number.

    Raises:
        DataError: for a missing file, a document without DOCNO, or one that does not end.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(path, "no such file or folder; check the path")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        with file.open("rb") as handle:
            try:
                yield from _documents(file, gzip.GzipFile(fileobj=handle) if file.suffix == ".gz" else handle)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise DataError(file, f"is not a whole gzip file ({error}); copy it again") from error


def _documents(path: Path, handle: Iterable[bytes]) -> Iterator[Passage]:
    block: list[str] = []
    begin = 0
    for number, raw in enumerate(handle, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            line = raw.decode("cp1252", "replace")
        if _DOC_START.search(line):
            if block:
                raise DataError(path, "a document begins before the one before it ends (</DOC>)", line=number)
            begin = number
            block = [line]
        elif block:
            block.append(line)
        if block and _DOC_END.search(line):
            yield _document(path, "".join(block), begin)
            block = []
    if block:
        raise DataError(path, "the last document does not end (</DOC>); the file seems to be cut off", line=begin)


def _document(path: Path, block: str, line: int) -> Passage:
    number = _DOCNO.search(block)
    if number is None or not number[1]:
        raise DataError(path, "is a document without <DOCNO>", line=line)
    title = " ".join(_plain(m[2]) for m in _TITLE.finditer(block))
    bodies = [_plain(m[2]) for m in _BODY.finditer(block)]
    if not bodies:
        bodies = [_plain(_TITLE.sub(" ", _DOCNO.sub(" ", block)))]
    identity = decode_id(html.unescape(number[1]))
    return Passage(id=identity, title=title, text=" ".join(b for b in bodies if b), source=path.name)


def _plain(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())


def _line(text: str) -> str:
    return " ".join(text.split())
