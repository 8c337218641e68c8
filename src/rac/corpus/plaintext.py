"""Plain text and reStructuredText, of any size, in constant memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rac.corpus.documents import Block, Section, title_of_file
from rac.corpus.encoding import decode_pieces
from rac.corpus.report import ReadReport
from rac.errors import DataError

SUFFIXES = (".txt", ".text", ".rst")
_LONGEST = 1 << 18
"""Characters after which a section is cut, at the best place found; a text without any such place is refused."""
_PARAGRAPH = re.compile(r"\S.*?(?=\n[ \t]*\n|\Z)", re.DOTALL)
_UNDERLINE = re.compile(r"([=\-~^\"'*+#`:._])\1{2,}[ \t]*$")
_LONGEST_HEADING = 120


def read_plain(path: Path, name: str, report: ReadReport) -> Iterator[Section]:
    """Yield the sections of a text file; a line that is underlined with marks is a heading.

    Raises:
        DataError: if the file is empty or no text.
    """
    title, description = title_of_file(name)
    headings, code = _Headings(title), _Code(path.suffix.lower() == ".rst")
    blocks: list[Block] = []
    length, found = 0, False
    for start, text in _cut(path, report):
        for match in _PARAGRAPH.finditer(text):
            paragraph = match.group().rstrip()
            heading = _heading(paragraph)
            verbatim = code.holds(paragraph, text[match.start() - 1 : match.start()] in (" ", "\t"))
            if heading:
                if blocks:
                    yield Section(headings.path, tuple(blocks), headings.description(description))
                    blocks, length = [], 0
                headings.add(code.plain(heading[0]), heading[1])
                offset = start + match.start() + len(paragraph) - len(heading[2])
                paragraph = heading[2]
            else:
                offset = start + match.start()
            if paragraph.strip():
                found = True
                blocks.append(Block(paragraph, offset, offset + len(paragraph), verbatim=verbatim))
                length += len(paragraph)
            if length > _LONGEST:
                yield Section(headings.path, tuple(blocks), headings.description(description))
                blocks, length = [], 0
    if blocks:
        yield Section(headings.path, tuple(blocks), headings.description(description))
    elif not found:
        raise DataError(path, "holds no text; remove it, or fill it")


class _Code:
    """Knows the marks of reStructuredText: which paragraphs are code (indented behind "::") or directives."""

    _DIRECTIVE = re.compile(r"\.\. (?!note|warning|tip|important|caution|hint|attention|danger|seealso|version|deprec)")

    def __init__(self, is_rst: bool) -> None:
        self._is_rst, self._inside = is_rst, False

    def plain(self, heading: str) -> str:
        """Return a heading without the marks of code and roles: "build" for "``build``"."""
        return re.sub(r":[\w:]+:`|`+|\*\*?", "", heading).strip() if self._is_rst else heading

    def holds(self, paragraph: str, indented: bool) -> bool:
        verbatim = self._is_rst and ((self._inside and indented) or self._DIRECTIVE.match(paragraph) is not None)
        self._inside = verbatim or paragraph.endswith("::")
        return verbatim


class _Headings:
    """The path of headings; the level of an underline is the order in which its mark first occurs, as in RST."""

    def __init__(self, title: str) -> None:
        self._title, self._marks, self._stack, self._first = title, "", [""], ""

    def add(self, heading: str, mark: str) -> None:
        if mark not in self._marks:
            self._marks += mark
        self._first = self._first or heading
        level = self._marks.index(mark)
        self._stack = [*(self._stack + [""] * level)[:level], heading]

    @property
    def path(self) -> tuple[str, ...]:
        path = tuple(h for h in self._stack if h) or (self._title,)
        # The first heading of a file is its title, also where later ones are underlined with the same mark.
        return path if path[0] in (self._first, self._title) else (self._first, *path)

    def description(self, of_file: str) -> str:
        return of_file if self.path == (self._title,) else ""


def _heading(paragraph: str) -> tuple[str, str, str] | None:
    """Return (heading, mark, the text behind it) if a paragraph begins with an underlined line."""
    first, newline, rest = paragraph.partition("\n")
    over = _UNDERLINE.match(first)
    if over and newline:  # a line above the heading as well
        first, newline, rest = rest.partition("\n")
    second, _, behind = rest.partition("\n")
    mark = _UNDERLINE.match(second)
    heading = " ".join(first.split())
    if not newline or mark is None or not heading or len(heading) > _LONGEST_HEADING:
        return None
    if len(second.rstrip()) < min(len(heading), 4) or not any(c.isalpha() for c in heading) or _UNDERLINE.match(first):
        return None
    return heading, mark[1], behind.lstrip("\n")


def _cut(path: Path, report: ReadReport) -> Iterator[tuple[int, str]]:
    """Yield (offset, text) of pieces that end between paragraphs, or else lines, sentences or words."""
    buffer, offset, replaced = "", 0, 0
    name = ""
    for text, encoding in decode_pieces(path):
        name = encoding.name
        replaced += text.count("\ufffd")
        buffer += text
        while len(buffer) > _LONGEST:
            at = _best_cut(buffer)
            if at == 0:
                raise DataError(
                    path, f"has {len(buffer):,} characters without a space, so it is data and not text; remove it"
                )
            yield offset, buffer[:at]
            offset, buffer = offset + at, buffer[at:]
    if buffer:
        yield offset, buffer
    note_encoding(report, name, replaced)


def note_encoding(report: ReadReport, name: str, replaced: int) -> None:
    """Count in the report that a file was not UTF-8, or that some of it could not be decoded."""
    if name and name != "utf-8":
        report.notes[f"read as {name}"] += 1
    if replaced:
        report.notes["with bytes that could not be decoded (now U+FFFD)"] += 1


def _best_cut(buffer: str) -> int:
    for mark in ("\n\n", "\n", ". ", "。", " "):
        at = buffer.rfind(mark, _LONGEST // 2, _LONGEST)
        if at > 0:
            return at + len(mark)
    return 0
