"""The metric suite: from predictions and examples to scores per item and a summary with intervals.

Cost: about 1 ms a question without an entailment model (five short passages). "Could not be scored" is None with a
reason, counted, and never a zero in a mean.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rac.errors import UserError
from rac.metrics import columns
from rac.metrics.catalog import METRICS
from rac.metrics.claims import RULES_VERSION, Claim, claims, unreadable
from rac.metrics.columns import Scored, Searchable
from rac.metrics.entailment import PairRecorder
from rac.metrics.grounding import grounding
from rac.metrics.lexical import prepare
from rac.metrics.raw import raw_alignscore, raw_summac_zs
from rac.metrics.scores import faith_scores
from rac.metrics.signature import full, signature
from rac.metrics.significance import bootstrap_ci
from rac.metrics.support import QuestionSupport, SupportFit, entailment_features, evidence_spans, load_fit, support
from rac.records import ClarificationExample, Passage, Prediction

if TYPE_CHECKING:
    from rac.metrics.claims_llm import LLMSplitter
    from rac.metrics.entailment import EntailmentScorer

log = logging.getLogger(__name__)

REFERENCE_METRICS = ("rouge_l", "rouge_1", "rouge_2", "bleu", "chrf", "meteor_nowordnet")


@dataclass(frozen=True)
class MetricSettings:
    """How to evaluate.

    Attributes:
        passages: Name of the D that is scored against, for signatures and tables ("retrieved5", "gold"); "" to name it
            by where it came from.
        references: Reference metrics to compute where examples have gold questions.
        seed: Seed of the resampling behind the intervals.
        fit: Parameters of support; the shipped ones if None.
        parent: Whether to compute PARENT-Q and PARENT.
        raw: Whether to compute the ``raw`` columns where there is an entailment model.
        embedding: Sentence-embedding model for similarity with gold questions; "" for none.
        corpus_top_k: Passages retrieved per option for support by the corpus.
    """

    passages: str = ""
    references: tuple[str, ...] = REFERENCE_METRICS
    seed: int = 0
    fit: SupportFit | None = None
    parent: bool = True
    raw: bool = True
    embedding: str = ""
    corpus_top_k: int = 5


@dataclass(frozen=True)
class Evaluation:
    """The result.

    Attributes:
        per_item: One dict per example, in the examples' order: ``id``, ``system``, ``question``, every metric (a number
            or None), ``claims`` (text, kind, span, support, evidence), ``flags``, ``unscored`` (metric -> reason).
        summary: metric -> mean, low, high, n, unscored, clusters.
        signature: What made the claim-based scores.
        counts: What was read and what could not be scored, by reason.
        notes: Sentences that readers must see.
        signatures: metric -> full signature.
    """

    per_item: list[dict[str, Any]]
    summary: dict[str, dict[str, Any]]
    signature: str
    counts: dict[str, int]
    notes: list[str] = field(default_factory=list)
    signatures: dict[str, str] = field(default_factory=dict)


def evaluate(
    predictions: Sequence[Prediction],
    examples: Sequence[ClarificationExample],
    passages_by_id: Mapping[str, Sequence[Passage]] | None = None,
    settings: MetricSettings | None = None,
    *,
    entailment: EntailmentScorer | None = None,
    index: Searchable | None = None,
    splitter: LLMSplitter | None = None,
) -> Evaluation:
    """Score one system's questions.

    Args:
        predictions: At most one per example; examples without one are unscored (``no-prediction``) and counted.
        examples: The queries; gold questions are read by reference metrics only.
        passages_by_id: D by example id: what every system is scored against. Where an id is missing, the passages
            that the prediction names count, else those of the example.
        settings: See ``MetricSettings``.
        entailment: Entailment model for support; without one words alone decide.
        splitter: Makes the claims instead of the rules, in any language; what it cannot split is unscored.
        index: The corpus, for support by the corpus and retrieval gain; both left out if None.

    Raises:
        UserError: for no examples, two predictions or examples with one id, or predictions for unknown ids.
    """
    settings = settings or MetricSettings()
    by_id = _aligned(predictions, examples)
    fit = settings.fit or load_fit(with_entailment=entailment is not None)
    contexts, source = _passages(by_id, examples, passages_by_id)
    found, problems = _claims(examples, by_id, contexts, splitter)
    if entailment is not None:
        _prefetch([(examples, by_id, contexts, found)], settings, entailment)
    supports = support(
        [(e.query, c, contexts[e.id]) for e, c in zip(examples, found, strict=True)], entailment=entailment, fit=fit
    )
    rows = [
        _row(example, by_id.get(example.id), contexts[example.id], result, fit, problem)
        for example, result, problem in zip(examples, supports, problems, strict=True)
    ]
    asked = [i for i, e in enumerate(examples) if e.id in by_id]
    _add_columns(
        Scored(
            [rows[i] for i in asked], [examples[i] for i in asked], [contexts[examples[i].id] for i in asked],
            [supports[i] for i in asked],
        ),
        settings, fit, entailment, index,
    )  # fmt: skip
    metrics = [name for name in METRICS if any(name in row for row in rows)]
    _count_unscored(rows, metrics)
    clusters = [e.cluster for e in examples]
    summary = {
        name: bootstrap_ci([row.get(name) for row in rows], clusters, settings.seed).to_dict() for name in metrics
    }
    made = signature(
        fit=fit.version, tau=fit.tau, passages=settings.passages or source,
        nli=entailment.signature if entailment is not None else "nli:none",
        splitter=splitter.name if splitter is not None else RULES_VERSION,
    )  # fmt: skip
    return Evaluation(
        per_item=rows,
        summary=summary,
        signature=made,
        counts=_counts(rows, predictions, examples),
        notes=_notes(entailment, source),
        signatures={name: full(name, made) for name in metrics},
    )


def prefetch(
    systems: Iterable[Sequence[Prediction]],
    examples: Sequence[ClarificationExample],
    passages_by_id: Mapping[str, Sequence[Passage]] | None,
    settings: MetricSettings,
    entailment: EntailmentScorer,
) -> None:
    """Run the entailment model once for the questions of several systems, so that ``evaluate`` finds them computed.

    Systems share passages, and often whole claims; arguments are those of ``evaluate``, which still checks them.
    """
    prepared = []
    for predictions in systems:
        by_id = {p.id: p for p in predictions}
        contexts, _ = _passages(by_id, examples, passages_by_id)
        prepared.append((examples, by_id, contexts, _claims(examples, by_id, contexts, None)[0]))
    _prefetch(prepared, settings, entailment)


def _prefetch(
    systems: Sequence[
        tuple[
            Sequence[ClarificationExample], Mapping[str, Prediction], Mapping[str, Sequence[Passage]], list[list[Claim]]
        ]
    ],
    settings: MetricSettings,
    entailment: EntailmentScorer,
) -> None:
    recorder = PairRecorder(entailment)
    for examples, by_id, contexts, found in systems:
        entailment_features([(e.query, c, contexts[e.id]) for e, c in zip(examples, found, strict=True)], recorder)
        if settings.raw:
            asked = [e for e in examples if e.id in by_id]
            for metric in (raw_summac_zs, raw_alignscore):
                metric([by_id[e.id].question for e in asked], [contexts[e.id] for e in asked], recorder)
    entailment.prefetch(recorder.pairs)


def _aligned(predictions: Sequence[Prediction], examples: Sequence[ClarificationExample]) -> dict[str, Prediction]:
    if not examples:
        raise UserError("there are no examples, so there is nothing to score predictions against; give at least one")
    ids = Counter(e.id for e in examples)
    twice = [i for i, n in ids.items() if n > 1]
    if twice:
        raise UserError(f"two examples have the id '{twice[0]}', so predictions cannot be assigned; make ids unique")
    by_id: dict[str, Prediction] = {}
    for prediction in predictions:
        if prediction.id in by_id:
            raise UserError(
                f"two predictions have the id '{prediction.id}', but a system asks one question for a query; keep one"
            )
        by_id[prediction.id] = prediction
    unknown = [i for i in by_id if i not in ids]
    if unknown:
        raise UserError(
            f"{len(unknown)} of {len(by_id)} predictions have an id that no example has (the first is "
            f"'{unknown[0]}'), so "
            "they cannot be scored; give the examples that the predictions were made for"
        )
    return by_id


def _passages(
    by_id: Mapping[str, Prediction],
    examples: Sequence[ClarificationExample],
    given: Mapping[str, Sequence[Passage]] | None,
) -> tuple[dict[str, list[Passage]], str]:
    """Return D per example and where it came from."""
    contexts: dict[str, list[Passage]] = {}
    sources: Counter[str] = Counter()
    for example in examples:
        prediction = by_id.get(example.id)
        if given is not None and example.id in given:
            contexts[example.id] = list(given[example.id])
            sources["given"] += 1
        elif prediction is not None and prediction.passages is not None:
            contexts[example.id] = list(prediction.passages)
            sources["predictions"] += 1
        else:
            contexts[example.id] = list(example.passages)
            sources["examples"] += 1
    return contexts, "+".join(sorted(sources))


def _claims(
    examples: Sequence[ClarificationExample],
    by_id: Mapping[str, Prediction],
    contexts: Mapping[str, Sequence[Passage]],
    splitter: LLMSplitter | None,
) -> tuple[list[list[Claim]], list[str | None]]:
    """Return the claims of every example's question, and why there are none where it cannot be read."""
    questions = [by_id[e.id].question if e.id in by_id else "" for e in examples]
    if splitter is None:
        found = [
            claims(question, e.query, [p.title for p in contexts[e.id]])
            for question, e in zip(questions, examples, strict=True)
        ]
        return found, [unreadable(question) for question in questions]
    made = splitter.split(questions, [e.query for e in examples])
    return [m.claims or [] for m in made], [m.reason or None for m in made]


