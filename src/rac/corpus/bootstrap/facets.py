"""Facets: how an option names one passage, in words of that passage only.

An option is a name with a short description ("King Lear, the play"), a name with years ("Li Bai (701-762)"), a name
alone, or an attribute that tells members of a class apart ("the opera by Giuseppe Verdi").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rac.corpus.bootstrap.case import words
from rac.corpus.bootstrap.subjects import Subject, says_nothing
from rac.records import Passage

_OF = re.compile(r"\b(?:of|by|in|from|about|for|on|and|or|the)\b")


@dataclass(frozen=True)
class Facet:
    """One option, in words of the passage with id ``passage_id``.

    Attributes:
        passage_id: The passage that supports the option.
        name: Its title without parentheses.
        description: A noun phrase without article ("play"), "" if the name needs none or has none.
        years: Years ("1841–1919"), "" where the description suffices.
        article: Whether the name needs "the".
        attribute: What tells members of a class apart without names ("opera by Giuseppe Verdi"), "" if nothing does.
        kind: Its short description, also where the option does not say it.
        person: Whether it is a person.
        common: Whether the name is a common noun, before which no description can stand ("the place Shower").
        context: Where a section stands ("Deploying"), "" if the name says enough or the passage is no section.
        of_section: Whether the name is a heading.
    """

    passage_id: str
    name: str
    description: str = ""
    years: str = ""
    article: bool = False
    attribute: str = ""
    kind: str = ""
    person: bool = False
    common: bool = False
    context: str = ""
    of_section: bool = False

    @property
    def full_name(self) -> str:
        """Name with its article, as it stands in a sentence."""
        return f"the {self.name}" if self.article else self.name

    @property
    def before_name(self) -> bool:
        """Whether the description reads well before the name: "play", not "king of Imerina"."""
        head = self.description.lower().rpartition(" ")[2]
        if (
            self.context
            or not self.description
            or self.article
            or self.common
            or _OF.search(self.description)
            or len(self.description.split()) > 4
        ):
            return False
        return not any(word.lower().startswith(head) for word in words(self.name))  # "the strait Straits of Florida"

    @property
    def after_name(self) -> bool:
        """Whether the option can be written with commas."""
        return bool(self.description) and "," not in self.name

    def appositive(self) -> str:
        """Return "King Lear, the play"."""
        if self.context:
            return self.within()
        return f"{self.full_name}, the {self.description}" if self.description else self.bracketed()

    def bracketed(self) -> str:
        """Return "King Lear (play)"."""
        detail = self.description or self.years or self.context
        return f"{self.full_name} ({detail})" if detail else self.full_name

    def within(self) -> str:
        """Return "Installation in Flask"."""
        return f"{self.full_name} in {self.context}" if self.context else self.bracketed()

    def prefixed(self) -> str:
        """Return "the play King Lear"."""
        return f"the {self.description} {self.name}"

    def by_attribute(self) -> str:
        """Return "the opera by Giuseppe Verdi"."""
        return f"the {self.attribute}"


def choose_facets(
    subjects: Sequence[Subject], term: str = "", *, of_class: bool = False, of_text: bool = False
) -> list[Facet] | str:
    """Describe subjects so that they can be told apart.

    Names with short descriptions are taken; where two subjects of one name have the same short description, the long
    one. Where the descriptions only repeat the class that was asked for, years take their place, or nothing does.

    Args:
        subjects: What the options are about, at least two.
        term: The ambiguous words.
        of_class: Whether the term is a class that all subjects belong to.
        of_text: Whether the term only stands in their texts, so that a heading alone does not say what it has to do
            with the term.

    Returns:
        One facet per subject, in order, or the reason why they cannot be told apart.
    """
    if any(subject.contexts for subject in subjects):
        return _choose_sections(subjects, of_text)
    described = [_describe(subject, subjects, term) for subject in subjects]
    known = {description.lower() for description in described}
    attributes = [""] * len(subjects)
    years = [""] * len(subjects)
    if of_class or len(known) == 1 or "" in known:
        attributes = _attributes(subjects, term) if of_class else attributes
        if len(known) == 1 or (term and term.lower() in known) or all(_within(d, term) for d in described):
            described = [""] * len(subjects)
            years = [s.years for s in subjects] if all(s.years for s in subjects) else years
    facets = [
        Facet(s.id, s.name, d, y, s.article, a, s.phrase.short if s.phrase else "", s.person, s.ends_common)
        for s, d, y, a in zip(subjects, described, years, attributes, strict=True)
    ]
    return _told_apart(facets)


def _choose_sections(subjects: Sequence[Subject], of_text: bool) -> list[Facet] | str:
    """Describe sections of documents: by their heading, and by what stands above it where headings are alike.

    Where names differ and all sections stand in one place, the names alone say it. A heading that fits any document
    keeps its place.
    """
    places: list[str] = []
    for subject in subjects:
        named = [s for s in subjects if s is not subject and s.name.lower() == subject.name.lower()]
        taken = {context.lower() for other in named for context in other.contexts}
        own = [c for c in subject.contexts if c.lower() not in taken and not _within(c, subject.name)]
        places.append(own[-1 if of_text else 0] if own else "")
    if len({place.lower() for place in places}) == 1 and len({s.name.lower() for s in subjects}) == len(subjects):
        places = [place if says_nothing(subject.name) else "" for place, subject in zip(places, subjects, strict=True)]
    facets = [
        Facet(s.id, s.name, article=s.article, common=s.ends_common, context=place, of_section=True)
        for s, place in zip(subjects, places, strict=True)
    ]
    return _told_apart(facets)


def _told_apart(facets: list[Facet]) -> list[Facet] | str:
    bare = {f.name.lower() for f in facets if f.bracketed() == f.full_name}
    namesakes = any(f.name.lower() in bare and f.bracketed() != f.full_name for f in facets)
    if namesakes or len({f.bracketed().lower() for f in facets}) < len(facets):
        return "passages cannot be told apart"
    return facets


def _describe(subject: Subject, subjects: Sequence[Subject], term: str) -> str:
    """Return the short description, or the long one if the short one is taken or leaves out why the term fits."""
    if subject.phrase is None:
        return ""
    short, long = subject.phrase.short, subject.phrase.long
    same = [s for s in subjects if s is not subject and s.name.lower() == subject.name.lower()]
    taken = {s.phrase.short.lower() for s in same if s.phrase}
    mentions = term.lower() in long.lower() and term.lower() not in f"{subject.name} {short}".lower()
    for description in (long,) if mentions else (short, long):
        if description.lower() not in taken and not _within(description, subject.name):
            return description
    return ""


def _attributes(subjects: Sequence[Subject], term: str) -> list[str]:
    """Return long descriptions that differ behind the words that they share, [""...] if they do not.

    The maker, the place or the time differs then: "opera by Giuseppe Verdi", "opera by Georges Bizet".
    """
    longs = [s.phrase.long if s.phrase else "" for s in subjects]
    nothing = [""] * len(subjects)
    if any(s.phrase is None or s.phrase.long == s.phrase.short for s in subjects):
        return nothing
    if len({long.lower() for long in longs}) < len(longs) or any(_within(long, term) for long in longs):
        return nothing
    return longs


def _within(description: str, known: str) -> bool:
    """Whether a description says nothing beside the words of ``known``."""
    given = {w.lower() for w in words(known)} | {"of", "the", "in", "by", "a", "an"}
    return all(w.lower() in given for w in words(description))


def is_supported(facet: Facet, passage: Passage) -> bool:
    """Whether every word of an option stands in the passage that it names."""
    known = {
        w.lower() for w in words(f"{passage.title} {passage.description} {' '.join(passage.types)} {passage.text}")
    }
    said = words(f"{facet.name} {facet.description} {facet.years} {facet.attribute} {facet.context}")
    return all(word.lower() in known for word in said)
