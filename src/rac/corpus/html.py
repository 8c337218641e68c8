"""HTML: the text that a reader of the page sees, section by section. Scripts are never run and never text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rac.corpus.documents import JOINT, Block, Section, at_least_one, title_of_file
from rac.corpus.encoding import check_size, detect
from rac.corpus.plaintext import note_encoding
from rac.corpus.report import ReadReport
from rac.errors import DataError

SUFFIXES = (".html", ".htm", ".xhtml")
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_SKIPPED_TAGS = (
    "script style noscript template svg math canvas iframe object embed head select button input textarea form nav "
    "header footer aside dialog audio video map"
)
_BLOCK_TAGS = (
    "p div section article main li dt dd blockquote pre tr table ul ol dl figure figcaption caption address details "
    "summary fieldset body hr center"
)
_SKIPPED, _BLOCKS = frozenset(_SKIPPED_TAGS.split()), frozenset(_BLOCK_TAGS.split())
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
SEPARATING = _BLOCKS | frozenset(_HEADINGS) | {"br", "td", "th"}
"""Tags that part the words before and behind them."""
_SEPARATOR = re.compile(r"\s+[|–—·»:-]+\s+")
_MARKS = "¶#\uf0c1§🔗"
"""What generators put behind a heading as a link to it."""


def read_html(path: Path, name: str, report: ReadReport, limit: int) -> Iterator[Section]:
    """Yield the sections of an HTML file; offsets are those of the extracted text.

    Navigation, headers, footers, forms and scripts are left out; where the page has one ``main`` or ``article``, what
    is outside of it as well. ``meta["anchor"]`` is the id of the nearest heading, for links into the page.

    Raises:
        DataError: if the file holds no text, is larger than ``limit`` bytes, or nested more deeply than a parser goes.
    """
    check_size(path, limit)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    text, encoding = _decode(raw, path)
    note_encoding(report, encoding, text.count("\ufffd"))
    yield from at_least_one(_sections(text, name, path), path, "holds no text outside of scripts and navigation")


def _decode(raw: bytes, path: Path) -> tuple[str, str]:
    encoding = detect(raw, path, whole=True)
    if encoding.skip:
        return raw[encoding.skip :].decode(encoding.name, "replace"), encoding.name
    name = encoding.name
    # What is UTF-8 but for a few damaged bytes is that, whatever is declared: no other text looks so by chance.
    if name != "utf-8" and (declared := _CHARSET.search(raw[:4096])):
        try:
            "".encode(declared[1].decode("ascii"))
            name = declared[1].decode("ascii").lower()
        except (LookupError, UnicodeError):
            pass  # a name that nobody knows: what was detected holds
    return raw.decode(name, "replace"), name


def _parse(text: str, path: Path) -> Any:
    """Return the root element, None if there is none. Nothing is loaded from elsewhere and no entity is expanded."""
    from lxml import etree

    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, recover=True, huge_tree=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        root = None
    # Recovering hides that the parser gave up, and what it returns then ends there.
    for entry in parser.error_log.filter_from_fatals():
        reason = entry.message.partition("use XML_PARSE")[0].strip(" ,\n")
        raise DataError(path, f"is more than the HTML parser can take ({reason}); simplify or split it")
    return root


def text_of_fragment(text: str, path: Path) -> str:
    """Return the text of a piece of HTML inside a file of another format, blocks joined by line breaks.

    Raises:
        DataError: if it is nested more deeply than a parser goes.
    """
    if "<" not in text:
        return text.strip()
    root = _parse(text, path)
    if root is None:
        return ""
    return "\n".join(part.text for part in _Extractor(root).parts if part.text)


def _sections(text: str, name: str, path: Path) -> Iterator[Section]:
    root = _parse(text, path)
    if root is None:
        return
    page_title = _squeeze(root.findtext(".//head/title") or root.findtext(".//title") or "")
    described = root.xpath("string(//meta[@name='description']/@content)")
    file_title, folder = title_of_file(name)
    extracted = _Extractor(_content(root))
    headings: list[tuple[int, str]] = []
    blocks: list[Block] = []
    anchor, offset, site = "", 0, ""

    def where() -> tuple[str, ...]:
        own = tuple(heading for _, heading in headings) or (page_title or file_title,)
        return (site, *own) if site and site != own[0] else own

    def section() -> Section:
        alone = len(where()) == 1
        return Section(
            where(), tuple(blocks), (_squeeze(described)[:200] or folder) if alone else "",
            {"anchor": anchor} if anchor else {},
        )  # fmt: skip

    for part in extracted.parts:
        if part.level:
            if blocks:
                yield section()
                blocks = []
            while headings and headings[-1][0] >= part.level:
                headings.pop()
            if part.text:
                headings.append((part.level, part.text))
            if len(headings) == 1 and not site:
                site = _site(page_title, part.text)
            anchor = part.anchor
        elif part.text:
            blocks.append(Block(part.text, offset, offset + len(part.text), verbatim=part.verbatim))
            offset += len(part.text) + len(JOINT)
    if blocks:
        yield section()


def _site(page_title: str, heading: str) -> str:
    """Return what a page's title says beside its heading: "Flask docs" of "Installation — Flask docs"."""
    parts = _SEPARATOR.split(page_title)
    others = [part for part in parts if part.lower() != heading.lower()]
    return others[-1] if 0 < len(others) < len(parts) else ""


