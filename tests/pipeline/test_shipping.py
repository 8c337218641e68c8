"""Adapters to ship: written from a run, found by name, and right about what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import rac.models
from rac.asking import Asker
from rac.config import Recipe
from rac.errors import UserError
from rac.files import read_json, write_json
from rac.generation.systems import SYSTEMS
from rac.models import default_model, load_model, model_fingerprint, resolve_model, save_model, shipped_adapters
from rac.pipeline.askers import open_asker, way_settings
from rac.pipeline.run_directory import RunDirectory, Stage
from rac.pipeline.shipping import ship
from rac.records import ClarificationExample, Passage
from rac.report.build import metric_infos, summary_table
from rac.training.adapters import prepare_weights
from rac.training.settings import Stage1
from tests_support import byte_tokenizer, tiny_model

D = [Passage(id=str(i), title=f"Mercury {i}", text="A thing.", types=(kind,)) for i, kind in enumerate(("film", "god"))]
MADE = {"steps": 1, "tokens": 2000, "target_tokens": 30}


def adapter_run(path: Path, base: Path) -> RunDirectory:
    """A finished run whose three models are adapters of the tiny model, all different."""
    recipe = Recipe.model_validate(
        {"model": {"base": str(base)}, "data": {"source": "claqua"}, "prompt": {"top_k": 4, "passage_tokens": 30}}
    )
    run = RunDirectory(path, recipe)
    run.run("data", {}, lambda: Stage([], {"train": 9, "pairs": 4, "evaluation": 2}))
    for seed, name in enumerate(("ungrounded", "grounded", "rac"), start=1):
        model = prepare_weights(tiny_model(), Stage1(adapter="lora", lora_rank=2), seed)
        generator = torch.Generator().manual_seed(seed)
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.data = 0.5 * torch.randn(parameter.shape, generator=generator)
        save_model(model, byte_tokenizer(), run / "models" / name, base=str(base))
        counts = {"queries kept": 7, "questions kept": 8, "training": MADE}
        run.run(name, {}, lambda name=name, counts=counts: Stage([f"models/{name}"], counts))  # type: ignore[misc]
    run.run("pairs", {}, lambda: Stage([], {"pairs": 3}))

    def metrics() -> Stage:
        items = {s: [{"id": "q", "headline": v}, {"id": "r", "headline": v}] for s, v in (("rac", 0.9), ("gold", 0.95))}
        table = summary_table("D = retrieved top 4", items, {"q": "1", "r": "2"}, seed=0)
        contents = {"metrics": [vars(i) for i in metric_infos()], "tables": [table], "notes": [], "signature": "v1|x"}
        write_json(run / "metrics.json", contents)
        return Stage(["metrics.json"])

    run.run("metrics", {}, metrics)
    return run


@pytest.fixture
def run(tmp_path: Path, tiny_model_dir: Path) -> RunDirectory:
    return adapter_run(tmp_path / "run", tiny_model_dir)


@pytest.fixture
def shipped(run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "adapters"
    monkeypatch.setattr(rac.models, "ADAPTERS", folder)
    assert shipped_adapters() == []
    ship(run, folder)
    return folder


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([[5, 9, 30, 7]])).logits
    return found


def test_a_shipped_adapter_answers_as_the_run_does_under_its_name(shipped: Path, run: RunDirectory) -> None:
    assert shipped_adapters() == ["grounded", "rac", "ungrounded"]
    assert default_model() == "embedded:rac"
    assert sorted(p.name for p in (shipped / "rac").iterdir()) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "rac_base.json",
    ]  # fmt: skip
    for name in shipped_adapters():
        own, theirs = load_model(run / "models" / name)[0], load_model(f"embedded:{name}", merged=True)[0]
        assert not hasattr(theirs, "peft_config") or not hasattr(theirs, "merge_and_unload")
        # Half precision has eleven bits.
        assert torch.allclose(logits(own), logits(theirs), atol=5e-3)
        assert not torch.allclose(logits(tiny_model()), logits(theirs), atol=5e-2)
    assert model_fingerprint("embedded:rac") != model_fingerprint("embedded:grounded")


def test_asking_uses_the_prompt_that_the_adapter_was_trained_with(shipped: Path) -> None:
    asker = Asker.open("embedded:rac")
    assert (asker.settings.top_k, asker.settings.passage_tokens, asker.grounded, asker.tuned) == (4, 30, True, True)
    assert asker.name == "embedded:rac"
    assert not Asker.open("embedded:ungrounded").grounded


def test_the_system_shipped_asks_over_the_runs_own_d(shipped: Path, tmp_path: Path, tiny_model_dir: Path) -> None:
    recipe = Recipe.model_validate({"model": {"base": str(tiny_model_dir)}, "evaluation": {"max_new_tokens": 8}})
    ask = open_asker(RunDirectory(tmp_path / "other", recipe), SYSTEMS["shipped"])
    (question,) = ask([(ClarificationExample(id="q", query="mercury"), D)])
    assert isinstance(question, str)
    assert way_settings(recipe, SYSTEMS["shipped"]) == {"shipped": model_fingerprint("embedded:rac")}


def test_the_card_says_what_it_was_made_of_under_which_licence_and_how_good_it_is(shipped: Path) -> None:
    card = (shipped / "rac/README.md").read_text()
    for part in (
        "# rac: `rac`", "Apache-2.0", "https://github.com/msra-nlc/MSParS_V2.0", "7 queries with 8 questions",
        "3 preference pairs", "2 queries were held out", "| rac | 1 | 2,000 | 30 |", "0.900", "v1|x",
        "passage_tokens: 30",
    ):  # fmt: skip
        assert part in card, part
    assert "preference pairs" not in (shipped / "grounded/README.md").read_text()
    assert read_json(shipped / "rac/adapter_config.json")["base_model_name_or_path"] not in ("", None)


def test_the_card_of_several_rounds_counts_the_pairs_of_each(run: RunDirectory, tmp_path: Path) -> None:
    recipe = run.recipe.model_copy(update={"preference": run.recipe.preference.model_copy(update={"rounds": 2})})
    longer = RunDirectory(run.path, recipe)
    longer.run("pairs-2", {}, lambda: Stage([], {"pairs": 5}))
    shutil.copytree(run / "models/rac", run / "models/rac-2")
    longer.run("rac-2", {}, lambda: Stage(["models/rac-2"], {"training": MADE}))
    ship(longer, tmp_path / "adapters")
    card = (tmp_path / "adapters/rac/README.md").read_text()
    assert "3, then 5 preference pairs" in card
    assert "| rac | 1 |" in card and "| rac-2 | 1 |" in card


def test_without_adapters_the_error_says_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rac.models, "ADAPTERS", tmp_path / "none")
    assert default_model() == "embedded"
    with pytest.raises(UserError, match=r"no adapter 'rac' .* \(it has none\): give 'embedded'"):
        resolve_model("embedded:rac")


def test_loading_an_adapter_warns_of_nothing(shipped: Path, recwarn: pytest.WarningsRecorder) -> None:
    load_model("embedded:rac", merged=True)
    assert [str(w.message) for w in recwarn] == []


def test_an_unknown_adapter_is_refused_with_those_that_are_there(shipped: Path) -> None:
    with pytest.raises(UserError, match="it has embedded:grounded, embedded:rac, embedded:ungrounded"):
        load_model("embedded:best")


def test_what_cannot_be_shipped_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"and may have 0\.001"):
        ship(run, tmp_path / "small", limit_mb=0.001)
    assert not (tmp_path / "small/grounded").exists()
    (run / "stages/metrics.json").unlink()
    with pytest.raises(UserError, match="no metrics yet"):
        ship(run, tmp_path / "out")
    (run / "models/rac/adapter_config.json").unlink()
    with pytest.raises(UserError, match=r"rac of .*: full weights, too large to ship; train with training"):
        ship(run, tmp_path / "out")


def test_what_is_installed_with_rac_is_small_has_cards_and_asks() -> None:
    assert shipped_adapters() == ["grounded", "rac", "ungrounded"]
    for name in shipped_adapters():
        folder = rac.models.ADAPTERS / name
        assert sum(p.stat().st_size for p in folder.iterdir()) <= 10e6
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert "Apache-2.0" in card and "| rac |" in card
        assert read_json(folder / "rac_base.json")["trained_on"] == ["claqua"]
    passages = [
        Passage(id="c", title="Casablanca", text="Casablanca is a city in Morocco.", types=("city", "location")),
        Passage(id="f", title="Casablanca", text="Casablanca is a 1942 American film.", types=("film",)),
    ]
    answer = Asker.open(default_model(), engine="torch").ask("Where is Casablanca from", passages=passages, n=1)
    assert answer.question is not None
    assert len(answer.options) == 2 and all(option.supported for option in answer.options)
