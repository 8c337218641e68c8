"""Data generation and stage 2: pairs, and the models that are trained on them, by round and by variant.

A run has one variant or more: the recipe's own rounds (``pairs`` and ``rac``, then ``pairs-2`` and ``rac-2``, ...), and
the paper's plain reading (``pairs-paper`` and ``rac-paper``) where a system asks for it. All start from the same
stage-1 models, so their difference is that of the pairs.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rac.config import Recipe
from rac.errors import UserError
from rac.files import read_records, write_records
from rac.metrics.selection import SELECTION_VERSION, SelectionScorer
from rac.models import load_tokenizer
from rac.pipeline.data import UNLABELLED
from rac.pipeline.models import load_run_model
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.pipeline.samples import sample_questions
from rac.pipeline.training import Grounding, ground
from rac.pipeline.validation import validated_by, validation_inputs, validation_of
from rac.prompting import Prompt, build_prompt, encode_question
from rac.records import PreferencePair
from rac.training.pair_settings import Pairs
from rac.training.pairs import option_value
from rac.training.settings import Stage2

if TYPE_CHECKING:
    from rac.training.packing import Tree


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """One way to make pairs and train on them.

    Attributes:
        model: Stage and folder of the model that results.
        pairs: Stage and file of its pairs.
        start: Stage whose model is sampled for C_q+ and faulty own questions, and trained further.
        settings: How pairs are made.
        seed: Of samples, edits and training.
        all_queries: Use queries whose gold questions D does not support, too: nothing is taken from gold.
        validated: Whether validation chooses the weights that are kept; otherwise the last ones are.
        split: Which queries it asks.
        part: (I, K): every K-th of them from the I-th on, so that further rounds see queries that none before has.
        mined: Take only queries whose greedy question has a fault, and nothing from gold.
    """

    model: str
    pairs: str
    start: str
    settings: Pairs
    seed: int
    all_queries: bool = False
    validated: bool = True
    split: str = "pairs"
    part: tuple[int, int] = (0, 1)
    mined: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this is the recipe's first round."""
        return self.model == "rac"

    def stage2(self, recipe: Recipe) -> Stage2:
        """Return the settings of its training."""
        return recipe.preference if self.validated else recipe.preference.model_copy(update={"validations": 0})


def round_variant(recipe: Recipe, number: int) -> Variant:
    """Return a round of the recipe, from 1.

    Rounds on unlabelled queries follow those on labelled ones and share these queries out. Mined rounds come last: the
    first mines all queries of stage 1, the second all unlabelled ones (if there are any, else stage 1's again), and so
    on.
    """
    if number == 1:
        return Variant("rac", "pairs", "grounded", recipe.pairs, recipe.seed)
    start = "rac" if number == 2 else f"rac-{number - 1}"
    variant = Variant(f"rac-{number}", f"pairs-{number}", start, recipe.pairs, recipe.seed + number - 1)
    further = number - recipe.preference.rounds
    if further < 1:
        return variant
    if further > recipe.preference.unlabelled_rounds:
        again = (further - recipe.preference.unlabelled_rounds) % 2 == 0 and recipe.preference.unlabelled_rounds
        return replace(variant, split=UNLABELLED if again else "train", mined=True)
    return replace(variant, split=UNLABELLED, part=(further - 1, recipe.preference.unlabelled_rounds))


def round_variants(recipe: Recipe) -> list[Variant]:
    """Return the rounds of the recipe, in order."""
    return [round_variant(recipe, number) for number in range(1, 1 + recipe.preference.all_rounds)]


def paper_variant(recipe: Recipe) -> Variant:
    """Return the paper's plain reading: C_q+ sampled from ``grounded``, C_q- from ``ungrounded``, no filter.

    Its last weights are kept: choosing them by faults of validation questions is no part of the paper's method.
    """
    return Variant(
        "rac-paper", "pairs-paper", "grounded", recipe.pairs.plain(), recipe.seed, all_queries=True, validated=False
    )


