"""The report's tables as Markdown, for terminals, READMEs and pull requests; same numbers as the HTML page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rac.files import write_text
from rac.metrics.significance import ALPHA
from rac.report.data import (
    ComparisonRow,
    ItemRow,
    MetricInfo,
    QueryRow,
    ReportData,
    Summary,
    Table,
    best_systems,
    format_p,
    format_value,
    groups,
    order_statement,
    plain,
    shown_metrics,
)


def write_markdown(path: Path | str, data: ReportData, *, examples: int = 3) -> None:
    """Write the report as Markdown, atomically."""
    write_text(path, render_markdown(data, examples=examples))


def render_markdown(data: ReportData, *, examples: int = 3) -> str:
    """Return title, notes, all tables with intervals and statements, and the worst and best questions.

    Args:
        data: What to show.
        examples: Number of worst and of best questions per system; 0 for none.
    """
    data.check()
    lines = [f"# {escape(data.title)}", ""]
    if data.passages_used:
        lines += [f"D: {escape(data.passages_used)}", ""]
    if data.signature:
        lines += [f"Signature: {escape(data.signature)}", ""]
    lines += [f"> **Note:** {escape(warning)}\n" for warning in data.warnings]
    lines += [f"- {escape(note)}" for note in data.notes]
    if data.notes:
        lines.append("")
    for table in data.tables:
        lines += [f"## {escape(table.name)}", ""]
        if table.passages:
            lines += [f"D: {escape(table.passages)}", ""]
        if table.note:
            lines += [escape(table.note), ""]
        for name, metrics in groups(shown_metrics(data, table)).items():
            lines += [f"### {escape(name)}", "", metrics_table(table, metrics), "", *_statements(data, table, metrics)]
    if examples and data.items:
        lines += _examples(data, examples)
    return "\n".join(lines).rstrip() + "\n"


def metrics_table(table: Table, metrics: Sequence[MetricInfo]) -> str:
    """Return systems x metrics as a Markdown table: mean and interval; **bold** is best, ≈ not significantly worse.

    n is given in a cell where not every question could be scored.
    """
    header = ["system", *(escape(metric.heading) for metric in metrics)]
    best = {metric.name: best_systems(table, metric) for metric in metrics}
    rows = [
        [escape(system), *(_cell(summaries.get(m.name), m, system, best[m.name]) for m in metrics)]
        for system, summaries in table.systems.items()
    ]
    return "\n".join(
        [_row(header), _row(["---", *("---:" for _ in metrics)]), *(_row(row) for row in rows)]
    )  # fmt: skip


def differences_table(table: Table, metrics: Sequence[MetricInfo], system: str = "rac") -> list[str]:
    """Return a system minus every other one: difference, interval, corrected p; nothing without that system."""
    if system not in table.systems:
        return []
    lines = [
        f"`{system}` minus each other system, with its interval; p after Holm's correction over all pairs of the "
        f"metric, in bold where it is at most {ALPHA:g}:",
        "",
        _row(["system", *(escape(m.title) for m in metrics)]),
        _row(["---", *("---:" for _ in metrics)]),
    ]
    for other in table.systems:
        if other != system:
            lines.append(_row([escape(other), *(_difference_cell(table, m, system, other) for m in metrics)]))
    return [*lines, ""]


def _difference_cell(table: Table, metric: MetricInfo, a: str, b: str) -> str:
    """Return system a minus system b with interval and corrected p, as in ``differences_table``; a dash for none."""
    for row in table.comparisons:
        if row["metric"] == metric.name and {row["a"], row["b"]} == {a, b} and row["difference"] is not None:
            return _difference(row, 1.0 if row["a"] == a else -1.0, metric)
    return "–"


def _difference(row: ComparisonRow, sign: float, metric: MetricInfo) -> str:
    scale, digits = (100, 1) if metric.percent else (1, 3)
    text = f"{sign * (row['difference'] or 0.0) * scale:+.{digits}f}"
    if row["low"] is not None and row["high"] is not None:
        low, high = sorted((sign * row["low"], sign * row["high"]))
        text += f" ({low * scale:+.{digits}f} to {high * scale:+.{digits}f})"
    p = f"p = {format_p(row['p_holm'])}".replace("= <", "<")
    return f"{text}, " + (f"**{p}**" if row["significant"] else p)


def seed_means(by_seed: Mapping[str, Mapping[str, Sequence[float | None]]], metrics: Sequence[MetricInfo]) -> list[str]:
    """Return a table of the mean of each seed: how far runs lie apart that differ in nothing else.

    Args:
        by_seed: System -> metric -> mean of each seed.
        metrics: The columns.
    """
    lines = ["The mean of each seed:", "", _row(["system", *(escape(m.title) for m in metrics)])]
    lines.append("| --- |" + " ---: |" * len(metrics))
    for system, means in by_seed.items():
        cells = [", ".join(format_value(v, m) for v in means.get(m.name, ())) or "–" for m in metrics]
        lines.append(_row([escape(system), *cells]))
    return [*lines, ""]


def escape(text: str) -> str:
    """Return text in one line that Markdown shows as it is: no markup, HTML, table border or control characters."""
    flat = " ".join(plain(text).split())
    flat = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", flat)
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(summary: Summary | None, metric: MetricInfo, system: str, best: tuple[str | None, set[str]]) -> str:
    if summary is None:
        return "–"
    text = format_value(summary["mean"], metric)
    if system == best[0]:
        text = f"**{text}**"
    if system in best[1]:
        text += " ≈"
    if summary["low"] is not None and summary["high"] is not None:
        text += f" ({format_value(summary['low'], metric)} to {format_value(summary['high'], metric)})"
    if summary["unscored"] or summary["mean"] is None:
        text += f", n = {summary['n']}, {summary['unscored']} unscored"
    return text


def _statements(data: ReportData, table: Table, metrics: Sequence[MetricInfo]) -> list[str]:
    tested = {row["metric"] for row in table.comparisons}
    lines = [
        f"- {escape(metric.title)}: {escape(order_statement(table, metric, data.alpha))}"
        for metric in metrics
        if metric.name in tested
    ]
    return [*lines, ""] if lines else []


def _examples(data: ReportData, count: int) -> list[str]:
    queries = {query["id"]: query for query in data.queries}
    lines = []
    infos = {metric.name: metric for metric in data.metrics}
    headline = infos.get(data.headline)
    if headline is None:
        return []
    sign = -1 if headline.better == "lower" else 1
    for system in data.systems:
        scored = [
            (sign * value, item)
            for item in data.items
            if item["system"] == system and (value := item["scores"].get(data.headline)) is not None
        ]
        ranked = [item for _, item in sorted(scored, key=lambda pair: (pair[0], pair[1]["id"]))]
        if not ranked:
            continue
        worst = ranked[:count]
        best = [item for item in ranked[::-1][:count] if item not in worst]
        lines += [f"## Questions of {escape(system)}", ""]
        for name, items in (("Worst", worst), ("Best", best)):
            for item in items:
                lines += _question(name, item, queries[item["id"]], headline)
    return lines


def _question(name: str, item: ItemRow, query: QueryRow, headline: MetricInfo) -> list[str]:
    score = format_value(item["scores"][headline.name], headline)
    asked = f"“{escape(item['question'])}”" if item["question"].strip() else "(no question was asked)"
    lines = [f"**{name}**, {escape(headline.title)} {score}. Query “{escape(query['query'])}”: {asked}", ""]
    signs = {True: "supported", False: "NOT supported", None: "unscored"}
    numbers = {passage["id"]: i for i, passage in enumerate(query["passages"], start=1)}
    for claim in item.get("claims", []):
        found = sorted({numbers[e["passage"]] for e in claim.get("evidence", [])})
        where = f" by {', '.join(f'[{n}]' for n in found)}" if found else ""
        lines.append(f"- “{escape(claim['text'])}”: {signs[claim['supported']]}{where}")
    lines += [
        f"- [{i}] {escape(passage.get('title', passage['id']))}: {escape(_short(passage.get('text', '')))}"
        for i, passage in enumerate(query["passages"], start=1)
    ]
    return [*lines, ""]


def _short(text: str, limit: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rsplit(" ", 1)[0] + "…"
