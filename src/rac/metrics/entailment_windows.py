"""Windows: the premises that a claim is checked against, title + types + one or two sentences of a passage.

A bare sentence ("He was born in Ulm.") entails nothing about anyone; with its title it does. So every window carries
the head of its passage.
"""

from __future__ import annotations

import re

from rac.records import Passage

HEAD_WORDS = 40
"""Most words of types and description in a window's head; types beyond that get windows of their own."""

_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Mt|Ft|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Gov|Sen|Rep|No|Nos|vs|approx|ca|c|b|d|fl|"
    r"e\.g|i\.e|etc|cf|Vol|vol|pp|Inc|Ltd|Co|Corp|Bros|U\.S|U\.K|a\.m|p\.m|Jan|Feb|Mar|Apr|Aug|Sept|Oct|Nov|Dec))\.$"
)
_BREAK = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9À-ÖØ-Þ])|\n{2,}")
_SPACE = re.compile(r"\s+")


def split_sentences(text: str) -> list[str]:
    """Split English text into sentences; initials and common abbreviations do not end one.

    Every word of ``text`` is in exactly one sentence, in order; white space is normalised.
    """
    sentences: list[str] = []
    start = 0
    for found in _BREAK.finditer(text):
        before = text[start : found.start()].rstrip()
        if "\n\n" not in found.group() and _ABBREVIATION.search(before):
            continue
        sentences.append(text[start : found.end()])
        start = found.end()
    sentences.append(text[start:])
    return [s for s in (_SPACE.sub(" ", sentence).strip() for sentence in sentences) if s]


def windows(passage: Passage, *, sentences: int = 2, stride: int | None = None) -> list[str]:
    """Return the premises of a passage: ``title (types; description): one or two sentences``.

    Args:
        passage: d_i of D.
        sentences: Sentences per window.
        stride: Sentences from one window to the next; by default windows do not overlap.

    Returns:
        At least one window unless the passage is empty. Types that do not fit the head of ``HEAD_WORDS`` words make
        further windows without sentences, so that no type is lost.

    Example:
        >>> windows(Passage(id="p", title="Luna", types=("moon",), text="It is grey. It is round. It is far."))
        ['Luna (moon): It is grey. It is round.', 'Luna (moon): It is far.']
    """
    if sentences < 1 or (stride is not None and stride < 1):
        raise ValueError(f"sentences ({sentences}) and stride ({stride}) must be at least 1")
    heads = _heads(passage)
    parts = split_sentences(passage.text)
    step = stride or sentences
    found: list[str] = []
    for start in range(0, len(parts), step):
        found.append(" ".join(parts[start : start + sentences]))
        if start + sentences >= len(parts):
            break
    first = heads[0]
    made = [f"{first}: {body}" if first else body for body in found] or ([first] if first else [])
    return made + heads[1:]


def _heads(passage: Passage) -> list[str]:
    title = _SPACE.sub(" ", passage.title).strip()
    labels = [_SPACE.sub(" ", t).strip() for t in (*passage.types, passage.description)]
    groups: list[list[str]] = [[]]
    words = 0
    for label in dict.fromkeys(t for t in labels if t):
        size = len(label.split())
        if groups[-1] and words + size > HEAD_WORDS:
            groups.append([])
            words = 0
        groups[-1].append(label)
        words += size
    return [f"{title} ({', '.join(g)})".strip() if g else title for g in groups]