def pairs_stage(run: RunDirectory, variant: Variant | None = None) -> dict[str, Any]:
    """Data generation: sample, score and pair questions into {(U_q, D, C_q+, C_q-)}, written to ``PAIRS.jsonl``."""
    recipe = run.recipe
    variant = variant or round_variant(recipe, 1)
    settings = variant.settings

    def work() -> Stage:
        from rac.training.pairs import PairSource, make_pairs

        counts: Counter[str] = Counter()
        groundings = ground(
            run, variant.split, counts, part=variant.part, supported_only=False if variant.all_queries else None,
            gold_only=settings.gold_only_share, seed=variant.seed, labelled=False if variant.mined else None,
        )  # fmt: skip
        tokenizer = load_tokenizer(recipe.model.base)
        prompts = {
            g.example.id: build_prompt(tokenizer, g.example.query, g.passages, recipe.prompt) for g in groundings
        }
        asked: dict[str, str] = {}
        if variant.mined:
            groundings, asked = _faulty(run, variant, groundings, prompts, counts)
            prompts = {g.example.id: prompts[g.example.id] for g in groundings}
        own = _sample(run, variant.start, prompts, settings.grounded_samples, settings.needs_grounded, variant, counts)
        bare = {g.example.id: build_prompt(tokenizer, g.example.query, None, recipe.prompt) for g in groundings}
        other = _sample(
            run, "ungrounded", bare, settings.ungrounded_samples, settings.needs_ungrounded, variant, counts
        )
        sources = [
            PairSource(
                example_id=g.example.id,
                query=g.example.query,
                passages=g.passages,
                prompt=prompts[g.example.id].text,
                gold=g.questions,
                grounded=tuple(own.get(g.example.id, ())),
                ungrounded=tuple(other.get(g.example.id, ())),
                visible=g.visible,
                asked=asked.get(g.example.id, ""),
            )
            for g in groundings
        ]
        pairs, made = make_pairs(sources, settings, seed=variant.seed, scorer=SelectionScorer())
        if not pairs and variant.mined:
            raise UserError(
                f"{variant.pairs}: no faulty question of {variant.start} has a sound sample or a repair ({made}), so a "
                "mined round has nothing to learn from; lower preference.mined_rounds"
            )
        if not pairs:
            raise UserError(
                f"no preference pair is left ({made}): lower pairs.margin, raise the number of samples, or give "
                "stage 2 more queries (data.stage2_share)"
            )
        write_records(run / f"{variant.pairs}.jsonl", pairs)
        return Stage([f"{variant.pairs}.jsonl"], {"pairs": len(pairs), **counts, "made": made})

    upstream = ["data", "retrieve", *([UNLABELLED] if variant.split == UNLABELLED else [])]
    upstream += [variant.start] if settings.needs_grounded else []
    upstream += ["ungrounded"] if settings.needs_ungrounded else []
    inputs: dict[str, Any] = {
        "upstream": run.output_hash(*upstream),
        "recipe": recipe.digest("prompt", "pairs", "seed"),
        "supported_only": recipe.data.supported_only,
        "questions_per_query": recipe.data.questions_per_query,
        "max_new_tokens": recipe.evaluation.max_new_tokens,
    }
    if settings.filter:
        inputs["selection"] = SELECTION_VERSION
    if not variant.is_first:
        inputs |= {"part": variant.part} if variant.split == UNLABELLED else {}
        inputs |= {"mined": True} if variant.mined else {}
        inputs |= {"variant": variant.pairs, "settings": settings.model_dump(mode="json"), "seed": variant.seed}
        inputs["recipe"] = recipe.digest("prompt", "seed")
    what = (
        f"asking {variant.start}, and pairing what has a fault" if variant.mined else "sampling and pairing questions"
    )
    return run.run(variant.pairs, inputs, work, label=f"data generation: {what} ({variant.pairs})")


