"""Donors for one-claim edits: sibling types, places, persons and titles, collected from passages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from functools import lru_cache

from rac.metrics.text import content_keys
from rac.records import Passage

NAME = r"[A-Z][\w'’&.-]*\w(?: (?:of |the |de |von |van )?[A-Z][\w'’&.-]*\w){0,3}"
"""A name: capitalised words in a row."""

_LEAD = re.compile(rf"\b(in|from|at|near|by|of|with) (?:the )?({NAME})")
_BRACKETS = re.compile(r"\s*\([^()]*\)")

SIBLINGS: tuple[tuple[str, ...], ...] = (
    ("film", "novel", "album", "song", "play", "opera", "poem", "painting", "musical", "ballet", "short story"),
    ("tv series", "video game", "board game", "comic book", "radio show", "documentary", "podcast"),
    ("writer", "actor", "actress", "singer", "painter", "composer", "poet", "journalist", "photographer", "sculptor"),
    ("politician", "lawyer", "soldier", "general", "diplomat", "judge", "businessman", "engineer", "architect"),
    ("physicist", "chemist", "mathematician", "biologist", "philosopher", "historian", "economist", "physician"),
    ("footballer", "cricketer", "boxer", "swimmer", "cyclist", "golfer", "sprinter", "wrestler"),
    ("band", "orchestra", "choir", "record label", "theatre company"),
    ("king", "queen", "emperor", "pope", "prince", "duke"),
    ("city", "town", "village", "island", "river", "mountain", "lake", "district", "province", "county", "region"),
    ("country", "empire", "kingdom", "republic"),
    ("school", "university", "hospital", "museum", "library", "church", "castle", "bridge", "airport", "stadium"),
    ("restaurant", "hotel", "theatre", "cinema", "bar", "park"),
    ("company", "newspaper", "magazine", "political party", "football club", "airline", "bank"),
    ("plant", "bird", "fish", "insect", "mammal", "fungus", "reptile"),
    ("disease", "drug", "vaccine", "vitamin", "hormone"),
    ("metal", "mineral", "gas", "acid", "alloy"),
    ("battle", "war", "treaty", "revolution", "siege", "election"),
    ("ship", "aircraft", "locomotive", "car", "tank", "submarine"),
    ("religion", "language", "ethnic group", "dynasty", "philosophy"),
    ("guitarist", "drummer", "pianist", "violinist", "saxophonist", "bassist"),
)
"""Words of which one gives way to another of its row, where the passages' own types have no sibling."""

DEMONYMS = tuple(
    """
    African American Argentine Australian Austrian Bavarian Belgian Bolivian Brazilian British Bulgarian Canadian
    Catalan Chilean Chinese Colombian Croatian Cuban Czech Danish Dutch Egyptian English Estonian Finnish Flemish French
    Georgian German Greek Hungarian Icelandic Indian Indonesian Iranian Irish Israeli Italian Jamaican Japanese Kenyan
    Korean Latvian Lithuanian Malaysian Mexican Moroccan Nigerian Norwegian Pakistani Peruvian Polish Portuguese
    Romanian Russian Scottish Serbian Slovak Spanish Swedish Swiss Thai Turkish Ukrainian Venezuelan Vietnamese Welsh
    """.split()  # noqa: SIM905 - a column of words is easier to read than a column of quotes
)
"""Adjectives of peoples; one gives way to another."""

_NOT_NAMES = frozenset(
    [
        *DEMONYMS, "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November", "December", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ]
)  # fmt: skip

_ROW = {word: row for row in SIBLINGS for word in row}
_MOST_SIBLINGS = 12


@lru_cache(maxsize=50_000)
def _phrase(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)


def mentions(text: str, phrase: str) -> bool:
    """Whether ``phrase`` stands in ``text`` as whole words, in any case."""
    return bool(phrase) and bool(_phrase(phrase).search(text))


def is_name(text: str) -> bool:
    """Whether capitalised words are a name: not a month, a day or the adjective of a people alone."""
    return text.split()[0] not in _NOT_NAMES


class EditPool:
    """What edits may bring into a question. Everything is kept sorted, so that a seed gives the same edits.

    Args:
        passages: The passages of all queries, or a whole corpus.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        companions: dict[str, Counter[str]] = defaultdict(Counter)
        names: dict[str, set[str]] = defaultdict(set)
        titles: dict[str, set[str]] = defaultdict(set)
        seen: set[str] = set()
        for passage in passages:
            if passage.id in seen:
                continue
            seen.add(passage.id)
            for one in passage.types:
                companions[one].update(t for t in passage.types if t != one)
            for lead, name in _LEAD.findall(passage.text[:600]):
                if is_name(name):
                    names[lead].add(name)
            title = _BRACKETS.sub("", passage.title).strip()
            for key in content_keys(title):
                titles[key].add(title)
        self._companions = dict(companions)
        self._names = {lead: sorted(found) for lead, found in names.items()}
        self._titles = {key: sorted(found) for key, found in titles.items()}
        self._siblings: dict[str, list[str]] = {}

    def siblings(self, name: str) -> list[str]:
        """Return types of the same sort, nearest first: same last word, same company, else of the same built-in row."""
        name = name.lower()
        if name not in self._siblings:
            self._siblings[name] = self._find_siblings(name)
        return list(self._siblings[name])

    def _find_siblings(self, name: str) -> list[str]:
        own = self._companions.get(name, Counter())
        last = name.rsplit(None, 1)[-1]
        scores: dict[str, float] = {}
        for other, company in sorted(self._companions.items()):
            if other == name or own[other] * 2 > min(sum(own.values()), sum(company.values())):
                continue
            shared = sum(min(count, company[key]) for key, count in own.items())
            size = sum(own.values()) + sum(company.values()) - shared
            score = (shared / size if size else 0.0) + (other.rsplit(None, 1)[-1] == last)
            if score > 0.05:
                scores[other] = score
        found = sorted(scores, key=lambda other: (-scores[other], other))[:_MOST_SIBLINGS]
        return found or [word for word in _ROW.get(name, ()) if word != name]

    def words_with_siblings(self, text: str) -> list[str]:
        """Return the built-in words that stand in ``text``, longest first."""
        found = [word for word in _ROW if mentions(text, word)]
        return sorted(found, key=lambda word: (-len(word), word))

    def names_like(self, name: str, lead: str) -> list[str]:
        """Return names of about the same length that stand behind the same preposition."""
        length = len(name.split())
        return [n for n in self._names.get(lead, []) if n != name and abs(len(n.split()) - length) <= 1]

    def titles_with(self, keys: Set[str]) -> list[str]:
        """Return titles that have all of some content keys."""
        if not keys:
            return []
        return sorted(set.intersection(*(set(self._titles.get(key, ())) for key in keys)))
