"""A comparison of indexes as tables and charts: quality with intervals and tests against a baseline, and cost."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from rac.files import write_json, write_text
from rac.metrics.significance import ALPHA, bootstrap_ci, holm, paired_test
from rac.report.curves import STYLE, chart
from rac.report.data import ComparisonRow, MetricInfo, Summary, Table, format_p, format_value, is_unsure
from rac.report.labels import front
from rac.report.markdown import escape
from rac.retrieval.comparison import Compared, counts_of

QUALITY = [
    MetricInfo("nDCG@10", group="Relevance", about="Graded relevance, discounted by rank."),
    MetricInfo("MRR@10", group="Relevance", about="1 / rank of the first relevant passage."),
    MetricInfo("Recall@2", group="Relevance", percent=True, about="Share of the relevant passages in the top 2."),
    MetricInfo("Recall@5", group="Relevance", percent=True, about="Share of the relevant passages in the top 5."),
    MetricInfo("Recall@10", group="Relevance", percent=True, about="Share of the relevant passages in the top 10."),
    MetricInfo("all relevant@2", group="Facets", percent=True, about="Every relevant passage is in the top 2."),
    MetricInfo("all relevant@5", group="Facets", percent=True, about="Every relevant passage is in the top 5."),
    MetricInfo("facet recall@2", group="Facets", percent=True, about="Share of the facets that the top 2 cover."),
    MetricInfo("facet recall@5", group="Facets", percent=True, about="Share of the facets that the top 5 cover."),
    MetricInfo("α-nDCG@5", group="Facets", about="Novelty: a facet that was covered before counts half as much."),
]
COST = [
    MetricInfo("build time, s", group="Cost", better="lower"),
    MetricInfo("build CPU time, s", group="Cost", better="lower", about="Over all cores; does not count waiting."),
    MetricInfo("build memory, MB", group="Cost", better="lower", about="Peak of the process, models included."),
    MetricInfo("disk, MB", group="Cost", better="lower"),
    MetricInfo("queries per second", group="Cost", about="All queries in one batch, models loaded."),
    MetricInfo("CPU per query, ms", group="Cost", better="lower", about="In the batch, over all cores."),
    MetricInfo("one query, ms", group="Cost", better="lower", about="Median of single searches."),
    MetricInfo("search memory, MB", group="Cost", better="lower", about="Peak of the process, models included."),
]
_COST_KEYS = {
    "build time, s": ("build_s", 1.0),
    "build CPU time, s": ("build_cpu_s", 1.0),
    "build memory, MB": ("build_peak_mb", 1.0),
    "disk, MB": ("bytes", 1e-6),
    "queries per second": ("queries_per_second", 1.0),
    "CPU per query, ms": ("cpu_ms_per_query", 1.0),
    "one query, ms": ("one_query_ms", 1.0),
    "search memory, MB": ("search_peak_mb", 1.0),
}


# Names of strategies differ at their ends, so they are not cut there.
_WRAP = (
    "th:first-child{overflow:visible;max-width:none}"
    "@media(max-width:40rem){th:first-child{white-space:normal;max-width:7rem}}"
)


def tables(compared: Compared) -> list[Table]:
    """Return a table per dataset: means with intervals, tests of every strategy against the baseline, costs.

    P-values are corrected by Holm's method over the strategies, per measure and dataset.
    """
    made = []
    comparison = compared.comparison
    for dataset, judged in compared.judged.items():
        ids = list(judged.queries)
        clusters = [judged.clusters[i] for i in ids]
        systems: dict[str, dict[str, Summary]] = {}
        columns: dict[str, dict[str, list[float]]] = {}
        for strategy in comparison.strategies:
            cell = compared.cell(dataset, strategy)
            columns[strategy] = {
                m.name: [cell.values[m.name][i] for i in ids] for m in QUALITY if m.name in cell.values
            }
            systems[strategy] = {}
            for name, values in columns[strategy].items():
                found = bootstrap_ci(values, clusters, comparison.seed)
                systems[strategy][name] = Summary(
                    mean=found.mean, low=found.low, high=found.high, n=found.n, unscored=found.unscored
                )
            for name, (key, factor) in _COST_KEYS.items():
                value = cell.costs[key]
                if value is not None:
                    mean = value * factor
                    systems[strategy][name] = Summary(mean=mean, low=None, high=None, n=1, unscored=0)
        rows = []
        for metric in QUALITY:
            if metric.name not in columns[comparison.baseline]:
                continue
            rows += _tests(metric.name, columns, clusters, comparison.baseline, comparison.seed)
        made.append(Table(dataset, systems, rows))
    return made


def _tests(
    metric: str, columns: dict[str, dict[str, list[float]]], clusters: list[str], baseline: str, seed: int
) -> list[ComparisonRow]:
    others = [strategy for strategy in columns if strategy != baseline]
    tests = [paired_test(columns[other][metric], columns[baseline][metric], clusters, seed) for other in others]
    corrected = holm([test.p for test in tests])
    return [
        ComparisonRow(
            metric=metric, a=other, b=baseline, difference=test.difference, low=test.low, high=test.high, p=test.p,
            p_holm=p, significant=p is not None and p <= ALPHA,
        )
        for other, test, p in zip(others, tests, corrected, strict=True)
    ]  # fmt: skip


def statements(table: Table, metric: MetricInfo, baseline: str) -> str:
    """Say in a sentence which strategies are better or worse than the baseline, and which cannot be told from it."""
    rows = [row for row in table.comparisons if row["metric"] == metric.name]
    better = [r for r in rows if r["significant"] and (r["difference"] or 0) > 0]
    worse = [r for r in rows if r["significant"] and (r["difference"] or 0) < 0]
    unsure = [r["a"] for r in rows if is_unsure(r)]
    parts = []
    for word, some in (("better", better), ("worse", worse)):
        if some:
            listed = ", ".join(
                f"{r['a']} ({'+' if word == 'better' else ''}{format_value(r['difference'], metric)}, "
                f"p {'' if (r['p_holm'] or 0) < 0.001 else '= '}{format_p(r['p_holm'])})"
                for r in some
            )
            parts.append(f"significantly {word} than {baseline}: {listed}")
    if unsure:
        parts.append(f"not told from {baseline}: {', '.join(unsure)}")
    return ("; ".join(parts) or "nothing to compare") + "."


def markdown(compared: Compared, made: list[Table]) -> str:
    """Return the comparison as Markdown."""
    comparison = compared.comparison
    lines = [
        f"# Comparison of indexes: {escape(comparison.name)}",
        "",
        *(f"- {escape(line)}" for line in counts_of(compared)),
        "",
    ]
    lines += [
        "Means with 95 % intervals over resampled clusters. ▲ and ▼: significantly better or worse than "
        f"{escape(comparison.baseline)} (paired randomisation over clusters, p at most {ALPHA:g} after Holm's "
        "correction over the strategies).",
        "",
    ]
    for table in made:
        lines += [f"## {escape(table.name)}", ""]
        for title, metrics in _grouped(table):
            lines += [f"### {title}", "", _markdown_table(table, metrics, comparison.baseline), ""]
            if title != "Cost":
                lines += [f"- {escape(m.title)}: {escape(statements(table, m, comparison.baseline))}" for m in metrics]
                lines.append("")
    lines += ["## Strategies", ""]
    for name in comparison.strategies:
        changed = comparison.settings(name).model_dump(mode="json", exclude_defaults=True)
        keys = ", ".join(f"{key}: {value}" for key, value in changed.items()) or "all defaults"
        lines.append(f"- {escape(name)}: {escape(keys)}")
    return "\n".join(lines).rstrip() + "\n"


def _markdown_table(table: Table, metrics: list[MetricInfo], baseline: str) -> str:
    """Return strategies x metrics; ▲ and ▼ mark what is significantly better or worse than the baseline."""
    arrows = {"higher": " ↑", "lower": " ↓", "": ""}
    header = ["strategy", *(escape(metric.title) + arrows[metric.better] for metric in metrics)]
    lines = [header, ["---", *("---:" for _ in metrics)]]
    for row in _rows(table, metrics, baseline):
        cells = [" ".join(part for part in (c["mean"], c["mark"], c["interval"]) if part) for c in row["cells"]]
        lines.append([escape(row["name"]), *(cell.replace("[", "(").replace("]", ")") for cell in cells)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _grouped(table: Table) -> list[tuple[str, list[MetricInfo]]]:
    """Return the metrics that the table has, by group."""
    present = {name for summaries in table.systems.values() for name in summaries}
    return [
        (title, [metric for metric in metrics if metric.group == title and metric.name in present])
        for title, metrics in (("Relevance", QUALITY), ("Facets", QUALITY), ("Cost", COST))
    ]


def html(compared: Compared, made: list[Table]) -> str:
    """Return the comparison as one self-contained page."""
    comparison = compared.comparison
    style = files("rac.report").joinpath("report.css").read_text(encoding="utf-8") + str(STYLE) + _WRAP
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    views = [
        {
            "name": table.name,
            "groups": [
                {
                    "name": title, "metrics": metrics, "rows": _rows(table, metrics, comparison.baseline),
                    "statements": [(m, statements(table, m, comparison.baseline)) for m in metrics]
                    if title != "Cost" else [],
                }
                for title, metrics in _grouped(table)
            ],
            "charts": charts(table),
        }
        for table in made
    ]  # fmt: skip
    strategies = {
        name: comparison.settings(name).model_dump(mode="json", exclude_defaults=True) for name in comparison.strategies
    }
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("rac.report").joinpath("indexes.html").read_text(encoding="utf-8"))
    return template.render(
        name=comparison.name, baseline=comparison.baseline, notes=list(counts_of(compared)), tables=views,
        strategies=strategies, style=Markup(style), style_hash=f"sha256-{digest}",
    ) + "\n"  # fmt: skip


def charts(table: Table) -> list[Markup]:
    """Return quality against speed and against disk, a point per strategy; those that no other beats are named."""
    drawn = []
    for quality, cost in (
        ("nDCG@10", "queries per second"), ("facet recall@5", "queries per second"), ("α-nDCG@5", "disk, MB"),
    ):  # fmt: skip
        series = {}
        for strategy, summaries in table.systems.items():
            if quality in summaries and cost in summaries and (summaries[cost]["mean"] or 0) > 0:
                series[strategy] = [(summaries[cost]["mean"] or 0.0, summaries[quality]["mean"] or 0.0)]
        if series:
            names = list(series)
            best = front([row[0] for row in series.values()], low_x=cost != "queries per second")
            drawn.append(
                chart(quality, series, cost, log_y=False, lines=False, named={names[number] for number in best})
            )
    return drawn


def _rows(table: Table, metrics: list[MetricInfo], baseline: str) -> list[dict[str, Any]]:
    tested = {(row["metric"], row["a"]): row for row in table.comparisons}
    rows = []
    for strategy, summaries in table.systems.items():
        cells = []
        for metric in metrics:
            summary = summaries.get(metric.name)
            if summary is None:
                cells.append({"mean": "–", "interval": "", "mark": ""})
                continue
            row = tested.get((metric.name, strategy))
            mark = ""
            if row is not None and row["significant"]:
                mark = "▲" if (row["difference"] or 0) > 0 else "▼"
            interval = ""
            if summary["low"] is not None:
                interval = f"[{format_value(summary['low'], metric)}, {format_value(summary['high'], metric)}]"
            cells.append({"mean": format_value(summary["mean"], metric), "interval": interval, "mark": mark})
        rows.append({"name": strategy, "baseline": strategy == baseline, "cells": cells})
    return rows


def write_index_report(compared: Compared, folder: Path) -> list[Path]:
    """Write ``indexes.html``, ``indexes.md`` and ``indexes.json`` from the same numbers; return their paths."""
    made = tables(compared)
    paths = [folder / f"indexes.{suffix}" for suffix in ("html", "md", "json")]
    write_text(paths[0], html(compared, made))
    write_text(paths[1], markdown(compared, made))
    write_json(
        paths[2],
        {
            "comparison": compared.comparison.model_dump(mode="json"),
            "datasets": {name: judged.counts for name, judged in compared.judged.items()},
            "tables": {table.name: {"systems": table.systems, "tests": table.comparisons} for table in made},
            "per_query": {f"{cell.dataset}/{cell.strategy}": cell.values for cell in compared.cells},
        },
    )
    return paths
