"""Comparing systems across runs and score files: same queries, same signature, or not at all.

Reads ``RUN/metrics.json`` and ``RUN/scores/D/SYSTEM.jsonl`` of run directories, and score files of ``rac evaluate``
(their header says what made them). Scores that were made differently are refused, not put side by side.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rac.errors import DataError, UserError, did_you_mean
from rac.files import check_header, iterate_json_lines, read_json, read_records
from rac.metrics.catalog import METRICS
from rac.metrics.significance import ALPHA
from rac.records import ClarificationExample
from rac.report.build import metric_infos, summary_table

log = logging.getLogger(__name__)

METRICS_SCHEMA = 1


@dataclass(frozen=True)
class ScoredSystem:
    """The scores of one system.

    Attributes:
        name: Name of the system in its run.
        source: The run directory or score file.
        signature: What made the claim-based scores.
        rows: Query id -> scored item.
        clusters: Query id -> cluster; the id itself where the source names none.
        notes: What readers of its scores must see.
    """

    name: str
    source: Path
    signature: str
    rows: Mapping[str, Mapping[str, Any]]
    clusters: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SystemComparison:
    """Systems over their common queries: a table as in ``metrics.json``, and what was left out."""

    table: dict[str, Any]
    signature: str
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        infos = [vars(info) for info in metric_infos()]
        return {"signature": self.signature, "notes": self.notes, "table": self.table, "metrics": infos}


def load_systems(
    paths: Sequence[Path | str], *, passages: str | None = None, systems: Sequence[str] = ()
) -> list[ScoredSystem]:
    """Read the scores of runs and score files.

    Args:
        paths: Run directories, folders of ``rac evaluate --out`` and score files (``.jsonl``).
        passages: Which D of runs that were scored against several (``retrieved``, ``gold``); the first by default.
        systems: Names of the systems to keep; all if empty.

    Raises:
        UserError: for a path that holds no scores, an unknown D or system, or nothing left.
    """
    found: list[ScoredSystem] = []
    for given in paths:
        path = Path(given)
        found += _load_run(path, passages) if path.is_dir() else [_load_file(path)]
    names = {system.name for system in found}
    for wanted in systems:
        if wanted not in names:
            raise UserError(f"system '{wanted}' is in none of the runs given; {did_you_mean(wanted, names)}")
    return [system for system in found if not systems or system.name in systems]


def compare_scored(
    systems: Sequence[ScoredSystem], *, seed: int = 0, metrics: Sequence[str] = (), alpha: float = ALPHA,
    family: str = "metric",
) -> SystemComparison:  # fmt: skip
    """Compare systems on the queries that all of them have.

    Args:
        systems: At least two.
        seed: Of resampling and randomisation.
        metrics: Names of the metrics to compare; all if empty.
        alpha: Level of significance after Holm's correction.
        family: What is corrected together: the pairs of one ``metric``, or the whole ``table``.

    Raises:
        UserError: fewer than two systems, different signatures, no common query, one id with two queries, an unknown
            metric.
    """
    if len(systems) < 2:
        raise UserError(
            f"{len(systems)} system was given, but a comparison needs two; give another run, or a run with more systems"
        )
    for name in metrics:
        if name not in METRICS:
            raise UserError(f"'{name}' is not a metric; {did_you_mean(name, METRICS)}")
    _check_signatures(systems)
    names = _unique_names(systems)
    common = [i for i in systems[0].rows if all(i in system.rows for system in systems)]
    if not common:
        raise UserError(
            f"{systems[0].source} and the others have no query id in common, so nothing can be paired; score the same "
            "examples with each"
        )
    for i in common:
        queries = {str(system.rows[i].get("query", "")) for system in systems}
        if len(queries) > 1:
            raise UserError(
                f"id '{i}' belongs to different queries ({' and '.join(repr(q) for q in sorted(queries))[:120]}), so "
                "its scores cannot be paired; score the same examples with each"
            )
    clusters, notes = _clusters(systems, common)
    notes += _left_out(systems, names, common)
    notes += sorted({note for system in systems for note in system.notes})
    items = {name: [system.rows[i] for i in common] for name, system in zip(names, systems, strict=True)}
    sources = {name: str(system.source) for name, system in zip(names, systems, strict=True)}
    table = summary_table(
        "Comparison", items, clusters, seed=seed, metrics=metrics, alpha=alpha, family=family,
        extra={"alpha": alpha, "family": family, "sources": sources},
    )  # fmt: skip
    return SystemComparison(table, systems[0].signature, notes)


def _load_run(path: Path, passages: str | None) -> list[ScoredSystem]:
    file = path / "metrics.json"
    if not file.exists():
        raise UserError(
            f"{path} has no metrics.json, so it has no scores to compare; finish it with rac train, or give a run "
            "directory or a score file of rac evaluate"
        )
    metrics = read_json(file)
    if not isinstance(metrics, dict) or metrics.get("schema") != METRICS_SCHEMA:
        raise DataError(
            file,
            f"has no schema version {METRICS_SCHEMA}, which this rac reads; run its last stages again",
            field="schema",
        )
    if "signatures" not in metrics:
        return _load_evaluation(path, passages, metrics)
    for name, kind in (("signatures", dict), ("tables", list), ("notes", list)):
        if not isinstance(metrics.get(name), kind) or not metrics["signatures"]:
            raise DataError(file, f"'{name}' is missing or of another type; run its last stages again", field=name)
    signatures: dict[str, str] = metrics["signatures"]
    source = passages or next(iter(signatures))
    if source not in signatures:
        raise UserError(f"{path} was not scored against D '{source}'; {did_you_mean(source, signatures)}")
    clusters = _run_clusters(path / "examples" / "evaluation.jsonl")
    # A system that the recipe no longer asks keeps its file, whose scores the signature says nothing about.
    tables = [table for table in metrics["tables"] if table.get("passages", source) == source]
    found = []
    for system in dict.fromkeys(name for table in tables for name in table["systems"]):
        scores = path / "scores" / source / f"{system}.jsonl"
        rows = _read_rows(scores)
        found.append(
            ScoredSystem(
                system,
                path,
                signatures[source],
                rows,
                {i: clusters.get(i, i) for i in rows},
                tuple(metrics["notes"]),
            )
        )
    return found


def _load_evaluation(path: Path, passages: str | None, metrics: Mapping[str, Any]) -> list[ScoredSystem]:
    """Read a folder of ``rac evaluate --out``: one score file per system, each with its signature.

    Systems that an earlier evaluation into the same folder left there, and its table no longer has, are left out.
    """
    files = sorted((path / "scores").glob("*.jsonl"))
    if not files:
        raise UserError(f"{path} holds no scores, so there is nothing to compare; make it with rac evaluate --out")
    if passages is not None:
        raise UserError(
            f"{path} was scored against one D, named in its signature, so --passages {passages} cannot choose another; "
            "leave it out"
        )
    shown = {name for table in metrics.get("tables", ()) for name in table["systems"]}
    return [replace(system, source=path) for system in map(_load_file, files) if system.name in shown]


def _run_clusters(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return {example.id: example.cluster for example in read_records(path, ClarificationExample)}


def _load_file(path: Path) -> ScoredSystem:
    header = check_header(path)
    signature = header.get("signature")
    rows = _read_rows(path)
    if not signature:
        raise UserError(
            f"{path} does not say what made its scores (its header has no signature), so they cannot be compared; make "
            "it with rac evaluate --per-item"
        )
    named = Counter(str(row.get("system") or "") for row in rows.values())
    name = named.most_common(1)[0][0] if named else ""
    clusters = {i: str(row.get("cluster") or i) for i, row in rows.items()}
    return ScoredSystem(name or path.stem, path, str(signature), rows, clusters, tuple(header.get("notes", ())))


def _read_rows(path: Path) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for line, row in iterate_json_lines(path):
        if not isinstance(row.get("id"), str):
            raise DataError(path, "a scored item needs a text as id", line=line, field="id")
        if row["id"] in rows:
            raise DataError(path, f"id '{row['id']}' occurs twice; ids must be unique", line=line, field="id")
        for name in METRICS:
            value = row.get(name)
            if value is not None and not isinstance(value, int | float):
                raise DataError(path, f"a score is a number or null, not {value!r:.40}", line=line, field=name)
        rows[row["id"]] = row
    return rows


def _check_signatures(systems: Sequence[ScoredSystem]) -> None:
    first = systems[0]
    for other in systems[1:]:
        if other.signature != first.signature:
            mine, theirs = first.signature.split("|"), other.signature.split("|")
            differing = [f"{a} against {b}" for a, b in zip(mine, theirs, strict=False) if a != b]
            if len(mine) != len(theirs):
                differing = [f"{first.signature} against {other.signature}"]
            raise UserError(
                f"the scores of {other.source} ({other.name}) and {first.source} ({first.name}) were made differently "
                f"({'; '.join(differing)}), so they cannot be compared; score both with the same settings"
            )


def _unique_names(systems: Sequence[ScoredSystem]) -> list[str]:
    """Name systems alone where that is unique, else with their run (and its folder, if need be)."""
    options = [
        [s.name for s in systems],
        [f"{s.source.stem}/{s.name}" for s in systems],
        [f"{s.source.resolve().parent.name}/{s.source.stem}/{s.name}" for s in systems],
        [f"{s.source}/{s.name}" for s in systems],
    ]
    for names in options:
        if len(set(names)) == len(names):
            return names
    twice = Counter(options[-1]).most_common(1)[0][0]
    raise UserError(f"{twice} was given twice, and a system cannot be compared with itself; give each run once")


def _clusters(systems: Sequence[ScoredSystem], common: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the cluster of each query: from the first source that knows better than the id."""
    clusters = {}
    for i in common:
        clusters[i] = next((s.clusters[i] for s in systems if s.clusters.get(i, i) != i), i)
    known = any(cluster != i for i, cluster in clusters.items())
    note = "no clusters are known: every query was resampled on its own"
    return clusters, [] if known else [note]


def _left_out(systems: Sequence[ScoredSystem], names: Sequence[str], common: Sequence[str]) -> list[str]:
    notes = []
    for name, system in zip(names, systems, strict=True):
        if len(system.rows) > len(common):
            notes.append(
                f"{name}: {len(system.rows) - len(common)} of {len(system.rows)} queries left out, which not all have"
            )
    return notes


def write_comparison(path: Path, result: SystemComparison) -> None:
    """Write a comparison as a page: HTML if the name ends in ``.html``, Markdown otherwise."""
    from rac.report.data import ReportData, Table
    from rac.report.html import write_report
    from rac.report.markdown import write_markdown

    made = result.table
    data = ReportData(
        title="Comparison of systems",
        metrics=metric_infos(),
        tables=[Table(made["name"], made["systems"], made["comparisons"], made["note"])],
        signature=result.signature,
        notes=[f"{name}: {source}" for name, source in made["sources"].items()],
        warnings=result.notes,
        alpha=made["alpha"],
    )
    if path.suffix == ".html":
        write_report(path, data)
    else:
        write_markdown(path, data)
