"""Stages ``metrics`` and ``report``: score every system against the same D, test the differences, write them down."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rac.benchmarks import stand_in_note
from rac.files import iterate_json_lines, read_json, read_records, write_json
from rac.metrics.catalog import REFERENCE
from rac.metrics.claims import RULES_VERSION
from rac.metrics.support import load_fit
from rac.pipeline.data import load_examples
from rac.pipeline.predictions import contexts, predict_stages
from rac.pipeline.preference import round_variants
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.pipeline.sources import corpus_name
from rac.records import ClarificationExample, Passage, Prediction
from rac.report.build import PRINTED, metric_infos, report_data, summary_table
from rac.report.evaluation import write_scores
from rac.report.results import flat

if TYPE_CHECKING:
    from rac.retrieval import Index

log = logging.getLogger(__name__)

METRICS_SCHEMA = 1


def subsets(examples: Sequence[ClarificationExample]) -> dict[str, set[str]]:
    """Return the groups of queries that get a table each: all, and those that the source calls natural, if it does."""
    found = {"all": {e.id for e in examples}}
    if any("natural" in e.meta for e in examples):
        found["natural"] = {e.id for e in examples if e.meta.get("natural")}
    return found


def metrics_stage(run: RunDirectory) -> dict[str, Any]:
    """Score all predictions; write ``scores/D/SYSTEM.jsonl`` and ``metrics.json``."""
    recipe = run.recipe
    systems = recipe.evaluation.systems

    def work() -> Stage:
        from rac.metrics.entailment import chosen_entailment, default_cache_path
        from rac.metrics.suite import MetricSettings, evaluate, prefetch

        entailment = chosen_entailment(recipe.evaluation.nli, cache=default_cache_path())
        index, without = _index(run)
        examples = load_examples(run, "evaluation")
        tables: list[dict[str, Any]] = []
        outputs = []
        signatures: dict[str, str] = {}
        notes: dict[str, list[str]] = {}
        stand_ins = {stand_in_note(source, corpus_name(recipe)) for source in recipe.data.source.split("+")}
        stand_in = "; ".join(sorted(stand_ins - {""}))
        for source in recipe.evaluation.passages:
            found = contexts(run, source)
            named = f"{source}{recipe.prompt.top_k}" if source == "retrieved" else source
            items: dict[str, list[dict[str, Any]]] = {}
            settings = MetricSettings(named, seed=recipe.seed, raw=False)  # raw would be two thirds of the time
            known = [e for e in examples if e.id in found]
            asked = {
                s: read_records(run / f"predictions/{source}/{s}.jsonl", Prediction)
                for s in recipe.evaluation.systems_over(source)
            }
            if entailment is not None:
                prefetch(asked.values(), known, found, settings, entailment)
            for system, predictions in asked.items():
                evaluation = evaluate(predictions, known, found, settings, entailment=entailment, index=index)
                signatures[source] = evaluation.signature
                notes[source] = [*evaluation.notes, *(note for note in (stand_in, without) if note)]
                items[system] = [_without_own_reference(item, system) for item in evaluation.per_item]
                outputs.append(f"scores/{source}/{system}.jsonl")
                write_scores(run / outputs[-1], dataclasses.replace(evaluation, per_item=items[system]))
            for subset, ids in subsets(examples).items():
                tables.append(
                    summary_table(
                        _table_name(source, subset, recipe.prompt.top_k),
                        {s: [i for i in rows if i["id"] in ids] for s, rows in items.items()},
                        {e.id: e.cluster for e in examples},
                        seed=recipe.seed,
                        resamples=recipe.evaluation.bootstrap_samples,
                        extra={"passages": source, "subset": subset},
                    )
                )
                if stand_in:
                    tables[-1]["note"] = f"{stand_in}. {tables[-1]['note']}"
        write_json(
            run / "metrics.json",
            {
                "schema": METRICS_SCHEMA,
                "run": recipe.name,
                "signature": " ; ".join(signatures.values()),
                "signatures": signatures,
                "notes": sorted({note for own in notes.values() for note in own}),
                "metrics": [vars(info) for info in metric_infos()],
                "printed": list(PRINTED),
                "tables": tables,
            },
        )
        return Stage(["metrics.json", *outputs], {"systems": len(systems), "queries": len(examples)})

    inputs = {
        "upstream": run.output_hash("data", "retrieve", *(f"predict-{s}" for s in systems)),
        "recipe": recipe.digest("evaluation", "prompt", "seed"),
        "scorer": [RULES_VERSION, *(load_fit(with_entailment=with_it).version for with_it in (False, True))],
    }
    return run.run("metrics", inputs, work, label="measuring")


def _index(run: RunDirectory) -> tuple[Index | None, str]:
    """Return the corpus for retrieval gain if the recipe asks for it, and a note where it cannot be had."""
    if not run.recipe.evaluation.retrieval_gain:
        return None, ""
    from rac.retrieval import open_index

    # The folds of a cross-fitted benchmark all have the same corpus.
    for place in (run / "index", run / "fold-1/index"):
        if place.exists():
            return open_index(place), ""
    return None, "retrieval gain is not measured: the pooled runs have no corpus in common"


def _without_own_reference(item: dict[str, Any], system: str) -> dict[str, Any]:
    """Leave reference metrics of gold out: gold is its own reference."""
    if system != "gold":
        return item
    own = {info.name for info in metric_infos() if info.group == REFERENCE}
    return {key: (None if key in own else value) for key, value in item.items()}


def _table_name(source: str, subset: str, top_k: int) -> str:
    d = f"D = retrieved top {top_k}" if source == "retrieved" else "D = gold passages"
    return d if subset == "all" else f"{d}, {subset} queries"


def report_stage(run: RunDirectory) -> dict[str, Any]:
    """Write ``report.html`` and ``report.md`` from the metrics and predictions."""

    def work() -> Stage:
        from rac.report.html import write_report
        from rac.report.markdown import write_markdown

        examples = load_examples(run, "evaluation")
        metrics = read_json(run / "metrics.json")
        source = run.recipe.evaluation.passages[0]
        found: dict[str, list[Passage]] = contexts(run, source)
        items = {
            system: [row for _, row in iterate_json_lines(run / f"scores/{source}/{system}.jsonl")]
            for system in run.recipe.evaluation.systems_over(source)
        }
        data = report_data(
            title=f"Clarifying questions: {run.recipe.name}",
            metrics=metrics,
            examples=examples,
            passages=found,
            items=items,
            notes=_notes(run),
            warnings=metrics["notes"],
            passages_used=_table_name(source, "all", run.recipe.prompt.top_k).removeprefix("D = "),
        )
        write_report(run / "report.html", data)
        write_markdown(run / "report.md", data)
        return Stage(["report.html", "report.md"])

    return run.run("report", {"upstream": run.output_hash("metrics")}, work, label="writing the report")


def _notes(run: RunDirectory) -> list[str]:
    """Say what the run was made of: data, what was dropped and why, training, time."""
    notes = []
    data = run.record("data") or {}
    counts = data.get("counts", {})
    sources = ", ".join([run.recipe.data.source, *run.recipe.data.also])
    if run.trained is not run:
        notes.append(
            f"Transfer: the models were trained on {run.trained.recipe.data.source} ({run.trained.recipe.name}) and "
            f"are asked on {sources}; {counts.get('evaluation')} queries."
        )
    elif "pooled runs" in counts:
        notes.append(
            f"Data: {sources}, pooled over {counts['pooled runs']} runs; every one of the {counts['evaluation']} "
            "queries is asked by models that were not trained on its group."
        )
    else:
        notes.append(
            f"Data: {sources}; queries: {counts.get('train')} for stage 1, {counts.get('pairs')} for pairs, "
            f"{counts.get('evaluation')} held out."
        )
    rounds = round_variants(run.recipe)
    for stage in ("retrieve", "grounded", "ungrounded", *(s for v in rounds for s in (v.pairs, v.model))):
        record = run.record(stage)
        if record:
            notes.append(f"{stage}: {flat(record['counts'])} ({record['seconds']:.0f} s).")
    return notes


__all__ = ["metrics_stage", "predict_stages", "report_stage", "subsets"]
