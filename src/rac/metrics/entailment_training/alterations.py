"""Alterations: what makes a supported claim unsupported. Some kinds are kept out of training, to measure transfer."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import replace

from rac.metrics.entailment_training.facets import Facet
from rac.metrics.entailment_training.phrases import word_map
from rac.metrics.entailment_training.vocabulary import Vocabulary, nationalities

TRAINING_KINDS = (
    "near-number", "far-number", "place", "name", "type", "noun", "donor", "sibling", "other-window", "other-title",
    "negation", "attribute", "not-type",
)  # fmt: skip
HELD_OUT_KINDS = ("person", "nationality", "modifier", "insertion", "opposite", "recombined")
"""Never seen in training: another person, another nationality, another adjective, an adjective put in, the opposite
(north for south), a facet of this passage joined to one of its sibling."""

_OPPOSITES = word_map(
    """north:south northern:southern east:west eastern:western northeast:southwest northwest:southeast
    northeastern:southwestern northwestern:southeastern first:last large:small larger:smaller largest:smallest
    male:female men's:women's boys:girls old:new older:younger oldest:youngest early:late upper:lower inner:outer
    public:private primary:secondary high:low higher:lower highest:lowest long:short ancient:modern major:minor
    best:worst before:after indoor:outdoor western:eastern positive:negative natural:artificial king:queen
    actor:actress son:daughter brother:sister father:mother husband:wife winner:loser founded:dissolved born:died
    urban:rural active:retired professional:amateur fictional:real left:right summer:winter central:peripheral"""
)
_OPPOSITES |= {b: a for a, b in _OPPOSITES.items()}
_NATIONALITIES = frozenset(n.lower() for n in nationalities())
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def alterations(
    facet: Facet, vocabulary: Vocabulary, rng: random.Random, kinds: Iterable[str]
) -> list[tuple[str, Facet]]:
    """Return altered versions of a facet, each with its kind; whether they are false is for the caller to check.

    Args:
        facet: What a passage supports.
        vocabulary: Where replacements come from.
        rng: Chooses them.
        kinds: Which kinds to make; those that need another passage (donor, sibling, ...) are the caller's.
    """
    found: list[tuple[str, Facet]] = []
    wanted = set(kinds)
    for slot, text in facet.parts:
        if slot in ("year", "number"):
            number = re.search(r"\d+", text)
            if number is None:
                continue
            near, far = _near_number(number.group(), rng), _far_number(number.group(), rng)
            found += [
                ("near-number", _swap(facet, number.group(), near)),
                ("far-number", _swap(facet, number.group(), far)),
            ]
        elif slot == "type":
            found.append(("type", _swap(facet, text, vocabulary.sibling_type(text, rng))))
        elif slot == "nationality":
            if text.lower() in _NATIONALITIES:
                found.append(("nationality", _swap(facet, text, vocabulary.pick("nationality", text, rng))))
        elif slot in ("place", "person", "name", "noun", "modifier"):
            found.append((slot, _swap(facet, text, vocabulary.pick(slot, text, rng))))
    for word in _WORD.findall(facet.text):
        if word.lower() in _OPPOSITES:
            found.append(("opposite", _swap(facet, word, _OPPOSITES[word.lower()])))
    nouns = [text for slot, text in facet.parts if slot in ("noun", "type")]
    if nouns and facet.form in ("type", "topic"):
        noun = rng.choice(nouns)
        found.append(("insertion", _swap(facet, noun, f"{vocabulary.pick('modifier', 'one', rng)} {noun}")))
    return [(kind, altered) for kind, altered in found if kind in wanted and altered.text != facet.text]


def _swap(facet: Facet, old: str, new: str) -> Facet:
    text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, facet.text, count=1)
    return replace(facet, text=text, parts=())


def _near_number(number: str, rng: random.Random) -> str:
    value = int(number)
    for _ in range(9):
        changed = value + rng.choice((-4, -3, -2, -1, 1, 2, 3, 4))
        if changed > 0 and len(str(changed)) == len(number):
            return str(changed)
    return str(value + 1)


def _far_number(number: str, rng: random.Random) -> str:
    value = int(number)
    if len(number) == 4 and 1000 <= value <= 2030:
        return str(min(2025, max(1001, value + rng.choice((-1, 1)) * rng.randint(6, 90))))
    first = rng.choice([d for d in "123456789" if d != number[0]])
    return first + "".join(rng.choice("0123456789") for _ in number[1:])
