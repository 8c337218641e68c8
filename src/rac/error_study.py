"""The error study: outputs of mixed systems, read and labelled blind, and what the labels say about the metrics.

A sheet is one of ``rac.annotate`` (shuffled, systems hidden, which is which in ``key.json``) with a yes-or-no column
for each fault instead of grades. A filled sheet gives the share of each fault by system, and how well each metric sees
the fault that it is meant to see.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rac.annotate import KEY_SCHEMA, Asked, items_of, new_folder, read_key, sheet_rows, sheet_text
from rac.errors import DataError, UserError
from rac.files import write_json, write_text
from rac.metrics.catalog import METRICS
from rac.metrics.significance import bootstrap_ci
from rac.metrics.validation import auc
from rac.report.data import MetricInfo, format_value
from rac.report.markdown import escape
from rac.report.stored import StoredRun

LABELS = ("unsupported_option", "wrong_presupposition", "same_option_twice", "ungrammatical", "useless")
COLUMNS = ("item", "query", "passages", "question", *LABELS, "comment")
SUPPORTED = "not_supported"
"""A label made of others: an unsupported option or a wrong presupposition."""

WATCHED: dict[str, tuple[str, ...]] = {
    "unsupported_option": ("hallucinated_option", "unsupported", "faith_option"),
    "wrong_presupposition": ("hallucinated_attribute", "faith_attribute"),
    SUPPORTED: ("hallucinated", "faith", "headline", "parent_q_precision", "grounding"),
    "same_option_twice": ("same_option",),
    "useless": ("info", "headline"),
}
"""Which metrics are meant to see which fault."""

RESAMPLES = 2000
GUIDELINE = """# How to label questions

Somebody typed an ambiguous **query**. A search assistant found the **passages** and may ask one **question** before it
answers. Write 1 under each fault that the question has and 0 under each that it has not. Leave a cell empty if you
cannot decide, and say why under *comment*. Use the passages only, not what you know. Who asked is hidden; do not guess.

- **unsupported_option**: an option that is offered is not carried by *one* passage. An attribute of one passage joined
  to the name of another is not carried. Other words for the same thing are. The query's own words need no support.
- **wrong_presupposition**: what the question takes for granted beside its options is not carried by the passages.
- **same_option_twice**: two options mean the same, so that the answer tells nothing between them.
- **ungrammatical**: not one understandable English question.
- **useless**: the answer would not tell which passage is meant, for whatever reason ("What do you mean?", options that
  fit every passage or none).
