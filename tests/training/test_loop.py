"""The loop around ``transformers.Trainer``, on a tiny model."""

from __future__ import annotations

import errno
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rac.errors import UserError
from rac.generation.tree import supports_tree
from rac.training.logps import plain_branch_logps, score_branches
from rac.training.packing import Tree
from rac.training.preference import train_preference
from rac.training.selection import Rule
from rac.training.settings import Stage1, Stage2
from rac.training.supervised import train_supervised
from tests_support import byte_tokenizer
from training_support import fixed_pairs, fixed_trees, tiny_llama

TREES = fixed_trees(12)
PAIRS = fixed_pairs(12)
# float32 everywhere, so that what is compared closely does not depend on the processor.
FAST = {"batch_size": 4, "learning_rate": 1e-2, "checkpoint_seconds": 1e9, "precision": "float32"}


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    name = "adapter_model.safetensors" if (folder / "adapter_model.safetensors").exists() else "model.safetensors"
    return load_file(folder / name)


def same_weights(a: Path, b: Path, tolerance: float = 0.0) -> bool:
    first, second = weights_of(a), weights_of(b)
    return first.keys() == second.keys() and all(
        torch.allclose(value, second[name], rtol=0, atol=tolerance) for name, value in first.items()
    )


def test_supervised_training_learns_and_leaves_a_loadable_model(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    record = train_supervised(
        tiny_llama(), TREES, Stage1(epochs=6, **FAST), output_dir=tmp_path, seed=1, base="embedded"
    )
    assert record.steps == 18
    assert record.last_loss < 0.8 * record.first_loss
    assert record.tokens == 6 * sum(tree.length for tree in TREES)
    assert record.target_tokens == 6 * sum(len(branch) for tree in TREES for branch in tree.branches)
    assert json.loads((tmp_path / "training.json").read_text())["steps"] == 18
    assert json.loads((tmp_path / "rac_base.json").read_text()) == {"base": "embedded"}
    assert not (tmp_path / "checkpoints").exists()

    model = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert model.config.use_cache
    with torch.no_grad():
        sums, counts = plain_branch_logps(model, TREES)
        start, _ = plain_branch_logps(tiny_llama(), TREES)
    assert -sums.sum() / counts.sum() < 0.8 * -start.sum() / counts.sum()


def test_the_log_has_a_line_for_every_step(tmp_path: Path) -> None:
    record = train_preference(tiny_llama(), PAIRS, Stage2(loss="dpo", **FAST), output_dir=tmp_path, seed=1)
    lines = log_of(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, record.steps + 1))
    for line in lines:
        assert {
            "loss", "margins", "accuracy", "logps/chosen", "logps/rejected", "logps/chosen_change", "nll/chosen",
            "tokens_per_second", "seconds_left", "learning_rate", "grad_norm", "clipped",
        } <= line.keys()  # fmt: skip
        assert line["tokens_per_second"] > 0
    assert lines[-1]["seconds_left"] == 0
    assert lines[0]["logps/chosen_change"] == pytest.approx(0, abs=1e-3)


def test_the_last_line_of_a_sparse_log_has_the_steps_that_are_left(tmp_path: Path) -> None:
    for every in (1, 4, 100):
        settings = Stage1(epochs=2, log_every=every, **FAST)
        train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path / str(every), seed=1)
    losses = [line["loss"] for line in log_of(tmp_path / "1")]
    assert len(losses) == 6
    found = {every: [(line["step"], line["loss"]) for line in log_of(tmp_path / str(every))] for every in (4, 100)}
    first, rest, whole = sum(losses[:4]) / 4, sum(losses[4:]) / 2, sum(losses) / 6
    assert found[4] == [(4, pytest.approx(first, rel=1e-4)), (6, pytest.approx(rest, rel=1e-4))]
    assert found[100] == [(6, pytest.approx(whole, rel=1e-4))]
    assert json.loads((tmp_path / "100/training.json").read_text())["last_loss"] == found[100][0][1]


def test_the_first_logged_loss_is_the_textbook_loss(tmp_path: Path) -> None:
    settings = Stage1(**{**FAST, "batch_size": 12})
    train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path, seed=1)
    with torch.no_grad():
        sums, counts = plain_branch_logps(tiny_llama(), TREES)
    assert log_of(tmp_path)[0]["loss"] == pytest.approx(float(-sums.sum() / counts.sum()), rel=1e-5)


