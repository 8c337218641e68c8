"""Stages ``predict-SYSTEM``: every system asks one question for each held-out query, for each choice of D."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from rac.files import ResumableLines, sha256_json, write_records
from rac.generation.systems import SYSTEMS
from rac.models import EMBEDDED, model_fingerprint
from rac.pipeline.askers import open_asker, way_settings
from rac.pipeline.context import choose_passages
from rac.pipeline.data import load_examples, load_retrieved
from rac.pipeline.models import model_stage
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.progress import Progress
from rac.prompting import PROMPT_VERSION
from rac.records import ClarificationExample, Passage, Prediction
from rac.report.stored import FOUND_DONE

log = logging.getLogger(__name__)

_CHUNK = 32
"""Questions asked at once, and kept at once: each step of decoding reads all weights, whatever it is for."""


def contexts(run: RunDirectory, source: str) -> dict[str, list[Passage]]:
    """Return D of every held-out query that has one: ``retrieved`` or ``gold`` passages."""
    retrieved = load_retrieved(run)
    found = {}
    for example in load_examples(run, "evaluation"):
        passages = choose_passages(
            example,
            retrieved[example.id],
            run.recipe.prompt,
            seed=run.recipe.seed,
            role="evaluation",
            source="gold" if source == "gold" else "retrieved",
        )
        if passages:
            found[example.id] = passages
    return found


def predict_stages(run: RunDirectory) -> None:
    """Let every system of the recipe ask, one stage a system."""
    for system in run.recipe.evaluation.systems:
        predict_stage(run, system)


def predict_stage(run: RunDirectory, system: str) -> dict[str, Any]:
    """Let one system ask for all held-out queries and every D; write ``predictions/D/SYSTEM.jsonl``."""
    recipe = run.recipe
    sources = recipe.evaluation.sources_of(system)
    kind = SYSTEMS[system]
    trained = [model_stage(recipe, name) for name in kind.models if name not in ("base", "shipped")]
    inputs = {
        "upstream": run.output_hash("data", "retrieve", *trained),
        "recipe": recipe.digest("prompt", "model", "seed"),
        "sources": sources,
        "max_new_tokens": recipe.evaluation.max_new_tokens,
        "candidates": recipe.evaluation.candidates if kind.way == "best-of-n" else None,
        "prompt": PROMPT_VERSION,
        "system": system,
        **way_settings(recipe, kind),
    }
    if "base" in kind.models and recipe.model.base != EMBEDDED:
        inputs["base"] = model_fingerprint(recipe.model.base)

    def work() -> Stage:
        examples = load_examples(run, "evaluation")
        by_source = {source: contexts(run, source) for source in sources}
        lines = ResumableLines(run / "work" / f"predict-{system}.jsonl", sha256_json(inputs))
        todo = {}
        for source, found in by_source.items():
            for example in examples:
                if example.id in found:
                    todo[_key(system, source, example, found[example.id])] = (example, found[example.id])
        missing = [key for key in todo if key not in lines.done]
        if missing:
            ask = open_asker(run, kind)
            with Progress(f"asking {system}", len(todo), unit="questions", done=len(todo) - len(missing)) as progress:
                for start in range(0, len(missing), _CHUNK):
                    chunk = missing[start : start + _CHUNK]
                    lines.add(dict(zip(chunk, ask([todo[key] for key in chunk]), strict=True)))
                    progress.advance(len(chunk))
        outputs = []
        counts: dict[str, Any] = {FOUND_DONE: len(todo) - len(missing)} if len(missing) < len(todo) else {}
        for source, found in by_source.items():
            outputs.append(f"predictions/{source}/{system}.jsonl")
            predictions = [
                Prediction(
                    id=e.id,
                    question=lines.done[_key(system, source, e, found[e.id])],
                    system=system,
                    passages=tuple(found[e.id]),
                )
                for e in examples
                if e.id in found
            ]
            write_records(run / outputs[-1], predictions)
            counts[f"{source}: asked"] = len(predictions)
            if len(predictions) < len(examples):
                counts[f"{source}: left out, no passage"] = len(examples) - len(predictions)
        lines.remove()
        return Stage(outputs, counts)

    return run.run(f"predict-{system}", inputs, work, label=f"asking with {system}")


def _key(system: str, source: str, example: ClarificationExample, passages: Sequence[Passage]) -> str:
    """Name one generation; a system that does not see D asks the same for every D."""
    if not SYSTEMS[system].sees_passages:
        return example.id
    return sha256_json([example.id, [p.id for p in passages]])