def _content(root: Any) -> Any:
    """Return the element that holds the page's own text."""
    for query in (".//main", ".//*[@role='main']", ".//article"):
        found = root.findall(query)
        if len(found) == 1 and len("".join(found[0].itertext())) > 200:
            return found[0]
    body = root.find(".//body")
    return root if body is None else body


def _squeeze(text: str) -> str:
    return " ".join(text.split())


class _Part:
    __slots__ = ("anchor", "level", "text", "verbatim")

    def __init__(self, text: str, level: int = 0, anchor: str = "", verbatim: bool = False) -> None:
        self.text, self.level, self.anchor, self.verbatim = text, level, anchor, verbatim


class _Extractor:
    """Collects the text of blocks and headings in order; without recursion, since pages can be nested deeply."""

    def __init__(self, root: Any) -> None:
        from lxml import etree

        self.parts: list[_Part] = []
        self._words: list[str] = []
        self._pre = self._hidden = 0
        self._level, self._anchor, self._row = 0, "", False
        for event, element in etree.iterwalk(root, events=("start", "end")):
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                self._start(tag, element)
            else:
                self._end(tag, element, element is root)
        self._flush()

    def _start(self, tag: str, element: Any) -> None:
        if self._hidden or self._is_hidden(tag, element):
            self._hidden += 1
            return
        if tag in _HEADINGS:
            self._flush()
            self._level = _HEADINGS[tag]
            self._anchor = element.get("id") or _ancestor_id(element)
        elif tag in _BLOCKS:
            self._flush()
            self._pre += tag == "pre"
        elif tag in ("td", "th") and self._words:
            self._words.append(" | ")
            self._row = True
        elif tag == "br":
            self._words.append("\n" if self._pre else " ")
        if element.text:
            self._words.append(element.text)

    def _end(self, tag: str, element: Any, last: bool) -> None:
        if self._hidden:
            self._hidden -= 1
            if self._hidden:
                return
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._flush()
            self._pre -= tag == "pre"
        if element.tail and not last:
            self._words.append(element.tail)

    @staticmethod
    def _is_hidden(tag: str, element: Any) -> bool:
        if tag in _SKIPPED or element.get("hidden") is not None or element.get("aria-hidden") == "true":
            # A header inside an article holds its title.
            return not (tag == "header" and any(a.tag in ("article", "main") for a in element.iterancestors()))
        return element.get("role") in ("navigation", "search", "contentinfo", "banner")

    def _flush(self) -> None:
        raw = "".join(self._words)
        text = raw.strip("\n").rstrip() if self._pre else _squeeze(raw)
        if self._level:
            text = _squeeze(raw).strip(_MARKS).strip()
        if text.strip(" |") or self._level:
            self.parts.append(_Part(text, self._level, self._anchor, bool(self._pre) or self._row))
        self._words, self._level, self._anchor, self._row = [], 0, "", False


def _ancestor_id(element: Any) -> str:
    """Return the id of the section around a heading: Sphinx and others put it there."""
    parent = element.getparent()
    return (parent.get("id") or "") if parent is not None and parent.tag in ("section", "div") else ""
