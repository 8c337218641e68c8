"""Which passages a claim is about, by the titles that it names.

Every word of "Mars (moon)" stands in a passage on Phobos, yet that passage says nothing of the sort about Mars. A claim
that names passages of D by their titles is about those, so that only they can carry it. A title is named where its
content words follow each other in the claim, and

* the claim writes it with a capital, or it is all of the claim, or the query names it too;
* no longer title covers the place ("Marco Polo" is not "Polo");
* it is no mere part of a description: not behind a preposition ("the capital of Costa Rica"), no possessive.

A passage whose name ends with the named one may be meant too, because names are shortened to their end: "Polo" for
"Marco Polo", but not "Mars" for "Moons of Mars" or "New York City" for "New York City Subway". Parentheses ("Luna
(moon)") and company forms ("Inc.") are no part of a name. A claim that names no title may be about any passage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rac.metrics.frames import PREPOSITIONS
from rac.metrics.lexical import PassageWords
from rac.metrics.text import Word, content_keys, is_content, words

_POSSESSIVE = re.compile(r"['’]s?$")


def named_passages(claim: str, query: str, passages: Sequence[PassageWords]) -> npt.NDArray[np.bool_]:
    """Return for each passage whether the claim may be about it, shape (N,).

    Args:
        claim: The claim in words.
        query: The user's query.
        passages: D.

    >>> from rac.metrics.lexical import prepare
    >>> from rac.records import Passage
    >>> d = [prepare(Passage(id=t, title=t, text=".")) for t in ("Mars", "Moons of Mars", "Phobos")]
    >>> named_passages("Mars (moon)", "mars", d).tolist()
    [True, False, False]
    """
    names = {p.name for p in passages if p.name}
    everything = np.ones(len(passages), dtype=bool)
    if len(names) < 2:
        return everything
    found = _named(claim, content_keys(query), names)
    return np.array([bool(p.short_names & found) for p in passages]) if found else everything


def _named(claim: str, query_keys: set[str], names: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    every = words(claim)
    content = [i for i, w in enumerate(every) if is_content(w)]
    keys = tuple(every[i].key for i in content)
    places: list[tuple[int, int, tuple[str, ...]]] = []
    for name in sorted(names, key=lambda n: (-len(n), n)):
        for at in range(len(keys) - len(name) + 1):
            end = at + len(name)
            if keys[at:end] == name and not any(a <= at and end <= b and (a, b) != (at, end) for a, b, _ in places):
                places.append((at, end, name))
    return {
        name
        for at, end, name in places
        if _is_head(claim, every, content[at], content[end - 1])
        and (
            len(name) == len(keys)
            or claim[every[content[at]].start].isupper()
            or claim[every[content[at]].start].isdigit()
            or query_keys.issuperset(name)
        )
    }


def _is_head(claim: str, every: Sequence[Word], first: int, last: int) -> bool:
    """Whether the words first..last are what the claim is about, as far as the words around them tell."""
    before = first - 1
    while before >= 0 and every[before].key in ("the", "a", "an"):
        before -= 1
    if before >= 0 and claim[every[before].start : every[before].end].lower() in PREPOSITIONS:
        return False
    return not _POSSESSIVE.search(claim[every[last].start : every[last].end])
