"""How each system of a run comes to its question: from (example, D) to text."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rac.config import Recipe
from rac.errors import UserError
from rac.generation.systems import System
from rac.metrics.selection import SelectionScorer
from rac.models import EMBEDDED, load_model, model_fingerprint, model_info
from rac.pipeline.models import device_of, load_run_model, model_stage
from rac.pipeline.run_directory import RunDirectory
from rac.pipeline.training import ground
from rac.prompting import PromptSettings, Shot, build_prompt
from rac.records import ClarificationExample, Passage

log = logging.getLogger(__name__)

SHIPPED = f"{EMBEDDED}:rac"
"""What the system ``shipped`` asks: with the prompt that it was trained with, over the run's D."""

Item = tuple[ClarificationExample, list[Passage]]
Ask = Callable[[list[Item]], list[str]]


_EVERY_SUPPORTED = {"supported_only": True, "questions_per_query": None}
"""The training examples that shots are drawn from by default."""


def way_settings(recipe: Recipe, system: System) -> dict[str, Any]:
    """Return the settings that a system's questions depend on beside prompt, model and seed."""
    own = recipe.evaluation
    if system.way == "few-shot":
        chosen = {
            "supported_only": recipe.data.supported_only,
            "questions_per_query": recipe.data.questions_per_query,
        }
        # Left out where they are the defaults: runs from before they counted stay as they are.
        return {"shots": own.shots, **({} if chosen == _EVERY_SUPPORTED else {"examples": chosen})}
    if system.way == "context-aware":
        return {"alpha": own.alpha, "plausibility": own.plausibility}
    if system.way == "facet-constrained":
        return {"beams": own.beams}
    if "shipped" in system.models:
        return {"shipped": model_fingerprint(SHIPPED)}
    if system.way == "server":
        return {"url": recipe.openai.url, "model": recipe.openai.model}
    return {}


def open_asker(run: RunDirectory, system: System) -> Ask:
    """Load what a system needs; return what turns a chunk of (example, D) into questions.

    Raises:
        UserError: if a model cannot be loaded or used in this way.
    """
    recipe = run.recipe
    if system.way == "gold":
        return lambda items: [example.questions[0] if example.questions else "" for example, _ in items]
    if system.way in ("template", "template-titles"):
        from rac.generation.templates import title_question, typed_question

        write = title_question if system.way == "template-titles" else typed_question
        return lambda items: [write(e.query, passages) for e, passages in items]
    if system.way == "server":
        return _server(recipe)
    loaded = [_load(run, name) for name in system.models]
    model, tokenizer, settings = loaded[0]
    limit = recipe.evaluation.max_new_tokens
    shots = pick_shots(run, recipe.evaluation.shots) if system.way == "few-shot" else []

    def prompts(items: list[Item], *, bare: bool = not system.sees_passages) -> list[tuple[int, ...]]:
        return [
            build_prompt(tokenizer, e.query, None if bare else passages, settings, shots=shots).ids
            for e, passages in items
        ]

    if system.way == "context-aware":
        from rac.generation.context_aware import ContextAwareGenerator

        both = ContextAwareGenerator(
            model, loaded[1][0], tokenizer, alpha=recipe.evaluation.alpha,
            plausibility=recipe.evaluation.plausibility, max_new_tokens=limit,
        )  # fmt: skip
        return lambda items: [c.text for c in both.greedy(prompts(items), prompts(items, bare=True), label="")]
    if system.way == "facet-constrained":
        from rac.generation.facet_constrained import FacetConstrainedGenerator
        from rac.generation.templates import facets

        constrained = FacetConstrainedGenerator(
            model, tokenizer, beams=recipe.evaluation.beams, max_new_tokens=limit
        )  # fmt: skip
        return lambda items: [
            c.text for c in constrained.ask(prompts(items), [facets(e.query, p) for e, p in items], label="")
        ]

    from rac.generation.local import LocalGenerator

    generator = LocalGenerator(model, tokenizer, max_new_tokens=limit)
    if system.way != "best-of-n":
        return lambda items: [candidate.text for candidate in generator.greedy(prompts(items), label="")]
    n = recipe.evaluation.candidates

    def best_of_n(items: list[Item]) -> list[str]:
        sampled = generator.sample(prompts(items), n, seed=recipe.seed, label="")
        return [
            best_candidate([(c.text, c.logprob) for c in candidates], example.query, passages)
            for (example, passages), candidates in zip(items, sampled, strict=True)
        ]

    return best_of_n


