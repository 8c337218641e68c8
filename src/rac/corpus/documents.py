"""Documents and their sections: what every reader of a document format returns, and how passages are made of it.

A reader yields sections: a path of headings and blocks of text, each block with its place in the source. Passages are
cut inside sections, so none runs over a heading.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rac.corpus.splitting import split_document
from rac.errors import DataError
from rac.records import Passage

NearDuplicates = Literal["ignore", "count", "drop"]
"""What happens to passages that are nearly the text of an earlier one."""

JOINT = "\n\n"
"""Between the blocks of a section."""
_LONGEST_BLOCK = 3000
VERBATIM = "verbatim"
"""Key of ``Passage.meta``: ``[start, end]`` pairs, offsets into the text, of code and rows of tables."""


@dataclass(frozen=True)
class ReadOptions:
    """How a corpus is read.

    Attributes:
        passage_tokens: Words and marks of a passage at most. None: 200 for documents, while records (JSON Lines,
            tables, collections) stay as they are.
        overlap_tokens: Words and marks that a passage repeats of the one before, in the same section.
        near_duplicates: Whether passages that are nearly the same text are ignored, counted or left out.
        whole_file_bytes: Largest file of a format that is read at once (Markdown, HTML, DOCX).
    """

    passage_tokens: int | None = None
    overlap_tokens: int = 40
    near_duplicates: NearDuplicates = "ignore"
    whole_file_bytes: int = 64_000_000

    @property
    def document_tokens(self) -> int:
        """Budget of a passage of a document."""
        return self.passage_tokens or 200

    @property
    def overlap(self) -> int:
        """Overlap, below the budget."""
        return min(self.overlap_tokens, self.document_tokens - 1)


class Block(NamedTuple):
    """A paragraph, list item, table row or the like.

    ``start`` and ``end`` are character offsets into the source. Where the text is not the very piece of the source
    (marks were removed), they enclose it.
    """

    text: str
    start: int
    end: int
    page: int = 0
    """Page from 1; 0 where there are none."""
    verbatim: bool = False
    """Code or a row of a table: searchable text, but no sentences."""


@dataclass(frozen=True)
class Section:
    """What stands below one heading.

    Attributes:
        headings: Title of the document and the headings down to this one; never empty strings.
        blocks: The text.
        description: What the source says about the document in a few words, "" if nothing.
        meta: What else is known of the place (``anchor``).
    """

    headings: tuple[str, ...]
    blocks: tuple[Block, ...]
    description: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


def at_least_one(sections: Iterable[Section], path: Path, reason: str) -> Iterator[Section]:
    """Yield sections; ``DataError`` with the reason if there is none."""
    found = False
    for section in sections:
        found = True
        yield section
    if not found:
        raise DataError(path, reason)


def passages_of(name: str, sections: Iterable[Section], options: ReadOptions) -> Iterator[Passage]:
    """Yield the passages of a document.

    The title of a passage is its heading. Its description is what stands above it (the title of the document, and the
    heading between, if there is one), so that "Installation (Flask)" and "Installation (Requests)" can be told apart.
    The first passage has the id ``name``, others ``name#START``; ``start`` and ``end`` are offsets into the source.

    Args:
        name: Name of the file, or whatever the document is called.
        sections: Its sections, in order.
        options: Budgets.
    """
    count = repeats = 0
    last = ""
    for section in sections:
        blocks = [part for block in section.blocks for part in _short(block)]
        text, offsets = _join(blocks)
        if not text.strip():
            continue
        headings = section.headings
        whole = Passage(
            id=name,
            text=text,
            title=headings[-1] if headings else name,
            description=section.description or _context(headings),
            source=name,
        )
        for piece in split_document(whole, options.document_tokens, options.overlap):
            start, end, page = _place(blocks, offsets, piece.start or 0, piece.end or len(text))
            identity = f"{name}#{start}" if count else name
            # Places never go back, so only neighbours can have the same: pieces of one block whose marks were removed.
            repeats = repeats + 1 if identity == last else 0
            last, identity, count = identity, identity + "+" * repeats, count + 1
            meta = dict(section.meta)
            if len(headings) > 1:
                meta["headings"] = list(headings)
            if page:
                meta["page"] = page
            if spans := _verbatim(blocks, offsets, piece.text, text, piece.start or 0):
                meta[VERBATIM] = spans
            yield piece.model_copy(update={"id": identity, "start": start, "end": end, "meta": meta})


def _verbatim(blocks: Sequence[Block], offsets: list[int], piece: str, text: str, start: int) -> list[list[int]]:
    """Return which parts of a piece of a section's text are code or rows of tables; neighbours are one part."""
    # A document that fits whole keeps its text; others are cut at ``start``.
    shift = 0 if len(piece) == len(text) else start
    spans: list[list[int]] = []
    first, last = bisect_right(offsets, shift) - 1, bisect_right(offsets, shift + len(piece))
    for block, offset in zip(blocks[first:last], offsets[first:last], strict=True):
        begin, end = max(offset - shift, 0), min(offset + len(block.text) - shift, len(piece))
        if not block.verbatim or begin >= end:
            continue
        if spans and begin - spans[-1][1] <= len(JOINT):
            spans[-1][1] = end
        else:
            spans.append([begin, end])
    return spans


