"""DOCX by ``python-docx``: paragraphs, headings and tables of the document's body."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rac.corpus.documents import JOINT, Block, Section, at_least_one, title_of_file
from rac.corpus.encoding import check_size
from rac.errors import DataError, UserError

SUFFIXES = (".docx",)
_NAMESPACE = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_WRAPPERS = frozenset({"sdt", "sdtContent", "ins", "moveTo", "hyperlink", "smartTag", "customXml", "fldSimple"})
"""Elements around text that a reader sees. Not among them: ``del`` and ``moveFrom``, what was taken out."""
_HEADING = re.compile(r"(?:heading|überschrift|titre|título) (\d)$", re.IGNORECASE)
_MOST_UNPACKED = 512_000_000
_MOST_RATIO = 200
_SMALL = 10_000_000
"""Below this many unpacked bytes no ratio is suspicious: repeated text packs very well."""


def read_docx(path: Path, name: str, limit: int) -> Iterator[Section]:
    """Yield the sections of a DOCX file; offsets are those of the extracted text.

    Raises:
        UserError: if ``python-docx`` is not installed.
        DataError: for a damaged or encrypted file, one that unpacks to far too much, or one without text.
    """
    check_size(path, limit)
    _check_archive(path)
    try:
        import docx
    except ImportError as error:
        raise UserError(
            "DOCX files need a package that is not installed; run: pip install 'rac-clarify[documents]'"
        ) from error
    try:
        sections = list(_sections(docx.Document(str(path)), name))
    except Exception as error:  # python-docx lets errors of lxml, zipfile and its own parts through, also later on
        raise DataError(path, f"is damaged or no DOCX ({type(error).__name__}: {error})") from error
    yield from at_least_one(sections, path, "holds no text; remove it, or fill it")


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
            packed = sum(info.compress_size for info in archive.infolist()) or 1
            encrypted = "EncryptedPackage" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        with path.open("rb") as handle:
            old = handle.read(4) == b"\xd0\xcf\x11\xe0"
        reason = "is encrypted or an old .doc; save it as .docx without a password" if old else "is damaged or no DOCX"
        raise DataError(path, reason if old else f"{reason} ({error})") from error
    if encrypted:
        raise DataError(path, "is encrypted; give a copy without a password")
    if unpacked > _MOST_UNPACKED or (unpacked > _SMALL and unpacked > _MOST_RATIO * packed):
        raise DataError(
            path,
            f"unpacks from {packed / 1e6:,.1f} to {unpacked / 1e6:,.0f} MB, as no document does; it was not opened",
        )


def _sections(document: Any, name: str) -> Iterator[Section]:
    title, description = title_of_file(name)
    own = " ".join((document.core_properties.title or "").split())
    headings: list[tuple[int, str]] = []
    blocks: list[Block] = []
    offset = 0

    def path() -> tuple[str, ...]:
        path = tuple(text for _, text in headings)
        return (own, *path) if own and path[:1] != (own,) else path or (title,)

    def section() -> Section:
        return Section(path(), tuple(blocks), description if path() == (title,) else "")

    for item in _inside(document.element.body, "p", "tbl"):
        table = _kind(item) == "tbl"
        texts = _texts(item)
        level = None if table else _level(item, document)
        if level is not None and texts[0]:
            if blocks:
                yield section()
                blocks = []
            while headings and headings[-1][0] >= level:
                headings.pop()
            headings.append((level, texts[0]))
            continue
        for text in texts:
            if text.strip(" |"):
                blocks.append(Block(text, offset, offset + len(text), verbatim=table))
                offset += len(text) + len(JOINT)
    if blocks:
        yield section()


def _inside(parent: Any, *kinds: str) -> Iterator[Any]:
    """Yield the elements of these kinds that a reader sees in another, in order.

    python-docx finds only direct children, and so no text of a content control, an insertion or a smart tag.
    """
    for child in parent.iterchildren(f"{_NAMESPACE}*"):
        if _kind(child) in kinds:
            yield child
        elif _kind(child) in _WRAPPERS:
            yield from _inside(child, *kinds)


def _kind(element: Any) -> str:
    return str(element.tag).removeprefix(_NAMESPACE)


def _texts(block: Any) -> list[str]:
    """Return the text of a paragraph, or that of each row of a table; a cell that spans several is given once."""
    if _kind(block) == "p":
        return [" ".join("".join(run.text for run in _inside(block, "r")).split())]
    rows = ([cell for cell in _inside(row, "tc") if cell.vMerge != "continue"] for row in _inside(block, "tr"))
    return [" | ".join(_cell(cell) for cell in row) for row in rows]


def _cell(cell: Any) -> str:
    return " ".join(text for block in _inside(cell, "p", "tbl") for text in _texts(block) if text)


def _level(element: Any, document: Any) -> int | None:
    """Return the level of a heading (0 for the title), None for other paragraphs."""
    from docx.text.paragraph import Paragraph

    style = Paragraph(element, document).style
    name = (style.name or "") if style is not None else ""
    if name.lower() == "title":
        return 0
    found = _HEADING.match(name)
    return int(found[1]) if found else None
