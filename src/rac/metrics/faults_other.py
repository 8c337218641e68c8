"""A second set of controlled faults, of other makes: written after the rules and the fit, and never used for either.

The faults of ``rac.metrics.faults`` were known to those who tuned the metrics. These change questions in other ways and
with other words, so that what holds for both sets is not owed to one way of making faults.

========  ==========================================================================================
name      one option has the name of something else
type      one option has the type of another query's entity
date      one option is given a year that D does not have
place     one option is given a place that D does not have
negated   one option denies what every passage says
world     one option is a plausible thing of that name that D does not have
third     an invented option is added to supported ones
mixed     one option has a name, place or year of the other passage
twice     one thing is offered twice in other words
vague     nothing is offered, in sentences other than those of (d)
control   the same options in another form: lists, panes, statements, several sentences
aliases   control: the same options with other forms of their words (movie, US, Jan., plurals)
========  ==========================================================================================
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from rac.metrics.faults import Fault, Item, Source, name_of, swap_name
from rac.metrics.text import content_keys, words

OTHER_KINDS = (
    "name", "type", "date", "place", "negated", "world", "third", "mixed", "twice", "vague", "control", "aliases",
)  # fmt: skip
CONTROLS = frozenset({"f", "control", "aliases"})
"""Kinds that must not move a score."""

_PLACES = (
    "Tasmania", "Bolivia", "Latvia", "Uganda", "Mongolia", "Ecuador", "Slovenia", "Nepal", "Honduras", "Estonia",
    "Leipzig", "Rennes", "Tucson", "Halifax", "Perth", "Bergamo", "Lublin", "Tampere", "Salzburg", "Kobe",
)  # fmt: skip
_WORLD = (
    "the perfume {0}", "the chess opening {0}", "{0}, the jazz trio from Oslo", "the 1994 board game {0}",
    "the submarine {0}", "{0} (a cocktail)", "the asteroid {0}", "the horse breed {0}", "{0}, a typeface",
    "the sewing pattern {0}", "the tram line {0}", "the beer brand {0}",
)  # fmt: skip
_VAGUE = (
    "Could you clarify what you mean?", "Which one do you mean?", "Do you mean {0}?", "Which {0} do you mean?",
    "There is more than one {0}. Which one are you asking about?",
    "Are you asking about {0}?", "Can you tell me more about what you want to know about {0}?",
    "I'm not sure I understand your question about {0}. Could you rephrase it for me, please?",
    "What would you like to know about {0}?",
    "To help you better with {0}, I need some more information. Could you please specify what you mean?",
)  # fmt: skip
_FORMS = (
    "Which one: {0} or {1}?", "Did you mean {1}? Or {0}?", "Please choose: 1. {0} 2. {1}", "{1} or {0}?",
    "Which of the following do you mean?\n- {0}\n- {1}", "Which one do you mean? {0} | {1}",
    "There are two of them: {1} and {0}. Which one do you mean?", "Just to be sure, is this about {1}, or about {0}?",
    "Would that be {0}, or rather {1}?", "I found {0} and {1}. Which one are you looking for?",
    "do you want {1} or do you want {0}", "Are you asking about either {0} or {1}?",
    "Could you tell me whether you mean {0} or {1}?", "Is your question about {1} or about {0}?",
    "Sorry, which one did you have in mind: {1}, or {0}?", "Do you mean:\n1) {1}\n2) {0}",
)  # fmt: skip
_WORD_FORMS = (
    ("film", "movie"), ("United States", "US"), ("United Kingdom", "UK"), ("American", "US"), ("television", "TV"),
    ("tv", "television"), ("January", "Jan."), ("February", "Feb."), ("September", "Sept."), ("October", "Oct."),
    ("November", "Nov."), ("December", "Dec."), ("theater", "theatre"), ("football player", "footballer"),
    ("first", "1st"), ("second", "2nd"), ("university", "universities"), ("company", "companies"),
    ("album", "albums"), ("song", "songs"), ("writer", "writers"), ("school", "schools"), ("book", "books"),
    ("actor", "actors"), ("game", "games"), ("series", "Series"), ("person", "people"), ("city", "cities"),
)  # fmt: skip


class OtherFaultMaker:
    """Makes the faults of this module for the sources it knows.

    Args:
        known: The sources; names and types of others are taken from them.
        seed: Seed of all choices.
    """

    def __init__(self, known: Sequence[Source], seed: int = 0) -> None:
        self.known, self.seed = list(known), seed
        self._options = {s.id: s.options for s in known}
        self._names = sorted({n for s in known if (n := name_of(s))})
        self._types = sorted({t for s in known for p in s.passages for t in p.types})

    def make(self, source: Source) -> list[Fault]:
        """Return at most one fault of each kind that applies to a source."""
        rng = random.Random(f"other:{self.seed}:{source.id}")
        item = Item(source, self._options.get(source.id) or source.options)
        makers: dict[str, Callable[[Item, random.Random], Fault | None]] = {
            "name": self._name, "type": self._type, "date": _date, "place": _place, "negated": _negated,
            "world": _world, "third": _third, "mixed": _mixed, "twice": _twice, "vague": _vague, "control": _control,
            "aliases": _aliases,
        }  # fmt: skip
        made = (maker(item, rng) for maker in makers.values())
        return [f for f in made if f is not None and f.question.strip() != source.question.strip()]

    def _name(self, item: Item, rng: random.Random) -> Fault | None:
        for name in rng.sample(self._names, min(30, len(self._names))):
            found = _pick(item, rng)
            if not item.name or found is None or item.anywhere(name):
                continue
            index, text = found
            new = swap_name(text, item.name, name)
            if new is None:
                continue
            return item.replaced("name", index, new)
        return None

    def _type(self, item: Item, rng: random.Random) -> Fault | None:
        found = _pick(item, rng)
        if found is None or not item.name:
            return None
        for kind in rng.sample(self._types, min(30, len(self._types))):
            if not item.anywhere(kind):
                return item.replaced("type", found[0], f"{kind} {item.name}")
        return None


def _pick(item: Item, rng: random.Random) -> tuple[int, str] | None:
    """Return an option that is no NOT-TYPE and says more than the name, with its words."""
    found = [(i, item.span(o)) for i, o in enumerate(item.options) if o.kind == "OPTION" and o.distinguishing]
    return rng.choice(found) if found else None


def _date(item: Item, rng: random.Random) -> Fault | None:
    found = _pick(item, rng)
    years = [y for y in rng.sample(range(1880, 2020), 40) if not item.anywhere(str(y))]
    if found is None or not years:
        return None
    index, text = found
    old = re.search(r"\b(?:1[5-9]|20)\d\d\b", text)
    form = rng.choice(["{0} from {1}", "{0} ({1})", "{0} of {1}"])
    new = text.replace(old.group(), str(years[0])) if old else form.format(text, years[0])
    return item.replaced("date", index, new)


def _place(item: Item, rng: random.Random) -> Fault | None:
    found = _pick(item, rng)
    places = [p for p in rng.sample(_PLACES, len(_PLACES)) if not item.anywhere(p)]
    if found is None or not places:
        return None
    index, text = found
    kept = re.sub(r"\s+\b(?:in|from|at|near)\b (?:the )?[A-Z].*$", "", text)
    form = rng.choice(["{0} in {1}", "{0} from {1}", "{0}, {1}"])
    return item.replaced("place", index, form.format(kept or text, places[0]))


def _negated(item: Item, rng: random.Random) -> Fault | None:
    """Deny a type that every passage has, so that no passage of that title lacks it."""
    found = _pick(item, rng)
    every = item.source.passages
    shared = sorted(set.intersection(*(set(p.types) for p in every))) if every and all(p.types for p in every) else []
    if found is None or not shared or not item.name:
        return None
    denied = rng.choice(shared)
    form = rng.choice(["non {1} {0}", "{0} that is not a {1}", "non-{1} {0}"])
    return item.replaced("negated", found[0], form.format(item.name, denied))


def _invented(item: Item, rng: random.Random) -> str | None:
    if not item.name:
        return None
    made = [w.format(item.name) for w in rng.sample(_WORLD, len(_WORLD)) if not item.anywhere(w.replace("{0}", ""))]
    return made[0] if made else None


def _world(item: Item, rng: random.Random) -> Fault | None:
    found, made = _pick(item, rng), _invented(item, rng)
    return item.replaced("world", found[0], made) if found and made else None


def _third(item: Item, rng: random.Random) -> Fault | None:
    made = _invented(item, rng)
    offered = [i for i, o in enumerate(item.options) if o.kind in ("OPTION", "NOT-TYPE")]
    if made is None or len(offered) != 2:
        return None
    first = offered[0]
    # "A or B" becomes "invented, A or B".
    return item.replaced("third", first, f"{made}, {item.span(item.options[first])}")


def _mixed(item: Item, rng: random.Random) -> Fault | None:
    """Give an option a proper noun or year that only the other passage has."""
    found = _pick(item, rng)
    if found is None:
        return None
    index, text = found
    owners = [i for i, p in enumerate(item.passages) if all(p.has(t) for t in item.options[index].terms)]
    if len(owners) != 1:
        return None
    candidates = []
    for i, passage in enumerate(item.source.passages):
        if i != owners[0]:
            for match in re.finditer(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b|\b(?:1[5-9]|20)\d\d\b", passage.text[:400]):
                keys = content_keys(match.group())
                if keys and not any(item.passages[owners[0]].has(k) for k in keys):
                    candidates.append(match.group())
    candidates = [c for c in sorted(set(candidates)) if not content_keys(c) & content_keys(item.source.query + text)]
    if not candidates:
        return None
    form = rng.choice(["{0} ({1})", "{0} of {1}"])
    return item.replaced("mixed", index, form.format(text, rng.choice(candidates)))


def _twice(item: Item, rng: random.Random) -> Fault | None:
    offered = [i for i, o in enumerate(item.options) if o.kind == "OPTION"]
    if len(offered) != 2 or len(item.options) != 2:
        return None
    index = rng.choice(offered)
    text = item.span(item.options[1 - index])
    text = re.sub(r"^(?:the|an?) ", "", text)
    form = rng.choice(["the {0}", "{0} itself", "this {0}", "that {0}"])
    return item.replaced("twice", index, form.format(text))


def _vague(item: Item, rng: random.Random) -> Fault | None:
    name = item.name if len({p.title for p in item.source.passages}) == 1 and item.name else "this"
    # With "this" only those forms are English.
    forms = _VAGUE if name != "this" else [v for v in _VAGUE if "{0} do" not in v and "one {0}" not in v]
    question = rng.choice(forms).format(name)
    return Fault("vague", question, item.source.question, question, -1)


def _two_options(item: Item) -> list[str] | None:
    texts = [o.text for o in item.options]
    if len(texts) != 2 or any(o.kind == "TOPIC" for o in item.options):
        return None
    # Options that hold separators of their own are ambiguous in any form.
    if any(w.key in ("or", "and") for t in texts for w in words(t)) or any(re.search(r"[,;:|?]", t) for t in texts):
        return None
    return texts


def _control(item: Item, rng: random.Random) -> Fault | None:
    texts = _two_options(item)
    if texts is None:
        return None
    question = rng.choice(_FORMS).format(*texts)
    return Fault("control", question, item.source.question, question, -1)


def _aliases(item: Item, rng: random.Random) -> Fault | None:
    pairs = list(_WORD_FORMS)
    rng.shuffle(pairs)
    for index, option in enumerate(item.options):
        if option.kind != "OPTION":
            continue
        text = item.span(option)
        for old, new in pairs:
            match = re.search(rf"\b{re.escape(old)}\b", text)
            inside_name = item.name and match and re.search(rf"\b{re.escape(old)}\b", item.name)
            if match and not inside_name:
                return item.replaced("aliases", index, text[: match.start()] + new + text[match.end() :])
    return None
