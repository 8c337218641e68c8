"""The recipe's section ``pairs``: where C_q+ and C_q- come from, and which pairs are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positives = Literal["gold", "grounded", "best-of-n"]
Negatives = Literal["ungrounded", "grounded", "edited-gold", "edited-chosen"]
EditKind = Literal["sibling-type", "recombined", "near-number", "invented-name", "repeated-option"]

EDIT_KINDS: tuple[EditKind, ...] = ("sibling-type", "recombined", "near-number", "invented-name", "repeated-option")


def _default_shares() -> dict[Negatives, float]:
    return {"ungrounded": 1 / 3}


class Pairs(BaseModel):
    """How preference pairs {(U_q, D, C_q+, C_q-)} are made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    positives: Positives = Field(
        "best-of-n",
        description="C_q+: a `gold` question, a sample of `grounded`, or the best supported of its samples "
        "(`best-of-n`, else supported gold).",
    )
    negatives: tuple[Negatives, ...] = Field(
        ("grounded", "edited-gold", "ungrounded"),
        min_length=1,
        description="C_q-: samples of `ungrounded`, less faithful samples of `grounded`, gold with one claim changed "
        "(`edited-gold`), C_q+ with one claim changed (`edited-chosen`).",
    )
    grounded_samples: int = Field(8, ge=1, le=256, description="Questions sampled from `grounded` for each query.")
    ungrounded_samples: int = Field(2, ge=1, le=256, description="Questions sampled from `ungrounded` for each query.")
    edits: int = Field(2, ge=1, le=20, description="One-claim edits tried for each query and kind of edited negative.")
    edit_kinds: tuple[EditKind, ...] = Field(
        ("sibling-type", "recombined", "near-number", "invented-name"),
        min_length=1,
        description="What an edit may change: a type for a sibling one, attributes of two passages recombined, a "
        "number for a near one, a name for an invented one, an option for the other one again.",
    )
    temperature: float = Field(1.0, gt=0, description="Temperature of the samples.")
    top_p: float = Field(0.95, gt=0, le=1, description="Nucleus of the samples.")
    top_k: int = Field(0, ge=0, description="Sample among the k most probable tokens only; 0 is no limit.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Arithmetic of sampling; `auto` is bfloat16 where the device multiplies it faster.",
    )
    filter: bool = Field(
        True,
        description="Score candidates: drop a C_q+ with an unsupported or repeated option, and a C_q- without a fault. "
        "false pairs samples as they come (the plain reading of the paper).",
    )
    min_options: int | None = Field(
        None, ge=0, description="Fewest options of C_q+; empty: as many as gold offers, up to two."
    )
    natural_first: bool = Field(
        True,
        description="Among equally faithful samples for C_q+ prefer those that say what a thing is over those that say "
        "what it is not (`non T`): that claim asks for a comparison of passages, and users for a riddle.",
    )
    tell_apart: bool = Field(
        False,
        description="Count an option as faulty that fits every passage that another one fits (`album or 1990 album`), "
        "or that leaves what the query names: the answer would not tell the passages that it may mean apart.",
    )
    gold_only_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the queries, drawn anew in every round, whose D is the gold passages alone: fewer "
        "passages than `prompt.top_k` are to choose from, as in a small corpus or after a filter.",
    )
    margin: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Least difference between C_q+ and C_q- in the share of options that are supported and different.",
    )
    max_negatives: int = Field(3, ge=1, description="Most C_q- of one query; they share its prompt and C_q+.")
    length_tolerance: float = Field(
        0.2, ge=0, description="C_q- whose length differs from C_q+ by at most this share are preferred."
    )
    max_shares: dict[Negatives, float] = Field(
        default_factory=_default_shares,
        description="Largest share of a kind among all C_q-; does not apply to the only kind of `negatives`.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Pairs:
        if len(set(self.negatives)) < len(self.negatives):
            raise ValueError(f"negatives: {', '.join(self.negatives)} names a kind twice; name each once")
        if not all(0 < share <= 1 for share in self.max_shares.values()):
            raise ValueError(
                "max_shares must lie above 0 and at most at 1; to leave a kind out, take it from negatives"
            )
        if self.positives == "grounded" and self.negatives == ("grounded",) and not self.filter:
            raise ValueError(
                "positives: grounded and negatives: [grounded] are the same samples; only filter: true tells them apart"
            )
        if not self.filter and self.positives == "best-of-n":
            raise ValueError(
                "positives: best-of-n needs scores, and filter: false switches them off; use one or the other"
            )
        return self

    def plain(self) -> Pairs:
        """Return the paper's plain reading with these settings of sampling: one sample of each model, no filter."""
        values = self.model_dump() | {
            "positives": "grounded", "negatives": ("ungrounded",), "filter": False, "grounded_samples": 1,
            "ungrounded_samples": 1, "max_negatives": 1,
        }  # fmt: skip
        return Pairs.model_validate(values)

    @property
    def needs_grounded(self) -> bool:
        """Whether samples of ``grounded`` are needed."""
        return self.positives != "gold" or "grounded" in self.negatives

    @property
    def needs_ungrounded(self) -> bool:
        """Whether samples of ``ungrounded`` are needed."""
        return "ungrounded" in self.negatives