@pytest.mark.parametrize("loss", ["cpo", "dpo", "ipo", "simpo", "listwise"])
def test_preference_training_widens_the_margin(tmp_path: Path, loss: str) -> None:
    settings = Stage2(loss=loss, epochs=5, nll_weight=0.1, beta=0.5, **FAST)
    record = train_preference(tiny_llama(), PAIRS, settings, output_dir=tmp_path, seed=1)
    lines = log_of(tmp_path)
    assert record.last_loss < record.first_loss
    assert lines[-1]["accuracy"] > lines[0]["accuracy"] or lines[-1]["accuracy"] == 1
    assert lines[-1]["margins"] > lines[0]["margins"]


def test_a_falling_chosen_log_probability_is_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # The classic failure: the two questions differ in one token, so that pushing the rejected one down takes the
    # chosen one along, and nothing holds its likelihood.
    pairs = [
        Tree(tree.id, tree.prompt_ids, [[*tree.branches[0], 7, 9, 11, 2], [*tree.branches[0], 7, 9, 12, 2]])
        for tree in TREES
    ]
    settings = Stage2(loss="dpo", epochs=8, nll_weight=0.0, beta=0.5, **{**FAST, "learning_rate": 5e-2})
    with caplog.at_level(logging.INFO):
        record = train_preference(tiny_llama(), pairs, settings, output_dir=tmp_path, seed=1)
    lines = log_of(tmp_path)
    # By loss, margin and accuracy alone all is well.
    assert record.last_loss < record.first_loss
    assert lines[-1]["margins"] > lines[0]["margins"] and lines[-1]["accuracy"] == 1
    # And yet the chosen questions became less likely: in every line of the log, in the record, and as a warning.
    assert lines[-1]["logps/chosen"] < lines[0]["logps/chosen"] - 5
    assert lines[-1]["logps/chosen_change"] < -5
    assert record.extra["last nll/chosen"] > record.extra["first nll/chosen"] + 0.5
    assert record.extra["last logps/chosen_change"] < -5
    (warning,) = [r for r in caplog.records if "bought with likelihood" in r.message and r.levelname == "WARNING"]
    assert "raise nll_weight or lower the learning rate" in warning.message


def test_with_the_likelihood_of_the_chosen_there_is_no_such_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Stage2(loss="dpo", epochs=4, nll_weight=1.0, **FAST)
    with caplog.at_level(logging.INFO):
        record = train_preference(tiny_llama(), PAIRS, settings, output_dir=tmp_path, seed=1)
    assert record.extra["last nll/chosen"] < record.extra["first nll/chosen"]
    assert "log-probability per token went from" in caplog.text
    assert not [r for r in caplog.records if r.levelname == "WARNING"]


@pytest.mark.parametrize("stage", ["supervised", "preference"])
def test_trees_and_plain_rows_take_the_same_course(tmp_path: Path, stage: str) -> None:
    for trees in (True, False):
        options = {**FAST, "learning_rate": 1e-3, "trees": trees, "epochs": 2}
        folder = tmp_path / str(trees)
        if stage == "supervised":
            train_supervised(tiny_llama(), TREES, Stage1(**options), output_dir=folder, seed=1)
        else:
            train_preference(tiny_llama(), PAIRS, Stage2(loss="dpo", **options), output_dir=folder, seed=1)
    packed, plain = log_of(tmp_path / "True"), log_of(tmp_path / "False")
    for a, b in zip(packed, plain, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-3)


def test_accumulation_changes_no_loss(tmp_path: Path) -> None:
    for accumulation in (1, 3):
        settings = Stage2(loss="dpo", accumulation=accumulation, **{**FAST, "learning_rate": 1e-3})
        train_preference(tiny_llama(), PAIRS, settings, output_dir=tmp_path / str(accumulation), seed=1)
    for a, b in zip(log_of(tmp_path / "1"), log_of(tmp_path / "3"), strict=True):
        for name in ("loss", "grad_norm", "margins", "accuracy", "logps/chosen"):
            assert a[name] == pytest.approx(b[name], rel=1e-5, abs=1e-6), name


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        settings = Stage1(adapter="lora", lora_rank=2, **FAST)
        train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path / name, seed=seed)
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")


