"""A finished run without models, whose scores a test chooses, for pages that are made of runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rac.config import Recipe
from rac.files import write_json, write_records
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.records import ClarificationExample, Passage, Prediction
from rac.report.build import PRINTED, metric_infos, summary_table

Score = Callable[[str, str, int], dict[str, float | None]]
"""(D, system, number of the query) -> metrics."""

SIGNATURE = "v1|claims:rules-1|D:{}"


def passages(number: int) -> tuple[Passage, ...]:
    return (
        Passage(id=f"p{number}a", title=f"Luna {number}", types=("ship",), text="Built in Dumbarton."),
        Passage(id=f"p{number}b", title=f"Luna {number}", description="2014 film"),
    )


def finished_run(
    path: Path, systems: Sequence[str], score: Score, *, source: str = "claqua", name: str = "study", seed: int = 0,
    queries: int = 40, sources: Sequence[str] = ("retrieved", "gold"),
) -> RunDirectory:  # fmt: skip
    """Write a run directory with examples, predictions, scores, metrics and stage records."""
    recipe = Recipe.model_validate(
        {
            "name": name, "seed": seed, "data": {"source": source},
            "evaluation": {"systems": list(systems), "passages": list(sources)},
        }
    )  # fmt: skip
    run = RunDirectory(path, recipe)
    examples = [
        ClarificationExample(
            id=f"q{i}", query=f"luna {i}", passages=passages(i), questions=(f"The ship or the film Luna {i}?",),
            group=f"g{i // 2}", meta={"natural": i % 3 > 0},
        )
        for i in range(queries)
    ]  # fmt: skip
    write_records(run / "examples/evaluation.jsonl", examples)
    write_records(run / "passages.jsonl", [p for e in examples for p in e.passages])
    write_json(run / "retrieved.json", {e.id: [p.id for p in e.passages] for e in examples})
    tables = []
    for d in sources:
        items: dict[str, list[dict[str, Any]]] = {}
        for system in systems:
            items[system] = [
                {
                    "id": e.id, "system": system, "query": e.query, "question": f"{system} asks about luna {i}?",
                    "flags": ["hallucinated"] if score(d, system, i).get("hallucinated") else [], **score(d, system, i),
                }
                for i, e in enumerate(examples)
            ]  # fmt: skip
            write_records(
                run / f"predictions/{d}/{system}.jsonl",
                [Prediction(id=row["id"], question=row["question"], system=system) for row in items[system]],
            )
            file = run / f"scores/{d}/{system}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(json.dumps(row) + "\n" for row in items[system]))
            write_json(file.with_name(file.name + ".header.json"), {"schema": 1, "signature": SIGNATURE.format(d)})
        for subset in ("all", "natural"):
            ids = {e.id for e in examples if subset == "all" or e.meta["natural"]}
            chosen = {s: [row for row in rows if row["id"] in ids] for s, rows in items.items()}
            tables.append(
                summary_table(
                    f"D = {d}, {subset}", chosen, {e.id: e.cluster for e in examples}, seed=0, resamples=200,
                    extra={"passages": d, "subset": subset},
                )
            )  # fmt: skip
    signatures = {d: SIGNATURE.format(d) for d in sources}
    contents = {
        "schema": 1, "run": name, "signature": " ; ".join(signatures.values()), "signatures": signatures, "notes": [],
        "metrics": [vars(info) for info in metric_infos()], "printed": list(PRINTED), "tables": tables,
    }  # fmt: skip
    write_json(run / "metrics.json", contents)
    validation = {"0": {"faulty": 0.5, "rouge_l": 0.6}, "3": {"faulty": 0.25, "rouge_l": 0.61}}
    training = {
        "steps": 3, "tokens": 100, "target_tokens": 40, "selected_step": 3, "validation": validation
    }  # fmt: skip
    run.run("data", {}, lambda: Stage([], {"train": 20, "pairs": 10, "evaluation": queries}))
    run.run("grounded", {}, lambda: Stage([], {"training": training}))
    run.run("metrics", {}, lambda: Stage(["metrics.json"]))
    return run
