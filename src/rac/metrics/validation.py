"""Validation by controlled faults: does a metric score a question higher than its faulty twin?

Per kind of fault and metric: the share of items that the fault applies to, AUC (a random supported question against a
random faulty one; 0.5 is chance) and paired accuracy (a question against its own twin, ties counted half), both with
cluster-bootstrap intervals. Nuisance metrics (overlap with the query, length, perplexity) have no right direction: the
better one of both counts, and a metric has to beat them on every kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from rac.metrics.faults import Fault, FaultMaker, Source
from rac.metrics.suite import Evaluation, MetricSettings, evaluate
from rac.metrics.text import content_keys, words
from rac.progress import track
from rac.records import ClarificationExample, Prediction

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer

Floats = npt.NDArray[np.float64]


class Maker(Protocol):
    """Makes faulty twins of a source."""

    def make(self, source: Source) -> list[Fault]:
        """Return at most one fault of each kind."""
        ...


NUISANCE = ("query_overlap", "length", "perplexity")
LOWER_IS_BETTER = frozenset({"hallucinated", "unsupported", "same_option", "empty", "perplexity"})
REPORTED = (
    "headline", "faith", "faith_strict", "info", "hallucinated", "unsupported", "grounding", "parent_q",
    "parent_q_precision", "raw_summac_zs", "raw_alignscore",
)  # fmt: skip


@dataclass(frozen=True)
class Separation:
    """How well one metric tells supported questions from one kind of fault.

    Attributes:
        auc: Area under the ROC curve, 0..1; None where one side has no score.
        auc_low: Lower end of its 95 % interval.
        auc_high: Upper end.
        paired: Share of pairs in which the supported question scores higher, ties counted half.
        moved: Mean absolute difference within pairs (what a control must keep small).
        n: Pairs with both scores.
    """

    auc: float | None
    auc_low: float | None
    auc_high: float | None
    paired: float | None
    moved: float | None
    n: int


@dataclass(frozen=True)
class FaultReport:
    """The outcome: kind -> metric -> separation; ``applies`` is the share of items that a kind was made from."""

    separations: dict[str, dict[str, Separation]]
    applies: dict[str, float]
    items: int
    gold: dict[str, dict[str, Any]] = field(default_factory=dict)
    signature: str = ""


def query_overlap(question: str, query: str) -> float:
    """Return the share of the query's content words that the question repeats (nuisance)."""
    asked = content_keys(query)
    return len(asked & content_keys(question)) / len(asked) if asked else 0.0


def validate_faults(
    known: Sequence[Source],
    *,
    entailment: EntailmentScorer | None = None,
    perplexity: Callable[[Sequence[str]], Sequence[float]] | None = None,
    perplexity_sample: int | None = None,
    seed: int = 1,
    settings: MetricSettings | None = None,
    maker: Maker | None = None,
) -> FaultReport:
    """Score supported questions and their faulty twins.

    Args:
        known: Supported questions with their D.
        entailment: The entailment model of the report scorer; without one words alone.
        perplexity: Texts -> perplexities, for the nuisance metric of that name; left out if None.
        perplexity_sample: Compute it for this many of the questions and their twins; for all if None.
        seed: Seed of the faults and of resampling.
        settings: Of the suite; references are never needed.
        maker: Makes the faults; a ``FaultMaker`` if None.
    """
    settings = settings or MetricSettings(passages="gold", references=())
    maker = maker or FaultMaker(known, seed)
    faults = {s.id: maker.make(s) for s in known}
    original = _evaluate(known, {s.id: s.question for s in known}, settings, entailment)
    sample = len(known) if perplexity_sample is None else perplexity_sample
    gold = _scores(known, [s.question for s in known], original, perplexity, np.arange(len(known)) < sample)
    separations: dict[str, dict[str, Separation]] = {}
    applies: dict[str, float] = {}
    kinds = sorted({f.kind for made in faults.values() for f in made})
    for kind in track(kinds, "faults", unit="kinds"):
        chosen: list[tuple[Source, Fault]] = [(s, f) for s in known for f in faults[s.id] if f.kind == kind]
        applies[kind] = len(chosen) / len(known)
        asked = [s for s, _ in chosen]
        faulty = _evaluate(asked, {s.id: f.question for s, f in chosen}, settings, entailment)
        where = {s.id: i for i, s in enumerate(known)}
        rows = np.array([where[s.id] for s in asked])
        scores = _scores(asked, [f.question for _, f in chosen], faulty, perplexity, rows < sample)
        clusters = [s.cluster or s.id for s in asked]
        separations[kind] = {
            name: separation(gold[name][rows], values, clusters, seed, nuisance=name in NUISANCE)
            for name, values in scores.items()
        }
    return FaultReport(separations, applies, len(known), original.summary, original.signature)


