"""Negatives with one known fault: a gold question with one option changed so that no passage of D carries it.

They are made from what a question was written of, never by editing text, so that wording, form and all other options
stay the same:

- ``other thing``: the option is replaced by a thing of the same sort that D does not speak of;
- ``other description``: the name gets the description of a thing of the same sort;
- ``other number``: a year is moved by a little;
- ``recombined``: the name of one passage gets the description of another passage of D;
- ``repeated``: an option is offered twice.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rac.corpus.bootstrap.case import words
from rac.corpus.bootstrap.facets import Facet
from rac.corpus.bootstrap.phrases import head_word
from rac.corpus.bootstrap.subjects import Subject
from rac.corpus.bootstrap.wording import Wording
from rac.records import Passage

FAULTS = ("other thing", "other description", "other number", "recombined", "repeated")
_YEAR = re.compile(r"(?<!\d)\d{3,4}(?!\d)")
_SAMPLE = 150


@dataclass(frozen=True)
class Fault:
    """A faulty question, the kind of its fault, and which option (from 0) has it."""

    question: str
    kind: str
    option: int


class FaultMaker:
    """Makes faulty twins of questions.

    Args:
        subjects: What the passages of the corpus are about: donors of names and descriptions.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._by_head: dict[str, list[Subject]] = defaultdict(list)
        self._by_word: dict[str, list[Subject]] = defaultdict(list)
        self._by_sort: dict[str, list[Subject]] = defaultdict(list)
        for subject in subjects:
            if subject.name:
                self._by_head[head_word(_short(subject))].append(subject)
                if subject.phrase:
                    self._by_sort[_sort(_short(subject), subject.person)].append(subject)
                for word in dict.fromkeys(words(subject.name.lower())):
                    self._by_word[word].append(subject)

    def make(self, wording: Wording, d: Sequence[Passage], wanted: int, rng: random.Random) -> list[Fault]:
        """Return up to ``wanted`` faulty twins of a question, of different kinds.

        Args:
            wording: The gold question.
            d: Its passages; what a fault brings in is in none of them, what it recombines is in no single one.
            wanted: Number of twins.
            rng: Source of randomness.
        """
        makers: dict[str, Callable[[Wording, int, Sequence[Passage], random.Random], Facet | None]] = {
            "other thing": self._other_thing,
            "other description": self._other_description,
            "other number": _other_number,
            "recombined": _recombined,
            "repeated": _repeated,
        }
        faults: list[Fault] = []
        for kind in rng.sample(FAULTS, len(FAULTS)):
            if len(faults) == wanted:
                break
            for option in rng.sample(range(len(wording.facets)), len(wording.facets)):
                facet = makers[kind](wording, option, d, rng)
                question = _exchange(wording, option, facet) if facet else wording.text
                if question != wording.text:
                    faults.append(Fault(question, kind, option))
                    break
        return faults

    def _other_thing(self, wording: Wording, option: int, d: Sequence[Passage], rng: random.Random) -> Facet | None:
        own = wording.facets[option]
        known = _known(d)
        attribute = wording.form == "attribute"

        def fits(donor: Subject) -> bool:
            new = not ({w.lower() for w in words(donor.name) if len(w) > 3} - {wording.term.lower()}) & known
            short = len(words(donor.name)) <= len(words(own.name)) + 2
            return new and short and not (attribute and _long(donor) == _short(donor))

        # A namesake that was not retrieved is the hardest to tell; else one of the same class.
        namesakes = [s for s in self._by_word[wording.term.lower()] if s.id not in {p.id for p in d}]
        donor = _nearest(namesakes, own, fits, rng) or _nearest(self._by_head[head_word(own.kind)], own, fits, rng)
        if donor is None:
            return None
        return Facet(
            own.passage_id,
            donor.name,
            _short(donor) if own.description else "",
            donor.years if own.years else "",
            donor.article,
            _long(donor) if own.attribute else "",
            own.kind,
            own.person,
        )

    def _other_description(
        self, wording: Wording, option: int, d: Sequence[Passage], rng: random.Random
    ) -> Facet | None:
        own = wording.facets[option]
        if not own.description or wording.form == "attribute":
            return None
        known = _known([p for p in d if p.id == own.passage_id])

        def fits(donor: Subject) -> bool:
            described = words(_short(donor).lower())
            return any(w not in known for w in described) and len(described) <= len(words(own.description)) + 1

        donor = _nearest(self._by_sort[_sort(own.description, own.person)], own, fits, rng)
        return replace(own, description=_short(donor)) if donor else None


def _short(subject: Subject) -> str:
    return subject.phrase.short if subject.phrase else ""


def _long(subject: Subject) -> str:
    return subject.phrase.long if subject.phrase else ""


def _nearest(
    donors: Sequence[Subject], own: Facet, fits: Callable[[Subject], bool], rng: random.Random
) -> Subject | None:
    """Return the donor, of a sample, that shares most words with an option's description: a sibling, not a stranger."""
    wanted = set(words((own.attribute or own.kind).lower()))
    best: tuple[float, Subject] | None = None
    for donor in rng.sample(donors, min(_SAMPLE, len(donors))):
        if donor.id == own.passage_id or not fits(donor):
            continue
        described = set(words(_short(donor).lower()))
        near = len(described & wanted) / (len(described | wanted) or 1)
        if best is None or near > best[0]:
            best = (near, donor)
    return best[1] if best else None


def _sort(description: str, person: bool) -> str:
    """Return a rough sort within which descriptions can be exchanged without becoming absurd."""
    if person:
        return "person"
    return "partitive" if " of " in description else "thing"


def _known(passages: Sequence[Passage]) -> set[str]:
    return {w.lower() for p in passages for w in words(f"{p.title} {p.description} {' '.join(p.types)} {p.text}")}


def _other_number(wording: Wording, option: int, d: Sequence[Passage], rng: random.Random) -> Facet | None:
    own = wording.facets[option]
    known = _known(d)
    for part in ("attribute",) if wording.form == "attribute" else ("description", "years"):
        found = _YEAR.search(getattr(own, part))
        if found:
            for step in rng.sample((-4, -3, -2, -1, 1, 2, 3, 4), 8):
                year = str(int(found[0]) + step)
                if not any(year in word for word in known):
                    text = getattr(own, part)
                    return replace(own, **{part: text[: found.start()] + year + text[found.end() :]})
    return None


def _recombined(wording: Wording, option: int, d: Sequence[Passage], rng: random.Random) -> Facet | None:
    own = wording.facets[option]
    other = wording.facets[(option + 1) % len(wording.facets)]
    if wording.form == "attribute" or own.name.lower() == other.name.lower():
        return None
    own_words = _known([p for p in d if p.id == own.passage_id])
    if other.years and own.years and not set(_YEAR.findall(other.years)) & own_words:
        return replace(own, years=other.years)
    if other.description and head_word(other.description) not in own_words:
        return replace(own, description=other.description)
    return None


def _repeated(wording: Wording, option: int, d: Sequence[Passage], rng: random.Random) -> Facet | None:
    return wording.facets[(option + 1) % len(wording.facets)]


def _exchange(wording: Wording, option: int, facet: Facet) -> str:
    facets = list(wording.facets)
    facets[option] = facet
    return replace(wording, facets=tuple(facets)).text