def _row(
    example: ClarificationExample,
    prediction: Prediction | None,
    passages: Sequence[Passage],
    result: QuestionSupport,
    fit: SupportFit,
    problem: str | None,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": example.id,
        "system": prediction.system if prediction else "",
        "query": example.query,
        "question": prediction.question if prediction else "",
    }
    if prediction is None:
        return row | {"claims": [], "flags": [], "reason": "no-prediction"}
    problem = problem or (None if passages else "no-passages")
    scores = faith_scores(result, fit.tau, problem)
    words = grounding(prediction.question, example.query, result.claims, [prepare(p) for p in passages])
    row |= scores.values
    row |= {
        "grounding": words.grounding, "unsupported": words.unsupported if passages else None,
        "same_option": words.same_option, "good": words.good, "empty": words.empty, "options": float(words.options),
        "length": float(words.length),
    }  # fmt: skip
    row["claims"] = _claim_rows(result, passages, fit.tau)
    row["flags"] = _flags(row)
    row["reason"] = problem or ("no-claims" if not result.claims else "")
    return row


def _claim_rows(result: QuestionSupport, passages: Sequence[Passage], tau: float) -> list[dict[str, Any]]:
    rows = []
    for j, (claim, value) in enumerate(zip(result.claims, result.per_claim, strict=True)):
        row: dict[str, Any] = {
            "text": claim.text, "kind": claim.kind, "start": claim.start, "end": claim.end,
            "hypothesis": claim.hypothesis, "distinguishing": claim.distinguishing, "echo": claim.echo,
            "support": value if passages else None, "supported": value >= tau if passages else None,
        }  # fmt: skip
        if passages:
            best = result.best(j)
            row["passage"] = passages[best].id
            row["evidence"] = [
                {"passage": passages[best].id, "field": s.field, "start": s.start, "end": s.end}
                for s in evidence_spans(claim, passages[best])
            ]
        rows.append(row)
    return rows


