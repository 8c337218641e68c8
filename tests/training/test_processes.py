"""Trainings that are killed, and trainings in several processes."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from training_processes import free_port, start, train, train_as_rank


def run(stage: str, folder: Path, kill: str = "", **options: Any) -> int | None:
    process = start(train, stage, str(folder), kill, options)
    process.join(120)
    assert process.exitcode is not None, "the training hangs"
    return process.exitcode


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("stage", "adapter", "weights"),
    [("supervised", "full", "model.safetensors"), ("preference", "lora", "adapter_model.safetensors")],
)
def test_killed_at_any_point_the_next_start_ends_with_the_same_weights(
    tmp_path: Path, stage: str, adapter: str, weights: str
) -> None:
    options = {"adapter": adapter, "lora_rank": 2}
    assert run(stage, tmp_path / "whole", **options) == 0
    broken = tmp_path / "broken"
    # Killed in the 3rd step, while writing a file of the next checkpoint, before its marker, while removing the older
    # one, in later steps, and between two files of the final weights; each start goes on from what the last one left.
    kills = ["step:3", "optimizer file:2", "marker:2", "rotation:2", "step:2", "final weights:1"]
    steps = []
    for kill in kills:
        assert run(stage, broken, kill, **options) == -signal.SIGKILL, kill
        steps.append(sorted(p.name for p in (broken / "checkpoints").iterdir() if (p / "whole.json").exists()))
        assert not (broken / "training.json").exists()
    assert steps[0] == ["checkpoint-2"]
    assert run(stage, broken, **options) == 0

    expected, found = load_file(tmp_path / "whole" / weights), load_file(broken / weights)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    for a, b in zip(log_of(tmp_path / "whole"), log_of(broken), strict=True):
        assert (a["step"], a["loss"], a["clipped"]) == (b["step"], b["loss"], b["clipped"])
    assert not (broken / "checkpoints").exists()
    records = [json.loads((folder / "training.json").read_text()) for folder in (tmp_path / "whole", broken)]
    for name in ("fingerprint", "steps", "tokens", "first_loss", "last_loss", "clipped"):
        assert records[0][name] == records[1][name], name


@pytest.mark.parametrize("stage", ["supervised", "preference"])
def test_two_processes_give_the_losses_of_one(tmp_path: Path, stage: str) -> None:
    """Gloo on the CPU; 12 prompts in steps of 5, so that the last step of an epoch has an odd number."""
    options = {"batch_size": 5, "epochs": 2, "learning_rate": 1e-3, "precision": "float32"}
    assert run(stage, tmp_path / "one", **options) == 0
    port = free_port()
    processes = [
        start(train_as_rank, rank, 2, port, stage, str(tmp_path / "two"), options) for rank in range(2)
    ]  # fmt: skip
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    one, two = log_of(tmp_path / "one"), log_of(tmp_path / "two")
    names = ["loss", "grad_norm"]
    names += ["margins", "accuracy", "logps/chosen", "logps/rejected"] if stage == "preference" else []
    for a, b in zip(one, two, strict=True):
        for name in names:
            assert b[name] == pytest.approx(a[name], rel=1e-5, abs=1e-6), (a["step"], name)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, value in first.items():
        assert torch.allclose(second[name], value, atol=1e-4), name


def test_more_processes_than_prompts(tmp_path: Path) -> None:
    """A process without a prompt of its own in a step computes one with weight 0 and waits for nobody."""
    options = {"batch_size": 1, "epochs": 0.25, "learning_rate": 1e-3}
    assert run("supervised", tmp_path / "one", **options) == 0
    port = free_port()
    processes = [
        start(train_as_rank, rank, 2, port, "supervised", str(tmp_path / "two"), options) for rank in range(2)
    ]  # fmt: skip
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    for a, b in zip(log_of(tmp_path / "one"), log_of(tmp_path / "two"), strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5)
