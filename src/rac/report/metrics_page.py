"""``docs/metrics.md``: definitions, and what the validation measured, with tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rac.files import read_text, write_text
from rac.metrics.faults_other import CONTROLS
from rac.metrics.validation import NUISANCE, FaultReport
from rac.metrics.validation_run import CLAQUA, LOCKED, RAW_SUFFIX, Bar, Scoring, ValidationResult
from rac.report.metrics_plots import faults_plot, support_plot

DEFINITIONS = Path(__file__).parent / "metrics_definitions.txt"
LIMITS = Path(__file__).parent / "metrics_limits.txt"
KINDS = {
    "a": "(a) another query's question", "b": "(b) one option of a donor", "c1": "(c1) near number or date",
    "c2": "(c2) sibling type", "c3": "(c3) sibling place or person", "c4": "(c4) attributes recombined",
    "d": "(d) empty", "e": "(e) same option twice", "f": "(f) control: other wording",
    "name": "another thing's name", "type": "another thing's type", "date": "a year", "place": "a place",
    "negated": "denies what is so", "world": "a thing that D lacks", "third": "one option more",
    "mixed": "the other passage's name or year", "twice": "the same in other words", "vague": "nothing offered",
    "control": "control: lists, panes, statements", "aliases": "control: other forms of words",
}  # fmt: skip
"""Kinds of faults of both makes, in the order of columns."""
REQUIREMENTS = """\
Every requirement is on the headline unless it says otherwise; CLAQUA validation with gold passages. In brackets 95
% intervals, which resample clusters."""
OUTPUTS = """\
300 questions by four systems, claims labelled before anything was tuned on them (guideline: `claims.md`; origin:
`src/rac/metrics/validation_data/README.md`). The first annotator was a language model that works on this project;
the second, blind to the first labels and to all scores, another instance of one. The open half was used for
development, the locked half for reports only."""
QUESTIONS = """\
AUC: does a metric put good questions above the others? *Faithful* is that no claim is unsupported; *a choice* that
two different things are offered, by the labels. A question that repeats one option or only states something can be
faithful and is of no use: Faith puts it high, the headline at 0 by its definition. That is why the headline orders
questions worse than Faith by *faithful* alone; the rows below show both where a choice is offered and where a good
question has to be both. Who wants to know about faithfulness alone should read `faith` and `hallucinated`."""
FAULTS = """\
AUC of supported gold questions against their faulty twins with 95 % intervals over clusters; 0.5 is chance.
Nuisance metrics (*italic*: overlap with the query, length, perplexity) count in their better direction. For
controls the mean absolute movement of the score is given instead. Where gold itself scores 0, because it offers the
same thing twice, no fault can be told from it: that bounds (d) and (e). Faults of other makes were never used to
fit anything; what their controls found wrong in the rules that read lists and further frames was mended, so their
controls are no held-back test of those. Perplexity is computed for samples of 120 questions, and the raw columns
(the whole question as if it were a statement) too; with entailment, sets besides the first are samples of 150."""
REFERENCES = """\
A supported question in other wording and order against the gold question with one claim altered; gold is the
reference of both. 0 means that the altered question always scores higher."""
CLAIMS = """\
Facet F1 of the rules against labels; the last row is the second annotator against the first, what people (here:
models) reach by the same guideline."""


def write_page(path: Path, result: ValidationResult) -> None:
    """Write the page and its plots beside it."""
    for scoring in result.scorings:
        slug = _slug(scoring)
        rows = [
            (KINDS[kind], report.separations[kind])
            for name, report in scoring.faults.items()
            if name.startswith(CLAQUA) and not name.endswith(RAW_SUFFIX)
            for kind in KINDS
            if kind in report.separations and kind not in CONTROLS
        ]
        write_text(path.with_name(f"metrics-faults-{slug}.svg"), faults_plot(rows))
        write_text(path.with_name(f"metrics-support-{slug}.svg"), support_plot(scoring.outputs[LOCKED], scoring.tau))
    write_text(path, render_page(result))


def render_page(result: ValidationResult) -> str:
    """Return the page as Markdown."""
    parts = [
        "# Metrics: what they measure, and how far they can be trusted",
        "Written by `rac validate-metrics -o docs/metrics.md`; do not edit by hand.",
        *(f"Note: {note}." for note in result.notes),
        read_text(DEFINITIONS).strip(),
        "## Requirements",
        REQUIREMENTS,
        _bars(result),
        _beaten(result),
        "## Labelled outputs of models (primary)",
        OUTPUTS,
        _labels(result),
        *(_outputs(scoring) for scoring in result.scorings),
        "### Per question",
        QUESTIONS,
        *(_questions(scoring) for scoring in result.scorings),
        "## Controlled faults",
        FAULTS,
        *(_fault_section(scoring) for scoring in result.scorings),
        "## Reference metrics where the question is not its own reference",
        REFERENCES,
        *(_references(scoring) for scoring in result.scorings),
        "## Claims",
        CLAIMS,
        _claims(result),
        read_text(LIMITS).strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _slug(scoring: Scoring) -> str:
    return scoring.name.replace(" ", "-")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return _number(value) if value is None or low is None else f"{_number(value)} [{_number(low)}, {_number(high)}]"


def _outcome(bar: Bar) -> str:
    state = "met" if bar.met else f"**missed by {abs(bar.value - bar.bar):.3f}**"
    return f"{_interval(bar.value, bar.low, bar.high)}: {state}"


def _bars(result: ValidationResult) -> str:
    named = {name: {b.name: b for b in bars if "nuisance" not in b.name} for name, bars in result.bars().items()}
    first = next(iter(named.values()))
    rows = [[name, _number(bar.bar), *(_outcome(own[name]) for own in named.values())] for name, bar in first.items()]
    return _table(["requirement", "bar", *named], rows)


def _beaten(result: ValidationResult) -> str:
    lines = []
    for name, bars in result.bars().items():
        own = [b for b in bars if "nuisance" in b.name]
        missed = [b for b in own if not b.met]
        closest = min(own, key=lambda b: b.value - b.bar)
        lines.append(
            f"Nuisance metrics, {name}: beaten on {len(own) - len(missed)} of {len(own)} kinds and data sets; the "
            f"closest is {closest.name}: {closest.value:.3f} against {closest.bar:.3f}."
            + "".join(f" Not beaten: {b.name}, by {b.bar - b.value:.3f}." for b in missed)
        )
    return "\n\n".join(lines)


def _labels(result: ValidationResult) -> str:
    a = result.labels
    facets = _interval(a.facets.f1, a.facets.low, a.facets.high)
    return (
        f"Two annotators on the locked half: Cohen's κ {a.claim_kappa:.2f} on {a.claims} claims (supported, "
        f"unsupported, not judged), {a.judged_kappa:.2f} on the {a.judged} that both judged (the same label for "
        f"{a.judged_agreement:.1%}), {a.question_kappa:.2f} on {a.questions} questions (hallucinated or not); what the "
        f"claims of a question are: facet F1 {facets}. Two language models may err alike: this bounds carelessness, "
        "not shared bias."
    )


def _outputs(scoring: Scoring) -> str:
    rows = [
        [
            labelling, _interval(a.balanced, a.low, a.high), _number(a.auc), _number(a.supported_kept),
            _number(a.unsupported_found), f"{a.supported} / {a.unsupported}",
            ", ".join(f"{kind} {value:.2f}" for kind, value in a.by_kind.items()),
            ", ".join(f"{source} {value:.2f}" for source, value in a.by_source.items()),
        ]
        for labelling, a in scoring.outputs.items()
    ]  # fmt: skip
    head = [
        "labels", "balanced accuracy", "AUC", "supported kept", "unsupported found", "claims", "by kind", "by source",
    ]  # fmt: skip
    notes = "".join(f" {note[0].upper()}{note[1:]}." for note in scoring.notes)
    return (
        f"### Claims, {scoring.name}\n\nSignature: `{scoring.signature}`.{notes}\n\n{_table(head, rows)}\n\n"
        f"![Support of labelled claims](metrics-support-{_slug(scoring)}.svg)"
    )


def _questions(scoring: Scoring) -> str:
    names = list(dict.fromkeys(name for own in scoring.questions.values() for name in own))
    rows = [[label, *(_number(own.get(name)) for name in names)] for label, own in scoring.questions.items()]
    return f"{scoring.name[0].upper()}{scoring.name[1:]}:\n\n" + _table(["labels: good is", *names], rows)


def _fault_section(scoring: Scoring) -> str:
    parts = [
        f"### Faults, {scoring.name}",
        f"![AUC by kind of fault](metrics-faults-{_slug(scoring)}.svg)",
        *(f"**{name}**: {_faults(report)}" for name, report in scoring.faults.items()),
    ]
    return "\n\n".join(parts)


def _faults(report: FaultReport) -> str:
    names = list(dict.fromkeys(m for own in report.separations.values() for m in own))
    order = [n for n in names if n not in NUISANCE] + [n for n in names if n in NUISANCE]
    kinds = [k for k in KINDS if k in report.separations]
    head = ["metric", *(KINDS[k] for k in kinds)]
    rows = [["questions that it applies to", *(f"{report.applies[k]:.0%}" for k in kinds)]]
    for name in order:
        cells = []
        for kind in kinds:
            found = report.separations[kind].get(name)
            if found is None or found.auc is None:
                cells.append("–")
            elif kind in CONTROLS:
                cells.append(f"moved {_number(found.moved)}")
            else:
                cells.append(_interval(found.auc, found.auc_low, found.auc_high))
        rows.append([f"*{name}*" if name in NUISANCE else name, *cells])
    paired = [
        _number(s.paired) if (s := report.separations[k].get("headline")) is not None and k not in CONTROLS else "–"
        for k in kinds
    ]
    rows.append(["headline, paired accuracy", *paired])
    gold = report.gold["headline"]
    return f"{report.items} questions; mean headline of gold {_number(gold['mean'])}.\n\n" + _table(head, rows)


def _references(scoring: Scoring) -> str:
    rows = [
        [name if name != "headline" else f"headline, {scoring.name}", _interval(s.auc, s.auc_low, s.auc_high),
         _number(s.paired), str(s.n)]
        for name, s in scoring.references.items()
    ]  # fmt: skip
    return _table(["metric", "AUC", "paired accuracy", "pairs"], rows)


def _claims(result: ValidationResult) -> str:
    rows = [
        [
            labelling, _interval(c.f1, c.low, c.high), _number(c.precision), _number(c.recall), _number(c.exact_f1),
            _number(c.kind_accuracy), f"{c.questions} / {c.claims}",
            ", ".join(f"{source} {value:.2f}" for source, value in c.by_source.items()),
        ]
        for labelling, c in {**result.claims, "second annotator against the first": result.labels.facets}.items()
    ]  # fmt: skip
    head = ["labels", "facet F1", "precision", "recall", "exact F1", "kind right", "questions / claims", "F1 by source"]
    return _table(head, rows)