def prose(passage: Passage) -> str:
    """Return the text of a passage without code and rows of tables: what it says in sentences, for descriptions.

    Example:
        >>> prose(Passage(id="1", text="Run it: make all", meta={"verbatim": [[8, 16]]}))
        'Run it:'
    """
    kept, last = [], 0
    spans = passage.meta.get(VERBATIM)
    # Passages can come from elsewhere, with whatever under this key.
    for span in spans if isinstance(spans, list) else ():
        match span:
            case [int(start), int(end)] if last <= start <= end:
                kept.append(passage.text[last:start].strip())
                last = end
    kept.append(passage.text[last:].strip())
    return JOINT.join(part for part in kept if part)


def _context(headings: tuple[str, ...]) -> str:
    """Return what stands above a heading: "Deploying, Flask" for Flask > Deploying > Installation."""
    if len(headings) < 2:
        return ""
    first, above = headings[0], headings[-2]
    return first if above == first else f"{above}, {first}"


def _short(block: Block) -> Iterator[Block]:
    """Yield a block in parts of at most ``_LONGEST_BLOCK`` characters, cut between sentences or words if possible.

    No paragraph is that long; cutting what is instead (tables, logs, a book in one line) keeps the cost linear.
    """
    text, start = block.text, 0
    exact = block.end - block.start == len(text)
    while len(text) - start > _LONGEST_BLOCK:
        middle, end = start + _LONGEST_BLOCK // 2, start + _LONGEST_BLOCK
        at = max(text.rfind(mark, middle, end) + 1 for mark in ("\n", ". ", "。"))
        # Without a sentence that ends: pieces that mostly fit a passage as they are.
        quarter = start + _LONGEST_BLOCK // 4
        at = at or text.rfind(" ", start + 1, quarter) + 1 or quarter
        part = text[start:at].rstrip()
        begin, stop = (block.start + start, block.start + start + len(part)) if exact else (block.start, block.end)
        yield block._replace(text=part, start=begin, end=stop)
        start = at
        while start < len(text) and text[start].isspace():
            start += 1
    yield block._replace(text=text[start:], start=block.start + (start if exact else 0))


def _join(blocks: Sequence[Block]) -> tuple[str, list[int]]:
    """Return the text of blocks and where each of them begins in it."""
    offsets, position = [], 0
    for block in blocks:
        offsets.append(position)
        position += len(block.text) + len(JOINT)
    return JOINT.join(block.text for block in blocks), offsets


def _place(blocks: Sequence[Block], offsets: list[int], start: int, end: int) -> tuple[int, int, int]:
    """Return where a piece of a section's text lies in the source, and on which page it begins."""
    first = bisect_right(offsets, start) - 1
    last = bisect_right(offsets, max(start, end - 1)) - 1
    begin, finish = blocks[first], blocks[last]
    source_start, source_end = begin.start, finish.end
    if begin.end - begin.start == len(begin.text):
        source_start = begin.start + min(start - offsets[first], len(begin.text))
    if finish.end - finish.start == len(finish.text):
        source_end = finish.start + min(end - offsets[last], len(finish.text))
    return source_start, source_end, begin.page


_GENERIC_NAMES = (
    "readme index copyright license licence changelog changes news todo authors contributing history install main "
    "overview introduction intro notes note document untitled about faq"
)
_GENERIC = frozenset(_GENERIC_NAMES.split())


def title_of_file(name: str) -> tuple[str, str]:
    """Return a title and a description for a document that has none: "copyright" and "bash" for ``bash/copyright.txt``.

    The folder is the description only where the file's name says nothing about its content.
    """
    *folders, last = name.split("/")
    stem = last.rpartition(".")[0] or last
    title = " ".join(stem.replace("_", " ").replace("-", " ").split()) or last
    generic = title.lower().split()[0] in _GENERIC
    return title, folders[-1] if folders and generic else ""
