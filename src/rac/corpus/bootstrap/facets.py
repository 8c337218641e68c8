"""Facets: how an option names one passage, in words of that passage only.

An option is a title with a short description, "King Lear, the play" or "the guitarist B. B. King", chosen so that the
options of a question differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rac.corpus.bootstrap.phrases import (
    CaseModel,
    NounPhrase,
    count_heads,
    description_of,
    noun_phrase,
    without_parenthesis,
    words,
)
from rac.records import Passage

_LIFE = re.compile(r"\(((?:born )?(?:c\. ?)?\d{3,4}(?:\s?[–-]\s?(?:c\. ?)?\d{2,4})?)(?: BC| BCE| AD)?\)")
_OF = re.compile(r"\b(?:of|by|in|from|about|for|on|and|or)\b")


@dataclass(frozen=True)
class Subject:
    """What a passage is about.

    Attributes:
        id: Id of the passage.
        name: Title without parentheses, "" if there is none.
        phrase: Short noun phrase of the description, None if it has none that can be used.
        person: The description carries years of life.
        years: Years of life as the description gives them ("1841-1919"), "" if it does not.
        text: The passage's text.
    """

    id: str
    name: str
    phrase: NounPhrase | None
    person: bool
    years: str
    text: str


def read_subjects(passages: Sequence[Passage]) -> list[Subject]:
    """Read off every passage what it is about; row numbers are kept."""
    case = CaseModel([p.text for p in passages])
    descriptions = [description_of(p) for p in passages]
    heads: Counter[str] = count_heads(descriptions)
    subjects = []
    for passage, description in zip(passages, descriptions, strict=True):
        phrase = noun_phrase(description, heads)
        if phrase:
            phrase = NounPhrase(case.lowered(phrase.short), case.lowered(phrase.long))
        life = _LIFE.search(description)
        years = life[0].strip("()") if life else ""
        name = without_parenthesis(passage.title)
        subjects.append(Subject(passage.id, name, phrase, bool(life), years, passage.text))
    return subjects


@dataclass(frozen=True)
class Facet:
    """One option: ``name`` and ``description`` stand word for word in the passage with id ``passage_id``.

    Attributes:
        passage_id: The passage that supports the option.
        name: Its title, without parentheses.
        description: A noun phrase without article, or years ("1841-1919"), or "" if the name alone is offered.
    """

    passage_id: str
    name: str
    description: str

    @property
    def is_noun(self) -> bool:
        """Whether the description can have an article: "play", not "1841-1919"."""
        return any(c.isalpha() for c in self.description)

    @property
    def before_name(self) -> bool:
        """Whether the description reads well before the name: "play", not "king of Imerina"."""
        head = self.description.lower().rpartition(" ")[2]
        if not self.is_noun or _OF.search(self.description) or len(self.description.split()) > 4:
            return False
        return not any(word.lower().startswith(head) for word in words(self.name))  # "the strait Straits of Florida"

    @property
    def after_name(self) -> bool:
        """Whether the option can be written with commas."""
        return self.is_noun and "," not in self.name

    def appositive(self) -> str:
        """Return "King Lear, the play"."""
        return f"{self.name}, the {self.description}" if self.is_noun else self.bracketed()

    def bracketed(self) -> str:
        """Return "King Lear (play)"."""
        return f"{self.name} ({self.description})" if self.description else self.name

    def prefixed(self) -> str:
        """Return "the play King Lear"."""
        return f"the {self.description} {self.name}"


def choose_facets(subjects: Sequence[Subject], term: str = "") -> list[Facet] | str:
    """Describe subjects so that they can be told apart.

    The first of these ways that works is taken: the short descriptions; the long ones, where two subjects of one name
    have the same short one; years of life or making; the names alone.

    Args:
        subjects: What the options are about, at least two.
        term: The ambiguous words; a description that only repeats them says nothing.

    Returns:
        One facet per subject, in order, or the reason why they cannot be told apart.
    """
    if any(subject.phrase is None for subject in subjects):
        return "no usable description"
    described = [_describe(subject, subjects) for subject in subjects]
    known = {description.lower() for description in described}
    if len(known) < len(subjects) or term.lower() in known or "" in known:
        # All options are of the class asked for ("Persian poet"): it tells nothing apart.
        same_for_all = len(known) == 1 or term.lower() in known
        if same_for_all or "" in known:
            described = [subject.years if all(s.years for s in subjects) else "" for subject in subjects]
    facets = [Facet(s.id, s.name, d) for s, d in zip(subjects, described, strict=True)]
    if len({(f.name.lower(), f.description.lower()) for f in facets}) < len(facets):
        return "passages cannot be told apart"
    return facets


def _describe(subject: Subject, subjects: Sequence[Subject]) -> str:
    """Return the short description of a subject, the long one if another of the same name has the same short one."""
    assert subject.phrase is not None
    same = [s for s in subjects if s is not subject and s.name.lower() == subject.name.lower()]
    taken = {s.phrase.short.lower() for s in same if s.phrase}
    for description in (subject.phrase.short, subject.phrase.long):
        if description.lower() not in taken and not _says_nothing(description, subject.name):
            return description
    return ""


def _says_nothing(description: str, name: str) -> bool:
    known = {w.lower() for w in words(name)} | {"of", "the", "in", "by", "a", "an"}
    return all(w.lower() in known for w in words(description))
