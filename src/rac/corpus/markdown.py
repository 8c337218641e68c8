"""Markdown: its blocks by ``markdown-it-py``, without marks, links and images, with their places in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.corpus.documents import Block, Section, title_of_file
from rac.corpus.encoding import decode_whole
from rac.corpus.html import SEPARATING, text_of_fragment
from rac.corpus.plaintext import note_encoding
from rac.corpus.report import ReadReport
from rac.errors import DataError

if TYPE_CHECKING:
    from markdown_it.token import Token

SUFFIXES = (".md", ".markdown", ".mdx")
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9-]*)")


def read_markdown(path: Path, name: str, report: ReadReport, limit: int) -> Iterator[Section]:
    """Yield the sections of a Markdown file; offsets are those of the file's characters.

    A YAML front matter gives ``title`` and ``description``.

    Raises:
        DataError: if the file is empty, no text, or larger than ``limit`` bytes.
    """
    text, encoding = decode_whole(path, limit)
    note_encoding(report, encoding.name, text.count("\ufffd"))
    if not text.strip():
        raise DataError(path, "holds no text; remove it, or fill it")
    yield from _sections(text, name, path)


def _sections(text: str, name: str, path: Path) -> Iterator[Section]:
    from markdown_it import MarkdownIt

    front, body_line = front_matter(text)
    lines = [0]
    for line in text.split("\n"):
        lines.append(lines[-1] + len(line) + 1)
    body = text[lines[body_line] :]
    tokens = MarkdownIt("commonmark", {"maxNesting": 40}).enable("table").parse(body)
    title, description = title_of_file(name)
    title = str(front.get("title") or title)
    description = str(front.get("description") or front.get("summary") or description)
    stack: list[tuple[int, str]] = []
    blocks: list[Block] = []
    first, emitted = "", False

    def headings() -> tuple[str, ...]:
        path = tuple(text for _, text in stack)
        # The title is that of the front matter, else the first heading, else the file's name; all others are below it.
        top = title if front.get("title") or not first else first
        return path if path[:1] == (top,) else (top, *path)

    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "heading_open":
            if blocks:
                yield Section(headings(), tuple(blocks), "" if len(headings()) > 1 else description)
                blocks, emitted = [], True
            level, heading = int(token.tag[1]), plain(tokens[at + 1])
            while stack and stack[-1][0] >= level:
                stack.pop()
            if heading:
                stack.append((level, heading))
                first = first or heading
            at += 2
        elif token.type == "table_open":
            end = _closing(tokens, at, "table_close")
            blocks.extend(_rows(tokens[at:end], lines, body_line))
            at = end
        elif token.map and token.type in ("inline", "fence", "code_block", "html_block"):
            content = plain(token) if token.type == "inline" else token.content.rstrip()
            if token.type == "html_block":
                content = text_of_fragment(content, path)
            block = _block(content, text, lines, token.map, body_line)
            if block:
                blocks.append(block._replace(verbatim=token.type in ("fence", "code_block")))
        at += 1
    if blocks or not emitted:
        yield Section(headings(), tuple(blocks), "" if len(headings()) > 1 else description)


def front_matter(text: str) -> tuple[dict[str, Any], int]:
    """Return the YAML front matter of a text and the line where what follows it begins; {} and 0 if there is none."""
    import yaml

    if not text.startswith("---\n"):
        return {}, 0
    end = text.find("\n---", 3)
    if end < 0 or end > 20_000:
        return {}, 0
    try:
        values = yaml.safe_load(text[4:end])
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}, 0
    if not isinstance(values, dict):
        return {}, 0
    return {k: v for k, v in values.items() if isinstance(v, str)}, text.count("\n", 0, end + 1) + 1


def plain(token: Token) -> str:
    """Return the text of an inline token: of links their words, of images their alternative text."""
    parts = []
    for child in token.children or ():
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak") or (child.type == "html_inline" and _separates(child.content)):
            parts.append(" ")
        elif child.type == "image" and len(token.children or ()) > 1:
            continue  # a badge or an icon in running text
        elif child.type == "image":
            parts.append(child.content)
    return " ".join("".join(parts).split())


def _separates(tag: str) -> bool:
    """Whether an inline tag parts words: ``red<br>green`` is two, ``H<sub>2</sub>O`` is one."""
    name = _TAG.match(tag)
    return name is not None and name[1].lower() in SEPARATING


def _closing(tokens: list[Token], at: int, kind: str) -> int:
    while at < len(tokens) and tokens[at].type != kind:
        at += 1
    return at


def _rows(tokens: list[Token], lines: list[int], shift: int) -> Iterator[Block]:
    """Yield one block for each row of a table."""
    cells: list[str] = []
    place: list[int] | None = None
    for token in tokens:
        if token.type == "inline":
            cells.append(plain(token))
        elif token.type == "tr_open":
            cells, place = [], token.map
        elif token.type == "tr_close" and any(cells) and place:
            yield Block(" | ".join(cells), lines[place[0] + shift], lines[place[1] + shift] - 1, verbatim=True)


def _block(content: str, text: str, lines: list[int], place: list[int], shift: int) -> Block | None:
    if not content.strip():
        return None
    start, end = lines[place[0] + shift], min(lines[min(place[1] + shift, len(lines) - 1)], len(text))
    exact = text.find(content, start, end)
    if exact >= 0:
        return Block(content, exact, exact + len(content))
    while end > start and text[end - 1].isspace():
        end -= 1
    return Block(content, start, end)