"""


@dataclass(frozen=True)
class Agreement:
    """How a metric goes with a label.

    Attributes:
        label: The fault.
        metric: The metric.
        faulty: Outputs with the fault that the metric scored.
        sound: Outputs without it.
        auc: Share of (faulty, sound) pairs that the metric puts in the right order; None if one side is empty.
        low: Lower end of its 95 % interval (outputs resampled).
        high: Upper end.
        found: For a yes-or-no metric: share of the faulty that it flags.
        false_alarms: For a yes-or-no metric: share of the sound that it flags.
    """

    label: str
    metric: str
    faulty: int
    sound: int
    auc: float | None
    low: float | None
    high: float | None
    found: float | None = None
    false_alarms: float | None = None


def export_errors(asked: Sequence[Asked], folder: Path | str, *, items: int = 100, seed: int = 0) -> dict[str, int]:
    """Write ``sheet.csv``, ``guideline.md`` and ``key.json``.

    Args:
        asked: The questions of all systems.
        folder: A new or empty directory.
        items: Outputs to read, about as many of each system, each for another query where there are enough.
        seed: Of drawing and shuffling.

    Returns:
        Outputs by system (one that two systems asked word for word counts for both).

    Raises:
        UserError: if there is nothing to label, or the folder is not empty.
    """
    folder = new_folder(folder)
    usable = [a for a in asked if a.question.strip()]
    if not usable:
        raise UserError("no question has a word in it, so there is nothing to label; give a run with questions")
    drawn = draw(usable, items, seed)
    made = items_of(drawn, seed)
    order = sorted(made)
    random.Random(f"{seed}|order").shuffle(order)
    write_text(folder / "sheet.csv", sheet_text([made[name] for name in order], COLUMNS))
    write_text(folder / "guideline.md", GUIDELINE)
    key = {name: {k: v for k, v in item.items() if k not in ("query", "passages")} for name, item in made.items()}
    write_json(
        folder / "key.json",
        {"schema": KEY_SCHEMA, "form": "errors", "seed": seed, "sheets": ["sheet.csv"], "items": key},
    )
    counts: dict[str, int] = {}
    for item in made.values():
        for system in item["systems"]:
            counts[system] = counts.get(system, 0) + 1
    return counts


def draw(asked: Sequence[Asked], items: int, seed: int) -> list[Asked]:
    """Draw outputs: systems in turn, each time a query that no drawn output is for, as long as there are any."""
    rng = random.Random(f"{seed}|errors")
    by_system: dict[str, list[Asked]] = {}
    for one in sorted(asked, key=lambda a: (a.system, a.id)):
        by_system.setdefault(one.system, []).append(one)
    for own in by_system.values():
        rng.shuffle(own)
    systems = sorted(by_system)
    rng.shuffle(systems)
    drawn: list[Asked] = []
    used: set[str] = set()
    while len(drawn) < items and any(by_system.values()):
        for system in systems:
            own = by_system[system]
            if not own or len(drawn) == items:
                continue
            place = next((i for i, a in enumerate(own) if a.id not in used), 0)
            drawn.append(own.pop(place))
            used.add(drawn[-1].id)
    return drawn


def read_errors(key: Path | str, sheet: Path | str) -> dict[str, dict[str, Any]]:
    """Read a filled sheet.

    Args:
        key: ``key.json``, or the folder that it lies in.
        sheet: The filled CSV file.

    Returns:
        Item name -> its entry of the key (with ``query`` of the sheet), ``labels`` (label -> whether, None where left
        empty, ``not_supported`` included) and ``comment``.

    Raises:
        DataError: naming file and line: a missing column, an unknown or repeated item, a label that is not 0 or 1.
        UserError: if nothing is filled in.
    """
    stored, sheet = read_key(key, "errors", "an error study"), Path(sheet)
    found: dict[str, dict[str, Any]] = {}
    for line, name, row in sheet_rows(sheet, stored["items"], LABELS):
        labels = {label: _label(row[label], sheet, line, label) for label in LABELS}
        labels[SUPPORTED] = _any([labels["unsupported_option"], labels["wrong_presupposition"]])
        found[name] = {
            **stored["items"][name], "query": row.get("query") or "", "labels": labels,
            "comment": (row.get("comment") or "").strip(),
        }  # fmt: skip
    if all(value is None for item in found.values() for value in item["labels"].values()):
        raise UserError(f"nothing is filled in in {sheet}; write 0 or 1 into the columns {', '.join(LABELS)}")
    return found


def _label(cell: str | None, path: Path, line: int, label: str) -> bool | None:
    text = (cell or "").strip()
    if text not in ("", "0", "1"):
        raise DataError(path, f"'{text[:20]}' is no label; a label is 0, 1 or empty", line=line, field=label)
    return None if not text else text == "1"


def _any(labels: Sequence[bool | None]) -> bool | None:
    """Return whether one of the labels is true; None where that hangs on one that was left open."""
    if any(labels):
        return True
    return None if None in labels else False


def _sound(labels: Mapping[str, bool | None]) -> bool | None:
    """Return whether an output has no fault; None where that hangs on a label that was left open."""
    faulty = _any(list(labels.values()))
    return None if faulty is None else not faulty


def agreements(
    items: Mapping[str, Mapping[str, Any]], run: StoredRun, source: str, *, seed: int = 0
) -> list[Agreement]:
    """Return how each metric goes with the fault that it is meant to see.

    Args:
        items: A filled sheet.
        run: The run that the outputs are of; its scores are read.
        source: Which D the sheet showed.
        seed: Of the resampling.
    """
    place = {one.id: number for number, one in enumerate(run.asked[source])}
    found = []
    for label, metrics in WATCHED.items():
        for metric in metrics:
            pairs: list[tuple[bool, float]] = []
            for item in items.values():
                columns = [run.scores[source].get(system, {}).get(metric) for system in item["systems"]]
                # One question that several systems asked has one score.
                column = next((c for c in columns if c is not None), None)
                value = column[place[item["id"]]] if column is not None and item["id"] in place else None
                if value is not None and item["labels"][label] is not None:
                    pairs.append((item["labels"][label], float(value)))
            found.append(_agreement(label, metric, pairs, seed))
    return found


def _agreement(label: str, metric: str, pairs: Sequence[tuple[bool, float]], seed: int) -> Agreement:
    sign = -1.0 if METRICS[metric].better == "higher" else 1.0
    faulty = np.array([sign * value for fault, value in pairs if fault])
    sound = np.array([sign * value for fault, value in pairs if not fault])
    if not len(faulty) or not len(sound):
        return Agreement(label, metric, len(faulty), len(sound), None, None, None)
    rng = np.random.default_rng(seed)
    samples = [auc(rng.choice(faulty, len(faulty)), rng.choice(sound, len(sound))) for _ in range(RESAMPLES)]
    low, high = np.percentile(samples, [2.5, 97.5])
    flags = METRICS[metric].percent
    return Agreement(
        label, metric, len(faulty), len(sound), auc(faulty, sound), float(low), float(high),
        float((faulty > 0).mean()) if flags else None, float((sound > 0).mean()) if flags else None,
    )  # fmt: skip


def render_errors(
    items: Mapping[str, Mapping[str, Any]], run: StoredRun, source: str, *, labelled_by: str, notes: str = "",
    examples: int = 3, seed: int = 0,
) -> str:  # fmt: skip
    """Return the study as a page: faults by system, agreement with the metrics, examples.

    Args:
        items: A filled sheet.
        run: The run that the outputs are of.
        source: Which D the sheet showed.
        labelled_by: Who or what labelled, as the page shall say it.
        notes: Markdown put behind the tables, such as what was fixed because of it.
        examples: Outputs shown of each fault.
        seed: Of the resampling.

    Raises:
        UserError: if the run asked something else than what was labelled, as after another training.
    """
    run.check_outputs(
        source, ((item["id"], system, item["question"]) for item in items.values() for system in item["systems"])
    )
    systems = [s for s in run.metrics["tables"][0]["systems"] if any(s in item["systems"] for item in items.values())]
    lines = [
        "# Error study",
        "",
        f"{len(items)} outputs of the run {escape(run.name)} (D = {source}), systems mixed and hidden, read and "
        f"labelled by {escape(labelled_by)}. Written by `rac annotate error-report`. Intervals are 95 %.",
        "",
        *("> " + line if line else ">" for line in GUIDELINE.splitlines()[2:]),
        "",
        "## Faults by system",
        "",
        "| system | outputs | " + " | ".join(_title(label) for label in (*LABELS, SUPPORTED)) + " | no fault |",
        "| --- | ---: |" + " ---: |" * (len(LABELS) + 2),
    ]
    for system in [*systems, "all"]:
        own = [item for item in items.values() if system in ("all", *item["systems"])]
        cells = [
            _share([item["labels"][label] for item in own], own, seed) for label in (*LABELS, SUPPORTED)
        ]  # fmt: skip
        cells.append(_share([_sound(item["labels"]) for item in own], own, seed))
        lines.append(f"| {escape(system)} | {len(own)} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "## Agreement of the metrics with the labels",
        "",
        "AUC is how often the metric puts a faulty output below a sound one. For a metric that says yes or no: the "
        "share of faulty outputs that it flags, and of sound ones.",
        "",
        "| fault | metric | faulty | sound | AUC | flags of faulty | flags of sound |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in agreements(items, run, source, seed=seed):
        where = "–" if one.auc is None else f"{one.auc:.2f} ({one.low:.2f} to {one.high:.2f})"
        shares = ["–" if value is None else f"{100 * value:.0f} %" for value in (one.found, one.false_alarms)]
        title = escape(METRICS[one.metric].label)
        lines.append(f"| {_title(one.label)} | {title} | {one.faulty} | {one.sound} | {where} | {' | '.join(shares)} |")
    lines.append("")
    if notes.strip():
        lines += [notes.strip(), ""]
    lines += ["## Examples", ""]
    for label in LABELS:
        shown = [item for _, item in sorted(items.items()) if item["labels"][label]][:examples]
        if shown:
            lines += [f"**{_title(label)}**", ""]
        for item in shown:
            comment = f" ({escape(item['comment'])})" if item["comment"] else ""
            who = ", ".join(item["systems"])
            lines.append(f"- {escape(item['query'])} → {escape(item['question'])} [{escape(who)}]{comment}")
        lines.append("" if shown else f"No output has the fault {_title(label)}.")
        if not shown:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _title(label: str) -> str:
    return "unsupported option or presupposition" if label == SUPPORTED else label.replace("_", " ")


def _share(values: Sequence[bool | None], items: Sequence[Mapping[str, Any]], seed: int) -> str:
    found = bootstrap_ci(values, [item["cluster"] for item in items], seed, RESAMPLES)
    info = MetricInfo("share", percent=True)
    if found.mean is None:
        return "–"
    ends = "" if found.low is None else f" ({format_value(found.low, info)} to {format_value(found.high, info)})"
    return format_value(found.mean, info) + ends
