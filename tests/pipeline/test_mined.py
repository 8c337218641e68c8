"""Mined rounds of stage 2: queries of stage 1 whose greedy question has a fault, without their gold questions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rac.config import Recipe
from rac.errors import UserError
from rac.files import read_records
from rac.generation.candidates import Candidate
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
    run = made(tmp_path)
    model, tokenizer = tiny_model(), byte_tokenizer()
    loaded: list[str] = []

    def load(run: RunDirectory, stage: str, **_: Any) -> tuple[Any, Any]:
        loaded.append(stage)
        return model, tokenizer

    class Generator:
        """Says what it was asked for: a tiny model seldom comes to the end of a question."""

        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def greedy(self, prompts: list[list[int]], *, label: str) -> list[Candidate]:
            return [Candidate(f"greedy {len(ids)}", [], 0.0, len(ids) % 2 == 0) for ids in prompts]

        def sample(self, prompts: list[list[int]], n: int, *, seed: int, **_: Any) -> list[list[Candidate]]:
            return [[Candidate(f"{seed} {i}", [], 0.0, True) for i in range(n)] for _ in prompts]

    monkeypatch.setattr("rac.pipeline.samples.load_run_model", load)
    monkeypatch.setattr("rac.generation.local.LocalGenerator", Generator)
    prompts = {
        e.id: build_prompt(tokenizer, e.query, e.passages, run.recipe.prompt) for e in load_examples(run, "train")[:3]
    }
    sampled = sample_questions(run, "rac", prompts, 2, seed=0)
    assert list(sampled.values()) == [["0 0", "0 1"]] * 3
    greedy = sample_questions(run, "rac", prompts, 1, seed=0, greedy=True)
    sizes = [len(p.ids) for p in prompts.values()]
    assert list(greedy.values()) == [[] if size % 2 else [f"greedy {size}"] for size in sizes]
    # Neither takes the place of the other, and a greedy question does not hang on the seed.
    assert loaded == ["rac", "rac"]
    assert sample_questions(run, "rac", prompts, 2, seed=0) == sampled
    assert sample_questions(run, "rac", prompts, 1, seed=5, greedy=True) == greedy
    assert loaded == ["rac", "rac"], "all was kept"


@pytest.mark.parametrize(
    ("pairs", "preference"),
    [
        ({"filter": False, "positives": "grounded", "negatives": ["ungrounded"]}, {"mined_rounds": 1}),
        ({"positives": "gold"}, {"mined_rounds": 1}),
        ({"negatives": ["ungrounded"]}, {"mined_rounds": 1}),
        ({"positives": "gold"}, {"unlabelled_rounds": 1}),
    ],
)
def test_rounds_without_gold_need_what_stands_in_for_it(pairs: dict[str, Any], preference: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"preference.{next(iter(preference))}: .*positives: "):
        Recipe.model_validate({"pairs": pairs, "preference": preference})


def test_mined_rounds_that_find_no_sound_question_say_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)

    def sample(run: RunDirectory, stage: str, prompts: dict[str, Prompt], n: int, **_: Any) -> dict[str, list[str]]:
        return {i: ["Do you mean the song or the opera?"] for i in prompts}

    monkeypatch.setattr("rac.pipeline.preference.sample_questions", sample)
    with pytest.raises(UserError, match="no faulty question of rac has a sound sample or a repair"):
        pairs_stage(run, round_variant(run.recipe, 2))
