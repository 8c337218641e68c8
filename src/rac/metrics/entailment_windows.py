"""Windows: the premises that a claim is checked against, title + types + one or two sentences of a passage.

A bare sentence ("He was born in Ulm.") entails nothing about anyone; with its title it does. So every window carries
the head of its passage.
"""

from __future__ import annotations

import re

from rac.records import Passage

HEAD_WORDS = 24
"""Most words of types and description in a window's head; types beyond that get windows of their own."""
WINDOW_WORDS = 48
"""Most words of text in a window, so that head, text and claim together fit the embedded model."""
OVERLAP_WORDS = 8
"""Words that two windows over one long sentence share."""

_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Mt|Ft|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Gov|Sen|Rep|No|Nos|vs|approx|ca|c|b|d|fl|"
    r"e\.g|i\.e|etc|cf|Vol|vol|pp|Inc|Ltd|Co|Corp|Bros|U\.S|U\.K|a\.m|p\.m|Jan|Feb|Mar|Apr|Aug|Sept|Oct|Nov|Dec))\.$"
)
_BREAK = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9À-ÖØ-Þ])|\n{2,}")
_LIFETIME = re.compile(
    r"\((?P<birth>[^()\d]{0,20}[^()]{0,12}?\b\d{3,4})\s*[-–—]+\s*(?P<death>[^()]{0,30}?\b\d{3,4})?\)"
)
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


def windows(passage: Passage, *, sentences: int = 2, max_words: int = WINDOW_WORDS) -> list[str]:
    """Return the premises of a passage: ``title (types, description): one or two sentences``.

    Args:
        passage: d_i of D.
        sentences: Most sentences per window.
        max_words: Most words of text per window. A sentence longer than that is laid over several windows, each of
            which repeats the last ``OVERLAP_WORDS`` words of the one before.

    Returns:
        At least one window unless the passage is empty. Types that do not fit the head of ``HEAD_WORDS`` words make
        further windows without sentences, so that no type and no word of the text is lost.

    Example:
        >>> windows(Passage(id="p", title="Luna", types=("moon",), text="It is grey. It is round. It is far."))
        ['Luna (moon): It is grey. It is round.', 'Luna (moon): It is far.']
    """
    if sentences < 1 or max_words <= OVERLAP_WORDS:
        raise ValueError(f"sentences ({sentences}) must be at least 1 and max_words ({max_words}) over {OVERLAP_WORDS}")
    heads = _heads(passage)
    bodies: list[list[str]] = []
    size = 0
    for sentence in split_sentences(passage.text):
        for piece in _pieces(sentence.split(), max_words):
            if not bodies or len(bodies[-1]) == sentences or size + len(piece) > max_words:
                bodies.append([])
                size = 0
            bodies[-1].append(" ".join(piece))
            size += len(piece)
    first = heads[0]
    texts = [" ".join(body) for body in bodies]
    made = [f"{first}: {text}" if first else text for text in texts] or ([first] if first else [])
    return made + heads[1:]


def spell_lifetimes(window: str) -> str:
    """Return a premise with "(1879–1955)" as "(born 1879, died 1955)": what biographies leave unsaid.

    >>> spell_lifetimes("Anna Berg (author): Anna Berg (3 May 1879 – 1955) wrote novels.")
    'Anna Berg (author): Anna Berg (born 3 May 1879, died 1955) wrote novels.'
    """

    def spelled(found: re.Match[str]) -> str:
        birth, death = found["birth"].strip(), found["death"]
        born = birth if birth.lower().startswith("born") else f"born {birth}"
        return f"({born}, died {death.strip()})" if death else f"({born})"

    return _LIFETIME.sub(spelled, window)


def _pieces(words: list[str], max_words: int) -> list[list[str]]:
    if len(words) <= max_words:
        return [words]
    step = max_words - OVERLAP_WORDS
    return [words[i : i + max_words] for i in range(0, len(words) - OVERLAP_WORDS, step)]


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
