"""Stages ``ungrounded``, ``grounded``, ``pairs`` and ``rac``: the method's two stages and the data between them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.arithmetic import has_fast_bfloat16
from rac.errors import UserError
from rac.files import ResumableLines, read_records, sha256_json, write_records
from rac.models import load_model, load_tokenizer, model_fingerprint
from rac.pipeline.context import choose_passages
from rac.pipeline.data import load_examples, load_retrieved
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.prompting import PROMPT_VERSION, Prompt, build_prompt, check_prefix, encode_question, visible_passages
from rac.records import ClarificationExample, Passage, PreferencePair

if TYPE_CHECKING:
    from rac.training.packing import Tree

log = logging.getLogger(__name__)

_CHUNK = 8


@dataclass(frozen=True)
class Grounding:
    """A training example with its D and the gold questions that are used.

    ``visible`` is D with each text cut to what the prompt shows: training questions and samples are scored against it.
    """

    example: ClarificationExample
    passages: tuple[Passage, ...]
    visible: tuple[Passage, ...]
    questions: tuple[str, ...]


def device_of(run: RunDirectory) -> str:
    """Return the torch device that the recipe means."""
    import torch

    if run.recipe.model.device != "auto":
        return run.recipe.model.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_run_model(run: RunDirectory, name: str, *, dtype: str | None = None) -> tuple[Any, Any]:
    """Load the base model (``base``) or a model of the run, with its tokenizer; ``dtype`` None: the recipe's."""
    source = run.recipe.model.base if name == "base" else run / "models" / name
    return load_model(source, device=device_of(run), dtype=dtype or run.recipe.model.dtype)


def sampling_dtype(run: RunDirectory) -> str:
    """Return the dtype in which the run samples questions for pairs."""
    if run.recipe.pairs.precision != "auto":
        return run.recipe.pairs.precision
    return "bfloat16" if has_fast_bfloat16(device_of(run)) else run.recipe.model.dtype


def ground(run: RunDirectory, split: str, counts: Counter[str]) -> list[Grounding]:
    """Choose D and the usable gold questions of every example of a training split; count what is left out and why."""
    from rac.metrics.selection import SelectionScorer

    recipe = run.recipe
    retrieved = load_retrieved(run)
    scorer = SelectionScorer()
    tokenizer = load_tokenizer(recipe.model.base)
    found: list[Grounding] = []
    for example in load_examples(run, split):
        counts["queries read"] += 1
        passages = choose_passages(
            example, retrieved[example.id], recipe.prompt, seed=recipe.seed, role="training"
        )  # fmt: skip
        if not passages:
            counts["queries dropped: nothing retrieved"] += 1
            continue
        visible = visible_passages(tokenizer, passages, recipe.prompt)
        questions = []
        for question in dict.fromkeys(q for q in example.questions if q.strip()):
            if recipe.data.supported_only:
                score = scorer.score(question, example.query, visible)
                if not all(score.supported):
                    counts["questions dropped: the prompt does not support an option"] += 1
                    continue
            questions.append(question)
        questions = questions[: recipe.data.questions_per_query]
        if not questions:
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
        from rac.training.supervised import train_supervised

        counts: Counter[str] = Counter()
        groundings = ground(run, "train", counts)
        trees = _trees(run, groundings, grounded=name == "grounded", counts=counts)
        model, tokenizer = load_run_model(run, "base")
        record = train_supervised(
            model,
            trees,
            recipe.training,
            output_dir=run / "models" / name,
            seed=recipe.seed,
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
    }
    return run.run(name, inputs, work, label=f"stage 1: fine-tuning the {name} model")


def sample_questions(
    run: RunDirectory, name: str, prompts: dict[str, Prompt], n: int, digest: str
) -> dict[str, list[str]]:
    """Sample ``n`` questions for each prompt from a model of the run; an interrupted loop goes on where it was."""
    from rac.generation.local import LocalGenerator
    from rac.progress import Progress

    settings = run.recipe.pairs
    lines = ResumableLines(run / "work" / f"samples-{name}.jsonl", digest)
    missing = [identity for identity in prompts if identity not in lines.done]
    if missing:
        model, tokenizer = load_run_model(run, name, dtype=sampling_dtype(run))
        generator = LocalGenerator(model, tokenizer, max_new_tokens=run.recipe.evaluation.max_new_tokens)
        missing.sort(key=lambda identity: (len(prompts[identity].ids), identity))
        with Progress(f"sampling from {name}", len(prompts), unit="queries", done=len(lines.done)) as progress:
            for start in range(0, len(missing), _CHUNK):
                chunk = missing[start : start + _CHUNK]
                sampled = generator.sample(
                    [list(prompts[identity].ids) for identity in chunk],
                    n,
                    temperature=settings.temperature,
                    top_p=settings.top_p,
                    top_k=settings.top_k,
                    seed=run.recipe.seed,
                    label="",
                )
                lines.add(
                    # A question that was cut off at the limit is no candidate for either side of a pair.
                    {i: [c.text for c in own if c.finished] for i, own in zip(chunk, sampled, strict=True)}
                )
                progress.advance(len(chunk))
    return {identity: lines.done[identity] for identity in prompts}


