"""One self-contained HTML file from a ``ReportData``: tables, statements of significance, plots, browsable questions.

The page loads nothing: style and script stand in it and a content security policy forbids everything else, with the
hashes of exactly these two. Texts from outside are escaped in the tables and enter the question browser as JSON that
the script writes as text, never as HTML.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections import defaultdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from rac.errors import UserError
from rac.files import write_text
from rac.report.data import (
    ComparisonRow,
    MetricInfo,
    ReportData,
    Summary,
    Table,
    best_systems,
    format_p,
    format_value,
    groups,
    is_tested,
    is_unsure,
    order_statement,
    shown_metrics,
)
from rac.report.plots import distribution_plot

MAX_QUERIES = 600
"""Queries in the question browser at most (a page of about 5 MB with six systems); the rest is counted on the page."""

LONG_NOTES = 400
"""Characters of notes from which they are folded away."""


def write_report(path: Path | str, data: ReportData, *, max_queries: int = MAX_QUERIES) -> None:
    """Write the report as one HTML file, atomically.

    Raises:
        UserError: if the data does not fit together (``ReportData.check``).
    """
    write_text(path, render_report(data, max_queries=max_queries))


def render_report(data: ReportData, *, max_queries: int = MAX_QUERIES) -> str:
    """Return the report as HTML text.

    Args:
        data: What to show.
        max_queries: With more queries than this, the browser holds the worst and the best halves of this number by
            the mean headline over the systems; tables and plots always cover everything.

    Raises:
        UserError: if the data does not fit together, or ``max_queries`` is less than 2.
    """
    if max_queries < 2:
        raise UserError(f"max_queries is {max_queries}, but the browser shows worst and best queries; give 2 or more")
    data.check()
    style, script = _asset("report.css"), _asset("report.js")
    kept, left_out = choose_queries(data, max_queries)
    page = _template().render(
        data=data,
        tables=[_table_view(data, table) for table in data.tables],
        plots=_plots(data),
        notes_are_long=sum(map(len, data.notes)) > LONG_NOTES,
        about=_shown_anywhere(data),
        left_out=left_out,
        payload=Markup(script_json(_payload(data, kept))),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return page + "\n"


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a ``<script>`` element: no character in it can end or open markup."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def choose_queries(data: ReportData, limit: int) -> tuple[set[str], str]:
    """Return the ids of the queries that the browser holds, and a sentence if that is not all of them."""
    ids = [query["id"] for query in data.queries]
    if len(ids) <= limit:
        return set(ids), ""
    scores: dict[str, list[float]] = defaultdict(list)
    for item in data.items:
        value = item["scores"].get(data.headline)
        if value is not None:
            scores[item["id"]].append(value)
    means = {i: sum(scores[i]) / len(scores[i]) for i in ids if scores[i]}
    ranked = sorted(means, key=means.__getitem__)
    # Queries without a score are neither the worst nor the best: they are the first to be left out.
    middle = len(ranked) // 2
    ranked[middle:middle] = [i for i in ids if i not in means]
    half = limit // 2
    kept = set(ranked[: limit - half]) | set(ranked[-half:])
    return kept, (
        f"of {len(ids)} queries the browser holds {len(kept)}: those with the lowest and the highest mean "
        f"{data.headline}; the tables and plots cover all of them, and the scores files hold every question."
    )


@functools.cache
def _asset(name: str) -> str:
    return files("rac.report").joinpath(name).read_text(encoding="utf-8")


def _template() -> Any:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("template.html"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _shown_anywhere(data: ReportData) -> list[MetricInfo]:
    names = {metric.name for table in data.tables for metric in shown_metrics(data, table)}
    return [metric for metric in data.metrics if metric.name in names]


def _plots(data: ReportData) -> list[tuple[str, list[tuple[MetricInfo, Markup]]]]:
    """Return for each group of metrics its plots."""
    values: dict[str, dict[str, list[float | None]]] = {}
    for item in data.items:
        for name, value in item["scores"].items():
            values.setdefault(name, {system: [] for system in data.systems})[item["system"]].append(value)
    drawn = []
    for group, metrics in groups(shown_metrics(data, data.tables[0])).items():
        own = []
        for metric in metrics:
            summaries = {s: row[metric.name] for s, row in data.tables[0].systems.items() if metric.name in row}
            plot = distribution_plot(metric, values.get(metric.name, {}), summaries)
            if plot:
                own.append((metric, plot))
        if own:
            drawn.append((group, own))
    return drawn


def _payload(data: ReportData, kept: set[str]) -> dict[str, Any]:
    metrics = [
        {"name": m.name, "label": m.title, "percent": m.percent, "better": m.better, "group": m.group}
        for m in _shown_anywhere(data)
    ]
    return {
        "headline": data.headline,
        "systems": data.systems,
        "metrics": metrics,
        "queries": [query for query in data.queries if query["id"] in kept],
        "items": [item for item in data.items if item["id"] in kept],
    }


def _table_view(data: ReportData, table: Table) -> dict[str, Any]:
    grouped = groups(shown_metrics(data, table))
    views = [
        _group_view(data, table, name, metrics, first=index == 0)
        for index, (name, metrics) in enumerate(grouped.items())
    ]
    return {"name": table.name, "note": table.note, "passages": table.passages, "groups": views}


def _group_view(data: ReportData, table: Table, name: str, metrics: list[MetricInfo], *, first: bool) -> dict[str, Any]:
    best = {metric.name: best_systems(table, metric) for metric in metrics}
    rows = [
        {"system": system, "cells": [_cell(summaries.get(m.name), m, system, best[m.name]) for m in metrics]}
        for system, summaries in table.systems.items()
    ]
    names = {metric.name: metric for metric in metrics}
    tests = [row for row in table.comparisons if row["metric"] in names]
    statements = [
        (metric, order_statement(table, metric, data.alpha), _unsure(tests, metric))
        for metric in metrics
        if any(row["metric"] == metric.name for row in tests)
    ]
    return {
        "name": name, "metrics": metrics, "rows": rows, "open": first, "statements": statements,
        "orders_in_words": _orders_in_words(tests),
        "tests": [_test_view(row, names[row["metric"]]) for row in tests],
    }  # fmt: skip


def _unsure(tests: list[ComparisonRow], metric: MetricInfo) -> bool:
    return any(row["metric"] == metric.name and is_unsure(row) for row in tests)


def _orders_in_words(tests: list[ComparisonRow]) -> str:
    unsure, tested = sum(map(is_unsure, tests)), sum(map(is_tested, tests))
    untested = f", {len(tests) - tested} not tested" if tested < len(tests) else ""
    return f"{tested - unsure} of {tested}" + (f", {unsure} not" if unsure else "") + untested


def _cell(
    summary: Summary | None, metric: MetricInfo, system: str, best: tuple[str | None, set[str]]
) -> dict[str, Any]:
    if summary is None:
        return {"missing": True}
    count = ""
    if summary["unscored"] or summary["mean"] is None:
        count = f"n = {summary['n']}, {summary['unscored']} unscored"
    interval = ""
    if summary["low"] is not None and summary["high"] is not None:
        interval = f"[{format_value(summary['low'], metric)}, {format_value(summary['high'], metric)}]"
    return {
        "missing": False, "mean": format_value(summary["mean"], metric), "interval": interval, "count": count,
        "best": best[0] == system, "near": system in best[1],
    }  # fmt: skip


def _test_view(row: ComparisonRow, metric: MetricInfo) -> dict[str, str]:
    difference = format_value(row["difference"], metric)
    if row["low"] is not None and row["high"] is not None:
        difference += f" [{format_value(row['low'], metric)}, {format_value(row['high'], metric)}]"
    effect = row.get("effect")
    verdict = "not tested" if not is_tested(row) else "yes" if row["significant"] else "no"
    return {
        "metric": metric.title, "a": row["a"], "b": row["b"], "difference": difference,
        "effect": "–" if effect is None else f"{effect:.2f}",
        "p": format_p(row["p"]), "p_holm": format_p(row["p_holm"]), "verdict": verdict,
    }  # fmt: skip
