"""The ``bootstrap`` section of a recipe: how much clarification data to make from a corpus, and of what kind."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["homonym", "name", "phrase", "acronym", "class", "topic", "mention", "cluster"]
"""How a query is ambiguous: one name of several things, a word in several titles, several words in several titles,
an abbreviation of several things, a class with several members, a heading with several sections below it, a word that
the texts of a few documents use, a word of many documents whose best passages fall into clusters."""

KINDS: tuple[Kind, ...] = ("homonym", "name", "phrase", "acronym", "class", "topic", "mention", "cluster")
LAST_KINDS: tuple[Kind, ...] = ("mention", "cluster")
"""Kinds that are used only if the others do not suffice: a word in a text is a weaker sign than a name."""


class Bootstrap(BaseModel):
    """How clarification data is made from a corpus without labels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: int = Field(1000, ge=1, description="Examples wanted, of all splits together; fewer if the corpus ends.")
    top_k: int = Field(4, ge=2, le=20, description="Passages retrieved for a query; facets are read off these only.")
    options: int = Field(3, ge=2, le=5, description="Most options that a question offers; each offers at least two.")
    questions_per_example: int = Field(3, ge=1, le=12, description="Gold questions per query, in different wordings.")
    kinds: tuple[Kind, ...] = Field(
        KINDS,
        min_length=1,
        description="Kinds of ambiguity to look for; `mention` and `cluster` only if the others do not suffice.",
    )
    max_titles: int = Field(8, ge=2, description="Most titles that may share a name: more, and it is a common word.")
    max_class: int = Field(60, ge=2, description="Most members that a class may have to be asked about.")
    queries_per_term: int = Field(8, ge=1, le=12, description="Most queries for one ambiguous term.")
    faults_per_example: int = Field(
        0, ge=0, le=5, description="Negatives per query: a gold question with one option changed, for stage 2."
    )
    validation: float = Field(0.1, ge=0, lt=1, description="Share of the queries held out for validation.")
    test: float = Field(0.1, ge=0, lt=1, description="Share of the queries held out for the test.")

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Bootstrap:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on; lower one of them"
            )
        return self