def _evaluate(
    known: Sequence[Source], questions: dict[str, str], settings: MetricSettings, entailment: EntailmentScorer | None
) -> Evaluation:
    examples = [ClarificationExample(id=s.id, query=s.query, group=s.cluster) for s in known]
    predictions = [Prediction(id=i, question=q) for i, q in questions.items()]
    return evaluate(predictions, examples, {s.id: s.passages for s in known}, settings, entailment=entailment)


def _scores(
    known: Sequence[Source],
    questions: Sequence[str],
    evaluation: Evaluation,
    perplexity: Callable[[Sequence[str]], Sequence[float]] | None,
    sampled: npt.NDArray[np.bool_],
) -> dict[str, Floats]:
    """Return metric -> one value per item, higher for better; NaN where unscored, and without perplexity."""
    found: dict[str, Floats] = {}
    for name in REPORTED:
        if any(row.get(name) is not None for row in evaluation.per_item):
            values = [np.nan if row.get(name) is None else float(row[name]) for row in evaluation.per_item]
            found[name] = np.array(values) * (-1.0 if name in LOWER_IS_BETTER else 1.0)
    found["query_overlap"] = np.array([query_overlap(q, s.query) for q, s in zip(questions, known, strict=True)])
    found["length"] = np.array([float(len(words(q))) for q in questions])
    if perplexity is not None:
        measured = np.full(len(questions), np.nan)
        measured[sampled] = perplexity([q for q, chosen in zip(questions, sampled, strict=True) if chosen])
        found["perplexity"] = -measured
    return found


def separation(
    good: Floats, bad: Floats, clusters: Sequence[str], seed: int, *, nuisance: bool = False, resamples: int = 500
) -> Separation:
    """Compare scores of supported questions with those of their faulty twins, shape (n,) each.

    An unscored faulty question (NaN) counts as the lowest score: a metric that has nothing to say about "What do you
    mean?" has not preferred it. Pairs whose supported question is unscored are left out.
    """
    kept = ~np.isnan(good)
    good, bad = good[kept], bad[kept]
    names = np.array(clusters)[kept]
    if not len(good) or np.isnan(bad).all():
        return Separation(None, None, None, None, None, len(good))
    moved = float(np.nanmean(np.abs(good - bad)))
    bad = np.where(np.isnan(bad), -np.inf, bad)
    value = auc(good, bad)
    flipped = nuisance and value < 0.5
    if flipped:
        good, bad, value = -good, np.where(np.isinf(bad), bad, -bad), 1 - value
    _, membership = np.unique(names, return_inverse=True)
    groups: list[list[int]] = [[] for _ in range(int(membership.max()) + 1)]
    for position, group in enumerate(membership):
        groups[int(group)].append(position)
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(resamples):
        rows = np.array([i for g in rng.integers(0, len(groups), len(groups)) for i in groups[g]])
        samples.append(auc(good[rows], bad[rows]))
    low, high = (float(v) for v in np.percentile(samples, [2.5, 97.5]))
    paired = float(((good > bad) + 0.5 * (good == bad)).mean())
    return Separation(value, low, high, paired, moved, len(good))


def auc(good: Floats, bad: Floats) -> float:
    """Return the share of (good, bad) pairs in which good is higher, ties counted half."""
    order = np.sort(bad)
    below = np.searchsorted(order, good, side="left")
    equal = np.searchsorted(order, good, side="right") - below
    return float((below + 0.5 * equal).sum() / (len(good) * len(bad)))
