"""Validation while a model is trained: it asks for held-out validation queries, and the weights that ask best are kept.

Questions are judged with the *selection* scorer, never with the one that makes tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rac.errors import UserError
from rac.files import sha256_json
from rac.metrics.reference import rouge_l
from rac.metrics.selection import SELECTION_VERSION, SelectionScore, SelectionScorer, option_identity
from rac.pipeline.context import choose_passages
from rac.pipeline.data import load_examples, load_retrieved
from rac.pipeline.run_directory import RunDirectory
from rac.prompting import build_prompt, passages_in_prompt
from rac.records import ClarificationExample, Passage
from rac.training.pairs import option_value
from rac.training.selection import Rule

if TYPE_CHECKING:
    from rac.config import Recipe
    from rac.training.selection import Validate
    from rac.training.settings import Optimisation


def validation_of(run: RunDirectory, tokenizer: Any, settings: Any, *, grounded: bool = True) -> Validate | None:
    """Return what asks and judges a model in training, or None if the settings ask for no validation.

    Args:
        run: A run with data and retrieval.
        tokenizer: The model's.
        settings: The recipe's section ``training`` or ``preference``; with ``validations`` 0 nothing is asked.
        grounded: Whether the model sees D; one that does not is judged against it all the same.

    Raises:
        UserError: if there is no validation query to ask for.
    """
    if not settings.validations:
        return None
    from rac.generation.local import LocalGenerator

    recipe = run.recipe
    retrieved = load_retrieved(run)
    asked: list[tuple[ClarificationExample, list[Passage]]] = []
    prompts: list[list[int]] = []
    for example in load_examples(run, "validation"):
        passages = choose_passages(example, retrieved[example.id], recipe.prompt, seed=recipe.seed, role="evaluation")
        if passages and len(asked) < settings.validation_queries:
            asked.append((example, passages_in_prompt(tokenizer, example.query, passages, recipe.prompt)))
            prompt = build_prompt(tokenizer, example.query, passages if grounded else None, recipe.prompt)
            prompts.append(list(prompt.ids))
    if not asked:
        raise UserError(
            "validations were asked for, but no validation query of this data has a passage to ask about; give the "
            "source a validation split or more queries, or set validations: 0"
        )

    def validate(model: Any) -> dict[str, float]:
        generator = LocalGenerator(model, tokenizer, max_new_tokens=recipe.evaluation.max_new_tokens)
        questions = [candidate.text for candidate in generator.greedy(prompts, label="")]
        return judge(questions, asked, tell_apart=recipe.pairs.tell_apart)

    return validate


def validation_inputs(recipe: Recipe, settings: Optimisation) -> dict[str, Any]:
    """Return what a validated training depends on beside its own section and the data."""
    if not settings.validations:
        return {}
    return {
        "selection": SELECTION_VERSION, "tell_apart": recipe.pairs.tell_apart,
        "max_new_tokens": recipe.evaluation.max_new_tokens, "floors": Rule().lose_at_most,
    }  # fmt: skip


def validated_by(run: RunDirectory, settings: Optimisation) -> str:
    """Return the same with the validation queries and their D as one hash, "" where nothing is asked."""
    own = validation_inputs(run.recipe, settings)
    return sha256_json({**own, "data": run.output_hash("data", "retrieve")}) if own else ""


def judge(
    questions: Sequence[str],
    asked: Sequence[tuple[ClarificationExample, Sequence[Passage]]],
    *,
    tell_apart: bool = False,
) -> dict[str, float]:
    """Return what ``rac.training.selection.Rule`` chooses by.

    Args:
        questions: One for each query.
        asked: The queries with the D that their prompts show.
        tell_apart: Count options of which one fits every passage that another fits as one option.

    Returns:
        ``faulty``: share of questions with an option that no passage carries or that is there already: what pairs
        count as a fault. ``unsupported``: share with an option that no passage carries. ``informativeness``: how many
        different options a question offers, of the two that it takes to ask something, so that neither "What do you
        mean?" (0) nor "X or X" (0.5) can win. ``rouge_l``: mean over the queries with a gold question.
    """
    scorer = SelectionScorer()
    scores = [
        scorer.score(question, example.query, passages)
        for question, (example, passages) in zip(questions, asked, strict=True)
    ]
    overlaps = [value for value in rouge_l(questions, [example.questions for example, _ in asked]) if value is not None]
    return {
        "faulty": _mean(bool(s.options) and option_value(s, tell_apart=tell_apart) < 1 for s in scores),
        "unsupported": _mean(not all(score.supported) for score in scores),
        "informativeness": _mean(_told_apart(score, tell_apart) / 2 for score in scores),
        "rouge_l": _mean(overlaps),
    }


def _told_apart(score: SelectionScore, tell_apart: bool) -> int:
    """Return how many different options a question offers, at most two."""
    different = min(len({option_identity(option) for option in score.options}), 2)
    return 1 if different == 2 and tell_apart and not score.apart else different


def _mean(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found) if found else 0.0
