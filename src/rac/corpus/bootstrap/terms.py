"""Ambiguous terms of a corpus: what people may type and several passages answer to.

Kinds of terms, in the notation of ``Kind``:

- ``homonym``: one name of several passages, apart from parentheses ("Casablanca": city, film);
- ``name``: a word in several titles, or of a maker ("King": B. B. King, King Lear; "Tolstoy": the writer, his novels);
- ``phrase``: two to four words in several titles ("world war");
- ``acronym``: an abbreviation of several names ("LP");
- ``class``: a description, or its first or last words, that several passages share ("Persian poet", "volcano");
- ``topic``: a heading with several sections below it ("local installs": regular installs, editable installs);
- ``mention``: a word that the texts of a few documents use ("token": the guide to signing in, the price list);
- ``cluster``: a word that many documents use; whether what is retrieved for it falls into clusters is seen later.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rac.corpus.bootstrap.case import DEMONYM, is_identifier, words
from rac.corpus.bootstrap.subjects import PREPOSITIONS, Reading, Subject, says_nothing
from rac.corpus.bootstrap_settings import Bootstrap, Kind

_SMALL_WORDS = (
    "a an the and or of in on at to for from by with as is are was were be de la le el du des di da van von der den "
    "del al bin ibn abu saint st sir lord lady dr mr mrs great first second third one two three i ii iii iv v vi vii "
    "viii ix x xi xii xiii xiv xv xvi not no non your my his her its this that what who how when where why"
)
_STOP = frozenset(_SMALL_WORDS.split())
_ROMAN = re.compile(r"[IVXLCDM]+$")
_SPAN = re.compile(r"\d+s?[–-]\d")
_MAKER = re.compile(r" by (?:[^\W\d_][\w.'’-]* )*([A-Z][\w'’-]{2,})$")


@dataclass(frozen=True)
class Term:
    """Something ambiguous that may be typed.

    Attributes:
        text: As the corpus writes it ("King", "Persian poet").
        kind: How it is ambiguous.
        rows: Row numbers of the passages that it may mean, ascending; at least two, none for the kind ``cluster``.
        plausible: 0..1, how likely it is typed for these (a surname more than a middle name); orders the terms.
    """

    text: str
    kind: Kind
    rows: tuple[int, ...]
    plausible: float = 1.0

    @property
    def key(self) -> str:
        """The unit of splitting: all queries of one term are one group."""
        return self.text.lower()


def find_terms(reading: Reading, settings: Bootstrap) -> tuple[list[Term], dict[str, int]]:
    """Find the ambiguous terms of a corpus.

    Args:
        reading: What the passages are about.
        settings: Which kinds, and how many passages may share a term.

    Returns:
        The terms, each key once; and counts of terms per kind and of those left out.
    """
    subjects = reading.subjects
    finders: dict[Kind, Callable[[], Iterator[Term]]] = {
        "homonym": lambda: _homonyms(subjects, settings.max_titles),
        "acronym": lambda: _acronyms(subjects, settings.max_titles),
        "name": lambda: _names(subjects, settings.max_titles),
        "phrase": lambda: _phrases(subjects, settings.max_titles),
        "class": lambda: _classes(subjects, settings.max_class),
        "topic": lambda: _topics(subjects, settings.max_titles),
        "mention": lambda: (Term(word, "mention", rows, 0.3) for word, rows in reading.mentions.items()),
        "cluster": lambda: (Term(word, "cluster", rows, 0.3) for word, rows in reading.common.items()),
    }
    counts: Counter[str] = Counter()
    terms: dict[str, Term] = {}
    for kind, finder in finders.items():
        if kind not in settings.kinds:
            continue
        for term in finder():
            if says_nothing(term.text) and any(subjects[row].contexts for row in term.rows):
                counts["terms left out: headings that fit any document"] += 1
                continue
            if term.key in terms:
                counts["terms left out: same words as a term of another kind"] += 1
                continue
            terms[term.key] = term
            counts[f"terms: {kind}"] += 1
    return list(terms.values()), dict(counts)


def _homonyms(subjects: Sequence[Subject], most: int) -> Iterator[Term]:
    by_name: dict[str, list[int]] = defaultdict(list)
    for row, subject in enumerate(subjects):
        if subject.name:
            by_name[subject.name.lower()].append(row)
    for _, rows in sorted(by_name.items()):
        # A heading of many sections ("Examples") is no name that anybody asks for.
        if len(rows) > 1 and (len(rows) <= most or not any(subjects[row].contexts for row in rows)):
            yield Term(subjects[rows[0]].name, "homonym", tuple(rows))


def _names(subjects: Sequence[Subject], most: int) -> Iterator[Term]:
    # Words that name a thing somewhere: the last word of a title that is no epithet ("William the Silent").
    things = {p[-1].lower() for s in subjects if (p := words(s.name)) and "the" not in p[-2:-1]}
    rows_of: dict[str, dict[int, float]] = defaultdict(dict)
    for row, subject in enumerate(subjects):
        for word, weight in _words_with_weights(subject, things):
            rows_of[word][row] = max(weight, rows_of[word].get(row, 0.0))
    for word, weights in sorted(rows_of.items()):
        likely = {row: w for row, w in weights.items() if w > 0.1}
        if len(likely) >= 2 and len(weights) <= most and not _is_fragment(word, [subjects[row] for row in likely]):
            yield Term(word, "name", tuple(sorted(likely)), sum(likely.values()) / len(likely))


def _is_fragment(word: str, subjects: Sequence[Subject]) -> bool:
    """Whether a word has the same neighbour in all names, as "Rica" in "Costa Rica" and "San José, Costa Rica"."""
    before, after = set(), set()
    for subject in subjects:
        parts = ["", *words(subject.name.lower()), ""]
        place = parts.index(word.lower()) if word.lower() in parts else 0
        before.add(parts[place - 1] if place else "")
        after.add(parts[place + 1] if place else "")
    return any(len(side) == 1 and "" not in side and not side & _STOP for side in (before, after))


def _words_with_weights(subject: Subject, things: set[str]) -> Iterator[tuple[str, float]]:
    """Yield the words that a subject may be asked for by, and how likely that is (0..1; 0.1: hardly)."""
    parts = words(subject.name)
    for place, word in enumerate(parts):
        if len(word) < 3 or word.endswith(".") or word.lower() in _STOP or _ROMAN.match(word):
            continue
        if any(c.isdigit() for c in word):
            continue
        if place == len(parts) - 1:
            before = parts[place - 1] if place else ""
            # "William the Silent" is not asked for by "silent", nor "Margaret I of Denmark" by "denmark".
            weight = 0.1 if before == "the" or (before == "of" and subject.person) else 1.0
            if subject.contexts and word in subject.modifiers:
                weight = 0.1  # "With retries enabled": a heading can end in any word
        elif word.lower() not in things and (word in subject.modifiers or DEMONYM.search(word)):
            weight = 0.1  # a mere modifier: nobody asks for "silent" to get "Silent film"
        elif place == 0:
            weight = 0.5 if subject.person else 0.8
        else:
            weight = 0.1 if subject.person or word.islower() else 0.4
        # "algebra" of "Abstract algebra" and "Algebra" are one word; names keep the spelling of the corpus.
        yield (word if is_identifier(word) else word[0].upper() + word[1:]), weight
    if subject.phrase and (maker := _MAKER.search(subject.phrase.long)):
        yield maker[1], 0.7


def _phrases(subjects: Sequence[Subject], most: int) -> Iterator[Term]:
    rows_of: dict[str, set[int]] = defaultdict(set)
    for row, subject in enumerate(subjects):
        parts = words(subject.name)
        for size in (2, 3, 4):
            for start in range(len(parts) - size + 1):
                piece = parts[start : start + size]
                if piece[0].lower() in _STOP or piece[-1].lower() in _STOP or not piece[0][0].isupper():
                    continue
                if subject.contexts and piece[-1] in subject.modifiers:
                    continue
                rows_of[" ".join(piece)].add(row)
    longest: dict[frozenset[int], str] = {}
    for text, rows in sorted(rows_of.items()):
        if 2 <= len(rows) <= most and len(text) > len(longest.get(frozenset(rows), "")):
            longest[frozenset(rows)] = text  # "York City" is no name of its own where "New York City" always stands
    for shared, text in sorted(longest.items(), key=lambda item: item[1]):
        yield Term(text, "phrase", tuple(sorted(shared)), 0.9)


def _acronyms(subjects: Sequence[Subject], most: int) -> Iterator[Term]:
    rows_of: dict[str, set[int]] = defaultdict(set)
    for row, subject in enumerate(subjects):
        for text in subject.acronyms:
            rows_of[text].add(row)
    for text, rows in sorted(rows_of.items()):
        if 2 <= len(rows) <= most:
            yield Term(text, "acronym", tuple(sorted(rows)))


def _topics(subjects: Sequence[Subject], most: int) -> Iterator[Term]:
    """Yield headings with two or more sections directly below them whose own headings say something."""
    named = Counter(subject.name.lower() for subject in subjects if subject.name)
    rows_of: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, subject in enumerate(subjects):
        if subject.contexts and subject.name and named[subject.name.lower()] <= most:
            rows_of[(subject.document, subject.contexts[0])].append(row)
    merged: dict[str, list[int]] = defaultdict(list)
    spelled: dict[str, str] = {}
    for (_, topic), rows in rows_of.items():
        merged[topic.lower()].extend(rows)
        spelled.setdefault(topic.lower(), topic)
    for key, rows in sorted(merged.items()):
        if 2 <= len(rows) <= 4 * most and 1 <= len(words(key)) <= 5 and key.split()[0] not in PREPOSITIONS:
            yield Term(spelled[key], "topic", tuple(sorted(rows)), 0.8)


def _classes(subjects: Sequence[Subject], most: int) -> Iterator[Term]:
    rows_of: dict[str, dict[int, float]] = defaultdict(dict)
    for row, subject in enumerate(subjects):
        for text, weight in _classes_of(subject):
            rows_of[text][row] = max(weight, rows_of[text].get(row, 0.0))
    for text, weights in sorted(rows_of.items()):
        # A single word needs more members to be a class that people ask for ("opera", not "decrease").
        if (2 if " " in text else 3) <= len(weights) <= most:
            yield Term(text, "class", tuple(sorted(weights)), max(weights.values()))


def _classes_of(subject: Subject) -> Iterator[tuple[str, float]]:
    """Yield classes of a subject: its descriptions, and broader ones made of their outer words."""
    if not subject.phrase:
        return
    short, long = subject.phrase.short, subject.phrase.long
    if _SPAN.match(short):
        return  # nobody types "1918–1992 country"
    yield short, 0.9 if " " in short else 0.7
    yield long, 0.9 if " " in long else 0.7
    core = short.split(" of ")[0].split()
    if len(core) == len(short.split()) >= 2 and "and" not in core and not core[0][0].isdigit():
        yield core[-1], 0.5
        if len(core) >= 3:
            yield " ".join(core[-2:]), 0.7
            if core[0][0].isupper() and core[1][0].islower():
                yield f"{core[0]} {core[-1]}", 0.7