def pairs_stage(run: RunDirectory) -> dict[str, Any]:
    """Data generation: sample, score and pair questions into {(U_q, D, C_q+, C_q-)}, written to ``pairs.jsonl``."""
    recipe = run.recipe
    settings = recipe.pairs

    def work() -> Stage:
        from rac.metrics.selection import SelectionScorer
        from rac.training.pairs import PairSource, make_pairs

        counts: Counter[str] = Counter()
        groundings = ground(run, "pairs", counts)
        tokenizer = load_tokenizer(recipe.model.base)
        prompts = {
            g.example.id: build_prompt(tokenizer, g.example.query, g.passages, recipe.prompt) for g in groundings
        }
        digest = sha256_json(inputs)
        samples: dict[str, dict[str, list[str]]] = {"grounded": {}, "ungrounded": {}}
        if settings.needs_grounded:
            samples["grounded"] = sample_questions(run, "grounded", prompts, settings.grounded_samples, digest)
        if settings.needs_ungrounded:
            bare = {g.example.id: build_prompt(tokenizer, g.example.query, None, recipe.prompt) for g in groundings}
            samples["ungrounded"] = sample_questions(run, "ungrounded", bare, settings.ungrounded_samples, digest)
        for name, own in samples.items():
            counts[f"samples of {name}"] = sum(map(len, own.values()))
        sources = [
            PairSource(
                example_id=g.example.id,
                query=g.example.query,
                passages=g.passages,
                prompt=prompts[g.example.id].text,
                gold=g.questions,
                grounded=tuple(samples["grounded"].get(g.example.id, ())),
                ungrounded=tuple(samples["ungrounded"].get(g.example.id, ())),
                visible=g.visible,
            )
            for g in groundings
        ]
        pairs, made = make_pairs(sources, settings, seed=recipe.seed, scorer=SelectionScorer())
        if not pairs:
            raise UserError(
                f"no preference pair is left ({made}): lower pairs.margin, raise the number of samples, or give "
                "stage 2 more queries (data.stage2_share)"
            )
        write_records(run / "pairs.jsonl", pairs)
        return Stage(["pairs.jsonl"], {"pairs": len(pairs), **counts, "made": made})

    upstream = ["data", "retrieve"]
    upstream += ["grounded"] if settings.needs_grounded else []
    upstream += ["ungrounded"] if settings.needs_ungrounded else []
    inputs = {
        "upstream": run.output_hash(*upstream),
        "recipe": recipe.digest("prompt", "pairs", "seed"),
        "supported_only": recipe.data.supported_only,
        "questions_per_query": recipe.data.questions_per_query,
        "max_new_tokens": recipe.evaluation.max_new_tokens,
    }
    record = run.run("pairs", inputs, work, label="data generation: sampling and pairing questions")
    for name in ("grounded", "ungrounded"):
        (run / "work" / f"samples-{name}.jsonl").unlink(missing_ok=True)
    return record


def preference_stage(run: RunDirectory) -> dict[str, Any]:
    """Stage 2: contrastive preference tuning of ``grounded`` on the pairs; the result is p_theta*, ``rac``."""
    recipe = run.recipe

    def work() -> Stage:
        from rac.training.preference import train_preference

        tokenizer = load_tokenizer(recipe.model.base)
        trees = [preference_tree(tokenizer, pair, run) for pair in read_records(run / "pairs.jsonl", PreferencePair)]
        model, tokenizer = load_run_model(run, "grounded")
        record = train_preference(
            model,
            trees,
            recipe.preference,
            output_dir=run / "models" / "rac",
            seed=recipe.seed,
            tokenizer=tokenizer,
            base=recipe.model.base,
            label="training rac",
        )
        return Stage(["models/rac"], {"training": record.to_dict()})

    inputs = {
        "upstream": run.output_hash("grounded", "pairs"),
        "recipe": recipe.digest("prompt", "preference", "model", "seed"),
    }
    return run.run("rac", inputs, work, label="stage 2: contrastive preference tuning")


def preference_tree(tokenizer: Any, pair: PreferencePair, run: RunDirectory) -> Tree:
    """Return a pair as a tree whose first branch is C_q+ and whose others are the C_q-."""
    from rac.training.packing import Tree

    prompt = build_prompt(tokenizer, pair.query, pair.passages, run.recipe.prompt)
    branches = [encode_question(tokenizer, question) for question in (pair.chosen, *pair.all_rejected)]
    return Tree(pair.id, list(prompt.ids), branches)


def models_of(path: Path) -> list[str]:
    """Return the names of the finished models of a run directory."""
    folder = path / "models"
    names = ("ungrounded", "grounded", "rac")
    return [n for n in names if (folder / n).is_dir() and (path / "stages" / f"{n}.json").exists()]
