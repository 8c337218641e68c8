"""The whole method from the shipped command line, on a tiny random model: complete, repeatable, killed and resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rac.files import read_records, sha256_file
from rac.generation.systems import SYSTEMS
from rac.records import PreferencePair

RECIPE = """
# A whole run on a tiny model.
name: tiny
seed: 3
model:
  base: {base}
bootstrap:
  examples: 60
  top_k: 3
  test: 0.2
prompt:
  top_k: 3
  passage_tokens: 80
data:
  evaluation_queries: 8
training:
  epochs: 2
  batch_size: 4
  learning_rate: 0.003
  checkpoint_seconds: 0
  validations: 1
  validation_queries: 2
  {extra}
preference:
  epochs: 3
  batch_size: 2
  checkpoint_seconds: 0
  validations: 2
  validation_queries: 2
pairs:
  grounded_samples: 2
  ungrounded_samples: 1
evaluation:
  max_new_tokens: 32
  bootstrap_samples: 200
"""


def write_recipe(folder: Path, base: Path, extra: str = "") -> Path:
    path = folder / "tiny.yaml"
    path.write_text(RECIPE.format(base=base, extra=extra), encoding="utf-8")
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "rac", *map(str, arguments)]


def train(recipe: Path, run: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("train", recipe, "-o", run, *more), capture_output=True, text=True, check=True, timeout=900
    )


def weights(run: Path) -> dict[str, str]:
    return {
        name: sha256_file(run / "models" / name / "model.safetensors") for name in ("ungrounded", "grounded", "rac")
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model_dir: Path) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("run")
    recipe = write_recipe(folder, tiny_model_dir)
    train(recipe, folder / "run")
    return recipe, folder / "run"


def test_a_run_leaves_everything_that_is_documented(finished: tuple[Path, Path]) -> None:
    _, run = finished
    metrics = json.loads((run / "metrics.json").read_text())
    (table,) = metrics["tables"]
    systems = ["base", "template", "ungrounded", "grounded", "rac", "gold"]
    assert list(table["systems"]) == systems
    assert table["n"] == 8
    assert table["systems"]["gold"]["good"]["mean"] == 1.0
    assert "rouge_l" not in table["systems"]["gold"]
    assert table["systems"]["template"]["unsupported"]["mean"] == 0.0
    for system in systems:
        assert len((run / f"predictions/retrieved/{system}.jsonl").read_text().splitlines()) == 8
        assert len((run / f"scores/retrieved/{system}.jsonl").read_text().splitlines()) == 8
    pairs = read_records(run / "pairs.jsonl", PreferencePair)
    assert pairs
    assert all(p.chosen != r for p in pairs for r in p.all_rejected)
    assert (run / "report.html").stat().st_size > 10_000
    for stage in ("index", "data", "retrieve", "grounded", "ungrounded", "pairs", "rac", "metrics", "report"):
        record = json.loads((run / f"stages/{stage}.json").read_text())
        assert record["seconds"] >= 0
        assert record["outputs"]


def test_models_in_training_are_judged_by_what_they_ask(finished: tuple[Path, Path]) -> None:
    _, run = finished
    for model, validations in (("grounded", 2), ("ungrounded", 2), ("rac", 3)):
        record = json.loads((run / f"models/{model}/training.json").read_text())
        # The start counts as well.
        assert len(record["validation"]) == validations
        assert all(
            set(m) == {"faulty", "unsupported", "informativeness", "rouge_l"} for m in record["validation"].values()
        )
        assert record["selected_step"] in {int(step) for step in record["validation"]}


def test_no_query_group_is_in_two_parts(finished: tuple[Path, Path]) -> None:
    _, run = finished
    seen: dict[str, str] = {}
    for part in ("train", "pairs", "validation", "evaluation"):
        for line in (run / f"examples/{part}.jsonl").read_text().splitlines():
            example = json.loads(line)
            group = example.get("group") or example["id"]
            assert seen.setdefault(group, part) == part


def test_the_same_command_again_repeats_nothing(finished: tuple[Path, Path]) -> None:
    recipe, run = finished
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")}
    again = train(recipe, run)
    assert "done in" not in again.stderr
    assert again.stderr.count("unchanged, kept") >= 12
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")} == before


def test_a_changed_setting_repeats_only_what_depends_on_it(finished: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, run = finished
    out = train(recipe, run, "--until", "rac", "--set", "preference.epochs=4").stderr
    assert "rac          done in" in out
    assert "grounded     unchanged" in out
    assert "pairs        unchanged" in out
    train(recipe, run)


def test_a_killed_run_ends_with_the_same_pairs_and_weights(
    finished: tuple[Path, Path], tmp_path: Path, tiny_model_dir: Path
) -> None:
    _, unbroken = finished
    recipe = write_recipe(tmp_path, tiny_model_dir)
    run = tmp_path / "run"
    # Once in the middle of stage 1, once in the middle of stage 2.
    for model in ("grounded", "rac"):
        process = subprocess.Popen(
            command("train", recipe, "-o", run), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        checkpoints = run / "models" / model / "checkpoints"
        deadline = time.monotonic() + 200
        while not any(checkpoints.glob("*")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.poll() is None, f"training {model} ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (run / "stages" / f"{model}.json").exists()
    train(recipe, run)
    assert weights(run) == weights(unbroken)
    assert (run / "pairs.jsonl").read_bytes() == (unbroken / "pairs.jsonl").read_bytes()
    for system in ("grounded", "rac"):
        name = f"predictions/retrieved/{system}.jsonl"
        assert (run / name).read_bytes() == (unbroken / name).read_bytes()


def test_ask_and_predict_use_the_run(finished: tuple[Path, Path], tmp_path: Path) -> None:
    _, run = finished
    asked = subprocess.run(command("ask", run, "king", "--json"), capture_output=True, text=True, check=True).stdout
    answer = json.loads(asked)
    assert answer["model"].startswith("rac of ")
    assert len(answer["passages"]) == 3
    assert answer["question"] is None or len(answer["options"]) >= 2
    out = tmp_path / "predictions.jsonl"
    examples = run / "examples/evaluation.jsonl"
    subprocess.run(command("predict", run, "--examples", examples, "-o", out), check=True, capture_output=True)
    ids = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert ids == [json.loads(line)["id"] for line in examples.read_text().splitlines()]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["predictions.jsonl", "predictions.jsonl.header.json"]


def test_every_system_and_a_second_round_come_on_top_of_a_finished_run(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, done = finished
    run = tmp_path / "run"
    shutil.copytree(done, run)
    # rac-paper takes samples as they come, and those of a tiny model seldom end; tests/pipeline checks its recipe.
    systems = [name for name in SYSTEMS if name not in ("openai", "shipped", "rac-paper")]
    more = [f"evaluation.systems=[{', '.join(systems)}]", "preference.rounds=2", "evaluation.candidates=2"]
    log = train(recipe, run, *(part for setting in more for part in ("--set", setting))).stderr
    for kept in ("ungrounded", "grounded", "pairs", "rac", "predict-grounded"):
        assert f"{kept:<12} unchanged" in log
    for made in ("pairs-2", "rac-2", "grounded-continued", "predict-context-aware"):
        assert f"{made:<12} done in" in log
    (table,) = json.loads((run / "metrics.json").read_text())["tables"]
    assert list(table["systems"]) == systems
    # The systems ask the models that they are named after.
    asked = {s: (run / f"predictions/retrieved/{s}.jsonl").read_text() for s in systems}
    assert sha256_file(run / "models/rac-2/model.safetensors") != sha256_file(run / "models/rac/model.safetensors")
    assert asked["rac-round-1"] == (done / "predictions/retrieved/rac.jsonl").read_text().replace(
        '"system": "rac"', '"system": "rac-round-1"'
    )
    continued = json.loads((run / "stages/grounded-continued.json").read_text())["counts"]
    stage2 = [json.loads((run / f"stages/{s}.json").read_text())["counts"]["training"] for s in ("rac", "rac-2")]
    wanted = sum(counts["tokens"] for counts in stage2)
    assert continued["tokens of stage 2"] == wanted
    assert 0.8 < continued["training"]["tokens"] / wanted < 1.2
    answer = subprocess.run(command("ask", run, "king", "--json"), capture_output=True, text=True, check=True).stdout
    assert json.loads(answer)["model"].startswith("rac of ")
