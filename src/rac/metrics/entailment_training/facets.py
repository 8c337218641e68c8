"""Facets: what a passage supports, as a question might offer it, and the wordings that make claims of them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache

from rac.metrics.entailment_training.attributes import ALL_ATTRIBUTES, attributes
from rac.metrics.entailment_training.phrases import YEAR, Phrase, head_noun, phrases
from rac.metrics.entailment_windows import split_sentences
from rac.metrics.text import content_keys
from rac.records import Passage

TEMPLATES: dict[str, tuple[str, ...]] = {
    "type": (
        "This is about {f} {T}.", "This is about {f} {T}.", "This is about the {f} {T}.", "This is about {a} {f}.",
        "This is about {f}.", "{T} is {a} {f}.", "{T} can be {a} {f}.", "{T} refers to {a} {f}.",
        "There is {a} {f} called {T}.", "{T} was {a} {f}.", "{f} {T}",
    ),
    "phrase": (
        "This is about {T} {f}.", "This is about {T} {f}.", "This is something {f}.", "This is about the {T} {f}.",
        "This is about the one {f}.", "{T} can be {f}.", "{T} is {f}.", "{T} {f}", "There is a {T} {f}.",
    ),
    "topic": (
        "This is about {f}.", "This is about {f}.", "This is about {f} of {T}.", "This is about the {f} of {T}.",
        "This says something about {f}.", "This says something about the {f} of {T}.", "{T} has to do with {f}.",
        "This is about {T} and {f}.", "The text speaks of {f}.", "{f}",
    ),
    "attribute": (
        "This says something about the {f} of {T}.", "This says something about the {f}.",
        "This is about the {f} of {T}.", "This says something about {f}.", "{T} has {a} {f}.",
        "This says what the {f} of {T} is.", "This is about the {f}.", "The {f} of {T}",
    ),
    "not-type": (
        "This is about non {f} {T}.", "This is about the non {f} {T}.", "{T} is not {a} {f}.", "This is not {a} {f}.",
        "This is about {a} {T} that is not {a} {f}.",
    ),
    "clause": ("{T} {f}.", "This tells that {T} {f}.", "{T} {f}", "This is about {T}, which {f}."),
}  # fmt: skip
"""Wordings by form; {T} is the title, {f} the facet, {a} its indefinite article."""

_PRONOUN = re.compile(
    r"^(?:It|He|She|They|The \w+) (?=(?:is|was|are|were|has|had|won|plays|played|lives|became|served|works|worked)\b)"
)
_PREDICATE = re.compile(r"\b(?:is|was|are|were) (?:an?|the|one of the) ([^.;,()]{3,90})")
# Single words that no question offers as a topic: adverbs, participles and common verbs.
_NO_TOPIC = re.compile(
    r"^(?:[a-z]+(?:ly|ed|ing)|known|makes?|uses?|consists?|appears?|begins?|even|especially|[a-z]{1,3})$"
)


@dataclass(frozen=True)
class Facet:
    """One thing that a passage says.

    ``form`` chooses the wordings; ``parts`` are (slot, text) pieces of ``text`` that an alteration may replace.
    """

    form: str
    text: str
    parts: tuple[tuple[str, str], ...] = ()


@lru_cache(maxsize=200_000)
def keys_of(text: str) -> frozenset[str]:
    """Return the content keys of a short text; titles and facets come up again and again."""
    return frozenset(content_keys(text))


def short_title(title: str) -> str:
    """Return a title without its parenthesis: "Dune (novel)" becomes "Dune"."""
    return re.sub(r"\s*\([^)]*\)$", "", title).strip() or title


def word_claim(facet: Facet, title: str, rng: random.Random, template: str | None = None) -> tuple[str, str]:
    """Return (claim, the wording used) for a facet of something called ``title``."""
    template = template or rng.choice(TEMPLATES[facet.form])
    article = "an" if facet.text[:1].lower() in "aeiou" else "a"
    claim = template.format(T=title, f=facet.text, a=article)
    return claim[:1].upper() + claim[1:], template


def passage_facets(passage: Passage, body: str, rng: random.Random) -> list[Facet]:
    """Return the facets that the head of a passage and one window's text support.

    Args:
        passage: Where title, types and description come from.
        body: The sentences of the window.
        rng: Decides how much of long phrases is kept.
    """
    found: list[Facet] = []
    types = [Facet("type", t, (("type", t),)) for t in passage.types]
    if passage.description:
        types += _description_facets(passage.description)
    found += types
    names = [p for sentence in split_sentences(body) for p in phrases(sentence)]
    for match in _PREDICATE.finditer(body):
        found += _predicate_facets(match.group(1), rng)
    for phrase in names:
        found += _phrase_facets(phrase, rng)
    located = [f for f in found if f.form == "phrase"]
    for type_ in types[:3]:
        if located:
            other = rng.choice(located)
            found.append(Facet("type", f"{type_.text} {other.text}", (*type_.parts, *other.parts)))
    found += [Facet("attribute", rng.choice(ALL_ATTRIBUTES[i])) for i in attributes(body)]
    found += _clause_facets(passage, body)
    title_keys = keys_of(passage.title)
    return [f for f in dict.fromkeys(found) if f.form == "attribute" or keys_of(f.text) - title_keys]


def _description_facets(description: str) -> list[Facet]:
    plain = re.sub(r"\s*\([^)]*\)", "", description).strip()
    text = plain[:1].lower() + plain[1:] if plain[1:2].islower() and not _starts_with_name(plain) else plain
    head = head_noun(plain)
    parts = (("type", head), *_inner_parts(text))
    found = [Facet("type", text, tuple(dict.fromkeys(parts)))]
    if head and head.lower() != plain.lower():
        found.append(Facet("type", head.lower(), (("type", head.lower()),)))
    years = YEAR.search(description)
    if years:
        found.append(Facet("topic", years.group(), (("year", years.group()),)))
    return found


def _starts_with_name(text: str) -> bool:
    first = text.split()[0]
    return first.endswith(("n", "sh", "ese", "ch", "i", "ek")) and first[0].isupper() and len(first) > 3


def _inner_parts(text: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    for phrase in phrases(text):
        words = phrase.text.split()
        if phrase.kind in ("place", "person", "name"):
            parts.append((phrase.kind, phrase.text))
        elif phrase.kind in ("year", "number"):
            parts += [(phrase.kind, w) for w in words if w[0].isdigit()]
        if phrase.kind in ("noun", "year", "number") and words[-1].isalpha() and words[-1].islower():
            parts.append(("noun", words[-1]))
        if len(words) > 1 and words[0].isalpha():
            parts.append(("modifier" if words[0].islower() else "nationality", words[0]))
    return parts


def _predicate_facets(predicate: str, rng: random.Random) -> list[Facet]:
    words = predicate.split()
    found = []
    for _ in range(2):
        text = " ".join(words[: rng.randint(min(2, len(words)), min(len(words), 9))])
        text = re.sub(r"\s+(?:of|in|by|the|a|an|and|or|that|which|who|for|with|on|at|from|to|as|its|is|was)$", "", text)
        text = re.sub(r"\s+(?:of|in|by|the|and|or|that|which|who|for|with|on|at|from|to|as)$", "", text)
        found.append(Facet("type", text, tuple(dict.fromkeys(_inner_parts(text)))))
    first = phrases(predicate)[:1]
    if first and len(first[0].text.split()) > 1:
        run = first[0].text.split()
        text = " ".join(run[rng.randint(1, len(run) - 1) :])
        found.append(Facet("type", text, tuple(_inner_parts(text)) or (("type", text),)))
        if len(run) > 2:  # a modifier left out in the middle
            text = " ".join([run[0], *run[rng.randint(2, len(run) - 1) :]])
            found.append(Facet("type", text, tuple(_inner_parts(text))))
    return found


def _phrase_facets(phrase: Phrase, rng: random.Random) -> list[Facet]:
    part = tuple(dict.fromkeys([(phrase.kind, phrase.text), *_inner_parts(phrase.text)]))
    if phrase.kind in ("year", "number"):
        part = tuple(p for p in part if p[1] != phrase.text or phrase.text.isdigit())
    found: list[Facet] = []
    if phrase.lead and phrase.lead not in ("of", "to", "as", "through"):
        found.append(Facet("phrase", f"{phrase.lead} {phrase.surface}", part))
    year = YEAR.search(phrase.text)
    if year:
        found.append(Facet("phrase", f"from {year.group()}", (("year", year.group()),)))
    words = phrase.text.split()
    if (phrase.kind != "year" or len(words) > 1) and not (len(words) == 1 and _NO_TOPIC.search(phrase.text)):
        found.append(Facet("topic", phrase.text, part))
        if len(words) > 2 and phrase.kind == "noun":
            text = " ".join(words[rng.randint(1, len(words) - 2) :])
            found.append(Facet("topic", text, tuple(_inner_parts(text))))
    return found


def _clause_facets(passage: Passage, body: str) -> list[Facet]:
    found = []
    title = short_title(passage.title)
    for sentence in split_sentences(body):
        rest = None
        if sentence.startswith(title + " ") and sentence[len(title) + 1 : len(title) + 2].islower():
            rest = sentence[len(title) + 1 :]
        elif match := _PRONOUN.match(sentence):
            rest = sentence[match.end() :]
        if rest:
            text = re.split(r"[,;:(]", rest)[0].rstrip(". ")
            if 3 <= len(text.split()) <= 16:
                found.append(Facet("clause", text, tuple(dict.fromkeys(_inner_parts(text)))))
    return found
