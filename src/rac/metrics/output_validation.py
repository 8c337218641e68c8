"""Primary validation: claims of questions that real models asked, labelled before the metric was tuned.

Balanced accuracy is (share of supported claims with s_j >= tau + share of unsupported claims with s_j < tau) / 2; its
interval resamples queries. Per question, "hallucinated" is that any of its claims is unsupported; AUC says how well a
metric orders questions by that. The labels' guideline is in docs/claims.md; one half was used for development, the
other is locked by checksum and read for reports only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from rac.files import read_text
from rac.metrics.claims import Claim, claim_from_text
from rac.metrics.locked import check_locked
from rac.metrics.scores import OFFERED
from rac.metrics.selection import option_identity
from rac.metrics.suite import MetricSettings, evaluate
from rac.metrics.support import SupportFit, load_fit, support
from rac.metrics.validation import LOWER_IS_BETTER, auc
from rac.records import ClarificationExample, Passage, Prediction

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer

DATA = Path(__file__).parent / "validation_data"
LOCKED_SHA256 = "9d6e93e54399c6f116b9addf8c916c96d8b5dd78825ab73651fc0085f4842151"
RESAMPLES = 2000
BINS = 20
COMPARED = (
    "headline", "faith", "faith_strict", "info", "hallucinated", "unsupported", "grounding", "parent_q_precision",
    "parent_q", "raw_summac_zs", "raw_alignscore", "length",
)  # fmt: skip

Half = Literal["open", "locked"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelledOutput:
    """One question asked by a model, with its D and labelled claims (``supported`` None: not judged, left out)."""

    id: str
    source: str
    system: str
    query: str
    question: str
    passages: tuple[Passage, ...]
    claims: tuple[Claim, ...]
    supported: tuple[bool | None, ...]

    @property
    def hallucinated(self) -> bool | None:
        """Whether a claim is unsupported; None if no claim could be judged."""
        known = [s for s in self.supported if s is not None]
        return None if not known else not all(known)


@dataclass(frozen=True)
class ClaimAccuracy:
    """How well s_j >= tau agrees with the labels.

    Attributes:
        balanced: Balanced accuracy, 0..1.
        low: Lower end of its 95 % interval over queries.
        high: Upper end.
        supported_kept: Share of supported claims that count as supported.
        unsupported_found: Share of unsupported claims that do not.
        auc: AUC of s_j.
        supported: Number of supported claims.
        unsupported: Number of unsupported claims.
        by_kind: Balanced accuracy by claim kind, where both labels occur.
        by_source: The same by data set.
        histogram: ``supported`` and ``unsupported``: how many claims have s_j in each of ``BINS`` equal parts of 0..1.
    """

    balanced: float
    low: float
    high: float
    supported_kept: float
    unsupported_found: float
    auc: float
    supported: int
    unsupported: int
    by_kind: dict[str, float]
    by_source: dict[str, float]
    histogram: dict[str, list[int]]


def read_outputs(half: Half) -> list[LabelledOutput]:
    """Return the labelled outputs of one half.

    Raises:
        DataError: if the locked half is not what it was when it was locked.
    """
    path = DATA / f"output_labels_{half}.json"
    if half == "locked":
        check_locked(path, LOCKED_SHA256)
    stored = json.loads(read_text(path))
    known = {p["id"]: Passage.model_validate(p) for p in stored["passages"]}
    return [_output(item, known) for item in stored["items"]]


def _output(item: dict[str, Any], known: dict[str, Passage]) -> LabelledOutput:
    made = [
        claim_from_text(c["kind"], item["question"], c["start"], c["end"], item["query"], text=c["text"])
        for c in item["claims"]
    ]
    return LabelledOutput(
        item["id"], item["source"], item["system"], item["query"], item["question"],
        tuple(known[i] for i in item["passages"]), tuple(made), tuple(c["supported"] for c in item["claims"]),
    )  # fmt: skip


def claim_accuracy(
    outputs: Sequence[LabelledOutput],
    *,
    entailment: EntailmentScorer | None = None,
    fit: SupportFit | None = None,
    seed: int = 0,
) -> ClaimAccuracy:
    """Compare support with the labels, claim by claim (what takes up the user's words is left out, as in Faith)."""
    fit = fit or load_fit(with_entailment=entailment is not None)
    results = support([(o.query, o.claims, o.passages) for o in outputs], entailment=entailment, fit=fit)
    rows = [
        (value, bool(label), claim.kind, output.source, output.query)
        for output, result in zip(outputs, results, strict=True)
        for claim, value, label in zip(output.claims, result.per_claim, output.supported, strict=True)
        if label is not None and not claim.echo
    ]
    scores = np.array([r[0] for r in rows])
    labels = np.array([r[1] for r in rows])
    kept = scores >= fit.tau
    by_kind = {k: balanced(kept[m], labels[m]) for k, m in _groups([r[2] for r in rows]).items()}
    by_source = {s: balanced(kept[m], labels[m]) for s, m in _groups([r[3] for r in rows]).items()}
    low, high = _interval(kept, labels, [r[4] for r in rows], seed)
    return ClaimAccuracy(
        balanced=balanced(kept, labels),
        low=low,
        high=high,
        supported_kept=float(kept[labels].mean()),
        unsupported_found=float((~kept[~labels]).mean()),
        auc=auc(scores[labels], scores[~labels]),
        supported=int(labels.sum()),
        unsupported=int((~labels).sum()),
        by_kind={k: v for k, v in by_kind.items() if not np.isnan(v)},
        by_source={k: v for k, v in by_source.items() if not np.isnan(v)},
        histogram={
            name: np.histogram(scores[chosen], BINS, (0.0, 1.0))[0].tolist()
            for name, chosen in (("supported", labels), ("unsupported", ~labels))
        },
    )


def balanced(kept: npt.NDArray[np.bool_], labels: npt.NDArray[np.bool_]) -> float:
    """Return balanced accuracy, NaN where one label does not occur."""
    if labels.all() or not labels.any():
        return float("nan")
    return float((kept[labels].mean() + (~kept[~labels]).mean()) / 2)


def _groups(names: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
    array = np.array(names)
    return {str(name): array == name for name in sorted(set(names))}


def _interval(
    kept: npt.NDArray[np.bool_], labels: npt.NDArray[np.bool_], clusters: Sequence[str], seed: int
) -> tuple[float, float]:
    _, member = np.unique(np.array(clusters), return_inverse=True)
    count = int(member.max()) + 1
    # Per cluster: supported and kept, supported, unsupported and found, unsupported.
    sums = np.zeros((count, 4))
    for column, values in enumerate((kept & labels, labels, ~kept & ~labels, ~labels)):
        np.add.at(sums[:, column], member, values)
    rng = np.random.default_rng(seed)
    totals = sums[rng.integers(0, count, size=(RESAMPLES, count))].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (totals[:, 0] / totals[:, 1] + totals[:, 2] / totals[:, 3]) / 2
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def offers_choice(output: LabelledOutput) -> bool:
    """Whether the claims, as labelled, offer two different things: without that a question is of no use to a user."""
    return len({option_identity(c) for c in output.claims if c.kind in OFFERED}) > 1


def question_auc(
    outputs: Sequence[LabelledOutput], *, useful: bool = False, entailment: EntailmentScorer | None = None,
    fit: SupportFit | None = None,
) -> dict[str, float]:  # fmt: skip
    """Return per metric how well it puts good questions above the others (length in its better direction).

    Questions without a judged claim are left out; an unscored question counts as the lowest.

    Args:
        outputs: Labelled questions.
        useful: Good is faithful and ``offers_choice``; else faithful, however little the question asks.
        entailment: Entailment model of support.
        fit: Parameters of support; the shipped ones if None.
    """
    judged = [o for o in outputs if o.hallucinated is not None]
    examples = [ClarificationExample(id=o.id, query=o.query) for o in judged]
    evaluation = evaluate(
        [Prediction(id=o.id, question=o.question) for o in judged],
        examples,
        {o.id: o.passages for o in judged},
        MetricSettings("labelled", references=(), fit=fit),
        entailment=entailment,
    )
    good = np.array([not o.hallucinated and (not useful or offers_choice(o)) for o in judged])
    found: dict[str, float] = {}
    for name in COMPARED:
        values = np.array([np.nan if row.get(name) is None else float(row[name]) for row in evaluation.per_item])
        if np.isnan(values).all():
            continue
        values = np.where(np.isnan(values), -np.inf, values * (-1.0 if name in LOWER_IS_BETTER else 1.0))
        value = auc(values[good], values[~good])
        found[name] = max(value, 1 - value) if name == "length" else value
    return found


def kappa(first: Sequence[bool | None], second: Sequence[bool | None]) -> float:
    """Return Cohen's kappa of two labellings, None being a label of its own; NaN if it is not defined."""
    pairs = list(zip(first, second, strict=True))
    agreed = sum(a == b for a, b in pairs) / len(pairs)
    values = (True, False, None)
    chance = sum(
        (sum(a is v for a, _ in pairs) / len(pairs)) * (sum(b is v for _, b in pairs) / len(pairs)) for v in values
    )
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")
