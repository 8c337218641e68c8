"""Runs of one recipe with several seeds as one table: scores are averaged over seeds query by query.

The interval is over queries (clusters resampled whole) of the averaged scores; how far the seeds lie apart is shown
beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rac.metrics.catalog import METRICS
from rac.report.build import summary_table
from rac.report.stored import StoredRun
from rac.training.settings import ROUNDS


@dataclass(frozen=True)
class SeedTable:
    """A table over seeds.

    Attributes:
        table: As in ``metrics.json``.
        seeds: The seeds.
        by_seed: System -> metric -> mean of each seed.
    """

    table: dict[str, Any]
    seeds: tuple[int, ...]
    by_seed: dict[str, dict[str, list[float]]]


def groups_of_seeds(runs: Sequence[StoredRun]) -> list[list[StoredRun]]:
    """Return the runs in groups, sorted by seed: of one name and recipe, scored alike, over the same queries.

    What is asked is not compared: one seed may have more systems than another.
    """
    found: dict[Any, list[StoredRun]] = {}
    for run in runs:
        source = next(iter(run.asked))
        made = run.recipe.digest("data", "bootstrap", "index", "prompt", "model", "training", "pairs", "preference")
        # Which rounds there are is no part of the hash of any of them.
        rounds = (
            *(getattr(run.recipe.preference, key) for key in ROUNDS),
            run.recipe.data.unlabelled_queries,
        )
        key = (run.name, made, rounds, run.metrics["signatures"][source], tuple(one.id for one in run.asked[source]))
        same = found.setdefault(key, [])
        if any(other.recipe.seed == run.recipe.seed for other in same):
            # Two runs with one seed are two runs, whatever they differ in.
            found[(*key, len(found))] = [run]
        else:
            same.append(run)
    return [sorted(group, key=lambda run: run.recipe.seed) for group in found.values()]


def over_seeds(runs: Sequence[StoredRun], source: str) -> SeedTable:
    """Average the scores of runs that differ in the seed.

    Args:
        runs: At least two, of one group.
        source: Which D.
    """
    systems = [s for s in runs[0].scores[source] if all(s in run.scores[source] for run in runs)]
    asked = runs[0].asked[source]
    items: dict[str, list[dict[str, Any]]] = {}
    by_seed: dict[str, dict[str, list[float]]] = {}
    for system in systems:
        rows: list[dict[str, Any]] = [{"id": one.id} for one in asked]
        by_seed[system] = {}
        for metric in METRICS:
            columns = [run.scores[source][system][metric] for run in runs if metric in run.scores[source][system]]
            if len(columns) < len(runs):
                continue
            for place, row in enumerate(rows):
                row[metric] = known_mean([column[place] for column in columns])
            means = [known_mean(column) for column in columns]
            by_seed[system][metric] = [m for m in means if m is not None]
        items[system] = rows
    seeds = tuple(run.recipe.seed for run in runs)
    table = summary_table(
        f"D = {source}, mean of {len(runs)} seeds", items, {one.id: one.cluster for one in asked}, seed=seeds[0],
        extra={"passages": source, "subset": "all"},
    )  # fmt: skip
    return SeedTable(table, seeds, by_seed)


def known_mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that could be scored; None if there is none."""
    known = [float(v) for v in values if v is not None]
    return sum(known) / len(known) if known else None
