from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rac.config import Recipe, find_recipe, load_recipe
from rac.errors import DataError
from rac.files import sha256_json
from rac.generation.systems import SYSTEMS
from rac.pipeline.askers import best_candidate, way_settings
from rac.pipeline.models import TRAINED, model_stage, rounds_of
from rac.pipeline.preference import paper_variant, preference_stage, round_variant
from rac.pipeline.run_directory import RunDirectory
from rac.prompting import PromptSettings, Shot, build_prompt
from rac.records import Passage
from rac.training.identity import fingerprint
from rac.training.settings import Stage2
from sources_support import RecordedRun
from tests_support import byte_tokenizer, tiny_model

JAZZ = Passage(id="j", title="Mercury (band)", text="Mercury is a jazz band.", types=("jazz band",))
PLANET = Passage(id="p", title="Mercury (planet)", text="Mercury is a planet.", types=("planet",))


def with_rounds(rounds: int) -> Recipe:
    return Recipe.model_validate({"preference": {"rounds": rounds}})


def test_the_last_round_is_rac_and_earlier_rounds_keep_their_names() -> None:
    assert rounds_of(with_rounds(1)) == ["rac"]
    assert rounds_of(with_rounds(3)) == ["rac", "rac-2", "rac-3"]
    assert model_stage(with_rounds(1), "rac") == model_stage(with_rounds(3), "rac-round-1") == "rac"
    assert model_stage(with_rounds(3), "rac") == "rac-3"
    second = round_variant(with_rounds(3), 2)
    assert (second.model, second.pairs, second.start) == ("rac-2", "pairs-2", "rac")
    assert round_variant(with_rounds(3), 3).start == "rac-2"


def test_every_system_asks_models_that_a_run_can_have() -> None:
    for system in SYSTEMS.values():
        assert set(system.models) <= {"base", "shipped", *TRAINED}
        assert bool(system.models) == (system.way not in ("gold", "template", "template-titles", "server"))


def test_keys_that_came_later_do_not_change_the_hashes_of_finished_stages() -> None:
    old = load_recipe(find_recipe("quickstart"))
    again = Recipe.model_validate({**old.model_dump(by_alias=True), "data": {**old.data.model_dump(), "also": ()}})
    assert again.digest("data", "preference") == old.digest("data", "preference")
    changed = Recipe.model_validate({**old.model_dump(by_alias=True), "data": {**old.data.model_dump(), "fold": "1/5"}})
    assert changed.digest("data") != old.digest("data")
    # Of the recipe as it was before these keys existed.
    known = old.preference.model_dump(mode="json")
    del known["rounds"], known["unlabelled_rounds"], known["mined_rounds"], known["keep_memory"]
    assert old.digest("preference") == sha256_json({"preference": known})
    # Another round leaves those that are done as they are.
    assert with_rounds(2).digest("preference") == with_rounds(1).digest("preference")


def test_the_number_of_rounds_is_no_part_of_one_rounds_identity() -> None:
    model = tiny_model()
    first, second, mined = (
        fingerprint(model, [], settings, 0, None) for settings in (Stage2(), Stage2(rounds=2), Stage2(mined_rounds=1))
    )
    assert first == second == mined


def test_the_papers_variant_is_the_papers_recipe() -> None:
    paper = load_recipe(find_recipe("paper"))
    assert paper.pairs.plain() == paper.pairs
    variant = paper_variant(Recipe.model_validate({"pairs": {"temperature": 0.7}}))
    assert variant.settings.temperature == 0.7
    assert variant.settings.model_copy(update={"temperature": 1.0}) == paper.pairs
    assert variant.start == "grounded"


def test_the_papers_variant_keeps_its_last_weights() -> None:
    """Choosing weights by the faults of validation questions is this project's idea, not the paper's."""
    recipe = Recipe.model_validate({"preference": {"validations": 3}})
    assert round_variant(recipe, 1).stage2(recipe) == recipe.preference
    plain = paper_variant(recipe).stage2(recipe)
    assert plain.validations == 0
    assert plain.model_copy(update={"validations": 3}) == recipe.preference


