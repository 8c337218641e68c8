"""Two annotators: how far they agree, and what the metrics are worth by either and where both agree.

The locked halves were labelled a second time by another instance of a language model, which saw the guideline, the
questions, D and (for support) the claims, but neither the first labels nor any score. Cohen's kappa takes "not judged"
for a label of its own; over the claims that both judged it stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rac.files import read_text
from rac.metrics.claims_validation import ClaimAgreement, Labels, annotator_agreement, read_labels
from rac.metrics.locked import check_locked
from rac.metrics.output_validation import DATA, LabelledOutput, kappa, read_outputs

CHECKSUMS = {
    "outputs": "27964a3c3c06dff068a598079b672e35fb05bf3d7e703af5d8d2a8159d5fff33",
    "claims": "3f9f58aa72964c06a4c3c7bbd469300d9814fd00e840dc3acd12cfd9be80836d",
}


@dataclass(frozen=True)
class LabelAgreement:
    """How far two annotators agree on model outputs.

    Attributes:
        claims: Claims labelled by both, what takes up the user's words left out.
        claim_kappa: Cohen's kappa of supported, unsupported and not judged.
        judged: Claims that both judged.
        judged_kappa: Kappa over those.
        judged_agreement: Share of those with the same label.
        questions: Questions that both can call faithful or hallucinated.
        question_kappa: Kappa of "a claim is unsupported".
        facets: Agreement of the annotators on what the claims of a question are, the first one taken as right.
    """

    claims: int
    claim_kappa: float
    judged: int
    judged_kappa: float
    judged_agreement: float
    questions: int
    question_kappa: float
    facets: ClaimAgreement


def _read(name: str) -> dict[str, Any]:
    path = DATA / f"second_labels_{name}.json"
    check_locked(path, CHECKSUMS[name])
    stored: dict[str, Any] = json.loads(read_text(path))
    return stored


def second_outputs() -> list[LabelledOutput]:
    """Return the locked outputs with the second annotator's labels.

    Raises:
        DataError: if a file is not what it was when it was locked.
    """
    labels = _read("outputs")
    return [replace(o, supported=tuple(labels[o.id])) for o in read_outputs("locked")]


def agreed_outputs(first: Sequence[LabelledOutput], second: Sequence[LabelledOutput]) -> list[LabelledOutput]:
    """Return the outputs with those labels only that both annotators gave; the other claims count as not judged."""
    return [
        replace(a, supported=tuple(x if x is y else None for x, y in zip(a.supported, b.supported, strict=True)))
        for a, b in zip(first, second, strict=True)
    ]


def agreed_questions(first: Sequence[LabelledOutput], second: Sequence[LabelledOutput]) -> list[LabelledOutput]:
    """Return the outputs that both annotators call faithful, or both hallucinated."""
    return [a for a, b in zip(first, second, strict=True) if a.hallucinated is b.hallucinated]


def second_claim_labels() -> list[Labels]:
    """Return the locked questions with the second annotator's claims."""
    claims = _read("claims")
    return [{**row, "claims": claims[row["id"]]} for row in read_labels("locked")]


def label_agreement(first: Sequence[LabelledOutput], second: Sequence[LabelledOutput]) -> LabelAgreement:
    """Compare two labellings of the same outputs, and the two labellings of claims."""
    pairs = [
        (x, y)
        for a, b in zip(first, second, strict=True)
        for claim, x, y in zip(a.claims, a.supported, b.supported, strict=True)
        if not claim.echo
    ]
    judged = [(x, y) for x, y in pairs if x is not None and y is not None]
    asked = [
        (a.hallucinated, b.hallucinated)
        for a, b in zip(first, second, strict=True)
        if a.hallucinated is not None and b.hallucinated is not None
    ]
    return LabelAgreement(
        claims=len(pairs),
        claim_kappa=kappa(*zip(*pairs, strict=True)),
        judged=len(judged),
        judged_kappa=kappa(*zip(*judged, strict=True)),
        judged_agreement=sum(x is y for x, y in judged) / len(judged),
        questions=len(asked),
        question_kappa=kappa(*zip(*asked, strict=True)),
        facets=annotator_agreement(read_labels("locked"), second_claim_labels()),
    )
