"""From scored items to tables and pages: summaries with intervals, pairwise tests, and what a report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rac.metrics.catalog import METRICS
from rac.metrics.significance import ALPHA, RESAMPLES, bootstrap_ci, compare_systems
from rac.records import ClarificationExample, Passage
from rac.report.data import ItemRow, MetricInfo, PassageRow, QueryRow, ReportData, Table

Item = Mapping[str, Any]

PRINTED = ("headline", "faith", "info", "hallucinated", "good", "same_option", "grounding", "rouge_l")
"""Columns of the tables that commands print; pages show every metric."""


def metric_infos() -> list[MetricInfo]:
    """Return every metric of the suite as a column of reports."""
    return [MetricInfo(**vars(spec)) for spec in METRICS.values()]


def summary_table(
    name: str,
    items: Mapping[str, Sequence[Item]],
    clusters: Mapping[str, str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    extra: Mapping[str, Any] | None = None,
    metrics: Sequence[str] = (),
    alpha: float = ALPHA,
    family: str = "metric",
) -> dict[str, Any]:
    """Summarise and compare systems over the same queries.

    Args:
        name: Heading of the table.
        items: system -> scored items (``id`` and one key per metric); every system has the same ids.
        clusters: id -> cluster, the unit of resampling.
        seed: Of the resampling.
        resamples: Number of resamples behind each mean's interval; a difference has ``RESAMPLES``.
        extra: Further keys of the table.
        metrics: Names of the metrics; all if empty.
        alpha: Level of significance after Holm's correction.
        family: What is corrected together, see ``compare_systems``.

    Returns:
        The table as plain JSON values: ``systems`` (system -> metric -> summary), ``comparisons``, ``n``.
    """
    ids = [item["id"] for item in next(iter(items.values()))]
    aligned = {system: {item["id"]: item for item in rows} for system, rows in items.items()}
    groups = [clusters[i] for i in ids]
    values: dict[str, dict[str, list[Any]]] = {}
    for system, rows in aligned.items():
        columns = {name: [rows[i].get(name) for i in ids] for name in METRICS if not metrics or name in metrics}
        values[system] = {name: column for name, column in columns.items() if any(v is not None for v in column)}
    summaries = {
        system: {name: bootstrap_ci(column, groups, seed, resamples).to_dict() for name, column in columns.items()}
        for system, columns in values.items()
    }
    tested = [name for name in METRICS if METRICS[name].better]
    comparisons = compare_systems(values, groups, seed, metrics=tested, alpha=alpha, family=family)
    return {
        "name": name,
        "note": f"{len(ids)} queries in {len(set(groups))} clusters.",
        "n": len(ids),
        "systems": summaries,
        "comparisons": [row.to_dict() for row in comparisons],
        **(extra or {}),
    }


def report_data(
    *,
    title: str,
    metrics: Mapping[str, Any],
    examples: Sequence[ClarificationExample],
    passages: Mapping[str, Sequence[Passage]],
    items: Mapping[str, Sequence[Item]],
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    passages_used: str = "",
) -> ReportData:
    """Put together what a report shows.

    Args:
        title: Heading.
        metrics: The content of ``metrics.json``.
        examples: The queries.
        passages: D by example id.
        items: system -> scored items, as the suite returns them.
        notes: Sentences above the tables.
        warnings: Sentences that a reader must not miss.
        passages_used: Which D the items were scored against.
    """
    tables = [Table(t["name"], t["systems"], t["comparisons"], t.get("note", "")) for t in metrics["tables"]]
    queries = [_query_row(e, passages[e.id]) for e in examples if e.id in passages]
    shown = {query["id"] for query in queries}
    rows = [
        _item_row(system, item) for system, own in items.items() for item in own if item["id"] in shown
    ]  # fmt: skip
    return ReportData(
        title=title,
        metrics=[MetricInfo(**info) for info in metrics["metrics"]],
        tables=tables,
        queries=queries,
        items=rows,
        passages_used=passages_used,
        signature=metrics["signature"],
        notes=list(notes),
        warnings=list(warnings),
    )


def _query_row(example: ClarificationExample, passages: Sequence[Passage]) -> QueryRow:
    gold = set(example.gold_ids)
    rows: list[PassageRow] = [
        {
            "id": p.id,
            "title": p.title,
            "types": list(p.types),
            "description": p.description,
            "text": p.text,
            "gold": p.id in gold,
        }
        for p in passages
    ]
    return {
        "id": example.id,
        "query": example.query,
        "passages": rows,
        "golds": list(example.questions),
        "cluster": example.cluster,
    }


def _item_row(system: str, item: Item) -> ItemRow:
    return {
        "id": item["id"],
        "system": system,
        "question": item["question"],
        "scores": {name: item[name] for name in METRICS if name in item},
        "claims": [
            {
                "text": claim["text"],
                "kind": claim["kind"],
                "start": claim["start"],
                "end": claim["end"],
                "support": claim["support"],
                "supported": claim["supported"],
                "distinguishing": claim["distinguishing"],
                "evidence": claim.get("evidence", []),
            }
            for claim in item.get("claims", [])
        ],
        "flags": list(item.get("flags", [])),
        "reason": item.get("reason", ""),
    }
