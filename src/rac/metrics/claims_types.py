"""The claim record and the words that never make one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rac.metrics.text import content_keys

ClaimKind = Literal["OPTION", "ATTRIBUTE", "TOPIC", "NOT-TYPE"]
RULES_VERSION = "rules-2"
MAX_QUESTION_CHARACTERS = 2000
"""Longer questions are not read by the rules; they are unscored with the reason ``too-long``."""

FRAME_KEYS = content_keys(
    "information info detail fact topic thing kind type sort mean refer talk ask look interested interest want know "
    "learn find see like search need particular specific general aspect choose select option help tell curious way "
    "question answer request say mention mind possible idea understand wish prefer referring talking looking "
    "concern available various called thinking bit clarify specify elaborate explain rephrase exactly several "
    "precise clear context further additional correct passage query"
)
"""Content words that only ask; they are nothing that a passage could support."""

LIGHT_KEYS = content_keys("located situated based named called titled place known made produced created listed")
"""Words that join an option to its attribute ("the school located in X"); they count where nothing else is left."""


@dataclass(frozen=True)
class Claim:
    """One thing that a question commits to.

    Attributes:
        kind: OPTION, ATTRIBUTE, TOPIC or NOT-TYPE.
        text: The claim in the question's words, shared words filled in ("first season" for "first or second season").
        start: Start of its span in the question.
        end: End of its span (exclusive).
        hypothesis: A sentence that a passage may entail.
        terms: Keys (``rac.metrics.text.key``) of its content words outside query and frame; of the type for NOT-TYPE.
        distinguishing: Whether it has such terms; if not, every passage with the title supports it.
        echo: Whether it stands where the user's own words are taken up ("when you say ...").
    """

    kind: ClaimKind
    text: str
    start: int
    end: int
    hypothesis: str
    terms: tuple[str, ...]
    distinguishing: bool
    echo: bool = False
