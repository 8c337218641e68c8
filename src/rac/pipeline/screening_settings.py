"""The file that describes a screening: one recipe, questions about it, and the variants that answer them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rac.errors import did_you_mean
from rac.settings import find_settings, load_settings, shipped_settings

BASELINE = "baseline"


class Screening(BaseModel):
    """What ``rac screen`` runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("screening", pattern=r"^[A-Za-z0-9._-]+$", description="name of the screening")
    about: str = Field("", description="what was done, in a sentence or two, shown above the tables")
    recipe: str = Field(description="a recipe file, or the name of a shipped one")
    settings: dict[str, Any] = Field(default_factory=dict, description="SECTION.KEY: value, for every variant")
    seeds: tuple[int, ...] = Field(
        (), description="every variant is run with each, over the queries of all; the recipe's seed if empty"
    )
    system: str = Field("rac", description="the system whose questions are compared")
    questions: dict[str, dict[str, dict[str, Any]]] = Field(
        min_length=1, description="question -> variant -> SECTION.KEY: value; the baseline is in every question"
    )
    findings: dict[str, str] = Field(
        default_factory=dict, description="question -> what its table says, written once it has been read"
    )

    @field_validator("questions")
    @classmethod
    def _named(cls, questions: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, dict[str, Any]]]:
        for question, variants in questions.items():
            if not variants:
                raise ValueError(f"'{question}' has no variant beside the baseline; give one")
            for name in variants:
                if slug(name) in ("", BASELINE):
                    raise ValueError(f"'{name}' cannot name a variant: give it a word of its own")
        return questions

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands twice, so its runs would count twice; name each once")
        return seeds

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.seeds and any("seed" in settings for settings in (self.settings, *self.variants().values())):
            raise ValueError("seeds names the seeds, and so do settings or a variant; leave `seed` out there")
        meaning: dict[str, dict[str, Any]] = {}
        for variants in self.questions.values():
            for name, settings in variants.items():
                if meaning.setdefault(slug(name), settings) != settings:
                    raise ValueError(f"the variant '{name}' is described twice, with different settings; rename one")
        for question in self.findings:
            if question not in self.questions:
                nearest = did_you_mean(question, self.questions)
                raise ValueError(f"findings name a question that is not asked, '{question}'; {nearest}")
        return self

    def variants(self) -> dict[str, dict[str, Any]]:
        """Return folder name -> settings of every variant, the baseline first; one that two questions share is once."""
        found: dict[str, dict[str, Any]] = {BASELINE: {}}
        for variants in self.questions.values():
            found |= {slug(name): settings for name, settings in variants.items()}
        return found


def slug(name: str) -> str:
    """Return the folder name of a variant."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def shipped_screenings() -> dict[str, Path]:
    """Return the screenings that are installed with rac, by name."""
    return shipped_settings("rac", "recipes/screening")


def load_screening(name: str) -> Screening:
    """Read a screening, given by path or by the name of a shipped one.

    Raises:
        UserError: if there is none, or a key or value cannot be used; with the line.
    """
    return load_settings(Screening, find_settings(name, shipped_screenings(), "screening", folder="recipes/screening"))