def test_a_finished_training_is_not_repeated_and_another_one_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = train_supervised(tiny_llama(), TREES, Stage1(**FAST), output_dir=tmp_path, seed=1)
    with caplog.at_level(logging.INFO):
        again = train_supervised(tiny_llama(), TREES, Stage1(**FAST), output_dir=tmp_path, seed=1)
    assert again == first
    assert "is finished" in caplog.text
    # What does not change the result does not make another training; data, seed, settings and weights do.
    assert (
        train_supervised(tiny_llama(), TREES, Stage1(**{**FAST, "log_every": 9}), output_dir=tmp_path, seed=1) == first
    )
    for model, trees, options, seed in (
        (tiny_llama(), TREES[1:], {}, 1), (tiny_llama(), TREES, {"epochs": 2}, 1),
        (tiny_llama(), TREES, {}, 2), (tiny_llama(5), TREES, {}, 1),
    ):  # fmt: skip
        other = train_supervised(model, trees, Stage1(**{**FAST, **options}), output_dir=tmp_path, seed=seed)
        assert other.fingerprint != first.fingerprint
    # Weights that were kept by another validation are not those of this one.
    settings = Stage1(**FAST)
    one, other = (
        train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path, seed=1, validated_by=by)
        for by in ("", "other queries")
    )
    assert one.fingerprint == first.fingerprint != other.fingerprint


def test_lora_trains_adapters_only(tmp_path: Path) -> None:
    from peft import PeftModel

    settings = Stage1(adapter="lora", lora_rank=2, epochs=3, **FAST)
    record = train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path, seed=1)
    weights = weights_of(tmp_path)
    assert all("lora_" in name for name in weights)
    assert {re.search(r"\.layers\.(\d+)\.", name)[1] for name in weights} == {"0", "1"}  # type: ignore[index]
    assert record.trainable == sum(value.numel() for value in weights.values())
    assert record.last_loss < record.first_loss
    assert not (tmp_path / "README.md").exists()
    loaded = PeftModel.from_pretrained(tiny_llama(), tmp_path)
    found = -sum(sum(logps) for logps, _ in score_branches(loaded, TREES))
    assert found < -sum(sum(logps) for logps, _ in score_branches(tiny_llama(), TREES))


def test_what_an_earlier_training_of_another_kind_left_is_not_loaded(tmp_path: Path) -> None:
    from rac.models import load_model

    train_supervised(tiny_llama(), TREES, Stage1(adapter="lora", lora_rank=2, **FAST), output_dir=tmp_path, seed=1)
    (tmp_path / "notes.txt").write_text("mine")
    train_supervised(tiny_llama(), TREES, Stage1(**FAST), output_dir=tmp_path, seed=1, tokenizer=byte_tokenizer())
    assert not list(tmp_path.glob("adapter_*"))
    loaded = load_model(tmp_path)[0].state_dict()
    trained = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(loaded[name], value) for name, value in trained.items())
    assert (tmp_path / "notes.txt").exists()


def test_an_adapter_goes_on_in_stage_2_and_the_start_is_its_reference(tmp_path: Path) -> None:
    from peft import PeftModel

    settings = Stage1(adapter="lora", lora_rank=2, epochs=4, **FAST)
    train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path / "one", seed=1)
    model = PeftModel.from_pretrained(tiny_llama(), tmp_path / "one")
    stage2 = Stage2(loss="dpo", adapter="lora", lora_rank=2, **FAST)
    train_preference(model, PAIRS, stage2, output_dir=tmp_path / "two", seed=1)
    # The reference is the adapter as it came, so nothing has changed before the first step.
    assert log_of(tmp_path / "two")[0]["logps/chosen_change"] == pytest.approx(0, abs=1e-3)
    assert weights_of(tmp_path / "one").keys() == weights_of(tmp_path / "two").keys()
    assert not same_weights(tmp_path / "one", tmp_path / "two")


def test_a_new_adapter_is_switched_off_for_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from peft import PeftModel

    calls = []
    disable = PeftModel.disable_adapter

    def spy(self: Any) -> Any:
        calls.append(1)
        return disable(self)

    monkeypatch.setattr(PeftModel, "disable_adapter", spy)
    settings = Stage2(loss="dpo", adapter="lora", lora_rank=2, **FAST)
    train_preference(tiny_llama(), PAIRS, settings, output_dir=tmp_path, seed=1)
    assert calls == [1]
    stored = json.loads((tmp_path / "reference_logps.json").read_text())["logps"]
    expected = sorted(logps for logps, _ in score_branches(tiny_llama(), PAIRS))
    for values, other in zip(sorted(stored.values()), expected, strict=True):
        assert values == pytest.approx(other, abs=1e-4)


def test_references_are_computed_once_and_cached_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rac.training import preference

    asked = []

    def spy(model: Any, trees: list[Tree], **kwargs: Any) -> Any:
        asked.append(len(trees))
        return score_branches(model, trees, **kwargs)

    monkeypatch.setattr(preference, "score_branches", spy)
    twice = [*PAIRS, Tree("again", PAIRS[0].prompt_ids, PAIRS[0].branches)]
    cache = tmp_path / "cache.json"
    first = preference.with_reference(tiny_llama(), twice, cache, "x", 64, plain=False)
    assert asked == [12]  # the repeated content only once
    assert first[0].reference == first[-1].reference
    assert preference.with_reference(tiny_llama(), twice, cache, "x", 64, plain=False) == first
    assert asked == [12]
    preference.with_reference(tiny_llama(), twice, cache, "other weights", 64, plain=False)
    assert asked == [12, 12]


