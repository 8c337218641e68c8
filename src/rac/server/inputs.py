"""From requests to records, within the configured limits; from records back to answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rac.asking import Answer, Option
from rac.prompting import neutralise
from rac.records import Passage
from rac.server.errors import invalid
from rac.server.schemas import EvidenceOut, HitOut, OptionOut, PassageIn, PassageOut, QueryIn, Turn
from rac.server.settings import Limits

if TYPE_CHECKING:
    from rac.retrieval import Hit


def checked_text(text: str, field: str, limits: Limits) -> str:
    """Return a query, question or answer without surrounding white space, refused if empty or too long."""
    if not text.strip():
        raise invalid(f"`{field}` is empty: give some words", field)
    if len(text) > limits.query_characters:
        raise invalid(
            f"`{field}` has {len(text)} characters and {limits.query_characters} are allowed: shorten it", field
        )
    return text.strip()


def checked_count(count: int, most: int, field: str) -> None:
    """Refuse more of something than is allowed."""
    if count > most:
        raise invalid(f"`{field}` is or has {count}, and {most} are allowed: ask for less", field)


def make_passages(given: Sequence[PassageIn | str], limits: Limits, field: str = "passages") -> list[Passage]:
    """Return the passages that a client brought; those without an id are named p1, p2, ... by position."""
    checked_count(len(given), limits.passages, field)
    made: list[Passage] = []
    seen: set[str] = set()
    for number, one in enumerate(given, start=1):
        item = PassageIn(text=one) if isinstance(one, str) and one.strip() else one
        if isinstance(item, str):
            raise invalid(f"`{field}` {number} is empty: leave it out", field)
        size = len(item.title) + len(item.text) + len(item.description) + sum(map(len, item.types))
        if size > limits.passage_characters:
            raise invalid(
                f"`{field}` {number} has {size} characters and {limits.passage_characters} are allowed: split it",
                field,
            )
        identity = item.id or f"p{number}"
        if identity in seen:
            raise invalid(f"two of `{field}` have the id '{identity:.50}': make ids unique", field)
        seen.add(identity)
        made.append(
            Passage(
                id=identity, text=item.text, title=item.title, types=tuple(item.types), description=item.description
            )
        )
    return made


def asked_about(item: QueryIn, limits: Limits, query: str) -> str:
    """Return the query with what the user said earlier, cut from the front where that is too long.

    The model knows single queries, so a history can only count through the query.
    """
    checked_count(len(item.history), limits.history, "history")
    return with_history(query, item.history, limits.query_characters)


def with_history(query: str, history: Sequence[Turn], most: int) -> str:
    """Return the user's turns and the query as one text of at most ``most`` characters, the latest turns kept."""
    text = neutralise(query)
    for turn in reversed(history):
        if turn.role == "user" and (said := neutralise(turn.text)):
            longer = f"{said} {text}"
            if len(longer) > most:
                break
            text = longer
    return text


def passage_out(passage: Passage) -> PassageOut:
    """Return a passage as clients see it."""
    return PassageOut(
        id=passage.id, title=passage.title, text=passage.text, types=list(passage.types),
        description=passage.description, source=passage.source,
    )  # fmt: skip


def hit_out(hit: Hit) -> HitOut:
    """Return a hit as clients see it."""
    return HitOut(rank=hit.rank, score=hit.score, passage=passage_out(hit.passage), terms=list(hit.terms))


def option_out(option: Option) -> OptionOut:
    """Return an option with its evidence."""
    return OptionOut(
        text=option.text, start=option.start, end=option.end, supported=option.supported, score=option.score,
        evidence=[
            EvidenceOut.model_validate(
                {
                    "passage_id": e.passage_id, "title": e.title, "field": e.field, "start": e.start, "end": e.end,
                    "text": e.text,
                }
            )
            for e in option.evidence
        ],
    )  # fmt: skip


def outcome_of(answer: Answer) -> str:
    """Return how a query ended, for counters: first, sampled, template, refused, or nothing-found."""
    if answer.question is None:
        return "refused" if answer.passages else "nothing-found"
    if answer.model.startswith("template"):
        return "template"
    return "sampled" if answer.reason else "first"
