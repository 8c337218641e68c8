"""Alternatives laid out as a list: bullets, numbers, letters, or bars between them ("Moon | Goddess")."""

from __future__ import annotations

import re
from typing import NamedTuple

_BULLET = re.compile(r"(?m)^[ \t]*(?:[-*•·–‣]|\(?\d{1,2}[.)]|\(?[A-Ha-h][.)]|\[[A-Ha-h]\])[ \t]+(?=\S)")
_INLINE = re.compile(
    r"(?:(?<=\s)|^|(?<=:))(?:\((?P<inner>\d{1,2}|[A-Ha-h])\)|(?P<outer>\d{1,2}|[A-Ha-h])[.)])\s+(?=\S)"
)
_LABEL = re.compile(
    r"\b(?:(?:option|choice|answer|possibility) ?(?P<mark>\d{1,2}|[a-h])|"
    r"(?P<order>first|second|third|fourth|fifth)(?:ly)?) ?[:.)-]\s+(?=\S)", re.IGNORECASE,
)  # fmt: skip
_ORDER = ("first", "second", "third", "fourth", "fifth")
_BAR = re.compile(r"[ \t]+\|[ \t]+")
_BEFORE_BARS = re.compile(r"[?:.!]\s+|\n")
_ASKS = re.compile(r"\?|:\s*$|\b(?:which|mean|choose|select|pick|options?|choices?|clarify|specify)\b", re.IGNORECASE)
_LONGEST = 12
"""Words of an item at most, where nothing around the list asks."""


class ListBlock(NamedTuple):
    """A list in a question: its span and the spans of its items."""

    start: int
    end: int
    items: list[tuple[int, int]]


def find_list(question: str) -> ListBlock | None:
    """Return the list of alternatives in a question, None if there is none.

    Lists of sentences that nothing asks about are no alternatives; they are read as statements.
    """
    block = _bulleted(question) or _numbered(question) or _labelled(question) or _barred(question)
    if block is None:
        return None
    around = f"{question[: block.start]}\n{question[block.end :]}"
    short = all(
        len(question[a:b].split()) <= _LONGEST and not question[a:b].rstrip().endswith(".") for a, b in block.items
    )
    return block if short or _ASKS.search(around.strip()) else None


def _bulleted(question: str) -> ListBlock | None:
    marks = list(_BULLET.finditer(question))
    if len(marks) < 2:
        return None
    items = []
    for mark in marks:
        stop = question.find("\n", mark.end())
        items.append((mark.end(), len(question) if stop < 0 else stop))
    return ListBlock(marks[0].start(), items[-1][1], items)


def _numbered(question: str) -> ListBlock | None:
    """Return a list within a line, whose marks count up from 1 or a ("1. Moon 2. Goddess", "(a) Moon or (b) God")."""
    marks: list[re.Match[str]] = []
    for mark in _INLINE.finditer(question):
        name = (mark.group("inner") or mark.group("outer")).lower()
        wanted = str(len(marks) + 1), "abcdefgh"[min(len(marks), 7)]
        if name in wanted and (not marks or _like(marks[0], mark)):
            marks.append(mark)
    if len(marks) < 2:
        return None
    ends = [m.start() for m in marks[1:]]
    tail = re.compile(r"[?\n]").search(question, marks[-1].end())
    ends.append(tail.start() if tail else len(question))
    return ListBlock(marks[0].start(), ends[-1], [(m.end(), e) for m, e in zip(marks, ends, strict=True)])


def _labelled(question: str) -> ListBlock | None:
    """Return a list whose items have labels: "Option 1: Moon. Option 2: Goddess.", "first: Moon; second: Goddess"."""
    marks: list[re.Match[str]] = []
    for mark in _LABEL.finditer(question):
        place = len(marks)
        wanted = (str(place + 1), "abcdefgh"[min(place, 7)], _ORDER[min(place, 4)])
        if (mark.group("mark") or mark.group("order")).lower() in wanted:
            marks.append(mark)
    if len(marks) < 2:
        return None
    ends = [m.start() for m in marks[1:]]
    tail = re.compile(r"[?\n;]|\.(?=\s)").search(question, marks[-1].end())
    ends.append(tail.start() if tail else len(question))
    return ListBlock(marks[0].start(), ends[-1], [(m.end(), e) for m, e in zip(marks, ends, strict=True)])


def _like(first: re.Match[str], other: re.Match[str]) -> bool:
    """Whether two marks are of one kind: digits or letters, with or without parentheses."""
    kinds = [
        (m.group("inner") is None, (m.group("inner") or m.group("outer")).isdigit(), m.group().strip()[-1])
        for m in (first, other)
    ]
    return kinds[0] == kinds[1]


def _barred(question: str) -> ListBlock | None:
    bars = list(_BAR.finditer(question))
    if not bars:
        return None
    before = list(_BEFORE_BARS.finditer(question, 0, bars[0].start()))
    start = before[-1].end() if before else 0
    stop = question.find("\n", bars[-1].end())
    end = len(question) if stop < 0 else stop
    edges = [start, *(p for bar in bars for p in bar.span()), end]
    items = [(edges[i], edges[i + 1]) for i in range(0, len(edges), 2) if question[edges[i] : edges[i + 1]].strip()]
    return ListBlock(start, end, items) if len(items) > 1 else None
