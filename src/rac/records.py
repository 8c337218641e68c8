"""The only records that cross a module border: Passage, ClarificationExample, PreferencePair, Prediction.

Notation of the RAC paper (arXiv 2601.11722): U_q is ``query``, D is ``passages``, C_q is ``question``; C_q+ and C_q- of
a preference pair are ``chosen`` and ``rejected``. Records are immutable, validated when made, and written as one JSON
object a line (see ``rac.files``).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

SCHEMA_VERSION = 1
"""Version of the record formats, written in the header file beside every JSON Lines file."""


class Record(BaseModel):
    """Base of all records: frozen, strict about types, tolerant of unknown keys (the reader reports those)."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON types, without fields left at their defaults."""
        return self.model_dump(mode="json", exclude_defaults=True)


class Passage(Record):
    """One retrievable piece of text, d_i of D.

    ``types`` are readable type names of what the passage is about ("music artist"), ``description`` is a short
    description ("1968 film"). ``source``, ``start`` and ``end`` say where the text lies in its document (character
    offsets, end exclusive). ``meta`` holds whatever else the source had.
    """

    id: str = Field(min_length=1)
    text: str = ""
    title: str = ""
    types: tuple[str, ...] = Field(default=(), strict=False)
    description: str = ""
    source: str = ""
    start: int | None = None
    end: int | None = None
    meta: dict[str, Any] = Field(default_factory=dict)


class ClarificationExample(Record):
    """A query with everything that a data set knows about clarifying it.

    Only ``id`` and ``query`` are required. ``passages`` are the passages that belong to the query by the source's own
    word (gold); passages found by an index are never stored here. ``passage_ids`` name gold passages that lie in a
    corpus file. ``group`` is the unit of splitting and of cluster resampling (topic, rule, document); it defaults to
    the id. ``labels`` are human judgements of the source; ``meta`` holds whatever else.
    """

    id: str = Field(min_length=1)
    query: str = Field(min_length=1)
    questions: tuple[str, ...] = Field(default=(), strict=False)
    passages: tuple[Passage, ...] = Field(default=(), strict=False)
    passage_ids: tuple[str, ...] = Field(default=(), strict=False)
    facets: tuple[str, ...] = Field(default=(), strict=False)
    answers: tuple[str, ...] = Field(default=(), strict=False)
    history: tuple[Any, ...] = Field(default=(), strict=False)
    qrels: dict[str, int] = Field(default_factory=dict)
    group: str = ""
    split: str = ""
    labels: dict[str, Any] = Field(default_factory=dict)
    meta: dict[str, Any] = Field(default_factory=dict)

    @field_validator("query")
    @classmethod
    def _query_has_text(cls, query: str) -> str:
        if not query.strip():
            raise ValueError("must contain something besides white space")
        return query

    @property
    def cluster(self) -> str:
        """The unit that resampling and splitting keep together."""
        return self.group or self.id

    @property
    def gold_ids(self) -> tuple[str, ...]:
        """Ids of the gold passages, whether they are stored in the record or only named."""
        return tuple(dict.fromkeys([*(p.id for p in self.passages), *self.passage_ids]))


class PreferencePair(Record):
    """One item of {(U_q, D, C_q+, C_q-)}; ``rejected`` may hold several C_q- that share the prompt and C_q+.

    ``prompt`` is the rendered prompt text, so that the file loads as a ``prompt``/``chosen``/``rejected`` preference
    data set. ``chosen_kind`` and ``rejected_kinds`` say where the questions came from (``gold``, ``grounded``,
    ``best-of-n``, ``repaired``, ``ungrounded``, ``edited-gold``); the scores are the selection scorer's
    faithfulness in 0..1.
    """

    id: str = Field(min_length=1)
    example_id: str = Field(min_length=1)
    query: str = Field(min_length=1)
    passages: tuple[Passage, ...] = Field(default=(), strict=False)
    prompt: str = ""
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)
    more_rejected: tuple[str, ...] = Field(default=(), strict=False)
    chosen_kind: str = ""
    rejected_kinds: tuple[str, ...] = Field(default=(), strict=False)
    chosen_score: float | None = None
    rejected_scores: tuple[float, ...] = Field(default=(), strict=False)

    @property
    def all_rejected(self) -> tuple[str, ...]:
        """Every C_q- of this prompt, the first one included."""
        return (self.rejected, *self.more_rejected)


class Prediction(Record):
    """One system's question for one example; ``passages`` is the D that was retrieved for the query, if it is known.

    ``question`` may be empty (the system asked nothing); ``reason`` then says why. ``candidates`` are further
    questions that were considered.
    """

    id: str = Field(min_length=1)
    question: str
    system: str = ""
    passages: tuple[Passage, ...] | None = Field(default=None, strict=False)
    candidates: tuple[str, ...] = Field(default=(), strict=False)
    reason: str = ""
