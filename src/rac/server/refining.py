"""The user's answer closes the loop: which option it picks, and how the query reads after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rac.metrics.lexical import prepare
from rac.metrics.selection import SelectionScorer
from rac.metrics.text import content_keys, content_words
from rac.records import Passage
from rac.retrieval import Hit

_ORDINALS = {"first": 0, "former": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1, "latter": -1}
_NEITHER = frozenset({"no", "none", "neither", "nope"})
_UNSAID = frozenset({"yes", "yeah", "both", "either", "any", "all"})
_FRAME = "I mean want would like think looking for about please one option first second third last former latter"
_NUMBER = re.compile(r"(?:number |option |#)?([1-9])[.)]?")


@dataclass(frozen=True)
class Refined:
    """A query after its clarification.

    Attributes:
        query: How it reads now.
        option: The option that was picked, None if none.
        note: What was made of an answer that picks nothing.
    """

    query: str
    option: str | None
    note: str


def refine_query(query: str, question: str, answer: str) -> Refined:
    """Return the query with what the answer adds: the words of the picked option (or of the answer) not yet in it.

    >>> refine_query("mercury", "Do you mean the planet or the element?", "the second one").query
    'mercury element'
    """
    options = [c.text for c in SelectionScorer().score(question, query, []).options]
    picked = picked_option(answer, options)
    said = " ".join(re.findall(r"\w+", answer.casefold()))
    words = set(said.split())
    if picked is None and words & _NEITHER:
        # "no, the Roman god": what follows the refusal counts.
        rest = re.sub(r"^\W*(?:no|none|neither|nope)\b(?: of (?:them|these|those))?\W*", "", answer, flags=re.I)
        if not content_keys(rest):
            return Refined(query, None, "the answer refuses the options, so the query stays as it is")
        return Refined(_joined(query, rest), None, "the answer refuses the options and says something else")
    if picked is None and words and words <= _UNSAID | {"of", "them", "these", "please"}:
        return Refined(query, None, "the answer picks no single option, so the query stays as it is")
    refined = _joined(query, picked or answer)
    note = "" if picked is not None else "the answer names no option of the question; its words were added"
    if refined == query:
        note = note and "the answer has no word that the query lacks, so the query stays as it is"
    return Refined(refined, picked, note)


def picked_option(answer: str, options: Sequence[str]) -> str | None:
    """Return the option that an answer means: by its words, or by its place ("the first one", "2")."""
    said = " ".join(answer.casefold().split()).strip(" .!")
    for option in options:
        if said == option.casefold():
            return option
    words = set(re.findall(r"\w+", said))
    places = [place for word, place in _ORDINALS.items() if word in words]
    number = _NUMBER.fullmatch(said)
    if number is not None:
        places = [int(number[1]) - 1]
    if len(places) == 1 and (number is not None or words <= {*_ORDINALS, "the", "one", "option", "please", "a"}):
        return options[places[0]] if options and -len(options) <= places[0] < len(options) else None
    # The option that alone has all of the answer's words, or the most of them by far.
    keys = content_keys(answer)
    if not keys:
        return None
    common = set.intersection(*(content_keys(o) for o in options)) if len(options) > 1 else set()
    telling = keys - common
    # "I mean the second planet": what frames the answer counts only if it is all that there is.
    telling = telling - content_keys(_FRAME) or telling
    shares = [len(telling & content_keys(o)) for o in options]
    best = max(shares, default=0)
    if best == 0 or shares.count(best) > 1:
        return None
    option = options[shares.index(best)]
    return option if telling <= content_keys(option) else None


def _joined(query: str, addition: str) -> str:
    known = content_keys(query)
    new = [word for word in content_words(addition) if word.key not in known]
    seen: set[str] = set()
    kept = [addition[w.start : w.end] for w in new if not (w.key in seen or seen.add(w.key))]  # type: ignore[func-returns-value]
    return " ".join([query.strip(), *kept])


def rank_given(query: str, passages: Sequence[Passage], top_k: int) -> list[Hit]:
    """Rank passages that a client brought by the share of the query's words that each has; without a word, no hit."""
    words: dict[str, str] = {}
    for word in content_words(query):
        words.setdefault(word.key, query[word.start : word.end])
    found = []
    for passage in passages:
        prepared = prepare(passage)
        terms = tuple(text for key, text in words.items() if prepared.has(key))
        if terms:
            found.append((len(terms) / len(words), passage, terms))
    found.sort(key=lambda item: -item[0])
    return [Hit(p, score, rank, terms=terms) for rank, (score, p, terms) in enumerate(found[:top_k], start=1)]
