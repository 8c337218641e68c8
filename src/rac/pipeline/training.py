"""Stage 1: ``ungrounded`` and ``grounded``; and ``grounded-continued``, which trains on for as long as stage 2 does."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rac.errors import UserError
from rac.models import load_tokenizer, model_fingerprint
from rac.pipeline.context import choose_passages, seeded
from rac.pipeline.data import UNLABELLED, load_examples, load_retrieved
from rac.pipeline.models import load_run_model, rounds_of
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.pipeline.unlabelled import SMALL_D, load_unlabelled
from rac.pipeline.validation import validated_by, validation_inputs, validation_of
from rac.prompting import PROMPT_VERSION, build_prompt, check_prefix, encode_question, passages_in_prompt
from rac.records import ClarificationExample, Passage

if TYPE_CHECKING:
    from rac.training.packing import Tree

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grounding:
    """A training example with its D and the gold questions that are used.

    ``visible`` is D with each text cut to what the prompt shows: training questions and samples are scored against it.
    """

    example: ClarificationExample
    passages: tuple[Passage, ...]
    visible: tuple[Passage, ...]
    questions: tuple[str, ...]


def ground(
    run: RunDirectory,
    split: str,
    counts: Counter[str],
    *,
    supported_only: bool | None = None,
    gold_only: float = 0.0,
    seed: int | None = None,
    part: tuple[int, int] = (0, 1),
    labelled: bool | None = None,
) -> list[Grounding]:
    """Choose D and the usable gold questions of every example of a training split; count what is left out and why.

    Args:
        run: The run.
        split: ``train``, ``pairs`` or ``validation``; or ``unlabelled``, whose queries have no gold question to use
            and no gold passages: the ``SMALL_D`` best ones stand in where D is to be those alone.
        counts: Gets the counts.
        supported_only: Leave out questions that D does not support; None: as the recipe says.
        gold_only: Share of the examples whose D is the gold passages alone, in 0..1.
        part: (I, K) takes every K-th example from the I-th on.
        labelled: Whether gold questions and gold passages are used; None: wherever there are any. Without, D is what
            was retrieved.
        seed: Draws those examples; None: the run's. Passages are shuffled and mixed by the run's seed in any case.
    """
    from rac.metrics.selection import SelectionScorer

    recipe = run.recipe
    supported = recipe.data.supported_only if supported_only is None else supported_only
    labelled = split != UNLABELLED if labelled is None else labelled
    retrieved = load_unlabelled(run) if split == UNLABELLED else load_retrieved(run)
    scorer = SelectionScorer()
    tokenizer = load_tokenizer(recipe.model.base)
    found: list[Grounding] = []
    for example in load_examples(run, split)[part[0] :: part[1]]:
        counts["queries read"] += 1
        alone = (bool(example.passages) or not labelled) and (
            seeded(recipe.seed if seed is None else seed, "gold only", example.id).random() < gold_only
        )
        found_for = retrieved[example.id]
        if alone and labelled:
            counts["queries whose D is the gold passages alone"] += 1
        elif alone:
            counts[f"queries whose D is the best {SMALL_D} passages alone"] += 1
            found_for = found_for[:SMALL_D]
        passages = choose_passages(
            example, found_for, recipe.prompt, seed=recipe.seed, role="training",
            source="retrieved" if not labelled else "gold" if alone else None,
        )  # fmt: skip
        if not passages:
            counts["queries dropped: nothing retrieved"] += 1
            continue
        visible = passages_in_prompt(tokenizer, example.query, passages, recipe.prompt)
        passages = passages[: len(visible)]
        questions = []
        for question in dict.fromkeys(q for q in example.questions if labelled and q.strip()):
            if supported:
                score = scorer.score(question, example.query, visible)
                if not all(score.supported):
                    counts["questions dropped: the prompt does not support an option"] += 1
                    continue
            questions.append(question)
        questions = questions[: recipe.data.questions_per_query]
        if labelled and not questions:
            counts["queries dropped: no question left"] += 1
            continue
        counts["queries kept"] += 1
        counts["questions kept"] += len(questions)
        found.append(Grounding(example, tuple(passages), tuple(visible), tuple(questions)))
    if not found:
        raise UserError(
            f"no training query is left in '{split}' ({dict(counts)}): allow unsupported questions with "
            "data.supported_only: false, use another prompt.passages, or a corpus that covers the queries"
        )
    return found


def _trees(run: RunDirectory, groundings: Sequence[Grounding], *, grounded: bool, counts: Counter[str]) -> list[Tree]:
    from rac.training.packing import Tree

    tokenizer = load_tokenizer(run.recipe.model.base)
    trees = []
    for grounding in groundings:
        prompt = build_prompt(
            tokenizer, grounding.example.query, grounding.passages if grounded else None, run.recipe.prompt
        )
        for question in grounding.questions:
            check_prefix(tokenizer, prompt, question)
        branches = [encode_question(tokenizer, q) for q in grounding.questions]
        counts["passages cut"] += prompt.cut
        counts["passages dropped: prompt full"] += prompt.dropped
        counts["prompt tokens"] += len(prompt.ids)
        counts["question tokens"] += sum(map(len, branches))
        trees.append(Tree(grounding.example.id, list(prompt.ids), branches))
    return trees


def supervised_stage(run: RunDirectory, name: str) -> dict[str, Any]:
    """Stage 1: fine-tune the base model with passages (``grounded``) or without (``ungrounded``)."""
    recipe = run.recipe

    def work() -> Stage:
        from rac.training.selection import Rule
        from rac.training.supervised import train_supervised

        counts: Counter[str] = Counter()
        groundings = ground(run, "train", counts)
        trees = _trees(run, groundings, grounded=name == "grounded", counts=counts)
        model, tokenizer = load_run_model(run, "base")
        validate = validation_of(run, tokenizer, recipe.training, grounded=name == "grounded")
        record = train_supervised(
            model,
            trees,
            recipe.training,
            output_dir=run / "models" / name,
            seed=recipe.seed,
            validate=validate,
            validated_by=validated_by(run, recipe.training),
            # The start answers instead of asking, so it sets no standard; ungrounded questions are supported by luck.
            rule=Rule(standard="best") if validate and name == "grounded" else None,
            tokenizer=tokenizer,
            base=recipe.model.base,
            label=f"training {name}",
        )
        return Stage([f"models/{name}"], {**counts, "training": record.to_dict()})

    inputs = {
        "upstream": run.output_hash("data", "retrieve"),
        "recipe": recipe.digest("prompt", "model", "training", "seed"),
        "supported_only": recipe.data.supported_only,
        "questions_per_query": recipe.data.questions_per_query,
        "base": model_fingerprint(recipe.model.base),
        "prompt": PROMPT_VERSION,
        "model": name,
        **validation_inputs(recipe, recipe.training),
    }
    return run.run(name, inputs, work, label=f"stage 1: fine-tuning the {name} model")


def continued_stage(run: RunDirectory) -> dict[str, Any]:
    """Train ``grounded`` on over all supervised data, for as many tokens as stage 2 read: equal compute.

    The data is what either stage saw of the source: the queries of stage 1 and those that were kept for pairs, whose
    gold questions ``grounded`` has not seen yet. The settings are those of stage 1.
    """
    recipe = run.recipe
    wanted = 0
    for stage in rounds_of(recipe):
        record = run.record(stage)
        assert record is not None, "stage 2 says how long to train"
        wanted += record["counts"]["training"]["tokens"]

    def work() -> Stage:
        from rac.training.supervised import train_supervised

        counts: Counter[str] = Counter()
        groundings = [g for split in ("train", "pairs") for g in ground(run, split, counts)]
        trees = _trees(run, groundings, grounded=True, counts=counts)
        available = sum(tree.length for tree in trees)
        model, tokenizer = load_run_model(run, "grounded")
        trained = train_supervised(
            model,
            trees,
            recipe.training.model_copy(update={"epochs": wanted / available, "validations": 0}),
            output_dir=run / "models/grounded-continued",
            seed=recipe.seed + 1,
            tokenizer=tokenizer,
            base=recipe.model.base,
            label="training grounded-continued",
        )
        counts["tokens of stage 2"] = wanted
        return Stage(["models/grounded-continued"], {**counts, "training": trained.to_dict()})

    inputs = {
        "upstream": run.output_hash("data", "retrieve", "grounded"),
        "recipe": recipe.digest("prompt", "model", "training", "seed"),
        "supported_only": recipe.data.supported_only,
        "questions_per_query": recipe.data.questions_per_query,
        "tokens": wanted,
        "prompt": PROMPT_VERSION,
    }
    return run.run("grounded-continued", inputs, work, label="training grounded on for as long as stage 2")
