"""Validation of reference metrics: compared only where the scored question is not its own reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rac.metrics.faults import FaultMaker, Source
from rac.metrics.reference import METRICS as REFERENCE
from rac.metrics.reference import reference_scores
from rac.metrics.suite import MetricSettings, evaluate
from rac.metrics.validation import Separation, separation
from rac.records import ClarificationExample, Prediction

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer


def validate_references(
    known: Sequence[Source], *, entailment: EntailmentScorer | None = None, seed: int = 1
) -> dict[str, Separation]:
    """Compare reference metrics where the scored question is not its own reference.

    A supported question in other words and order (f) against gold with one claim altered (b, c1 to c4); the reference
    of both is gold. ``headline`` on the same pairs stands beside them.
    """
    maker = FaultMaker(known, seed)
    good: list[str] = []
    bad: list[str] = []
    asked: list[Source] = []
    for source in known:
        made = {f.kind: f for f in maker.make(source)}
        altered = next((made[k] for k in ("c2", "c3", "c1", "c4", "b") if k in made), None)
        if "f" in made and altered is not None:
            good.append(made["f"].question)
            bad.append(altered.question)
            asked.append(source)
    golds = [[s.question] for s in asked]
    left, right = reference_scores(good, golds), reference_scores(bad, golds)
    clusters = [s.cluster or s.id for s in asked]
    found = {
        name: separation(np.array(left[name], dtype=float), np.array(right[name], dtype=float), clusters, seed)
        for name in REFERENCE
    }
    headlines = []
    for questions in (good, bad):
        result = evaluate(
            [Prediction(id=s.id, question=q) for s, q in zip(asked, questions, strict=True)],
            [ClarificationExample(id=s.id, query=s.query) for s in asked],
            {s.id: s.passages for s in asked}, MetricSettings("gold", references=(), raw=False, parent=False),
            entailment=entailment,
        )  # fmt: skip
        headlines.append(np.array([row["headline"] for row in result.per_item], dtype=float))
    return {"headline": separation(headlines[0], headlines[1], clusters, seed), **found}