def test_clipped_gradients_are_counted_and_cut(tmp_path: Path) -> None:
    options = {**FAST, "max_grad_norm": 1e-3}
    assert train_supervised(tiny_llama(), TREES, Stage1(**options), output_dir=tmp_path / "a", seed=1).clipped == 3
    options["max_grad_norm"] = 1e9
    assert train_supervised(tiny_llama(), TREES, Stage1(**options), output_dir=tmp_path / "b", seed=1).clipped == 0
    assert log_of(tmp_path / "a")[-1]["clipped"] == 3


def test_a_loss_that_is_no_number_stops_with_the_examples_ids(tmp_path: Path) -> None:
    trees = [*TREES]
    trees[7] = Tree("poisoned", TREES[7].prompt_ids, TREES[7].branches, [float("nan")] * len(TREES[7].branches))
    with pytest.raises(UserError, match="the loss is nan in step") as caught:
        train_supervised(tiny_llama(), trees, Stage1(**FAST), output_dir=tmp_path, seed=1)
    written = json.loads((tmp_path / "bad_batch.json").read_text())
    assert "poisoned" in written["ids"]
    assert len(written["ids"]) == 4
    assert "poisoned" in str(caught.value)
    assert not (tmp_path / "model.safetensors").exists()


def test_gradient_checkpointing_changes_no_loss(tmp_path: Path) -> None:
    for name in ("False", "True"):
        settings = Stage1(gradient_checkpointing=name == "True", **FAST)
        train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path / name, seed=1)
    assert same_weights(tmp_path / "False", tmp_path / "True", tolerance=1e-5)


def test_bfloat16_autocast_trains(tmp_path: Path) -> None:
    settings = Stage1(**{**FAST, "precision": "bfloat16", "epochs": 6})
    record = train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path, seed=1)
    assert record.last_loss < record.first_loss