def _flags(row: Mapping[str, Any]) -> list[str]:
    names = {
        "hallucinated": "hallucinated", "unsupported": "unsupported option", "same_option": "same option twice",
        "empty": "empty",
    }  # fmt: skip
    return [label for name, label in names.items() if row.get(name)]


def _add_columns(
    scored: Scored,
    settings: MetricSettings,
    fit: SupportFit,
    entailment: EntailmentScorer | None,
    index: Searchable | None,
) -> None:
    columns.add_unsupported_words(scored)
    if settings.parent:
        columns.add_parent(scored)
    columns.add_references(scored, settings.references)
    columns.add_embedding(scored, settings.embedding)
    columns.add_facets(scored)
    if settings.raw and entailment is not None:
        columns.add_raw(scored, entailment)
    if index is not None:
        columns.add_corpus_support(scored, index, fit, entailment, top_k=settings.corpus_top_k)
        columns.add_retrieval_gain(scored, index, fit, entailment)


def _count_unscored(rows: list[dict[str, Any]], metrics: Sequence[str]) -> None:
    """Give every metric that was computed and that an item lacks a reason."""
    for row in rows:
        missing = [name for name in metrics if row.setdefault(name, None) is None]
        row["unscored"] = {name: row["reason"] or _REASONS.get(name, "not-applicable") for name in missing}


_REASONS = {
    **dict.fromkeys(REFERENCE_METRICS, "no-reference"), "grounding": "no-new-words", "unsupported": "no-options",
    "same_option": "no-options", **dict.fromkeys(("delta_ndcg", "delta_mrr", "delta_recall"), "no-target-passage"),
}  # fmt: skip


def _counts(
    rows: Sequence[Mapping[str, Any]], predictions: Sequence[Prediction], examples: Sequence[ClarificationExample]
) -> dict[str, int]:
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    return {
        "examples": len(examples), "predictions": len(predictions),
        **{f"unscored or zero: {name}": n for name, n in sorted(reasons.items())},
    }  # fmt: skip


def _notes(entailment: EntailmentScorer | None, source: str) -> list[str]:
    notes = []
    if entailment is None:
        notes.append("support by words alone: no entailment model was used")
    elif entailment.note:
        notes.append(entailment.note)
    if "+" in source:
        notes.append(f"D is not of one kind: {source}")
    return notes
