"""The whole validation: labelled outputs, controlled faults on two corpora, references, claims; and its bars."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from rac.metrics.claims_validation import ClaimAgreement, agreement, read_labels
from rac.metrics.faults import FaultMaker, Source, sources
from rac.metrics.faults_other import CONTROLS, OtherFaultMaker
from rac.metrics.output_validation import (
    ClaimAccuracy,
    LabelledOutput,
    claim_accuracy,
    offers_choice,
    question_auc,
    read_outputs,
)
from rac.metrics.second_labels import (
    LabelAgreement,
    agreed_outputs,
    agreed_questions,
    label_agreement,
    second_claim_labels,
    second_outputs,
)
from rac.metrics.suite import MetricSettings, evaluate
from rac.metrics.support import load_fit
from rac.metrics.validation import NUISANCE, FaultReport, Separation, validate_faults
from rac.metrics.validation_references import validate_references
from rac.progress import track
from rac.records import ClarificationExample, Prediction

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer

BARS: dict[str, float] = {"b": 0.95, "c1": 0.90, "c2": 0.90, "c3": 0.90, "c4": 0.80, "d": 0.99, "e": 0.99}
"""Kind of fault -> the AUC that the headline has to reach."""
CONTROL_BAR = 0.02
GOLD_BAR = 0.85
BALANCED_BAR = 0.80
FACET_BAR = 0.85
PERPLEXITY_SAMPLE = 120
"""Questions of every set, and their faulty twins, whose perplexity is computed."""
RAW_SAMPLE = 120
"""Questions for which the ``raw`` columns are computed."""
ENTAILMENT_SAMPLE = 150
"""Questions of the sets besides the main one that are scored with an entailment model."""
CLAQUA, WIKIPEDIA = "CLAQUA validation, gold passages", "Wikipedia, bootstrapped, gold passages"
LOCKED = "locked, first annotator"
RAW_SUFFIX = ", with the raw columns"
Perplexity = Callable[[Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Bar:
    """One requirement and its outcome; ``low`` and ``high`` where the value has an interval."""

    name: str
    value: float
    bar: float
    met: bool
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Scoring:
    """The outcome for one way of scoring support: words alone, or with an entailment model.

    Attributes:
        name: What it is called on the page.
        signature: What made the scores.
        outputs: Labelling -> accuracy on labelled model outputs.
        questions: Labelling -> metric -> AUC per question.
        faults: Name of the data and the makes of faults -> report; the first is what the requirements are about.
        natural_headline: Mean headline of gold on CLAQUA's natural queries.
        references: metric -> separation where the question is not its own reference.
        tau: Threshold on s_j.
        notes: Sentences that readers must see.
    """

    name: str
    signature: str
    outputs: dict[str, ClaimAccuracy]
    questions: dict[str, dict[str, float]]
    faults: dict[str, FaultReport]
    natural_headline: float
    references: dict[str, Separation]
    tau: float
    notes: list[str]

    def bars(self) -> list[Bar]:
        """Return every requirement on CLAQUA validation with gold passages, and whether it is met."""
        locked = self.outputs[LOCKED]
        found = [
            Bar(
                "balanced accuracy, locked half of the labelled outputs", locked.balanced, BALANCED_BAR,
                locked.balanced >= BALANCED_BAR, locked.low, locked.high,
            )
        ]  # fmt: skip
        main = self.faults[CLAQUA].separations
        for kind, bar in BARS.items():
            if kind in main:
                own = main[kind]["headline"]
                value = own.auc or 0.0
                found.append(
                    Bar(f"AUC of the headline, fault ({kind})", value, bar, value >= bar, own.auc_low, own.auc_high)
                )
        if "f" in main:
            moved = main["f"]["headline"].moved or 0.0
            found.append(Bar("mean movement of the headline, control (f)", moved, CONTROL_BAR, moved <= CONTROL_BAR))
        gold = self.natural_headline
        found.append(Bar("mean headline of gold, natural queries", gold, GOLD_BAR, gold > GOLD_BAR))
        for name, report in self.faults.items():
            for kind, own_kind in report.separations.items():
                if kind not in CONTROLS and not name.endswith(RAW_SUFFIX):
                    found.append(_nuisance_bar(name, kind, own_kind))
        return found


def _nuisance_bar(data: str, kind: str, separations: Mapping[str, Separation]) -> Bar:
    found = {n: separations[n].auc or 0.0 for n in NUISANCE if n in separations}
    name = max(found, key=lambda n: found[n])
    own = separations["headline"]
    value = own.auc or 0.0
    title = f"AUC of the headline above that of {name}, the best nuisance metric, fault ({kind}), {data}"
    return Bar(title, value, found[name], value > found[name], own.auc_low, own.auc_high)


@dataclass(frozen=True)
class ValidationResult:
    """Everything that the page shows.

    Attributes:
        scorings: Words alone, and with entailment where there is a model.
        labels: How far the two annotators agree.
        claims: Labelling -> agreement of the claim rules with labels.
        seconds: How long it took.
        notes: Sentences that readers must see.
    """

    scorings: list[Scoring]
    labels: LabelAgreement
    claims: dict[str, ClaimAgreement]
    seconds: float
    notes: list[str] = field(default_factory=list)

    def bars(self) -> dict[str, list[Bar]]:
        """Return the requirements by way of scoring; the last row is that of the claim rules."""
        facet = self.claims[LOCKED]
        last = Bar(
            "facet F1 of the claim rules, locked half",
            facet.f1,
            FACET_BAR,
            facet.f1 >= FACET_BAR,
            facet.low,
            facet.high,
        )
        return {scoring.name: [*scoring.bars(), last] for scoring in self.scorings}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {**asdict(self), "bars": {name: [asdict(bar) for bar in bars] for name, bars in self.bars().items()}}


def run_validation(
    examples: Sequence[ClarificationExample],
    *,
    others: Mapping[str, Sequence[ClarificationExample]] | None = None,
    entailment: EntailmentScorer | None = None,
    perplexity: Perplexity | None = None,
    seed: int = 1,
) -> ValidationResult:
    """Run the validation, by words alone and, where there is a model, with entailment.

    Args:
        examples: CLAQUA's validation split with its gold passages; ``meta.natural`` marks natural queries.
        others: Further data to make faults on: name -> examples with gold questions and passages.
        entailment: The entailment model of the report scorer; None leaves that part out.
        perplexity: For the nuisance metric of that name; left out if None.
        seed: Seed of faults and resampling.
    """
    start = time.monotonic()
    halves: tuple[Literal["open", "locked"], ...] = ("open", "locked")
    first = {half: read_outputs(half) for half in halves}
    second = second_outputs()
    outputs = {
        "open, first annotator": first["open"], LOCKED: first["locked"], "locked, second annotator": second,
        "locked, where both agree": agreed_outputs(first["locked"], second),
    }  # fmt: skip
    asked = {**outputs, "locked, where both agree": agreed_questions(first["locked"], second)}
    data = {CLAQUA: sources(examples), **{name: sources(more) for name, more in (others or {}).items()}}
    scorers = [("words alone", None), *([("with entailment", entailment)] if entailment is not None else [])]
    scorings = [_scoring(name, scorer, examples, data, outputs, asked, perplexity, seed) for name, scorer in scorers]
    notes = [] if entailment is not None else ["no entailment model was used, so that part is missing"]
    if perplexity is None:
        notes.append("perplexity was left out")
    return ValidationResult(
        scorings=scorings,
        labels=label_agreement(first["locked"], second),
        claims={
            "open, first annotator": agreement(read_labels("open")),
            LOCKED: agreement(read_labels("locked")),
            "locked, second annotator": agreement(second_claim_labels()),
        },
        seconds=time.monotonic() - start,
        notes=notes,
    )


def _scoring(
    name: str, entailment: EntailmentScorer | None, examples: Sequence[ClarificationExample],
    data: Mapping[str, Sequence[Source]], outputs: Mapping[str, Sequence[LabelledOutput]],
    asked: Mapping[str, Sequence[LabelledOutput]], perplexity: Perplexity | None, seed: int,
) -> Scoring:  # fmt: skip
    faults: dict[str, FaultReport] = {}
    makers: tuple[tuple[str, type[FaultMaker] | type[OtherFaultMaker]], ...] = (
        ("", FaultMaker), (", faults of other makes", OtherFaultMaker)
    )  # fmt: skip
    sets = list(product(data.items(), makers))
    for (title, known), (suffix, maker) in track(sets, f"validation, {name}", unit="sets"):
        # Donors come from all questions, whatever the sample.
        scored = known if entailment is None or not faults else known[:ENTAILMENT_SAMPLE]
        faults[title + suffix] = validate_faults(
            scored, entailment=entailment, seed=seed, maker=maker(known, seed),
            perplexity=perplexity, perplexity_sample=PERPLEXITY_SAMPLE,
            settings=MetricSettings(passages="gold", references=(), raw=False),
        )  # fmt: skip
    if entailment is not None:
        title, known = next(iter(data.items()))
        faults[title + RAW_SUFFIX] = validate_faults(
            known[:RAW_SAMPLE], entailment=entailment, seed=seed, maker=FaultMaker(known, seed),
            settings=MetricSettings(passages="gold", references=(), parent=False),
        )  # fmt: skip
    natural = [e for e in examples if e.meta.get("natural")]
    gold = evaluate(
        [Prediction(id=e.id, question=e.questions[0]) for e in natural if e.questions], natural,
        {e.id: e.passages for e in natural}, MetricSettings("gold", references=(), raw=False), entailment=entailment,
    )  # fmt: skip
    questions = {}
    for labelling, rows in asked.items():
        questions[f"{labelling}: faithful"] = question_auc(rows, entailment=entailment)
        chosen = [o for o in rows if offers_choice(o)]
        questions[f"{labelling}: faithful, of those that offer a choice"] = question_auc(chosen, entailment=entailment)
        questions[f"{labelling}: faithful and a choice"] = question_auc(rows, useful=True, entailment=entailment)
    return Scoring(
        name=name,
        signature=gold.signature,
        outputs={labelling: claim_accuracy(rows, entailment=entailment) for labelling, rows in outputs.items()},
        questions=questions,
        faults=faults,
        natural_headline=float(gold.summary["headline"]["mean"]),
        references=validate_references(data[CLAQUA], entailment=entailment, seed=seed),
        tau=load_fit(with_entailment=entailment is not None).tau,
        notes=list(gold.notes),
    )


def bootstrapped_examples(count: int, seed: int = 11) -> list[ClarificationExample]:
    """Return clarification examples made from the embedded Wikipedia, each with its gold passages in the record.

    Args:
        count: How many are wanted.
        seed: Seed of their making; another one than quickstart's.
    """
    import tempfile
    from pathlib import Path

    from rac.corpus import read_corpus
    from rac.corpus.bootstrap import Bootstrap, bootstrap
    from rac.retrieval import IndexSettings, build_index

    corpus = {p.id: p for p in read_corpus("wikipedia")}
    with tempfile.TemporaryDirectory() as folder:
        index = build_index(corpus.values(), IndexSettings(), Path(folder) / "index")
        made = bootstrap(corpus.values(), index, Bootstrap(examples=count, faults_per_example=0), seed)
    examples = [
        e.model_copy(update={"passages": tuple(corpus[i] for i in e.passage_ids if i in corpus)}) for e in made.examples
    ]
    return [e for e in examples if e.questions and len(e.passages) >= 2]
