"""One-claim edits: a question with exactly one of its options changed, so that no passage of D carries it.

Five kinds, each labelled:

* ``sibling-type``: a type gives way to a sibling one ("writer" to "actress"), "non T" to a type that all have;
* ``recombined``: an option gets the attribute of another passage of D: every word is in D, no passage has them all;
* ``near-number``: a number or year gives way to a near one (1982 to 1984);
* ``invented-name``: a place, person or title gives way to another of its sort that D does not mention;
* ``repeated-option``: an option is offered again in place of another one ("A or A").

A sixth, "another query's question", is left out on purpose: it is too easy to tell apart to teach anything.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rac.metrics.claims import Claim, options_of
from rac.metrics.lexical import PassageWords, prepare
from rac.metrics.text import content_keys, content_words
from rac.records import Passage
from rac.training.edit_pool import DEMONYMS, NAME, EditPool, is_name, mentions
from rac.training.pair_settings import EDIT_KINDS, EditKind

_NUMBER = re.compile(r"(?<![\w.,-])\d{1,4}(?![\w,]|\.\d)")
_ATTRIBUTE = re.compile(rf"\b(?:in|from|by|near|at) {NAME}|\b(?:in|from|of) [12]\d\d\d\b")
_BRACKETS = re.compile(r"\s*\([^()]*\)")


@dataclass(frozen=True)
class Edit:
    """A question with one changed claim.

    Attributes:
        question: The edited question.
        kind: What was changed.
        before: The option as it was.
        after: The option as it is now.
    """

    question: str
    kind: EditKind
    before: str
    after: str


def one_claim_edits(
    question: str,
    query: str,
    passages: Sequence[Passage],
    pool: EditPool,
    *,
    wanted: int,
    rng: random.Random,
    kinds: Sequence[EditKind] = EDIT_KINDS,
) -> list[Edit]:
    """Return up to ``wanted`` different edits of a question, of as many kinds as possible.

    Args:
        question: A question that D supports.
        query: U_q; its words are never changed.
        passages: D.
        pool: Donors of types and names.
        wanted: Most edits.
        rng: Chooses kinds, options and donors.
        kinds: Allowed kinds.

    Returns:
        Edits; none if the question offers nothing or nothing in it can be changed.
    """
    editor = _Editor(question, query, passages, pool, rng)
    order = list(kinds)
    rng.shuffle(order)
    sources = {kind: editor.edits(kind) for kind in order}
    found: list[Edit] = []
    seen = {question}
    # Round by round one of each kind, so that no kind crowds out the others.
    while sources and len(found) < wanted:
        for kind in list(sources):
            edit = next((e for e in sources[kind] if e.question not in seen), None)
            if edit is None:
                del sources[kind]
                continue
            seen.add(edit.question)
            found.append(edit)
            if len(found) == wanted:
                break
    return found


class _Editor:
    """Edits of one question; ``edits`` yields those of a kind in random order."""

    def __init__(
        self, question: str, query: str, passages: Sequence[Passage], pool: EditPool, rng: random.Random
    ) -> None:
        self.question, self.query, self.passages, self.pool, self.rng = question, query, passages, pool, rng
        self.options = options_of(question, query, passages)
        self.words: list[PassageWords] = [prepare(p) for p in passages]
        self.asked = content_keys(query)

    def edits(self, kind: EditKind) -> Iterator[Edit]:
        """Yield the edits of one kind."""
        change: Callable[[Claim], Iterator[str]] = {
            "sibling-type": self._sibling_type,
            "recombined": self._recombined,
            "near-number": self._near_number,
            "invented-name": self._invented_name,
            "repeated-option": self._repeated,
        }[kind]
        options = list(self.options)
        self.rng.shuffle(options)
        for option in options:
            for after in change(option):
                question = self.question[: option.start] + after + self.question[option.end :]
                yield Edit(question, kind, self._span(option), after)

    def _span(self, option: Claim) -> str:
        return self.question[option.start : option.end]

    def _unknown(self, text: str) -> bool:
        """Whether ``text`` has a content word and D has none of its content words."""
        keys = content_keys(text)
        return bool(keys) and not any(passage.has(k) for k in keys for passage in self.words)

    def _carried(self, text: str) -> bool:
        """Whether one passage of D has every content word of ``text``."""
        keys = content_keys(text)
        return any(all(passage.has(k) for k in keys) for passage in self.words)

    def _sibling_type(self, option: Claim) -> Iterator[str]:
        span = self._span(option)
        if option.kind == "NOT-TYPE":
            yield from self._false_negation(span)
            return
        own = sorted({t for p in self.passages for t in p.types}, key=lambda t: (-len(t), t))
        for name in [*own, *self.pool.words_with_siblings(span)]:
            found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", span, re.IGNORECASE)
            if found is None or content_keys(name) <= self.asked:
                continue
            siblings = [s for s in self.pool.siblings(name) if self._unknown(_difference(s, name))]
            self.rng.shuffle(siblings)
            for sibling in siblings:
                yield _exchange(span, found.span(), sibling)

    def _false_negation(self, span: str) -> Iterator[str]:
        """Turn "non T X" into "non S X", where every thing of that name in D is an S."""
        meant = [p for p in self.passages if mentions(span, _bare(p.title))]
        common = set.intersection(*(set(p.types) for p in meant)) if meant else set()
        types = sorted({t for p in self.passages for t in p.types}, key=lambda t: (-len(t), t))
        for name in types:
            found = re.search(rf"\bnon[\s-]+({re.escape(name)})(?!\w)", span, re.IGNORECASE)
            if found:
                others = sorted(common - {name})
                self.rng.shuffle(others)
                for other in others:
                    yield _exchange(span, found.span(1), other)
                return

    def _near_number(self, option: Claim) -> Iterator[str]:
        span = self._span(option)
        for found in _NUMBER.finditer(span):
            value = int(found[0])
            if found[0] in self.query:
                continue
            steps = [1, 2, 3, 4, 6, 8, 9] if value > 1000 else [1, 2, 3]
            near = [value + sign * step for step in steps for sign in (1, -1) if value + sign * step > 0]
            self.rng.shuffle(near)
            for number in near:
                if self._unknown(str(number)):
                    yield _exchange(span, found.span(), str(number))

    def _invented_name(self, option: Claim) -> Iterator[str]:
        if option.kind == "NOT-TYPE":
            return  # "non T Y" would say something true of every Y
        span = self._span(option)
        for found in re.finditer(rf"(?:\b(in|from|at|near|by|of|with) (?:the )?)?({NAME})", span):
            name = found[2]
            keys = content_keys(name)
            if not keys or keys & self.asked:
                donors = self._titles_like(name)
            elif found[1]:
                # The same preposition in front brings places for places and persons for persons.
                donors = self.pool.names_like(name, found[1])
            else:
                donors = [d for d in DEMONYMS if d != name] if name in DEMONYMS else []
            # What of the name the query does not have must be new, and the new name must say something.
            new = [d for d in donors if self._unknown(_difference(d, self.query))]
            self.rng.shuffle(new)
            for donor in new[:20]:
                yield _exchange(span, found.span(2), donor)

    def _titles_like(self, name: str) -> list[str]:
        """Return other titles with the query's word, if the name is a title of D ("King Lear" for the query "king")."""
        if not any(_bare(p.title).lower() == name.lower() for p in self.passages):
            return []
        shared = content_keys(name) & self.asked
        return [t for t in self.pool.titles_with(shared) if t.lower() != name.lower()]

    def _recombined(self, option: Claim) -> Iterator[str]:
        span = self._span(option)
        # Another option's words with this option's title.
        own = self._find_title(span)
        for other in self.options:
            text = self._span(other)
            title = self._find_title(text)
            if other is option or own is None or title is None or own[0].lower() == title[0].lower():
                continue
            after = text[: title.start()] + own[0] + text[title.end() :]
            if after != span and not self._carried(after):
                yield after
        # This option with an attribute of another passage of the same name, else of any other.
        bearer = self._bearer(option)
        if bearer is None or option.kind == "NOT-TYPE":
            return
        others = [p for p in self.passages if p is not self.passages[bearer]]
        borne = self.passages[bearer].title.lower()
        self.rng.shuffle(others)
        others.sort(key=lambda p: p.title.lower() != borne)
        for passage in others:
            for found in _ATTRIBUTE.finditer(passage.text[:600]):
                attribute = found[0]
                lead, name = attribute.split(" ", 1)
                keys = content_keys(attribute)
                if not keys or not is_name(name) or keys & (self.asked | content_keys(span)) or mentions(span, lead):
                    continue
                if not self._carried(f"{span} {attribute}"):
                    yield f"{span} {attribute}"

    def _find_title(self, span: str) -> re.Match[str] | None:
        """Return where the longest title of D (without brackets) stands in ``span`` as whole words."""
        titles = sorted({_bare(p.title) for p in self.passages}, key=lambda t: (-len(t), t))
        for title in titles:
            found = re.search(rf"(?<!\w){re.escape(title)}(?!\w)", span, re.IGNORECASE) if title else None
            if found:
                return found
        return None

    def _bearer(self, option: Claim) -> int | None:
        """Return which passage carries the option, None if none carries it whole."""
        keys = {w.key for w in content_words(option.text)}
        for index, passage in enumerate(self.words):
            if all(passage.has(k) for k in keys):
                return index
        return None

    def _repeated(self, option: Claim) -> Iterator[str]:
        for other in self.options:
            if other is not option and self._span(other) != self._span(option):
                yield self._span(other)


def _bare(title: str) -> str:
    return _BRACKETS.sub("", title).strip()


def _difference(text: str, base: str) -> str:
    """Return the words of ``text`` that ``base`` does not have."""
    known = content_keys(base)
    return " ".join(text[w.start : w.end] for w in content_words(text) if w.key not in known)


def _exchange(span: str, place: tuple[int, int], new: str) -> str:
    """Put ``new`` in the place; an article in front of it is made to fit."""
    start, end = place
    before = span[:start]
    article = re.search(r"\b(an?) $", before)
    if article:
        fitting = "an" if new[:1].lower() in "aeiou" else "a"
        before = before[: article.start(1)] + fitting + " "
    return before + new + span[end:]
