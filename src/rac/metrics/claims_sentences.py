"""Sentences of a question, and the question with single blanks."""

from __future__ import annotations

import re

from rac.metrics import frames
from rac.metrics.text import lower, plain

_PASSAGE_NUMBER = re.compile(r"\[\d{1,2}\]|</?[a-zA-Z][^<>\n]{0,80}>|\*\*|__|`")


def without_numbers(question: str) -> str:
    """Blank out passage numbers ("[2] Marco Polo"), which weak models copy, and markup; the length stays."""
    return _PASSAGE_NUMBER.sub(lambda m: " " * len(m.group()), question)


def squeeze(text: str) -> tuple[str, list[int]]:
    """Return ``text`` with runs of blanks made one, and for each of its characters where it stood."""
    kept = [i for i, c in enumerate(text) if not (c in " \t\u00a0" and i and text[i - 1] in " \t\u00a0\n")]
    return "".join(" " if text[i] in "\t\u00a0" else text[i] for i in kept), kept


_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s+[^\sa-z]|\s*$)|\?(?=\s+(?!(?:or|and|when)\b))|\n+")
ABBREVIATION = re.compile(
    r"(?:\b[a-z]|\b(?:mr|mrs|ms|dr|st|mt|no|vs|inc|jr|sr|co|ltd|corp|e\.g|i\.e|u\.s|ft|feat|etc|approx|dept|vol|ch|fig|"
    r"ed|op|nr)) ?\.$"
)
"""Text that ends in an abbreviation, whose point ends no sentence."""
FRAME_INSIDE = re.compile(rf"(?<=\s)(?:{frames.IDENTITY})(?=\s)")
_ASKING = re.compile(rf"{frames.FRAME_START.pattern}|{frames.WH.pattern}|{frames.ECHO.pattern}")


def sentences(question: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences of a question; "!" and "." before a small letter end none."""
    text = lower(plain(question))
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _SENTENCE_END.finditer(plain(question)):
        if (
            match.group().startswith(".")
            and ABBREVIATION.search(text[start : match.start() + 1])
            and match.end() < len(text)
        ):
            continue
        if match.group().startswith("!") and match.end() < len(text) and _ASKING.search(text[start : match.start()]):
            continue  # "Which one do you mean, Love! Valour! or ...": part of a name
        if text[start : match.end()].strip():
            spans.append((start, match.end()))
        start = match.end()
    if text[start:].strip():
        spans.append((start, len(text)))
    return [(a + len(text[a:b]) - len(text[a:b].lstrip()), b) for a, b in spans]