def _faulty(
    run: RunDirectory,
    variant: Variant,
    groundings: list[Grounding],
    prompts: dict[str, Prompt],
    counts: Counter[str],
) -> tuple[list[Grounding], dict[str, str]]:
    """Ask the model that a mined round starts from; return the queries whose question has a fault, and the questions.

    A question that was cut off at the length limit is a fault, too, but no candidate for C_q-: its end is not known.
    """
    found = sample_questions(run, variant.start, prompts, 1, seed=variant.seed, greedy=True)
    asked = {identity: texts[0] for identity, texts in found.items() if texts}
    scorer = SelectionScorer()

    def is_faulty(grounding: Grounding) -> bool:
        question = asked.get(grounding.example.id)
        if question is None:
            counts["greedy questions that were cut off"] += 1
            return True
        score = scorer.score(question, grounding.example.query, grounding.visible)
        return option_value(score, tell_apart=variant.settings.tell_apart) < 1

    faulty = [grounding for grounding in groundings if is_faulty(grounding)]
    counts["queries whose greedy question has a fault"] = len(faulty)
    log.info("%s of %s greedy questions of %s have a fault", len(faulty), len(groundings), variant.start)
    if not faulty:
        raise UserError(
            f"{variant.pairs}: no greedy question of {variant.start} has a fault that the selection scorer sees, so a "
            "mined round has nothing to learn from; lower preference.mined_rounds"
        )
    return faulty, asked


def _sample(
    run: RunDirectory, model: str, prompts: dict[str, Any], n: int, needed: bool, variant: Variant, counts: Counter[str]
) -> dict[str, list[str]]:
    # The ungrounded model stays the same over the rounds, and so do its samples.
    seed = run.recipe.seed if model == "ungrounded" else variant.seed
    found = sample_questions(run, model, prompts, n, seed=seed) if needed else {}
    counts[f"samples of {model}"] = sum(map(len, found.values()))
    return found


def preference_stage(run: RunDirectory, variant: Variant | None = None) -> dict[str, Any]:
    """Stage 2: contrastive preference tuning on the pairs of a variant; the recipe's own gives p_theta*, ``rac``."""
    recipe = run.recipe
    variant = variant or round_variant(recipe, 1)
    settings = variant.stage2(recipe)

    def work() -> Stage:
        from rac.training.preference import train_preference
        from rac.training.selection import Rule

        tokenizer = load_tokenizer(recipe.model.base)
        pairs = read_records(run / f"{variant.pairs}.jsonl", PreferencePair)
        trees = [preference_tree(tokenizer, pair, run) for pair in pairs]
        model, tokenizer = load_run_model(run, variant.start)
        validate = validation_of(run, tokenizer, settings)
        record = train_preference(
            model,
            trees,
            settings,
            output_dir=run / "models" / variant.model,
            seed=variant.seed,
            validate=validate,
            validated_by=validated_by(run, settings),
            rule=Rule() if validate else None,
            tokenizer=tokenizer,
            base=recipe.model.base,
            label=f"training {variant.model}",
        )
        return Stage([f"models/{variant.model}"], {"training": record.to_dict()})

    inputs: dict[str, Any] = {
        "upstream": run.output_hash(variant.start, variant.pairs),
        "recipe": recipe.digest("prompt", "preference", "model", "seed"),
        **validation_inputs(recipe, settings),
    }
    if not variant.is_first:
        inputs["variant"] = variant.model
    return run.run(variant.model, inputs, work, label=f"stage 2: contrastive preference tuning ({variant.model})")


def preference_tree(tokenizer: Any, pair: PreferencePair, run: RunDirectory) -> Tree:
    """Return a pair as a tree whose first branch is C_q+ and whose others are the C_q-."""
    from rac.training.packing import Tree

    prompt = build_prompt(tokenizer, pair.query, pair.passages, run.recipe.prompt)
    branches = [encode_question(tokenizer, question) for question in (pair.chosen, *pair.all_rejected)]
    return Tree(pair.id, list(prompt.ids), branches)
