"""Stages ``predict-SYSTEM``: every system asks one question for each held-out query, for each choice of D."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from rac.files import ResumableLines, sha256_json, write_records
from rac.metrics.selection import SelectionScorer
from rac.pipeline.context import choose_passages
from rac.pipeline.data import load_examples, load_retrieved
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.pipeline.training import load_run_model
from rac.progress import Progress
from rac.prompting import PROMPT_VERSION, build_prompt
from rac.records import ClarificationExample, Passage, Prediction

log = logging.getLogger(__name__)

_CHUNK = 16
MODEL_OF = {
    "base": "base",
    "ungrounded": "ungrounded",
    "grounded": "grounded",
    "grounded-best-of-n": "grounded",
    "rac": "rac",
}
"""Which model answers for a system; the other systems need none."""


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
    sources = recipe.evaluation.passages
    upstream = ["data", "retrieve"]
    if MODEL_OF.get(system, "base") != "base":
        upstream.append(MODEL_OF[system])
    inputs = {
        "upstream": run.output_hash(*upstream),
        "recipe": recipe.digest("prompt", "model", "seed"),
        "sources": list(sources),
        "max_new_tokens": recipe.evaluation.max_new_tokens,
        "candidates": recipe.evaluation.candidates if system == "grounded-best-of-n" else None,
        "prompt": PROMPT_VERSION,
        "system": system,
    }

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
            ask = _asker(run, system)
            with Progress(f"asking {system}", len(todo), unit="questions", done=len(todo) - len(missing)) as progress:
                for start in range(0, len(missing), _CHUNK):
                    chunk = missing[start : start + _CHUNK]
                    lines.add(dict(zip(chunk, ask([todo[key] for key in chunk]), strict=True)))
                    progress.advance(len(chunk))
        outputs = []
        counts: dict[str, Any] = {}
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
    """Name one generation; the ungrounded model does not see D, so its question is the same for every D."""
    if system in ("ungrounded", "gold"):
        return example.id
    return sha256_json([example.id, [p.id for p in passages]])


Item = tuple[ClarificationExample, list[Passage]]


def _asker(run: RunDirectory, system: str) -> Callable[[list[Item]], list[str]]:
    """Return what turns a chunk of (example, D) into questions."""
    if system == "gold":
        return lambda items: [example.questions[0] if example.questions else "" for example, _ in items]
    if system.startswith("template"):
        from rac.generation.templates import title_question, typed_question

        write = title_question if system == "template-titles" else typed_question
        return lambda items: [write(e.query, passages) for e, passages in items]

    from rac.generation.local import LocalGenerator

    model, tokenizer = load_run_model(run, MODEL_OF[system])
    generator = LocalGenerator(model, tokenizer, max_new_tokens=run.recipe.evaluation.max_new_tokens)
    settings = run.recipe.prompt

    def prompts(items: list[Item]) -> list[tuple[int, ...]]:
        return [
            build_prompt(tokenizer, e.query, None if system == "ungrounded" else passages, settings).ids
            for e, passages in items
        ]

    def greedy(items: list[Item]) -> list[str]:
        return [candidate.text for candidate in generator.greedy(prompts(items), label="")]

    def best_of_n(items: list[Item]) -> list[str]:
        scorer = SelectionScorer(min_options=2)
        n = run.recipe.evaluation.candidates
        sampled = generator.sample(prompts(items), n, seed=run.recipe.seed, label="")
        chosen = []
        for (example, passages), candidates in zip(items, sampled, strict=True):
            scores = scorer.score_all([c.text for c in candidates], example.query, passages)
            order = sorted(
                range(n), key=lambda i: (not scores[i].good, -scores[i].faithfulness, -candidates[i].logprob, i)
            )
            chosen.append(candidates[order[0]].text)
        return chosen

    return best_of_n if system == "grounded-best-of-n" else greedy
