"""Screening: what a recipe's choices are worth, one changed at a time, on queries of the training side.

Every variant is a whole run beside the others. Stages whose inputs a variant does not change are taken from the
baseline, so a variant of stage 2 costs its pairs, its training and its questions.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from rac.config import Recipe, find_recipe, load_recipe, overridden
from rac.errors import UserError
from rac.files import atomic_path, write_json, write_text
from rac.pipeline import run_recipe
from rac.pipeline.preference import round_variants
from rac.pipeline.run_directory import RunDirectory
from rac.pipeline.screening_settings import BASELINE, Screening, slug
from rac.report.compare import ScoredSystem, compare_scored, load_systems
from rac.report.screening import render_screening
from rac.report.seeds import known_mean

log = logging.getLogger(__name__)

SCREENING_SCHEMA = 1
SHOWN = ("headline", "good", "hallucinated", "same_option", "info", "options", "rouge_l")
"""Metrics of a screening's tables."""


def screen(screening: Screening, path: Path | str) -> dict[str, Any]:
    """Run every variant, compare each with the baseline, and write ``screening.json`` and ``screening.md``.

    The same call goes on after an interruption.

    Args:
        screening: What is varied.
        path: Its directory; variants are run directories in it, or in ``seed-N`` where the screening names seeds.

    Returns:
        The content of ``screening.json``: per question a table and its comparisons with the baseline.

    Raises:
        UserError: for a key or value that recipes do not have, or a recipe that would ask what a source holds out.
    """
    folder = Path(path)
    runs = runs_of(screening, folder)
    total = sum(len(variants) for variants in runs.values())
    number = 0
    for seed, variants in runs.items():
        for name, (recipe, run) in variants.items():
            number += 1
            log.info("variant %d of %d: %s%s", number, total, name, "" if seed is None else f", seed {seed}")
            if name != BASELINE and not run.exists():
                begin_from(run.with_name(BASELINE), run)
            run_recipe(recipe, run)
    result = {
        "schema": SCREENING_SCHEMA,
        "name": screening.name,
        "recipe": screening.recipe,
        "about": screening.about,
        "settings": screening.settings,
        "seeds": list(screening.seeds),
        "questions": [_question(screening, question, runs) for question in screening.questions],
    }
    write_json(folder / "screening.json", result)
    write_text(folder / "screening.md", render_screening(result))
    return result


Runs = dict[int | None, dict[str, tuple[Recipe, Path]]]
"""Seed (None: the recipe's own) -> folder name of a variant -> its recipe and its run directory; baselines first."""


def runs_of(screening: Screening, folder: Path) -> Runs:
    """Return the recipe and the run directory of every variant, for every seed.

    Raises:
        UserError: see ``screen``.
    """
    found: Runs = {}
    for seed in screening.seeds or (None,):
        place = folder if seed is None else folder / f"seed-{seed}"
        found[seed] = {name: (recipe, place / name) for name, recipe in recipes_of(screening, seed).items()}
    return found


def recipes_of(screening: Screening, seed: int | None = None) -> dict[str, Recipe]:
    """Return the resolved recipe of every variant, the baseline first.

    Args:
        screening: What is varied.
        seed: The seed of all of them; None: the one of the recipe or of the settings.

    Raises:
        UserError: see ``screen``.
    """
    shared = _overrides({"data.held_out": "training", **screening.settings, **({} if seed is None else {"seed": seed})})
    baseline = load_recipe(find_recipe(screening.recipe), [*shared, f"evaluation.systems=[{screening.system}]"])
    found = {}
    for name, settings in screening.variants().items():
        recipe = overridden(baseline, _overrides(settings))
        if recipe.data.held_out != "training":
            raise UserError(
                f"the variant '{name}' of screening '{screening.name}' would choose by queries that the source holds "
                "out; leave data.held_out: training as it is"
            )
        found[name] = recipe.model_copy(update={"name": name})
    return found


def _overrides(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as ``--set`` strings."""
    return [f"{key}={yaml.safe_dump(value, default_flow_style=True).strip()}" for key, value in settings.items()]


def begin_from(base: Path, path: Path) -> None:
    """Make a run directory that starts with all that another one has finished.

    Files are shared with it (hard links) where the file system can; every stage replaces its files as a whole, so the
    other run never changes.
    """
    with atomic_path(path) as temporary:
        shutil.copytree(base, temporary, copy_function=_link, ignore=shutil.ignore_patterns(".lock", "checkpoints"))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _question(screening: Screening, question: str, runs: Runs) -> dict[str, Any]:
    names = {BASELINE: BASELINE, **{slug(name): name for name in screening.questions[question]}}
    scored = {
        name: {seed: load_systems([variants[key][1]], systems=[screening.system])[0] for seed, variants in runs.items()}
        for key, name in names.items()
    }
    result = compare_scored([_together(name, by_seed) for name, by_seed in scored.items()], metrics=SHOWN)
    return {
        "question": question,
        "finding": screening.findings.get(question, ""),
        "settings": screening.questions[question],
        "table": {**result.table, "name": question, "sources": list(names)},
        "by_seed": {
            name: {metric: [known_mean(_column(metric, system)) for system in by_seed.values()] for metric in SHOWN}
            for name, by_seed in scored.items()
            if screening.seeds
        },
        "cost": {
            name: _cost([RunDirectory(variants[key][1]) for variants in runs.values()]) for key, name in names.items()
        },
        "notes": [note for note in result.notes if "left out" in note],
        "signature": result.signature,
    }


def _together(name: str, by_seed: Mapping[int | None, ScoredSystem]) -> ScoredSystem:
    """Return the queries of all seeds as those of one system.

    Which queries are asked depends on the seed, so scores cannot be averaged query by query. A query that two seeds
    ask counts twice, in one cluster.
    """
    _same_signature(by_seed.values())
    rows: dict[str, Mapping[str, Any]] = {}
    clusters: dict[str, str] = {}
    for seed, system in by_seed.items():
        for own, row in system.rows.items():
            i = own if seed is None else f"seed {seed}: {own}"
            rows[i], clusters[i] = {**row, "id": i}, system.clusters[own]
    return replace(next(iter(by_seed.values())), name=name, rows=rows, clusters=clusters)


def _same_signature(systems: Iterable[ScoredSystem]) -> None:
    signatures = {system.signature: system.source for system in systems}
    if len(signatures) > 1:
        where = " and ".join(str(source) for source in signatures.values())
        raise UserError(f"{where} were scored differently, so their queries cannot be compared; run both anew")


def _column(metric: str, system: ScoredSystem) -> list[float | None]:
    return [row.get(metric) for row in system.rows.values()]


def _cost(runs: Sequence[RunDirectory]) -> dict[str, Any]:
    """Return the pairs and the training of stage 2 over all rounds: the mean of runs that differ in the seed."""
    pairs, seconds = 0, 0.0
    for run in runs:
        for variant in round_variants(run.recipe):
            made, trained = run.record(variant.pairs), run.record(variant.model)
            pairs += made["counts"]["pairs"] if made else 0
            seconds += sum(record["seconds"] for record in (made, trained) if record)
    return {"pairs": round(pairs / len(runs)), "seconds": round(seconds / len(runs))}