def test_validation_is_recorded_and_does_not_disturb_training(tmp_path: Path) -> None:
    plain = train_supervised(tiny_llama(), TREES, Stage1(epochs=2, **FAST), output_dir=tmp_path / "a", seed=1)

    def validate(model: Any) -> dict[str, float]:
        torch.rand(5)
        assert not model.training
        return {"faulty": 0.5}

    record = train_supervised(
        tiny_llama(), TREES, Stage1(epochs=2, validations=2, validation_queries=3, **FAST), output_dir=tmp_path / "b",
        seed=1, validation=TREES[:5], validate=validate,
    )  # fmt: skip
    assert sorted(record.validation) == [0, 3, 6]
    assert all(set(metrics) == {"nll", "faulty"} for metrics in record.validation.values())
    assert record.validation[6]["nll"] < record.validation[0]["nll"]
    assert plain.validation == {}
    assert same_weights(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_validation_asks_in_the_precision_of_the_weights_and_on_the_fast_path(tmp_path: Path, adapter: str) -> None:
    ids = torch.tensor([[5, 9, 30, 7]])

    def validate(model: Any) -> dict[str, float]:
        assert supports_tree(model) == ""
        assert model(input_ids=ids).logits.dtype == torch.float32
        assert torch.equal(model(input_ids=ids).logits, type(model).forward(model, input_ids=ids).logits)
        return {"faulty": 0.5}

    settings = Stage2(adapter=adapter, lora_rank=2, epochs=1, validations=1, **{**FAST, "precision": "bfloat16"})
    rounded = tmp_path / "rounded"
    train_preference(
        tiny_llama(), PAIRS, settings, output_dir=rounded, seed=1, validate=validate, rule=Rule(lose_at_most={})
    )
    # Training itself went on rounding: in float32 it ends elsewhere.
    exact = tmp_path / "exact"
    train_preference(
        tiny_llama(), PAIRS, settings.model_copy(update={"precision": "float32"}), output_dir=exact, seed=1,
        validate=validate, rule=Rule(lose_at_most={}),
    )  # fmt: skip
    assert not same_weights(rounded, exact)


@pytest.mark.parametrize("adapter", ["full", "lora"])
@pytest.mark.parametrize(("shares", "expected"), [([0.9, 0.5, 0.1, 0.3], 4), ([0.1, 0.5, 0.3, 0.2], 0)])
def test_the_weights_that_ask_best_are_kept(tmp_path: Path, adapter: str, shares: list[float], expected: int) -> None:
    answers = iter(shares)
    snapshots: list[dict[str, torch.Tensor]] = []

    def validate(model: Any) -> dict[str, float]:
        snapshots.append({name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad})
        return {"faulty": next(answers)}

    settings = Stage2(adapter=adapter, lora_rank=2, epochs=2, validations=3, **FAST)
    record = train_preference(
        tiny_llama(), PAIRS, settings, output_dir=tmp_path, seed=1, validate=validate, rule=Rule(lose_at_most={})
    )
    assert record.selected_step == expected
    kept = weights_of(tmp_path)
    snapshot = snapshots[[0, 2, 4, 6].index(expected)]
    for name, value in snapshot.items():
        stored = kept[name.replace(".default", "")]
        assert torch.equal(stored, value), name
    assert not list(tmp_path.glob("best-*"))


def test_a_full_disk_while_saving_is_explained_and_the_last_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**FAST, "epochs": 3, "checkpoint_seconds": 0}
    train_supervised(tiny_llama(), TREES, Stage1(**options), output_dir=tmp_path / "whole", seed=1)

    from transformers import LlamaForCausalLM

    save = LlamaForCausalLM.save_pretrained
    count = 0

    def full_after_three(self: Any, folder: str | Path, **kwargs: Any) -> None:
        nonlocal count
        count += 1
        if count <= 3:
            return save(self, folder, **kwargs)
        (Path(folder) / "model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(LlamaForCausalLM, "save_pretrained", full_after_three)
        with pytest.raises(UserError, match="no space left on the device while saving"):
            train_supervised(tiny_llama(), TREES, Stage1(**options), output_dir=tmp_path / "full", seed=1)
    assert [p.name for p in (tmp_path / "full" / "checkpoints").iterdir()] == ["checkpoint-3"]
    with (tmp_path / "full" / "training_log.jsonl").open("a") as log:
        log.write('{"step": 4, "lo')
    train_supervised(tiny_llama(), TREES, Stage1(**options), output_dir=tmp_path / "full", seed=1)
    assert same_weights(tmp_path / "whole", tmp_path / "full")
    assert [line["step"] for line in log_of(tmp_path / "full")] == list(range(1, 10))


def test_a_tracker_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no_such_tracker"):
        train_supervised(tiny_llama(), TREES, Stage1(report_to=("no_such_tracker",)), output_dir=tmp_path, seed=1)


def test_a_tracker_gets_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainerCallback
    from transformers.integrations import integration_utils

    lines: list[dict[str, Any]] = []

    class Tracker(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
            if "loss" in logs:
                lines.append({"step": state.global_step, **logs})

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "in-memory", Tracker)
    settings = Stage2(report_to=("in-memory",), **FAST)
    train_preference(tiny_llama(), PAIRS, settings, output_dir=tmp_path, seed=1)
    # The trainer's own count of epochs is not rounded.
    for line in [*lines, *(logged := log_of(tmp_path))]:
        line["epoch"] = round(line["epoch"], 3)
    assert lines == logged
    assert {"margins", "accuracy", "nll/chosen", "tokens_per_second", "seconds_left"} <= lines[0].keys()


@pytest.mark.parametrize(
    ("schedule", "shares"), [("constant", [1, 1, 1]), ("linear", [1, 0.5, 0.25]), ("cosine", [1, 0.5, 0.146])]
)
def test_schedules(tmp_path: Path, schedule: str, shares: list[float]) -> None:
    # 5 steps, the first of them warm-up; the log has the rate with which a step was taken.
    settings = Stage1(**{**FAST, "batch_size": 12}, epochs=5, warmup_ratio=0.2, schedule=schedule)
    train_supervised(tiny_llama(), TREES, settings, output_dir=tmp_path, seed=1)
    rates = [line["learning_rate"] / FAST["learning_rate"] for line in log_of(tmp_path)]
    assert [rates[1], rates[3], rates[4]] == pytest.approx(shares, abs=0.001)


def test_no_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no training query"):
        train_supervised(tiny_llama(), [], Stage1(), output_dir=tmp_path, seed=1)
    with pytest.raises(UserError, match="no preference pair"):
        train_preference(tiny_llama(), [], Stage2(), output_dir=tmp_path, seed=1)
    with pytest.raises(UserError, match="pair 'p1' has no rejected question"):
        train_preference(tiny_llama(), [Tree("p1", [1], [[2]])], Stage2(), output_dir=tmp_path, seed=1)
