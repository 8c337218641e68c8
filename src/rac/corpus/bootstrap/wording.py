"""Wordings: how an ambiguous term is typed, and how a clarifying question offers its options."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from rac.corpus.bootstrap.facets import Facet, Subject
from rac.corpus.bootstrap.terms import Term
from rac.corpus.bootstrap_settings import Kind

QUERY_FORMS: dict[str, tuple[str, ...]] = {
    "keyword": ("{t}",),
    "question": ("what is {t}?", "what do you know about {t}?", "where can I read about {t}?"),
    "imperative": ("tell me about {t}", "find information on {t}", "I'm looking for information about {t}"),
}
PERSON_FORMS = ("who is {t}?", "who was {t}?", "what is {t} known for?")
CLASS_PERSON_FORMS = ("who was that {t}?", "who is the {t}?", "what was the name of the {t}?")
CLASS_FORMS: dict[str, tuple[str, ...]] = {
    "keyword": ("{t}",),
    "question": ("what is that {t} called?", "what was the name of the {t}?"),
    "imperative": ("tell me about the {t}", "I'm looking for a certain {t}", "find the {t}"),
}

# {q} is the term as typed, {o} the list of options. The forms say how an option is written.
PATTERNS: tuple[tuple[str, str], ...] = (
    ("Do you mean {o}?", "appositive"),
    ("Are you looking for {o}?", "bracketed"),
    ("Which one do you mean: {o}?", "bracketed"),
    ("When you say {q}, do you mean {o}?", "prefixed"),
    ("Are you asking about {o}?", "appositive"),
    ("Would you like to know about {o}?", "prefixed"),
    ("Is it {o} that you are asking about?", "prefixed"),
    ("Do you want information about {o}?", "bracketed"),
    ("By {q}, do you mean {o}?", "bracketed"),
)
CLASS_PATTERNS: tuple[tuple[str, str], ...] = (
    ("Which {q} do you mean: {o}?", "bracketed"),
    ("Which {q} are you looking for: {o}?", "bracketed"),
    *(pattern for pattern in PATTERNS if "{q}" not in pattern[0]),
)
LONGEST_WORDS = 26
"""A question with more words offers two options instead of three."""


@dataclass(frozen=True)
class TypedQuery:
    """A query as typed, its form ("keyword", "question", "imperative") and the ambiguous words in it."""

    text: str
    form: str
    term: str


def typed_queries(term: Term, subjects: Sequence[Subject], rng: random.Random) -> list[TypedQuery]:
    """Return one query of each form for a term, in random order.

    Args:
        term: The ambiguous term.
        subjects: What the term may mean; questions for people are used if all are people.
        rng: Source of randomness.
    """
    typed = term.text if term.kind == "acronym" or rng.random() < 0.3 else term.text.lower()
    forms = CLASS_FORMS if term.kind == "class" else QUERY_FORMS
    queries = []
    for form, wordings in forms.items():
        choices = wordings
        if form == "question" and all(s.person for s in subjects):
            choices = CLASS_PERSON_FORMS if term.kind == "class" else PERSON_FORMS
        queries.append(TypedQuery(rng.choice(choices).format(t=typed), form, typed))
    rng.shuffle(queries)
    return queries


def join_options(options: Sequence[str], *, commas: bool = False) -> str:
    """Join options: "A or B", "A, B or C"; with ``commas`` inside the options, "A, or B"."""
    *first, last = options
    return f"{', '.join(first)}{',' if commas else ''} or {last}"


def render(facets: Sequence[Facet], form: str) -> str:
    """Write the options of a question in one form; a form that would read badly is replaced by brackets.

    Appositions have commas, so they are used for two options only; a description with a preposition cannot stand
    before a name.
    """
    if form == "appositive" and len(facets) == 2 and all(f.after_name for f in facets):
        return join_options([f.appositive() for f in facets], commas=True)
    if form == "prefixed" and all(f.before_name for f in facets):
        return join_options([f.prefixed() for f in facets])
    return join_options([f.bracketed() for f in facets])


def write_questions(facets: Sequence[Facet], term: str, kind: Kind, wanted: int, rng: random.Random) -> list[str]:
    """Write clarifying questions that offer the facets, in different wordings.

    Args:
        facets: The options in the order of their passages, at least two.
        term: The ambiguous words as typed.
        kind: How they are ambiguous: a class can be asked for by "Which Persian poet ...".
        wanted: Number of questions.
        rng: Source of randomness.

    Returns:
        Up to ``wanted`` different questions; most offer all facets, some and the long ones the first two.
    """
    patterns = list(CLASS_PATTERNS if kind == "class" else PATTERNS)
    rng.shuffle(patterns)
    questions: dict[str, None] = {}
    for number, (pattern, form) in enumerate(patterns):
        offered = facets[:2] if form == "appositive" or number % 3 == 2 else facets
        question = pattern.format(q=term, o=render(offered, form))
        if len(question.split()) > LONGEST_WORDS:
            question = pattern.format(q=term, o=render(facets[:2], form))
        questions.setdefault(question)
        if len(questions) == wanted:
            break
    return list(questions)
