"""Wordings: how an ambiguous term is typed, and how a clarifying question offers its options."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rac.corpus.bootstrap.case import is_identifier
from rac.corpus.bootstrap.facets import Facet
from rac.corpus.bootstrap.phrases import head_word
from rac.corpus.bootstrap.subjects import ASKING, PREPOSITIONS, Subject
from rac.corpus.bootstrap.terms import Term

_IMPERATIVES = ("tell me about {t}", "find information on {t}", "I'm looking for information about {t}", "show me {t}")
_MIXED_QUESTIONS = ("what do you know about {t}?", "where can I read about {t}?", "do you have anything on {t}?")
_QUESTIONS = ("what is {t}?", "can you explain {t}?", *_MIXED_QUESTIONS)
_PERSON_QUESTIONS = ("who is {t}?", "who was {t}?", "what is {t} known for?", "why is {t} famous?")
_TOPIC_IMPERATIVES = ("tell me about {t}", "I need help with {t}", "find information on {t}", "show me {t}")
_TOPIC_QUESTIONS = ("how does {t} work?", "what should I know about {t}?", "where can I read about {t}?")
_CLASS_IMPERATIVES = ("tell me about the {t}", "I'm looking for a certain {t}", "find the {t}", "I need to find a {t}")
_CLASS_QUESTIONS = ("what is that {t} called?", "what was the name of the {t}?", "what is the {t} called?")
_CLASS_PERSON_QUESTIONS = ("who was that {t}?", "who is the {t}?", "what was the name of the {t}?")

# Questions for one attribute of the thing: asked where all that the term may mean is of the sort.
_ATTRIBUTE_QUESTIONS: dict[str, tuple[str, ...]] = {
    "person": ("when was {t} born?", "where was {t} from?", "what did {t} do?"),
    "place": ("where is {t}?", "how do I get to {t}?", "how large is {t}?", "{t} map"),
    "work": ("who made {t}?", "when did {t} come out?", "what is {t} about?"),
}
_PLACES = (
    "city country town capital island islands river lake sea mountain mountains state region desert province bay "
    "strait peninsula volcano archipelago gulf park territory municipality metropolis range waterfall"
)
_WORKS = "novel film play painting opera poem song book album ballet symphony novella series"
_SORTS = {**dict.fromkeys(_PLACES.split(), "place"), **dict.fromkeys(_WORKS.split(), "work")}

# {q} is the term as typed, {c} the class as the corpus writes it, {o} the list of options.
# The second part says how an option is written.
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
    ("Which {c} do you mean: {o}?", "bracketed"),
    ("Which {c} are you looking for: {o}?", "bracketed"),
    ("Do you mean {o}?", "attribute"),
    ("Are you looking for {o}?", "attribute"),
    *(pattern for pattern in PATTERNS if "{q}" not in pattern[0]),
)
MENTION_PATTERNS: tuple[tuple[str, str], ...] = (
    ("When you say {q}, are you talking about {o}?", "bracketed"),
    ("When you ask about {q}, are you thinking of {o}?", "bracketed"),
    ("Which one do you mean: {o}?", "bracketed"),
    ("Which one is your question about: {o}?", "bracketed"),
    ("Are you interested in {o}?", "appositive"),
    ("Is this about {o}?", "bracketed"),
)
TOPIC_PATTERNS: tuple[tuple[str, str], ...] = (
    ("About {q}, are you looking for {o}?", "bracketed"),
    ("When you ask about {q}, do you mean {o}?", "bracketed"),
    ("Which part of {q} do you mean: {o}?", "bracketed"),
    ("Would you like to know about {o}?", "bracketed"),
    ("Are you interested in {o}?", "bracketed"),
    ("Do you need {o}?", "bracketed"),
    ("Which one do you mean: {o}?", "bracketed"),
    ("Which of these do you need: {o}?", "bracketed"),
)
_PATTERNS_OF: dict[str, tuple[tuple[str, str], ...]] = {
    "class": CLASS_PATTERNS,
    "topic": TOPIC_PATTERNS,
    "mention": MENTION_PATTERNS,
    "cluster": MENTION_PATTERNS,
}
LONGEST_WORDS = 26
"""A question with more words offers two options instead of three."""
_LABEL = re.compile(r"^\w{2,12}: (?=\S+(?: \S+){0,2}$)(?!.*,)")
"""What sorts a heading and nobody types: "Class: Buffer"."""
_VERB_WORDS = (
    "add apply ask avoid build change check choose configure convert create customize define deploy disable download "
    "enable find fix generate get give handle import improve install keep learn load make manage migrate prepare "
    "publish read remove replace reproduce run save send serve set share start stop train try understand update "
    "upgrade use validate verify write know meet relabel extend declare"
)
_VERBS = frozenset(_VERB_WORDS.split())
"""What headings that tell one to do something begin with; only behind these does "how do I ..." fit."""


@dataclass(frozen=True)
class TypedQuery:
    """A query as typed, its form ("keyword", "question", "imperative", "attribute") and the ambiguous words in it."""

    text: str
    form: str
    term: str


def typed_queries(term: Term, subjects: Sequence[Subject], rng: random.Random, most: int) -> list[TypedQuery]:
    """Return different queries for a term, one of each form first.

    Args:
        term: The ambiguous term.
        subjects: What the term may mean; decides which questions fit.
        rng: Source of randomness.
        most: Most queries returned.
    """
    spelled = _spellings(term)
    sort = _sort(subjects)
    of_sections = any(subject.contexts for subject in subjects)
    forms: dict[str, tuple[str, ...]]
    questions: tuple[str, ...]
    if term.kind == "class":
        questions = _CLASS_PERSON_QUESTIONS if sort == "person" else _CLASS_QUESTIONS
        forms = {"keyword": ("{t}",), "question": questions, "imperative": _CLASS_IMPERATIVES}
    elif of_sections and (shape := _shape(term.text)) == "clause":
        forms = {"keyword": ("{t}",)}
    elif of_sections and shape == "order":
        forms = {"keyword": ("{t}", "how to {t}"), "question": ("how do I {t}?", "how can I {t}?")}
    elif term.kind == "topic":
        forms = {"keyword": ("{t}",), "question": _topic_questions(term.text), "imperative": _TOPIC_IMPERATIVES}
    else:
        some: tuple[str, ...] = _MIXED_QUESTIONS if any(s.person for s in subjects) else _QUESTIONS
        if of_sections and _is_plural(term.text.lower()) and any(_has_common(s, term.key) for s in subjects):
            some = tuple(question.replace("what is", "what are") for question in some)
        questions = _PERSON_QUESTIONS if sort == "person" else some
        forms = {"keyword": ("{t}",), "question": questions, "imperative": _IMPERATIVES}
        if sort:
            forms["attribute"] = _ATTRIBUTE_QUESTIONS[sort]
    first: list[TypedQuery] = []
    further: list[TypedQuery] = []
    for form, wordings in forms.items():
        for number, wording in enumerate(rng.sample(wordings, len(wordings))):
            typed = rng.choice(spelled)
            text = _with_article(wording.format(t=typed))
            (further if number else first).append(TypedQuery(text, form, typed))
    rng.shuffle(first)
    rng.shuffle(further)
    return [*first, *further][:most]


def _shape(text: str) -> str:
    """Return what a heading is: "clause" ("How it works", "On Linux"), "order" ("Make data"), else "name"."""
    parts = _LABEL.sub("", text).split()
    first = parts[0].lower() if parts else ""
    if first in ASKING or first in PREPOSITIONS or any(part.endswith((",", ":", ";")) for part in parts[:-1]):
        return "clause"
    return "order" if len(parts) > 1 and first in _VERBS and parts[1] not in ("and", "&") else "name"


def _topic_questions(text: str) -> tuple[str, ...]:
    first, last = text.split()[0], text.lower().split()[-1]
    if len(text.split()) > 3 or " and " in text or first.lower().endswith("ing") or first.lower() == "new":
        return _TOPIC_QUESTIONS[1:]
    return ("how do {t} work?", *_TOPIC_QUESTIONS[1:]) if _is_plural(last) else _TOPIC_QUESTIONS


def _is_plural(word: str) -> bool:
    return word.islower() and len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))


def _has_common(subject: Subject, word: str) -> bool:
    return word in {common.lower() for common in subject.common}


def _spellings(term: Term) -> list[str]:
    """People mostly type small letters; acronyms and names of programs keep their capitals."""
    text = _LABEL.sub("", term.text)
    if term.kind == "acronym" or is_identifier(text):
        return [text]
    return [text.lower(), text.lower(), text]


def _sort(subjects: Sequence[Subject]) -> str:
    """Return "person", "place" or "work" if all subjects are of that sort, else ""."""
    sorts = set()
    for subject in subjects:
        head = head_word(subject.phrase.short) if subject.phrase else ""
        sorts.add("person" if subject.person else _SORTS.get(head, ""))
    return sorts.pop() if len(sorts) == 1 else ""


def _with_article(text: str) -> str:
    """Correct "a" before a vowel letter: "find a opera" -> "find an opera"."""
    before, found, after = text.partition(" a ")
    return f"{before} an {after}" if found and after[:1].lower() in "aeio" else text


def join_options(options: Sequence[str], *, commas: bool = False) -> str:
    """Join options: "A or B", "A, B or C"; with ``commas`` inside the options, "A, or B"."""
    *first, last = options
    return f"{', '.join(first)}{',' if commas else ''} or {last}"


def option_form(facets: Sequence[Facet], form: str, term: str) -> str:
    """Return the form in which options read well: the wanted one, or brackets.

    Appositions have commas, so they are for two options, and not where a description repeats the term; a description
    with a preposition cannot stand before a name; attributes must tell all options apart. Sections of documents stand
    in something ("Installation in Flask").
    """
    if any(f.context for f in facets):
        return "within" if form in ("appositive", "prefixed") else "bracketed"
    if form == "appositive":
        fits = len(facets) == 2 and all(f.after_name for f in facets)
        fits = fits and not any(term.lower() in f.description.lower() for f in facets)
    elif form == "prefixed":
        fits = all(f.before_name for f in facets)
    elif form == "attribute":
        fits = all(f.attribute for f in facets)
    else:
        fits = False
    return form if fits else "bracketed"


_WRITERS: dict[str, Callable[[Facet], str]] = {
    "appositive": Facet.appositive,
    "prefixed": Facet.prefixed,
    "bracketed": Facet.bracketed,
    "within": Facet.within,
    "attribute": Facet.by_attribute,
}


def write_options(facets: Sequence[Facet], form: str) -> str:
    """Write the options of a question in one form, joined."""
    return join_options([_WRITERS[form](f) for f in facets], commas=form == "appositive")


@dataclass(frozen=True)
class Wording:
    """A written question with what it was made of, so that one option can be exchanged later.

    Attributes:
        pattern: The frame with ``{q}`` or ``{c}``, and ``{o}``.
        form: How options are written.
        facets: The options offered.
        typed: The ambiguous words as typed.
        term: The ambiguous words as the corpus writes them.
    """

    pattern: str
    form: str
    facets: tuple[Facet, ...]
    typed: str
    term: str

    @property
    def text(self) -> str:
        """The question."""
        options = write_options(self.facets, self.form)
        return self.pattern.replace("{q}", self.typed).replace("{c}", self.term).replace("{o}", options)


def write_questions(facets: Sequence[Facet], typed: str, term: Term, wanted: int, rng: random.Random) -> list[Wording]:
    """Write clarifying questions that offer the facets, in different wordings.

    Args:
        facets: The options in the order of their passages, at least two.
        typed: The ambiguous words as typed.
        term: What was typed; a class can be asked for by "Which Persian poet ...".
        wanted: Number of questions.
        rng: Source of randomness.

    Returns:
        Up to ``wanted`` different questions; most offer all facets, some and the long ones the first two.
    """
    patterns = list(_PATTERNS_OF.get(term.kind, PATTERNS))
    if term.kind == "topic" and _shape(term.text) != "name":
        patterns = [pattern for pattern in patterns if "{q}" not in pattern[0]]  # "About make data, are you ..."
    if any(_shape(facet.name) != "name" for facet in facets) and any(facet.of_section for facet in facets):
        patterns = [pattern for pattern in patterns if ": {o}" in pattern[0]]  # "Do you need Make data ..."
    rng.shuffle(patterns)
    questions: dict[str, Wording] = {}
    for number, (pattern, form) in enumerate(patterns):
        # A name with a comma in it ("Joseph II, Holy Roman Emperor") gets lost in a list of three.
        two = form == "appositive" or number % 3 == 2 or any("," in f.name for f in facets)
        offered = best_two(facets, term.text) if two else facets
        wording = _word(pattern, form, offered, typed, term.text)
        if len(wording.text.split()) > LONGEST_WORDS:
            wording = _word(pattern, form, best_two(facets, term.text), typed, term.text)
        questions.setdefault(wording.text, wording)
        if len(questions) == wanted:
            break
    return list(questions.values())


def best_two(facets: Sequence[Facet], term: str) -> list[Facet]:
    """Return two of the options in their order: what is called so itself ("Pablo Picasso" for "picasso") stays."""
    named = next((f for f in facets if f.name.lower().endswith(term.lower())), facets[0])
    other = next(f for f in facets if f is not named)
    return [f for f in facets if f is named or f is other]


def _word(pattern: str, form: str, facets: Sequence[Facet], typed: str, term: str) -> Wording:
    return Wording(pattern, option_form(facets, form, term), tuple(facets), typed, term)
