"""The *selection* scorer: filters pairs, stops early, reranks candidates, refuses at answer time.

It shares no weight and no fitted parameter with the report scorer (``rac.metrics.support``): otherwise tables would
measure how well a model learned to please the table. Lexical: an option is supported when one passage has (nearly)
all of its words and names what the option names; what a preposition joins ("in the volcano") must be said outside the
passage's types, which tell what a thing is and not where. Cost: about 0.2 ms a question with five short passages. What
fools it: synonyms (counted as unsupported) and words of one passage that stand in another relation (as supported).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rac.metrics.claims import Claim, options_of
from rac.metrics.lexical import PassageWords, Span, joined_terms, matched_spans, prepare, share
from rac.metrics.text import content_keys, content_words
from rac.records import Passage

SELECTION_VERSION = "selection-4"


@dataclass(frozen=True)
class Evidence:
    """What supports an option: the passage's position in D and the spans of the matched words in its fields."""

    passage: int
    passage_id: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class SelectionScore:
    """The selection scorer's verdict on one question.

    Attributes:
        faithfulness: Mean over options of the best passage's share of the option's words, in 0..1; 0 without options.
        options: What the question offers (claims of every kind but ATTRIBUTE).
        shares: Per option that best share.
        supported: Per option whether a passage carries it.
        evidence: Per option the best passage and the matched words; None where no passage has any of its words.
        distinct: Whether no option is offered twice (same words outside query and frame).
        carriers: Per option the positions in D of all passages that carry it.
        readings: The positions in D of the passages that the query may mean: those whose title it has in full where
            there are two or more, else all.
        good: Whether there are at least ``min_options`` options, all supported and distinct.
        reason: Why it is not good; "" if it is.
    """

    faithfulness: float
    options: list[Claim]
    shares: list[float]
    supported: list[bool]
    evidence: list[Evidence | None]
    distinct: bool
    good: bool
    reason: str = ""
    carriers: list[tuple[int, ...]] = field(default_factory=list)
    readings: tuple[int, ...] = ()

    @property
    def apart(self) -> bool:
        """Whether the options tell the query's readings apart: a faithful "album or 1990 album" does not.

        Every option must be carried by a reading (of a query about the band War, "the label ACT" leaves it), and
        neither of two by all readings that carry the other. One that no passage carries is a fault of another kind and
        does not count here.
        """
        sets = [{i for i in own if i in self.readings} for own in self.carriers if own]
        return all(sets) and not any(sets[i] <= sets[j] for i in range(len(sets)) for j in range(len(sets)) if i != j)


class SelectionScorer:
    """Scores questions by words alone, with its own threshold.

    Args:
        threshold: Least share of an option's words that one passage must have, in 0..1.
        min_options: Fewest options of a good question.
    """

    def __init__(self, *, threshold: float = 1.0, min_options: int = 1) -> None:
        self.threshold, self.min_options = threshold, min_options

    def score(self, question: str, query: str, passages: Sequence[Passage]) -> SelectionScore:
        """Return the score of one question against D.

        Args:
            question: The clarifying question.
            query: The user's query.
            passages: D, in the order that ``evidence`` refers to.
        """
        options = options_of(question, query, passages)
        prepared = [prepare(p) for p in passages]
        query_keys = content_keys(query)
        # Names are titles that the query has in full.
        named = [i for i, passage in enumerate(prepared) if passage.name and query_keys.issuperset(passage.name)]
        names = {key for i in named for key in prepared[i].name}
        shares: list[float] = []
        evidence: list[Evidence | None] = []
        carriers: list[tuple[int, ...]] = []
        for option in options:
            values, where = self._values(option, prepared, query_keys, names)
            best = values[where] if where is not None else 0.0
            shares.append(best)
            carriers.append(tuple(i for i, value in enumerate(values) if value >= self.threshold))
            if where is None:
                evidence.append(None)
            else:
                spans = matched_spans(content_words(option.text), prepared[where])
                evidence.append(Evidence(where, passages[where].id, tuple(spans)))
        supported = [s >= self.threshold for s in shares]
        distinct = not same_option_twice(options)
        faithfulness = sum(shares) / len(shares) if shares else 0.0
        reason = ""
        if len(options) < self.min_options:
            reason = "too-few-options"
        elif not all(supported):
            reason = "unsupported-option"
        elif not distinct:
            reason = "same-option-twice"
        return SelectionScore(
            faithfulness,
            options,
            shares,
            supported,
            evidence,
            distinct,
            good=not reason,
            reason=reason,
            carriers=carriers,
            readings=tuple(named) if len(named) > 1 else tuple(range(len(passages))),
        )

    def score_all(self, questions: Sequence[str], query: str, passages: Sequence[Passage]) -> list[SelectionScore]:
        """Return the scores of several candidates for one query, in their order."""
        return [self.score(q, query, passages) for q in questions]

    def problem(self, question: str, query: str, passages: Sequence[Passage]) -> str:
        """Return why a question is not good, "" if it is: a check for data that is being made."""
        return self.score(question, query, passages).reason

    def _values(
        self, option: Claim, prepared: list[PassageWords], query_keys: set[str], names: set[str]
    ) -> tuple[list[float], int | None]:
        """Return how far each passage carries an option, in 0..1, and the position of the best; None if none does."""
        values: list[float] = []
        where: int | None = None
        # What tells passages apart must be said by one that is about the name in the option, as far as any is: another
        # name's "German label" makes no "German label Temperance".
        asked = [w.key for w in content_words(option.text) if w.key in query_keys]
        name_terms = [key for key in asked if key in names] or asked
        named = [share(name_terms, passage) for passage in prepared]
        most = max(named, default=1.0)
        joined = joined_terms(option.text)
        for index, passage in enumerate(prepared):
            about = named[index] == most
            if option.kind == "NOT-TYPE":
                value = float(about and passage.lacks_type(option.terms)) * _title_share(name_terms, passage)
            elif option.terms:
                value = _carried(option.terms, joined, passage) if about else 0.0
            else:
                value = named[index]
            values.append(value)
            best = 0.0 if where is None else values[where]
            # Among equals the passage that also has the name is the better evidence.
            if value > best or (value == best > 0 and where is not None and named[index] > named[where]):
                where = index
        return values, where


def _carried(terms: Sequence[str], joined: frozenset[str], passage: PassageWords) -> float:
    """Return the share of an option's terms that a passage carries, in 0..1; its types carry no joined one."""
    return sum(passage.places(t) if t in joined else passage.has(t) for t in terms) / len(terms)


def _title_share(name_terms: list[str], passage: PassageWords) -> float:
    """Return 1 if the passage is about what is named, as far as its title tells (it has a word of the name), else 0."""
    if not name_terms:
        return 1.0
    return 1.0 if any(t in passage.title_keys for t in name_terms) or not passage.title_keys else 0.0


def option_identity(option: Claim) -> tuple[str, ...]:
    """Return what tells an option from another: its kind of negation and its words outside query and frame."""
    if option.terms:
        return (option.kind if option.kind == "NOT-TYPE" else "", *sorted(option.terms))
    return ("", *sorted({w.key for w in content_words(option.text)}))


def same_option_twice(options: Sequence[Claim]) -> bool:
    """Whether two options of a question have the same words outside query and frame."""
    seen = [option_identity(o) for o in options]
    return len(set(seen)) < len(seen)
