"""Ambiguous terms of a corpus: what people may type and several passages answer to.

Kinds of terms, in the notation of ``Kind``:

- ``homonym``: one name of several passages, apart from parentheses ("Casablanca": city, film);
- ``name``: a capitalised word in several titles ("King": B. B. King, King Lear, Stephen King);
- ``phrase``: two or three words in several titles ("world war");
- ``acronym``: an abbreviation that several passages spell out or carry in the title ("LP");
- ``class``: a description that several passages share ("Persian poet").
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rac.corpus.bootstrap.facets import Subject
from rac.corpus.bootstrap.phrases import words
from rac.corpus.bootstrap_settings import Bootstrap, Kind

_SMALL_WORDS = (
    "a an the and or of in on at to for from by with as is are was were be de la le el du des di da van von der den "
    "del al bin ibn abu saint st sir lord lady dr mr mrs great first second third one two three i ii iii iv v vi vii "
    "viii ix x xi xii xiii xiv xv xvi not no non your my his her its this that what who how when where why"
)
_STOP = frozenset(_SMALL_WORDS.split())
_LINKING = frozenset({"a", "an", "the", "and", "of", "in", "on", "for", "to", "de", "la", "&"})
_ROMAN = re.compile(r"[IVXLCDM]+$")


@dataclass(frozen=True)
class Term:
    """Something ambiguous that may be typed.

    Attributes:
        text: As the corpus writes it ("King", "Persian poet").
        kind: How it is ambiguous.
        rows: Row numbers of the passages that it may mean, ascending; at least two.
        plausible: 0..1, how likely it is typed for these (a surname more than a middle name); orders the terms.
    """

    text: str
    kind: Kind
    rows: tuple[int, ...]
    plausible: float = 1.0

    @property
    def key(self) -> str:
        """The unit of splitting: all queries of one term, whatever its kind, are one group."""
        return self.text.lower()


def find_terms(subjects: Sequence[Subject], settings: Bootstrap) -> tuple[list[Term], dict[str, int]]:
    """Find the ambiguous terms of a corpus.

    Args:
        subjects: What each passage is about, by row.
        settings: Which kinds, and how many passages may share a term.

    Returns:
        The terms, sorted by kind and text, each key once; and counts of terms per kind and of those left out.
    """
    found: dict[Kind, list[Term]] = {
        "homonym": _homonyms(subjects),
        "name": _names(subjects, settings.max_titles),
        "phrase": _phrases(subjects, settings.max_titles),
        "acronym": _acronyms(subjects, settings.max_titles),
        "class": _classes(subjects, settings.max_class),
    }
    counts: Counter[str] = Counter()
    terms: dict[str, Term] = {}
    for kind in ("homonym", "acronym", "name", "phrase", "class"):
        for term in found[kind]:
            if kind not in settings.kinds:
                continue
            if term.key in terms:
                counts["terms left out: same words as a term of another kind"] += 1
                continue
            terms[term.key] = term
            counts[f"terms: {kind}"] += 1
    return list(terms.values()), dict(counts)


def _homonyms(subjects: Sequence[Subject]) -> list[Term]:
    by_name: dict[str, list[int]] = defaultdict(list)
    for row, subject in enumerate(subjects):
        if subject.name:
            by_name[subject.name.lower()].append(row)
    return [
        Term(subjects[rows[0]].name, "homonym", tuple(rows)) for _, rows in sorted(by_name.items()) if len(rows) > 1
    ]


def _names(subjects: Sequence[Subject], most: int) -> list[Term]:
    rows_of: dict[str, dict[int, float]] = defaultdict(dict)
    for row, subject in enumerate(subjects):
        parts = words(subject.name)
        for place, word in enumerate(parts):
            if not word[0].isupper() or len(word) < 3 or word.lower() in _STOP or _ROMAN.match(word):
                continue
            if any(c.isdigit() for c in word):
                continue
            if len(parts) == 1 or place == len(parts) - 1:
                weight = 1.0
            elif place == 0:
                weight = 0.5 if subject.person else 0.8
            else:
                weight = 0.1 if subject.person else 0.4
            rows_of[word][row] = max(weight, rows_of[word].get(row, 0.0))
    terms = []
    for word, weights in sorted(rows_of.items()):
        likely = {row: w for row, w in weights.items() if w > 0.1}
        if len(likely) >= 2 and len(weights) <= most:
            terms.append(Term(word, "name", tuple(sorted(likely)), sum(likely.values()) / len(likely)))
    return terms


def _phrases(subjects: Sequence[Subject], most: int) -> list[Term]:
    rows_of: dict[str, set[int]] = defaultdict(set)
    for row, subject in enumerate(subjects):
        parts = words(subject.name)
        for size in (2, 3, 4):
            for start in range(len(parts) - size + 1):
                piece = parts[start : start + size]
                if piece[0].lower() in _STOP or piece[-1].lower() in _STOP or not piece[0][0].isupper():
                    continue
                rows_of[" ".join(piece)].add(row)
    longest: dict[frozenset[int], str] = {}
    for text, rows in sorted(rows_of.items()):
        if 2 <= len(rows) <= most and len(text) > len(longest.get(frozenset(rows), "")):
            longest[frozenset(rows)] = text  # "York City" is no name of its own where "New York City" always stands
    return [
        Term(text, "phrase", tuple(sorted(rows)), 0.9) for rows, text in sorted(longest.items(), key=lambda i: i[1])
    ]


def _acronyms(subjects: Sequence[Subject], most: int) -> list[Term]:
    """A passage counts if its name carries the acronym, or is spelled by it and the text uses it."""
    rows_of: dict[str, set[int]] = defaultdict(set)
    for row, subject in enumerate(subjects):
        parts = words(subject.name)
        for word in parts:
            if word.isupper() and word.isalpha() and 2 <= len(word) <= 6 and not _ROMAN.match(word):
                rows_of[word].add(row)
        for initials in ("".join(w[0] for w in parts), "".join(w[0] for w in parts if w.lower() not in _LINKING)):
            text = initials.upper()
            if 2 <= len(text) <= 6 and text.isalpha() and re.search(rf"\b{text}\b", subject.text):
                rows_of[text].add(row)
    return [
        Term(text, "acronym", tuple(sorted(rows))) for text, rows in sorted(rows_of.items()) if 2 <= len(rows) <= most
    ]


def _classes(subjects: Sequence[Subject], most: int) -> list[Term]:
    rows_of: dict[str, set[int]] = defaultdict(set)
    for row, subject in enumerate(subjects):
        if subject.phrase:
            rows_of[subject.phrase.short].add(row)
            rows_of[subject.phrase.long].add(row)
    # A single word ("city") is a class of hundreds; the words of a class must narrow it down.
    return [
        Term(text, "class", tuple(sorted(rows)))
        for text, rows in sorted(rows_of.items())
        if 2 <= len(rows) <= most and len(text.split()) >= 2
    ]
