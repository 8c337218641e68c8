"""The column map: which columns of a user's table hold what."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rac.errors import UserError, did_you_mean


class ColumnMap(BaseModel):
    """Maps the columns of a CSV, TSV or JSON Lines file onto ``ClarificationExample``.

    Example (YAML)::

        query: question
        questions: [clarifying_question]
        facets: [intent_1, intent_2]
        passages: [evidence]

    Only ``query`` is required. In a JSON Lines file a column is a key; ``a.b`` reaches into nested objects.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(description="Column of the query.")
    id: str = Field("", description="Column of a unique id; empty: the number of the row.")
    questions: tuple[str, ...] = Field((), description="Columns of gold clarifying questions.")
    facets: tuple[str, ...] = Field((), description="Columns of facets (meanings, intents, options).")
    answers: tuple[str, ...] = Field((), description="Columns of answers.")
    passages: tuple[str, ...] = Field((), description="Columns of passage texts.")
    passage_titles: tuple[str, ...] = Field((), description="Columns of passage titles, in the order of the texts.")
    history: str = Field("", description="Column of earlier turns, oldest first.")
    group: str = Field("", description="Column of what splits must keep together (topic, document); empty: the query.")
    split: str = Field("", description="Column of the split's name; empty: one split.")
    labels: tuple[str, ...] = Field((), description="Columns of human judgements, kept as they are.")
    separator: str = Field(
        "", description="Separates several values in one cell. A cell that is a JSON or Python list is one without it."
    )
    delimiter: str = Field("", description="Column delimiter; empty: tab for .tsv, comma for .csv.")
    encoding: str = Field("utf-8", description="Encoding of the file; never guessed.")

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, values: object) -> object:
        many = ("questions", "facets", "answers", "passages", "passage_titles", "labels")
        if isinstance(values, dict):
            return {k: [v] if k in many and isinstance(v, str) else v for k, v in values.items()}
        return values

    @model_validator(mode="after")
    def _fits(self) -> ColumnMap:
        if not self.query.strip():
            raise ValueError("'query' must name a column")
        if len(self.delimiter) > 1:
            raise ValueError(f"delimiter must be one character, not {self.delimiter!r}")
        if self.passage_titles and not self.passages:
            raise ValueError("'passage_titles' needs 'passages'")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the map names."""
        single = (self.query, self.id, self.history, self.group, self.split)
        many = (*self.questions, *self.facets, *self.answers, *self.passages, *self.passage_titles, *self.labels)
        return tuple(dict.fromkeys(c for c in (*single, *many) if c))


def make_column_map(values: dict[str, Any] | ColumnMap) -> ColumnMap:
    """Validate a column map given as a mapping.

    Raises:
        UserError: naming the wrong key and the nearest known one.
    """
    if isinstance(values, ColumnMap):
        return values
    try:
        return ColumnMap.model_validate(values)
    except ValidationError as error:
        # A misspelt key explains a missing one, so it is told first.
        found = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        first = found[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UserError(
                f"the column map has an unknown key '{key}'; {did_you_mean(key, ColumnMap.model_fields)}"
            ) from error
        problem = first["msg"].removeprefix("Value error, ")
        where = f", key '{key}'" if key else ""
        raise UserError(
            f"the column map{where}: {problem[0].lower()}{problem[1:]}; it needs at least 'query', the column of the "
            "query, and may name: " + ", ".join(k for k in ColumnMap.model_fields if k != "query")
        ) from error
