"""The page of a screening: for each question a table of the variants, what each changes, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rac.progress import format_seconds
from rac.report.build import metric_infos
from rac.report.data import ReportData, Table, shown_metrics
from rac.report.markdown import differences_table, escape, metrics_table, seed_means


def render_screening(result: Mapping[str, Any]) -> str:
    """Return the content of ``screening.json`` as Markdown."""
    several = f" with {len(result['seeds'])} seeds" if result["seeds"] else ""
    lines = [f"# Screening of the recipe {escape(result['recipe'])}{several}", ""]
    if result["about"]:
        lines += [escape(result["about"]), ""]
    lines += [
        "Written by `rac screen`. One choice at a time differs from the baseline; all are asked the same queries, "
        "which come from the training side and were not trained on. Intervals are 95 % (cluster bootstrap).",
        "",
    ]
    if result["seeds"]:
        seeds = ", ".join(map(str, result["seeds"]))
        lines += [
            f"Every variant was trained with the seeds {seeds}; each seed asks queries of its own, and the tables are "
            "over the queries of all. Pairs and times are the mean of the seeds.",
            "",
        ]
    if result["settings"]:
        lines += ["Every variant has " + _settings(result["settings"]) + ".", ""]
    for entry in result["questions"]:
        lines += _question(entry)
    return "\n".join(lines).rstrip() + "\n"


def _question(entry: Mapping[str, Any]) -> list[str]:
    made = entry["table"]
    table = Table(made["name"], made["systems"], made["comparisons"], made["note"])
    metrics = shown_metrics(ReportData("", metric_infos(), [table]), table)
    lines = [f"## {escape(table.name)}", ""]
    if entry["finding"]:
        lines += [escape(entry["finding"]), ""]
    lines += [
        escape(" ".join([table.note, *(f"{note}." for note in entry["notes"])])),
        "",
        metrics_table(table, metrics),
        "",
    ]
    baseline = next(iter(table.systems))
    lines += differences_table(table, [m for m in metrics if m.better], baseline)
    if entry["by_seed"]:
        lines += seed_means(entry["by_seed"], metrics)
    lines += ["| variant | changes | pairs | time of pairs and stage 2 |", "| --- | --- | ---: | ---: |"]
    for name, cost in entry["cost"].items():
        changes = _settings(entry["settings"][name]) if name in entry["settings"] else "nothing"
        lines.append(f"| {escape(name)} | {changes} | {cost['pairs']} | {format_seconds(cost['seconds'])} |")
    return [*lines, ""]


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}: {_value(value)}`" for key, value in settings.items()) or "nothing"


def _value(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)
