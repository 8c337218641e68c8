"""What a clarifying question commits to: its claims, each with a kind, a span and a hypothesis in words.

A question entails nothing; what can be faithful or not is what it offers and presupposes. Four kinds (docs/claims.md):

* ``OPTION``: one of several things offered ("or the school in Milledgeville");
* ``ATTRIBUTE``: presupposed or asserted ("when you ask for the ship builder of Luna");
* ``TOPIC``: a yes/no or wh facet ("Are you over 65?", "do you want to know about awards?");
* ``NOT-TYPE``: an option defined by lacking a type ("non brand Aldara").

Rules for English, deterministic, no model; how far they agree with labels is measured in ``claims_validation``. What
fools them: "or" inside an unknown name, lists without separators. Cost: about 0.3 ms a question.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from rac.metrics import frames
from rac.metrics.claims_parts import Parts
from rac.metrics.claims_reader import Reader
from rac.metrics.claims_sentences import squeeze, without_numbers
from rac.metrics.claims_types import FRAME_KEYS, MAX_QUESTION_CHARACTERS, RULES_VERSION, Claim, ClaimKind
from rac.metrics.text import language_problem
from rac.records import Passage

__all__ = [
    "FRAME_KEYS", "MAX_QUESTION_CHARACTERS", "RULES_VERSION", "Claim", "ClaimKind", "claim_from_text", "claims",
    "unreadable",
]  # fmt: skip


def unreadable(question: str) -> str | None:
    """Return why the rules cannot read a question or None: ``empty``, ``too-long``, ``script``, ``language``."""
    if not question.strip():
        return "empty"
    if len(question) > MAX_QUESTION_CHARACTERS:
        return "too-long"
    return language_problem(question)


def claims(question: str, query: str, names: Iterable[str] = ()) -> list[Claim]:
    """Return the claims of a question, in order of their place in it.

    Args:
        question: The clarifying question C.
        query: The user's query U_q; its words distinguish nothing.
        names: Names that are not to be split at "or", "and" or a comma (passage titles, say).

    Returns:
        The claims; empty for a question that commits to nothing ("What do you mean?"), for an empty question and for
        one that the rules cannot read (ask ``unreadable`` for the reason).
    """
    return list(_claims(question, query, tuple(sorted(set(names)))))


def options_of(question: str, query: str, passages: Iterable[Passage]) -> list[Claim]:
    """Return what a question offers: its claims of every kind but ATTRIBUTE. The titles of the passages are names."""
    return [c for c in claims(question, query, names=[p.title for p in passages]) if c.kind != "ATTRIBUTE"]


def claim_from_text(
    kind: str, question: str, start: int, end: int, query: str, *, text: str = "", echo: bool | None = None
) -> Claim:
    """Make a claim of a span that something else than the rules has found (a person, a language model).

    Args:
        kind: OPTION, ATTRIBUTE, TOPIC or NOT-TYPE; an OPTION that denies a type becomes NOT-TYPE.
        question: The question.
        start: Start of the span.
        end: Its end (exclusive).
        query: The user's query.
        text: The claim with shared words filled in; the span if empty.
        echo: Whether it takes up the user's words; for an ATTRIBUTE by default if "when you ..." stands before it.
    """
    parts = Parts(question, query, ())
    if echo is None:
        echo = kind == "ATTRIBUTE" and bool(frames.ECHO.search(parts.text, max(0, start - 40), start))
    shown = without_numbers(text or question[start:end]).strip() or question[start:end]
    wanted: ClaimKind = "OPTION" if kind in ("OPTION", "NOT-TYPE") else "TOPIC" if kind == "TOPIC" else "ATTRIBUTE"
    return parts.make(wanted, start, end, shown, echo=echo)


@lru_cache(maxsize=20_000)
def _claims(question: str, query: str, names: tuple[str, ...]) -> tuple[Claim, ...]:
    if unreadable(question):
        return ()
    # Patterns know single blanks only; spans are mapped back to the question as it was given.
    squeezed, offsets = squeeze(without_numbers(question))
    found = Reader(squeezed, query, names).read()
    if len(squeezed) != len(question):
        found = [replace(c, start=offsets[c.start], end=offsets[c.end - 1] + 1 if c.end else 0) for c in found]
    unique: dict[tuple[int, int], Claim] = {}
    for claim in found:
        unique.setdefault((claim.start, claim.end), claim)
    return tuple(sorted(unique.values(), key=lambda c: (c.start, c.end)))
