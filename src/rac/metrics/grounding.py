"""Grounding by words: a first, crude view of a question that every reader can check by hand.

====================  =====================================================================  ==========
``grounding``         share of the question's content words outside query and frame that     0..1
                      stand somewhere in D (all passages pooled)
``unsupported``       1 if an option, topic or denied type is carried by no single passage   0 or 1
``same_option``       1 if two options have the same words outside query and frame           0 or 1
``good``              1 if two or more things are offered, each carried by one passage, and no     0 or 1
                      two are the same; an empty question is not good
``empty``             1 if the question has no word                                          0 or 1
``options``           number of things offered                                               count
``length``            number of words                                                        count
====================  =====================================================================  ==========

What fools them: ``grounding`` is won by copying any passage, by "X or X" and by joining an attribute of one passage to
the name of another; ``unsupported`` takes synonyms for inventions. Cost: 0.3 ms a question. Compare Shuster et al.
2021 (knowledge F1) for the pooled overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rac.metrics.claims import FRAME_KEYS, Claim
from rac.metrics.lexical import PassageWords, share
from rac.metrics.selection import same_option_twice
from rac.metrics.text import content_keys, content_words, match_keys, words


@dataclass(frozen=True)
class Grounding:
    """The values of one question; None is unscored."""

    grounding: float | None
    unsupported: float | None
    same_option: float | None
    good: float | None
    empty: float
    options: int
    length: int


def grounding(question: str, query: str, claims: Sequence[Claim], passages: Sequence[PassageWords]) -> Grounding:
    """Return the grounding values of one question.

    Args:
        question: The question.
        query: The user's query.
        claims: Its claims (``rac.metrics.claims.claims``).
        passages: D, prepared (``rac.metrics.lexical.prepare``).

    Returns:
        ``grounding`` is None where there is no content word outside query and frame, or no passage; ``unsupported``
        and ``same_option`` are None where nothing is offered.
    """
    found = words(question)
    terms = new_terms(question, query)
    offered = [c for c in claims if c.kind != "ATTRIBUTE"]
    grounded = None
    if terms and passages:
        grounded = sum(any(p.has(t) for p in passages) for t in terms) / len(terms)
    unsupported = None
    if offered:
        unsupported = float(any(not carried(claim, query, passages) for claim in offered))
    twice = float(same_option_twice(offered)) if offered else None
    return Grounding(
        grounding=grounded,
        unsupported=unsupported,
        same_option=twice,
        good=float(len(offered) >= 2 and not unsupported and not twice) if passages else None,
        empty=float(not found),
        options=len(offered),
        length=len(found),
    )


def new_terms(text: str, query: str) -> list[str]:
    """Return the content keys of ``text`` outside query and frame, each once, in order."""
    known = {k for w in content_keys(query) for k in match_keys(w)} | FRAME_KEYS
    return list(dict.fromkeys(w.key for w in content_words(text) if not known.intersection(match_keys(w.key))))


def carried(claim: Claim, query: str, passages: Sequence[PassageWords]) -> bool:
    """Whether one passage has every word of a claim outside query and frame, or lacks the type that it denies."""
    if claim.kind == "NOT-TYPE":
        named = [k for k in content_keys(claim.text) if k in content_keys(query)]
        return any(p.lacks_type(claim.terms) and (not named or p.title_keys.intersection(named)) for p in passages)
    terms = claim.terms or tuple(sorted(content_keys(claim.text)))
    return any(share(terms, p) >= 1.0 for p in passages)
