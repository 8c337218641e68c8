"""Several finished runs as one: their held-out queries together, so that means, intervals and tests are over all.

The folds of a cross-fitted benchmark are pooled so, and benchmarks that are too small each. Nothing is generated here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rac.config import Recipe
from rac.errors import UserError
from rac.files import read_records, write_json, write_records
from rac.pipeline import evaluation
from rac.pipeline.data import load_examples, load_retrieved
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.records import Passage, Prediction


def pool(parts: Sequence[RunDirectory], path: Path | str, *, name: str = "") -> RunDirectory:
    """Put the predictions of finished runs together, score them as one and write the report.

    Args:
        parts: Runs that asked the same systems, each for other queries.
        path: The directory of the result: new, empty, or of an earlier pooling.
        name: Name of the result; the parts' names joined by default.

    Returns:
        The result, a run directory with everything but models.

    Raises:
        UserError: for runs that do not go together or are not finished.
    """
    recipe = _recipe(parts, name)
    run = RunDirectory(path, recipe)
    with run.lock():
        collect(run, parts)
        evaluation.metrics_stage(run)
        evaluation.report_stage(run)
    return run


def _recipe(parts: Sequence[RunDirectory], name: str) -> Recipe:
    if len(parts) < 2:
        raise UserError(f"{len(parts)} run was given, and pooling needs two or more; give their directories")
    first = parts[0].recipe
    for part in parts:
        for key in ("systems", "passages"):
            own, others = getattr(part.recipe.evaluation, key), getattr(first.evaluation, key)
            if own != others:
                raise UserError(
                    f"{part.path} was evaluated with evaluation.{key}: [{', '.join(own)}] and {parts[0].path} with "
                    f"[{', '.join(others)}], so their queries cannot share a table; run both with the same {key}"
                )
        if part.recipe.prompt.top_k != first.prompt.top_k:
            raise UserError(
                f"{part.path} retrieved {part.recipe.prompt.top_k} passages and {parts[0].path} {first.prompt.top_k}, "
                "so D is not of one kind; run both with the same prompt.top_k"
            )
        for system in first.evaluation.systems:
            if part.record(f"predict-{system}") is None:
                raise UserError(f"{part.path} has not asked '{system}' yet: finish it with rac train")
    sources = list(dict.fromkeys(part.recipe.data.source for part in parts))
    label = name or "-".join(dict.fromkeys(part.recipe.name for part in parts))
    data = first.data.model_copy(update={"source": "+".join(sources), "fold": ""})
    return first.model_copy(update={"name": label, "data": data})


def collect(run: RunDirectory, parts: Sequence[RunDirectory]) -> None:
    """Write the examples, D and predictions of all parts as stages of ``run``."""

    def examples() -> Stage:
        found = [e for part in parts for e in load_examples(part, "evaluation")]
        twice = [i for i, count in Counter(e.id for e in found).items() if count > 1]
        if twice:
            raise UserError(
                f"{len(twice)} queries are held out in more than one of the runs (the first is '{twice[0]}'), so a "
                "pooled mean would count them twice; pool runs over different queries"
            )
        write_records(run / "examples/evaluation.jsonl", found)
        return Stage(["examples/evaluation.jsonl"], {**_totals(parts), "evaluation": len(found)})

    def passages() -> Stage:
        found: dict[str, list[str]] = {}
        by_id: dict[str, Passage] = {}
        for part in parts:
            retrieved = load_retrieved(part)
            for example in load_examples(part, "evaluation"):
                found[example.id] = [p.id for p in retrieved[example.id]]
                for passage in retrieved[example.id]:
                    if by_id.setdefault(passage.id, passage) != passage:
                        raise UserError(
                            f"two of the runs have different passages with the id '{passage.id}', so D would be mixed "
                            "up; rename them in one of the corpora"
                        )
        write_json(run / "retrieved.json", found)
        write_records(run / "passages.jsonl", by_id.values())
        return Stage(["retrieved.json", "passages.jsonl"], {"queries": len(found), "passages": len(by_id)})

    def predictions(system: str) -> Stage:
        outputs = []
        counts = {}
        for source in run.recipe.evaluation.sources_of(system):
            outputs.append(f"predictions/{source}/{system}.jsonl")
            found = [p for part in parts for p in read_records(part / outputs[-1], Prediction)]
            write_records(run / outputs[-1], found)
            counts[f"{source}: asked"] = len(found)
        return Stage(outputs, counts)

    label = f"pooling {len(parts)} runs"
    run.run("data", _inputs(parts, "data"), examples, label=label)
    run.run("retrieve", _inputs(parts, "data", "retrieve"), passages, label=label)
    for system in run.recipe.evaluation.systems:
        inputs = _inputs(parts, f"predict-{system}") | {"sources": run.recipe.evaluation.sources_of(system)}
        run.run(f"predict-{system}", inputs, partial(predictions, system), label=label)


def _inputs(parts: Sequence[RunDirectory], *stages: str) -> dict[str, Any]:
    return {"pooled": [part.output_hash(*stages) for part in parts]}


def _totals(parts: Sequence[RunDirectory]) -> dict[str, Any]:
    """Return what the parts were made of: queries by use, and the time of all their stages."""
    totals: Counter[str] = Counter()
    seconds = 0.0
    for part in parts:
        record = part.record("data")
        assert record is not None
        totals.update({k: v for k, v in record["counts"].items() if k in ("train", "pairs", "validation")})
        for path in sorted((part / "stages").glob("*.json")):
            seconds += (part.record(path.stem) or {})["seconds"]
    return {
        "pooled runs": len(parts),
        **{k: int(v) for k, v in totals.items()},
        "seconds of all stages": round(seconds),
    }
