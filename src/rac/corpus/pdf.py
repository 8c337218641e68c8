"""PDF by ``pypdfium2`` (the engine of Chromium): text page by page, sections by the outline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rac.corpus.documents import JOINT, Block, Section, title_of_file
from rac.errors import DataError, UserError

SUFFIXES = (".pdf",)
_HYPHEN = re.compile(r"(?<=[a-z])(?:-|\u00ad|\ufffe|\x02)\n(?=[a-z])")
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_LONGEST_PAGE = 2_000_000
"""Characters of a page; more is no page that somebody reads."""


def read_pdf(path: Path, name: str) -> Iterator[Section]:
    """Yield the sections of a PDF, one for each entry of its outline, or one for each page if it has none.

    Offsets are those of the extracted text of all pages; ``meta["page"]`` of a passage is the page it begins on (from
    1).

    Raises:
        UserError: if ``pypdfium2`` is not installed.
        DataError: for a damaged or encrypted file, or one without text (scanned pages).
    """
    pdfium = _library()
    try:
        document = pdfium.PdfDocument(str(path))
    except (pdfium.PdfiumError, OSError, ValueError) as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise DataError(path, "is encrypted; give a copy without a password") from error
        raise DataError(path, f"is damaged or no PDF ({error})") from error
    try:
        yield from _sections(document, path, name)
    except pdfium.PdfiumError as error:
        raise DataError(path, f"is damaged ({error})") from error
    finally:
        document.close()


def _library() -> Any:
    try:
        import pypdfium2
    except ImportError as error:
        raise UserError(
            "PDF files need a package that is not installed; run: pip install 'rac-clarify[documents]'"
        ) from error
    return pypdfium2


def _sections(document: Any, path: Path, name: str) -> Iterator[Section]:
    title, description = title_of_file(name)
    own = " ".join(str(document.get_metadata_dict().get("Title") or "").split())
    if len(own) > 3 and not own.lower().endswith((".doc", ".docx", ".tex", ".dvi", ".pdf")):
        title, description = own, ""
    starts = _outline(document)
    headings: tuple[str, ...] = (title,)
    offset, found = 0, False
    blocks: list[Block] = []
    for number in range(len(document)):
        if number in starts or not starts:
            if blocks:
                yield Section(headings, tuple(blocks), description if len(headings) == 1 else "")
            blocks = []
            headings = (title, *(h for h in starts.get(number, ()) if h.lower() != title.lower()))
        for paragraph in _page_text(document, number):
            found = True
            blocks.append(Block(paragraph, offset, offset + len(paragraph), number + 1))
            offset += len(paragraph) + len(JOINT)
    if blocks:
        yield Section(headings, tuple(blocks), description if len(headings) == 1 else "")
    if not found:
        raise DataError(path, "has no text (its pages are pictures); run it through OCR first")


def _page_text(document: Any, number: int) -> list[str]:
    page = document[number]
    try:
        text_page = page.get_textpage()
        try:
            count = min(text_page.count_chars(), _LONGEST_PAGE)
            text = text_page.get_text_range(0, count) if count > 0 else ""
        finally:
            text_page.close()
    finally:
        page.close()
    text = _HYPHEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).replace("\x00", "")
    return [" ".join(part.split()) for part in _PARAGRAPHS.split(text) if part.strip()]


def _outline(document: Any) -> dict[int, tuple[str, ...]]:
    """Return page (from 0) -> headings that begin there, outermost first; of several on a page the last."""
    starts: dict[int, tuple[str, ...]] = {}
    stack: list[str] = []
    for count, mark in enumerate(document.get_toc(max_depth=4)):
        if count > 20_000:
            break
        title = " ".join((mark.get_title() or "").split())
        destination = mark.get_dest()
        page = destination.get_index() if destination else None
        stack = [*stack[: mark.level], title]
        if title and page is not None:
            starts.setdefault(page, tuple(h for h in stack if h))
    return starts
