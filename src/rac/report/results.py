"""The results page of a run as Markdown: how it was made, the main tables, and questions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rac.files import check_header, iterate_json_lines, read_json, read_records
from rac.progress import format_seconds
from rac.records import ClarificationExample
from rac.report.data import MetricInfo, Table, order_statement, shown_metrics
from rac.report.markdown import escape, metrics_table

_TRAINING_FIGURES = ("steps", "prompts", "questions", "tokens", "tokens_per_second", "first_loss", "last_loss", "extra")


def render_results(runs: Sequence[Path], *, examples: int = 5) -> str:
    """Return a page with one section for each run.

    Args:
        runs: Run directories with ``metrics.json``.
        examples: Queries shown with every system's question.
    """
    lines = [
        "# Results",
        "",
        "Written by `rac report` from run directories; no number here was typed. Intervals are 95 % (cluster",
        "bootstrap), tests are approximate randomisation over clusters with Holm's correction. **Bold** is the best",
        "system of a column and ≈ marks those whose distance to it is not significant. Every system of a table, gold",
        "included, is scored against the same D.",
        "",
    ]
    for run in runs:
        lines += _section(run, examples)
    return "\n".join(lines).rstrip() + "\n"


def _section(run: Path, examples: int) -> list[str]:
    metrics = read_json(run / "metrics.json")
    infos = [MetricInfo(**info) for info in metrics["metrics"]]
    lines = [f"## {escape(metrics['run'])}", "", *_made(run), ""]
    lines += [f"> **Note:** {escape(note)}" for note in metrics["notes"]]
    lines += ["", f"Signature: `{metrics['signature']}`", ""]
    for entry in metrics["tables"]:
        table = Table(entry["name"], entry["systems"], entry["comparisons"], entry.get("note", ""))
        from rac.report.data import ReportData

        shown = shown_metrics(ReportData("", infos, [table]), table)
        main = [m for m in shown if m.name in metrics["printed"]]
        lines += [f"### {escape(table.name)}", "", escape(table.note), "", metrics_table(table, main), ""]
        unsure = [(m, order_statement(table, m)) for m in main if m.better]
        lines += [f"- {escape(m.title)}: {escape(text)}" for m, text in unsure if "NOT significant" in text]
        rest = [m for m in shown if m.name not in metrics["printed"]]
        lines += [
            "",
            "<details><summary>all other metrics</summary>",
            "",
            metrics_table(table, rest),
            "",
            "</details>",
            "",
        ]
    lines += _questions(run, metrics, examples)
    return lines


def _made(run: Path) -> list[str]:
    """Return what the run was made of: stages, counts, time, memory, versions."""
    lines = [
        "| stage | time | peak memory | figures |",
        "| --- | ---: | ---: | --- |",
    ]
    order = ("index", "data", "retrieve", "ungrounded", "grounded", "pairs", "rac")
    total = 0.0
    peak = 0
    records: dict[str, Any] = {}
    for path in sorted((run / "stages").glob("*.json")):
        records[path.stem] = read_json(path)
    for name in [*order, *(n for n in records if n not in order)]:
        record = records.get(name)
        if record is None:
            continue
        total += record["seconds"]
        peak = max(peak, record["peak_memory_mb"])
        figures = escape(flat(record["counts"]))
        lines.append(
            f"| {name} | {format_seconds(record['seconds'])} | {record['peak_memory_mb']} MB | {figures} |"
        )  # fmt: skip
    versions = ", ".join(f"{k} {v}" for k, v in next(iter(records.values()))["versions"].items())
    lines.append(f"| all | {format_seconds(total)} | {peak} MB | seed {records['data']['seed']}; {versions} |")
    return lines


def flat(counts: dict[str, Any], prefix: str = "") -> str:
    """Return the counts of a stage as one sentence; of a training, the figures that readers compare."""
    parts = []
    for key, value in counts.items():
        if isinstance(value, dict):
            if key == "training":
                kept = (
                    "steps",
                    "prompts",
                    "questions",
                    "tokens",
                    "tokens_per_second",
                    "first_loss",
                    "last_loss",
                    "extra",
                )
                value = {k: value[k] for k in kept if k in value}
            parts.append(flat(value, f"{prefix}{key} "))
        elif isinstance(value, float):
            parts.append(f"{prefix}{key} {value:.3g}")
        elif isinstance(value, int | str):
            parts.append(f"{prefix}{key} {value}")
    return ", ".join(p for p in parts if p)


def _questions(run: Path, metrics: dict[str, Any], count: int) -> list[str]:
    """Return every system's question for evenly spaced queries of the first table: not chosen by how good they are."""
    source = metrics["tables"][0]["passages"]
    systems = list(metrics["tables"][0]["systems"])
    rows = {s: {r["id"]: r for _, r in iterate_json_lines(run / f"scores/{source}/{s}.jsonl")} for s in systems}
    path = run / "examples/evaluation.jsonl"
    check_header(path)
    known = [e for e in read_records(path, ClarificationExample) if e.id in rows[systems[0]]]
    picked = [known[i * len(known) // count] for i in range(min(count, len(known)))]
    lines = [f"### Questions to {len(picked)} evenly spaced queries ({source} passages)", ""]
    for example in picked:
        lines += [f"**{escape(example.query)}**", ""]
        for system in systems:
            row = rows[system][example.id]
            flags = f" ({', '.join(row['flags'])})" if row["flags"] else ""
            lines.append(f"- {system}: {escape(row['question']) or '(nothing)'}{flags}")
        lines.append("")
    return lines
