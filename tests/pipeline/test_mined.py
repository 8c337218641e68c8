"""Mined rounds of stage 2: queries of stage 1 whose greedy question has a fault, without their gold questions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rac.config import Recipe
from rac.errors import UserError
from rac.files import read_records
from rac.pipeline.data import data_stage, index_stage, load_examples, retrieve_stage
from rac.pipeline.models import rounds_of
from rac.pipeline.preference import pairs_stage, round_variant, round_variants
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.pipeline.samples import sample_questions
from rac.pipeline.training import ground
from rac.prompting import Prompt, build_prompt
from rac.records import PreferencePair
from sources_support import examples, recipe, source
from tests_support import byte_tokenizer, tiny_model


def made(tmp_path: Path, **pairs: Any) -> RunDirectory:
    own = [*examples("a", 24, "train"), *examples("d", 6, "dev"), *examples("t", 6, "test")]
    settings = {"negatives": ["grounded"], "min_options": 2, "gold_only_share": 0.5, **pairs}
    data = {"source": source(tmp_path / "all.jsonl", own)}
    run = RunDirectory(tmp_path / "run", recipe(data, preference={"mined_rounds": 1}, pairs=settings))
    index_stage(run)
    data_stage(run)
    retrieve_stage(run)
    for name in ("grounded", "ungrounded", "rac"):
        run.run(name, {}, lambda: Stage([]))
    return run


def test_mined_rounds_come_last_and_take_turns_with_the_queries() -> None:
    own = Recipe.model_validate({"preference": {"rounds": 2, "unlabelled_rounds": 1, "mined_rounds": 3}})
    assert rounds_of(own) == ["rac", "rac-2", "rac-3", "rac-4", "rac-5", "rac-6"]
    assert [(v.split, v.part, v.mined) for v in round_variants(own)] == [
        ("pairs", (0, 1), False), ("pairs", (0, 1), False), ("unlabelled", (0, 1), False),
        ("train", (0, 1), True), ("unlabelled", (0, 1), True), ("train", (0, 1), True),
    ]  # fmt: skip
    alone = Recipe.model_validate({"preference": {"mined_rounds": 2}})
    assert [v.split for v in round_variants(alone)] == ["pairs", "train", "train"]
    without = Recipe.model_validate({"preference": {"rounds": 2, "unlabelled_rounds": 1}})
    assert round_variant(own, 3) == round_variant(without, 3)
    assert own.digest("preference") == without.digest("preference"), "finished rounds are kept"
    assert own.digest("pairs") == without.digest("pairs")


def test_only_queries_with_a_faulty_greedy_question_are_sampled_and_nothing_is_taken_from_gold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)
    train = load_examples(run, "train")
    sound, cut, *faulty = train
    asked: dict[bool, list[str]] = {}

    def sample(
        run: RunDirectory, stage: str, prompts: dict[str, Prompt], n: int, *, seed: int, greedy: bool = False
    ) -> dict[str, list[str]]:
        assert stage == "rac"
        asked[greedy] = sorted(prompts)
        names = {e.id: e.query.split()[-1] for e in train}
        if greedy:
            known = {i: [f"Do you mean the song {names[i]} or the film {names[i]}?"] for i in prompts}
            known[sound.id] = [f"Do you mean the film {names[sound.id]} or the book {names[sound.id]}?"]
            return known | {cut.id: []}
        return {i: [f"Are you asking about the book {names[i]} or the film {names[i]}?"] * n for i in prompts}

    monkeypatch.setattr("rac.pipeline.preference.sample_questions", sample)
    record = pairs_stage(run, round_variant(run.recipe, 2))
    assert asked[True] == sorted(e.id for e in train)
    assert asked[False] == sorted(e.id for e in (cut, *faulty))
    assert record["counts"]["queries whose greedy question has a fault"] == len(train) - 1
    assert record["counts"]["greedy questions that were cut off"] == 1
    pairs = {pair.id: pair for pair in read_records(run / "pairs-2.jsonl", PreferencePair)}
    # Of the one that was cut off nothing is left to learn from: its only sample is sound.
    assert set(pairs) == {e.id for e in faulty}
    assert all("the song" in pair.rejected and pair.chosen_kind == "best-of-n" for pair in pairs.values())
    assert all(pair.chosen.startswith("Are you asking about") for pair in pairs.values()), "gold begins otherwise"


def test_without_a_fault_there_is_nothing_to_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path)
    names = {e.id: e.query.split()[-1] for e in load_examples(run, "train")}

    def sample(run: RunDirectory, stage: str, prompts: dict[str, Prompt], n: int, **_: Any) -> dict[str, list[str]]:
        return {i: [f"Do you mean the film {names[i]} or the book {names[i]}?"] for i in prompts}

    monkeypatch.setattr("rac.pipeline.preference.sample_questions", sample)
    with pytest.raises(UserError, match="no greedy question of rac has a fault"):
        pairs_stage(run, round_variant(run.recipe, 2))


def test_labels_can_be_left_aside(tmp_path: Path) -> None:
    run = made(tmp_path)
    labelled: Counter[str] = Counter()
    bare: Counter[str] = Counter()
    ground(run, "train", labelled, gold_only=0.5)
    found = ground(run, "train", bare, gold_only=0.5, labelled=False)
    assert len(found) == len(load_examples(run, "train")) and not any(g.questions for g in found)
    assert bare["queries whose D is the best 2 passages alone"] > 0
    alone = "queries whose D is the gold passages alone"
    assert bare[alone] == 0 < labelled[alone]


def test_greedy_questions_are_those_of_the_generator_and_kept_apart_from_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rac.generation.local import LocalGenerator

    run = made(tmp_path)
    model, tokenizer = tiny_model(), byte_tokenizer()
    monkeypatch.setattr("rac.pipeline.samples.load_run_model", lambda *_, **__: (model, tokenizer))
    prompts = {
        e.id: build_prompt(tokenizer, e.query, e.passages, run.recipe.prompt) for e in load_examples(run, "train")[:3]
    }
    sampled = sample_questions(run, "rac", prompts, 2, seed=0)
    greedy = sample_questions(run, "rac", prompts, 1, seed=0, greedy=True)
    generator = LocalGenerator(model, tokenizer, max_new_tokens=run.recipe.evaluation.max_new_tokens)
    plain = generator.greedy([list(p.ids) for p in prompts.values()])
    assert list(greedy.values()) == [[c.text] if c.finished else [] for c in plain]
    assert sample_questions(run, "rac", prompts, 2, seed=0) == sampled
    files = {p.name: p.read_text().splitlines() for p in (run / "work").iterdir()}
    assert set(files) == {"greedy-rac.jsonl", "samples-rac.jsonl"}
