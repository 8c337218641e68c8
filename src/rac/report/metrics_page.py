"""``docs/metrics.md``: definitions, and what the validation measured, with tables and plots."""

from __future__ import annotations

from pathlib import Path

from rac.files import read_text, write_text
from rac.metrics.output_validation import ClaimAccuracy
from rac.metrics.validation import NUISANCE, FaultReport
from rac.metrics.validation_run import ValidationResult

DEFINITIONS = Path(__file__).parent / "metrics_definitions.txt"
KINDS = {
    "a": "another query's question", "b": "one option of a donor", "c1": "near number or date", "c2": "sibling type",
    "c3": "sibling place or person", "c4": "attributes recombined", "d": "empty", "e": "same option twice",
    "f": "control: other wording",
}  # fmt: skip
PLOT = "metrics-faults.svg"


def write_page(path: Path, result: ValidationResult) -> None:
    """Write the page and its plot beside it."""
    write_text(path.with_name(PLOT), faults_plot(next(iter(result.faults.values()))))
    write_text(path, render_page(result))


def render_page(result: ValidationResult) -> str:
    """Return the page as Markdown."""
    parts = [
        "# Metrics: what they measure, and how far they can be trusted",
        "Written by `rac validate-metrics`; do not edit by hand.",
        f"Signature: `{result.signature}`.",
        *(f"Note: {note}." for note in result.notes),
        read_text(DEFINITIONS).strip(),
        "## Requirements",
        _bars(result),
        "## Labelled outputs of models (primary)",
        "300 questions by four systems, claims labelled before anything was tuned on them (guideline: "
        "`docs/claims.md`, origin: "
        "`src/rac/metrics/validation_data/README.md`). The annotator was a language model working on this project.",
        _outputs(result.outputs),
        "AUC per question: does a metric put faithful questions above those with an unsupported claim?",
        _questions(result.questions),
        "## Controlled faults",
        "AUC of supported gold questions against their faulty twins, 95 % intervals over clusters in brackets; 0.5 "
        "is chance. "
        "Nuisance metrics (overlap with the query, length, perplexity) count in their better direction.",
        f"![AUC by kind of fault]({PLOT})",
        *[f"### {name}\n\n{_faults(report)}" for name, report in result.faults.items()],
        "## Reference metrics where the question is not its own reference",
        "A supported question in other wording and order against the gold question with one claim altered; gold is "
        "the reference of "
        "both. 0 means that the altered question always scores higher.",
        _references(result),
        "## Claims",
        _claims(result),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _bars(result: ValidationResult) -> str:
    rows = [
        [
            bar.name,
            _number(bar.value),
            _number(bar.bar),
            "met" if bar.met else f"missed by {abs(bar.value - bar.bar):.3f}",
        ]
        for bar in result.bars()
    ]
    return _table(["requirement", "measured", "bar", ""], rows)


def _outputs(outputs: dict[str, ClaimAccuracy]) -> str:
    rows = [
        [
            half, f"{a.balanced:.3f} [{a.low:.3f}, {a.high:.3f}]", _number(a.auc), _number(a.supported_kept),
            _number(a.unsupported_found), f"{a.supported} / {a.unsupported}",
            ", ".join(f"{source} {value:.2f}" for source, value in a.by_source.items()),
        ]
        for half, a in outputs.items()
    ]  # fmt: skip
    head = ["half", "balanced accuracy", "AUC", "supported kept", "unsupported found", "claims", "by source"]
    return _table(head, rows)


def _questions(questions: dict[str, dict[str, float]]) -> str:
    names = list(dict.fromkeys(name for own in questions.values() for name in own))
    rows = [[half, *(_number(own.get(name)) for name in names)] for half, own in questions.items()]
    return _table(["half", *names], rows)


def _faults(report: FaultReport) -> str:
    names = list(dict.fromkeys(m for own in report.separations.values() for m in own))
    order = [n for n in names if n not in NUISANCE] + [n for n in names if n in NUISANCE]
    kinds = [k for k in KINDS if k in report.separations]
    head = ["metric", *(f"({k}) {KINDS[k]}" for k in kinds)]
    rows = [["applies to", *(f"{report.applies[k]:.0%}" for k in kinds)]]
    for name in order:
        cells = []
        for kind in kinds:
            found = report.separations[kind].get(name)
            if found is None or found.auc is None:
                cells.append("–")
            elif kind == "f":
                cells.append(f"moved {_number(found.moved)}")
            else:
                cells.append(f"{found.auc:.3f} [{_number(found.auc_low)}, {_number(found.auc_high)}]")
        rows.append([f"*{name}*" if name in NUISANCE else name, *cells])
    paired = [
        _number(s.paired) if (s := report.separations[k].get("headline")) is not None and k != "f" else "–"
        for k in kinds
    ]
    rows.append(["headline, paired accuracy", *paired])
    gold = report.gold["headline"]
    return f"{report.items} questions; mean headline of gold {_number(gold['mean'])}.\n\n" + _table(head, rows)


def _references(result: ValidationResult) -> str:
    rows = [
        [name, _number(s.auc), f"[{_number(s.auc_low)}, {_number(s.auc_high)}]", _number(s.paired), str(s.n)]
        for name, s in result.references.items()
    ]
    return _table(["metric", "AUC", "95 %", "paired accuracy", "pairs"], rows)


def _claims(result: ValidationResult) -> str:
    rows = [
        [
            half,
            f"{c.f1:.3f} [{c.low:.3f}, {c.high:.3f}]", _number(c.precision), _number(c.recall), _number(c.exact_f1),
            _number(c.kind_accuracy), f"{c.questions} / {c.claims}",
            ", ".join(f"{source} {value:.2f}" for source, value in c.by_source.items()),
        ]
        for half, c in result.claims.items()
    ]  # fmt: skip
    head = ["half", "facet F1", "precision", "recall", "exact F1", "kind right", "questions / claims", "F1 by source"]
    return _table(head, rows)


def faults_plot(report: FaultReport) -> str:
    """Draw AUC by kind of fault for headline, faith_strict and the best nuisance metric, as SVG."""
    kinds = [k for k in KINDS if k in report.separations and k != "f"]
    left, right, row, top = 190, 40, 26, 34
    width, height = 640, top + row * len(kinds) + 34

    def x(value: float) -> float:
        return left + (max(value, 0.4) - 0.4) / 0.6 * (width - left - right)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        lines.append(f'<line x1="{x(tick):.1f}" y1="{top - 6}" x2="{x(tick):.1f}" y2="{height - 28}" stroke="#ddd"/>')
        lines.append(f'<text x="{x(tick):.1f}" y="{height - 12}" text-anchor="middle" fill="#444">{tick}</text>')
    marks = (("headline", "#1f5fa8", 5), ("faith_strict", "#2e8b57", 4))
    for index, kind in enumerate(kinds):
        y = top + row * index + row / 2
        own = report.separations[kind]
        lines.append(f'<text x="8" y="{y + 4:.1f}" fill="#222">({kind}) {KINDS[kind]}</text>')
        nuisance = max((own[n].auc or 0.0) for n in NUISANCE if n in own)
        lines.append(f'<rect x="{x(nuisance) - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="#c0392b"/>')
        for name, colour, radius in marks:
            if (found := own.get(name)) is not None and found.auc is not None:
                lines.append(
                    f'<circle cx="{x(found.auc):.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" opacity="0.85"/>'
                )
    legend = "AUC: blue headline, green faith_strict, red square best nuisance metric"
    lines.append(f'<text x="8" y="18" fill="#222">{legend}</text></svg>')
    return "\n".join(lines) + "\n"