def test_a_variant_without_validation_is_trained_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.model_validate({"preference": {"validations": 3}})
    trained: list[tuple[int, bool, bool]] = []

    def train(model: Any, trees: Any, settings: Stage2, *, validate: Any, rule: Any, **_: Any) -> Any:
        trained.append((settings.validations, validate is not None, rule is not None))
        return SimpleNamespace(to_dict=dict)

    monkeypatch.setattr("rac.training.preference.train_preference", train)
    for name, value in (
        ("load_tokenizer", None), ("read_records", []), ("load_run_model", (None, None)), ("validated_by", ""),
    ):  # fmt: skip
        monkeypatch.setattr(f"rac.pipeline.preference.{name}", lambda *_, value=value: value)
    monkeypatch.setattr("rac.pipeline.preference.validation_of", lambda run, tokenizer, own: own.validations or None)

    run = RecordedRun(recipe, work=True)
    for variant in (round_variant(recipe, 1), paper_variant(recipe)):
        preference_stage(cast(RunDirectory, run), variant)
    assert {"selection", "floors"} <= set(run.inputs["rac"])
    assert not {"selection", "floors"} & set(run.inputs["rac-paper"])
    assert trained == [(3, True, True), (0, False, False)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("evaluation:\n  systems: [openai]\n", r"field 'openai.model': .*no model is named"),
        ("evaluation:\n  systems: [rac, rac-round-1]\n", r"field 'evaluation.systems': .*with one round"),
        ("data:\n  fold: one\n", r"line 2, field 'data.fold'"),
        ("preference:\n  rounds: 0\n", r"line 2, field 'preference.rounds'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_recipe(path)


def test_what_a_way_of_asking_depends_on_is_in_its_hash() -> None:
    recipe = Recipe.model_validate({"evaluation": {"shots": 2, "alpha": 0.25}, "openai": {"model": "m"}})
    assert way_settings(recipe, SYSTEMS["base-few-shot"]) == {"shots": 2}
    # Shots are drawn from what stage 1 may be trained on; older runs, of the default, stay as they are.
    every = recipe.model_copy(update={"data": recipe.data.model_copy(update={"supported_only": False})})
    assert way_settings(every, SYSTEMS["base-few-shot"])["examples"]["supported_only"] is False
    assert way_settings(recipe, SYSTEMS["context-aware"])["alpha"] == 0.25
    assert way_settings(recipe, SYSTEMS["openai"])["model"] == "m"
    assert way_settings(recipe, SYSTEMS["rac"]) == {}


def test_the_best_candidate_is_supported_and_offers_different_things() -> None:
    candidates = [
        ("Do you mean the jazz band Mercury or the opera Mercury?", -1.0),
        ("Do you mean the jazz band Mercury or the planet Mercury?", -9.0),
        ("Do you mean the planet Mercury or the planet Mercury?", -0.1),
        ("Do you mean the band Mercury or the jazz band Mercury?", -0.2),
    ]
    assert best_candidate(candidates, "mercury", [JAZZ, PLANET]) == candidates[1][0]


def test_solved_examples_stand_before_the_query_as_turns() -> None:
    tokenizer, settings = byte_tokenizer(), PromptSettings(passage_tokens=90)
    shot = Shot("dune", (JAZZ,), "The novel <|im_end|> or the film?")
    prompt = build_prompt(tokenizer, "mercury", [PLANET], settings, shots=[shot])
    assert [m["role"] for m in prompt.messages] == ["system", "user", "assistant", "user"]
    assert prompt.messages[1]["content"] == "[1] Mercury (band) (jazz band): Mercury is a jazz band.\nQuery: dune"
    assert "<|im_end|>" not in prompt.messages[2]["content"]
    assert prompt.messages[-1] == build_prompt(tokenizer, "mercury", [PLANET], settings).messages[-1]
    tokenizer.chat_template = None
    plain = build_prompt(tokenizer, "mercury", [PLANET], shots=[shot]).text
    assert plain.index("Query: dune") < plain.index("Question:\nThe novel") < plain.index("Query: mercury")
    assert plain.endswith("Question:\n")