def best_candidate(candidates: Sequence[tuple[str, float]], query: str, passages: Sequence[Passage]) -> str:
    """Return the question that the selection scorer likes best; of equals the most probable.

    Good ones come first, among them those whose options tell passages apart, then the best supported.

    Args:
        candidates: (question, log-probability).
        query: The query.
        passages: D.
    """
    scores = SelectionScorer(min_options=2).score_all([text for text, _ in candidates], query, passages)
    order = sorted(
        range(len(candidates)),
        key=lambda i: (not scores[i].good, not scores[i].apart, -scores[i].faithfulness, -candidates[i][1], i),
    )
    return candidates[order[0]][0]


def _load(run: RunDirectory, name: str) -> tuple[Any, Any, PromptSettings]:
    """Load a model that a system needs, with the prompt settings that it is asked with."""
    if name == "shipped":
        own = model_info(SHIPPED).get("prompt")
        settings = PromptSettings.model_validate(own) if own else run.recipe.prompt
        return *load_model(SHIPPED, device=device_of(run), dtype=run.recipe.model.dtype, merged=True), settings
    stage = name if name == "base" else model_stage(run.recipe, name)
    return *load_run_model(run, stage, merged=True), run.recipe.prompt


def _server(recipe: Recipe) -> Ask:
    """Return what asks the run's server; what it refuses for good (too long, filtered) stays empty, and is logged."""
    from rac.generation.openai import OpenAIGenerator
    from rac.generation.openai_budget import BackendError, BudgetError
    from rac.models import load_tokenizer

    generator = OpenAIGenerator(recipe.openai, max_new_tokens=recipe.evaluation.max_new_tokens)
    # Passages are cut by the base model's tokens, so that every system sees the same text.
    tokenizer = load_tokenizer(recipe.model.base)
    asked = 0
    refusals: list[BackendError] = []

    def ask(items: list[Item]) -> list[str]:
        nonlocal asked
        chats = [build_prompt(tokenizer, e.query, passages, recipe.prompt).messages for e, passages in items]
        questions, before = [""] * len(chats), len(refusals)
        for index, result in generator.ask(chats, label="", temperature=0.0):
            if not isinstance(result, BackendError):
                questions[index] = result[0].text
            elif result.retry or isinstance(result, BudgetError):
                # Asked again, it may succeed: the stage ends here and goes on from what it has.
                raise result
            else:
                refusals.append(result)
        asked += len(chats)
        if refusals and len(refusals) == asked:
            raise BackendError(f"all of {asked} requests were refused; the first one: {refusals[0]}")
        if len(refusals) > before:
            log.warning(
                "%d of %d requests so far were refused for good, so their questions are empty; the first one: %s",
                len(refusals), asked, refusals[0],
            )  # fmt: skip
        return questions

    return ask


def pick_shots(run: RunDirectory, count: int) -> list[Shot]:
    """Draw training examples by seed, with D as in training and the first usable gold question.

    Raises:
        UserError: if there are fewer than asked for.
    """
    groundings = ground(run.trained, "train", Counter())
    if len(groundings) < count:
        raise UserError(
            f"evaluation.shots: {count} solved examples are asked for and the training part has {len(groundings)}; "
            "use fewer"
        )
    drawn = random.Random(f"{run.recipe.seed}|shots").sample(groundings, count)
    return [Shot(g.example.query, g.passages, g.questions[0]) for g in drawn]
