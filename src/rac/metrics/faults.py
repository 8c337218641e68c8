"""Controlled faults: supported questions with one thing made wrong, to see which metrics notice.

====  =====================================================================================
a     another query's question with the name replaced by this query's
b     one option from a donor of the same type and length (+-2 words), name replaced likewise
c1    a near number or date (1982 -> 1984)
c2    a sibling type (writer -> actress)
c3    a sibling place, nationality or person
c4    attributes of two passages of D recombined: every word is in D, no passage has them all
d     empty ("What do you mean?"), of about the question's length and with the query's name
e     the same option twice
f     control: the same options in another wording and order; scores must not move
====  =====================================================================================

None of the replacements is in D. Every fault is made from the question's own words, so that length and overlap with
the query hardly change. Deterministic for a seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rac.metrics.claims import Claim, claims
from rac.metrics.fault_words import CITIES, COUNTRY_NAMES, DEMONYMS, PEOPLE, SIBLINGS, STATES
from rac.metrics.lexical import PassageWords, prepare
from rac.metrics.text import content_keys, lower, words
from rac.metrics.wordlists import ALIASES
from rac.records import ClarificationExample, Passage

KINDS = ("a", "b", "c1", "c2", "c3", "c4", "d", "e", "f")
EMPTY_QUESTIONS = (
    "What do you mean?",
    "Could you be more specific about {0}?",
    "What exactly would you like to know about {0}, if I may ask?",
    "Could you please tell me a bit more about what you would like to know when you ask about {0}?",
    "I would like to help you with {0}, so could you please be a bit more specific about what it is that you want to "
    "know?",
    "There may be several answers to your question about {0}, so could you please clarify a bit more specifically "
    "what it "
    "is that you are asking about when you say that?",
)
"""Questions that commit to nothing, from 4 to 32 words: neither length nor overlap with the query gives them away."""
_REWORDED = (
    "Is it {1} or {0} that you are interested in?",
    "Are you looking for {1} or for {0}?",
    "Which of these are you asking about: {1} or {0}?",
)


@dataclass(frozen=True)
class Fault:
    """A faulty twin of a question.

    Attributes:
        kind: One of ``KINDS``.
        question: The faulty question.
        before: What was replaced ("" where the whole question was).
        after: What stands there now.
        option: Position of the changed option among the options, -1 where the whole question changed.
        donor: Id of the source whose words were taken, if any.
    """

    kind: str
    question: str
    before: str
    after: str
    option: int
    donor: str = ""


@dataclass(frozen=True)
class Source:
    """A supported question to make faults from: gold, or anything known to be supported by ``passages``."""

    id: str
    query: str
    question: str
    passages: tuple[Passage, ...]
    cluster: str = ""

    @property
    def options(self) -> list[Claim]:
        """What the question offers."""
        found = claims(self.question, self.query, [p.title for p in self.passages])
        return [c for c in found if c.kind in ("OPTION", "NOT-TYPE", "TOPIC")]


def sources(examples: Sequence[ClarificationExample]) -> list[Source]:
    """Return one source per example that has a gold question and passages."""
    return [
        Source(e.id, e.query, e.questions[0], e.passages, e.cluster) for e in examples if e.questions and e.passages
    ]


class FaultMaker:
    """Makes faults of the sources it knows.

    Args:
        known: The sources; donors are taken from them.
        seed: Seed of all choices.
    """

    def __init__(self, known: Sequence[Source], seed: int = 0) -> None:
        self.known, self.seed = list(known), seed
        self._options = {s.id: s.options for s in known}

    def make(self, source: Source) -> list[Fault]:
        """Return at most one fault of each kind that applies to a source."""
        rng = random.Random(f"{self.seed}:{source.id}")
        item = Item(source, self._options.get(source.id) or source.options)
        makers: dict[str, Callable[[Item, random.Random], Fault | None]] = {
            "a": self._other_question, "b": self._donor_option, "c1": _near_number, "c2": _sibling_type,
            "c3": _sibling_name, "c4": _recombined, "d": _empty, "e": _same_twice, "f": _reworded,
        }  # fmt: skip
        made = (maker(item, rng) for maker in makers.values())
        return [f for f in made if f is not None and f.question.strip() != source.question.strip()]

    def _donors(self, item: Item, rng: random.Random) -> list[Source]:
        others = [s for s in self.known if s.id != item.source.id and s.cluster != item.source.cluster]
        return rng.sample(others, min(len(others), 200))

    def _other_question(self, item: Item, rng: random.Random) -> Fault | None:
        for donor in self._donors(item, rng):
            donor_name = name_of(donor)
            question = swap_name(donor.question, donor_name, item.name)
            if donor_name and item.name and question is not None and not item.has_all(question):
                return Fault("a", question, "", question, -1, donor.id)
        return None

    def _donor_option(self, item: Item, rng: random.Random) -> Fault | None:
        """Take an option of an entity with the most types in common, of like length, that D does not carry."""
        order = list(range(len(item.options)))
        rng.shuffle(order)
        types = {t for p in item.source.passages for t in p.types}
        donors = self._donors(item, rng)
        donors.sort(key=lambda d: -len(types & {t for p in d.passages for t in p.types}))
        for donor in donors:
            donor_name = name_of(donor)
            if not donor_name or not item.name:
                continue
            for index in order:
                option = item.options[index]
                for other in self._options[donor.id]:
                    if other.kind != option.kind or other.kind == "NOT-TYPE":
                        continue
                    text = swap_name(donor.question[other.start : other.end], donor_name, item.name)
                    if text is None or abs(len(text.split()) - len(item.span(option).split())) > 2:
                        continue
                    if not item.has_all(text):
                        return item.replaced("b", index, text, donor.id)
        return None


class Item:
    """One source with what the makers of faults need: its options, its name, the words of D."""

    def __init__(self, source: Source, options: list[Claim]) -> None:
        self.source, self.options = source, options
        self.name = name_of(source)
        self.passages: list[PassageWords] = [prepare(p) for p in source.passages]
        self.query_keys = content_keys(source.query)

    def span(self, option: Claim) -> str:
        """Return an option as the question has it."""
        return self.source.question[option.start : option.end]

    def anywhere(self, text: str) -> bool:
        """Whether any word of a replacement is in D or the query."""
        return any(k in self.query_keys or any(p.has(k) for p in self.passages) for k in content_keys(text))

    def has_all(self, text: str) -> bool:
        """Whether one passage has all the content words of a text that are not in the query."""
        terms = [k for k in content_keys(text) if k not in self.query_keys]
        return any(all(p.has(t) for t in terms) for p in self.passages)

    def replaced(self, kind: str, index: int, text: str, donor: str = "") -> Fault:
        """Return the fault that puts ``text`` in the place of an option."""
        option = self.options[index]
        question = self.source.question[: option.start] + text + self.source.question[option.end :]
        return Fault(kind, question, self.span(option), text, index, donor)


def name_of(source: Source) -> str:
    """Return what the options have in common and the passages are titled by; "" if there is no such thing."""
    low = lower(source.question)
    titles = sorted({p.title for p in source.passages if p.title}, key=lambda t: (-len(t), t))
    return next((t for t in titles if lower(t) in low), "")


def swap_name(text: str, old: str, new: str) -> str | None:
    """Replace a name wherever it stands, whatever its case; None if it does not stand there."""
    pattern = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)", re.IGNORECASE)
    return pattern.sub(lambda _: new, text) if pattern.search(text) else None


def _shuffled(item: Item, rng: random.Random) -> list[tuple[int, str]]:
    order = [(i, item.span(o)) for i, o in enumerate(item.options) if o.kind != "NOT-TYPE"]
    rng.shuffle(order)
    return order


def _outside_name(item: Item, text: str) -> list[tuple[int, int]]:
    """Return the parts of an option that are not the name."""
    if not item.name:
        return [(0, len(text))]
    parts, last = [], 0
    for match in re.finditer(rf"(?<!\w){re.escape(item.name)}(?!\w)", text, re.IGNORECASE):
        parts.append((last, match.start()))
        last = match.end()
    return [*parts, (last, len(text))]


_NUMBER = re.compile(r"(?<![\w.,-])(\d{1,4})(?:(?:st|nd|rd|th|s)\b)?(?![\w.,]?\d)")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def _near_number(item: Item, rng: random.Random) -> Fault | None:
    for index, text in _shuffled(item, rng):
        spots = [m for a, b in _outside_name(item, text) for m in _NUMBER.finditer(text, a, b)]
        rng.shuffle(spots)
        for spot in spots:
            value = int(spot.group(1))
            steps = [-4, -3, -2, -1, 1, 2, 3, 4] if value > 9 else [1, 2, 3]
            rng.shuffle(steps)
            for step in steps:
                near = str(value + step)
                if value + step > 0 and not item.anywhere(near):
                    return item.replaced("c1", index, text[: spot.start(1)] + near + text[spot.end(1) :])
        for month in _MONTHS:
            if found := re.search(rf"\b{month}\b", text):
                others = [m for m in _MONTHS if not item.anywhere(m)]
                if others:
                    return item.replaced("c1", index, text[: found.start()] + rng.choice(others) + text[found.end() :])
    return None


def _like(model: str, word: str) -> str:
    """Return ``word`` with the capitalisation of ``model``."""
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _sibling_type(item: Item, rng: random.Random) -> Fault | None:
    for index, text in _shuffled(item, rng):
        for a, b in _outside_name(item, text):
            for group in sorted(SIBLINGS, key=lambda g: -max(len(w.split()) for w in g)):
                for word in sorted(group, key=lambda w: -len(w)):
                    found = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE).search(text, a, b)
                    if not found:
                        continue
                    others = [w for w in group if w != word and not item.anywhere(_difference(w, word))]
                    if others:
                        new = _like(found.group(), rng.choice(others))
                        return item.replaced("c2", index, text[: found.start()] + new + text[found.end() :])
    return None


def _difference(word: str, other: str) -> str:
    return " ".join(w for w in word.split() if w not in other.split()) or word


_AFTER_PREPOSITION = re.compile(r"\b(?:in|from|of|near|at)(?: the)? ([A-Z][\w'.-]+(?: [A-Z][\w'.-]+)*)")
_BY_PERSON = re.compile(r"\b(?:by|starring|with|featuring) ([A-Z][\w'.-]+(?: (?:de |van |von )?[A-Z][\w'.-]+)+)")


def _sibling_name(item: Item, rng: random.Random) -> Fault | None:
    for index, text in _shuffled(item, rng):
        for a, b in _outside_name(item, text):
            for found, pool in _names(text, a, b):
                others = [w for w in pool if not item.anywhere(w) and w.lower() not in text.lower()]
                if others:
                    start, end = found
                    return item.replaced("c3", index, text[:start] + rng.choice(others) + text[end:])
    return None


def _names(text: str, start: int, end: int) -> list[tuple[tuple[int, int], Sequence[str]]]:
    """Return places, nationalities and people of text[start:end] with what may stand for them."""
    found: list[tuple[tuple[int, int], Sequence[str]]] = []
    for match in _BY_PERSON.finditer(text, start, end):
        found.append((match.span(1), PEOPLE))
    for match in re.finditer(r"\b[A-Z][a-z]+\b", text[start:end]):
        word, span = match.group(), (start + match.start(), start + match.end())
        if word in DEMONYMS:
            found.append((span, DEMONYMS))
        elif word in STATES:
            found.append((span, STATES))
        elif word in COUNTRY_NAMES:
            found.append((span, COUNTRY_NAMES))
    for match in _AFTER_PREPOSITION.finditer(text, start, end):
        if ALIASES.get(match.group(1).lower()) is None:
            found.append((match.span(1), CITIES))
    return found


def _recombined(item: Item, rng: random.Random) -> Fault | None:
    """Give an option an attribute that only another passage of D has, so that no passage carries the whole."""
    for index, text in _shuffled(item, rng):
        option = item.options[index]
        owners = [i for i, p in enumerate(item.passages) if all(p.has(t) for t in option.terms)]
        if len(owners) != 1 or not option.terms:
            continue
        others = [(i, p) for i, p in enumerate(item.source.passages) if i != owners[0]]
        rng.shuffle(others)
        for _, passage in others:
            for attribute in _attributes(passage, rng):
                new = _joined(text, attribute, item.name)
                terms = [k for k in content_keys(new) if k not in item.query_keys]
                foreign = [k for k in content_keys(attribute) if not item.passages[owners[0]].has(k)]
                known = all(any(p.has(t) for p in item.passages) for t in terms)
                if foreign and known and not item.has_all(new) and new != text:
                    return item.replaced("c4", index, new)
    return None


_ATTRIBUTE = re.compile(
    r"\b(?:in|from|of|by) (?:the )?[A-Z][\w'-]+(?: [A-Z][\w'-]+)*|\b(?:in|from) (?:1[5-9]|20)\d\d\b"
)


def _attributes(passage: Passage, rng: random.Random) -> list[str]:
    """Return short attributes of a passage: types, and places, people and years from its first words."""
    found = [*passage.types[:8], *(m.group() for m in _ATTRIBUTE.finditer(passage.text[:300]))]
    rng.shuffle(found)
    return found


def _joined(text: str, attribute: str, name: str) -> str:
    """Put an attribute into an option: prepositional ones at the end, types in front of the name."""
    if re.match(r"(?:in|from|of|by)\b", attribute):
        kept = re.sub(r"\s+\b(?:in|from|of|by|located|at|near)\b.*$", "", text)
        return f"{kept} {attribute}" if content_keys(kept) - content_keys(name) else f"{text} {attribute}"
    match = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) if name else None
    if match is None:
        return f"{text}, the {attribute}"
    return f"{text[: match.start()]}{attribute} {text[match.start() :]}"


def _empty(item: Item, rng: random.Random) -> Fault | None:
    """Return the empty question whose length is nearest, now and then any other."""
    # A title that only one passage has would offer that passage.
    titles = {p.title for p in item.source.passages}
    name = item.name if len(titles) == 1 and item.name else "this"
    made = [q.format(name) for q in EMPTY_QUESTIONS]
    wanted = len(item.source.question.split())
    nearest = min(made, key=lambda q: abs(len(q.split()) - wanted))
    question = nearest if rng.random() < 0.8 else rng.choice(made)
    return Fault("d", question, item.source.question, question, -1)


def _same_twice(item: Item, rng: random.Random) -> Fault | None:
    if len(item.options) < 2:
        return None
    index = rng.randrange(len(item.options))
    other = (index + 1) % len(item.options)
    return item.replaced("e", index, item.span(item.options[other]))


def _reworded(item: Item, rng: random.Random) -> Fault | None:
    if len(item.options) != 2 or any(o.kind == "TOPIC" for o in item.options):
        return None
    texts = [o.text for o in item.options]
    question = rng.choice(_REWORDED).format(*texts)
    if any(w.key in ("or", "and") for t in texts for w in words(t)):
        return None
    return Fault("f", question, item.source.question, question, -1)
