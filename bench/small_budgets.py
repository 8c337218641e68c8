"""Which ways of training less pay on a small machine: adapters, frozen layers, frozen embeddings, bfloat16.

    python bench/small_budgets.py --mirror DATA --output FOLDER              all variants, half an hour on one core
    python bench/small_budgets.py --output FOLDER --variants lora frozen-20  some of them; finished ones are kept
    python bench/small_budgets.py --output FOLDER --markdown docs/training.md

Stage 1 on CLAQUA with gold passages, the embedded model. The time of a step is CPU time over threads on one fixed
batch, each variant in turns with full training in the same process, medians. Quality is the negative log-likelihood per
token of held-out gold questions, and what is asked for held-out queries (``rac.pipeline.validation``), once after as
many steps as full training takes, and once after as much *time*. The learning rate is constant after the warm-up, so
that one run serves for both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from rac.benchmarks import READERS
from rac.files import read_json, write_json
from rac.generation.local import LocalGenerator
from rac.models import load_model
from rac.pipeline.validation import judge
from rac.training import adapters, loop
from rac.training.objectives import Supervised
from rac.training.settings import Stage1
from rac.training.supervised import train_supervised
from rac.training.trainer import Pass, TreeTrainer, training_arguments
from step_memory import peak_of, reset_peak
from training_data import example_of

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "full": ("all weights", {}),
    "full-float32": ("all weights, float32 arithmetic", {"precision": "float32"}),
    "frozen-embeddings": ("embeddings frozen", {}),
    "frozen-10": ("embeddings and 10 of 30 layers frozen", {}),
    "frozen-20": ("embeddings and 20 of 30 layers frozen", {}),
    "lora": ("LoRA, rank 16, all layers", {"adapter": "lora", "learning_rate": 1e-3}),
    "lora-20": ("LoRA, rank 16, upper 10 layers", {"adapter": "lora", "learning_rate": 1e-3}),
}
"""Name -> what it is, and how its settings differ from full training."""
FROZEN = {"frozen-embeddings": 0, "frozen-10": 10, "frozen-20": 20, "lora-20": 20}
"""Name -> lowest layers that stay as they are, together with the embeddings; rac has no setting for it."""


@contextmanager
def variant_of(name: str) -> Iterator[None]:
    """Let ``prepare_weights`` freeze what the variant says."""
    original = adapters.prepare_weights

    def prepared(model: Any, settings: Any, seed: int) -> Any:
        model = original(model, settings, seed)
        if name in FROZEN:
            # Nothing below the first trained layer may need a gradient, or the backward pass goes all the way down.
            model.get_input_embeddings().requires_grad_(False)
            for layer in adapters.decoder_layers(model)[1][: FROZEN[name]]:
                layer.requires_grad_(False)
        return model

    loop.prepare_weights = prepared  # type: ignore[attr-defined]
    try:
        yield
    finally:
        loop.prepare_weights = original  # type: ignore[attr-defined]


def settings_of(name: str, options: argparse.Namespace, **more: Any) -> Stage1:
    """Return a variant's settings."""
    common = {
        "batch_size": options.batch, "schedule": "constant", "warmup_ratio": 0.1, "checkpoint_seconds": 1e9,
        "learning_rate": 1e-4, **VARIANTS[name][1], **more,
    }  # fmt: skip
    return Stage1(**common)


class Stepper:
    """One variant, stepping on a fixed batch."""

    def __init__(self, name: str, options: argparse.Namespace, trees: Sequence[Any]) -> None:
        settings = settings_of(name, options)
        model, _ = load_model(options.model)
        with variant_of(name):
            model = loop.prepare_weights(model, settings, 0)
        objective = Supervised()
        args = training_arguments(tempfile.mkdtemp(), settings, steps=1, seed=0, device=torch.device("cpu"))
        self.item = Pass([list(trees)], objective.totals(trees))
        self.trainer = TreeTrainer(
            model, args, passes=[self.item], objective=objective, plain=False, max_row_tokens=1024, callbacks=[]
        )
        self.weights = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=1e-7, fused=True)

    def step(self) -> float:
        """Do a step; return CPU seconds over threads."""
        started = time.process_time()
        self.trainer.training_step(self.trainer.model, self.trainer._collate([self.item]))
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return (time.process_time() - started) / torch.get_num_threads()


def time_of(name: str, options: argparse.Namespace, trees: Sequence[Any]) -> dict[str, float]:
    """Return seconds of a step, of one of full training beside it, and what the variant adds to the resident set."""
    before = reset_peak()
    own = Stepper(name, options, trees)
    own.step()
    memory = peak_of() - before
    seconds: list[tuple[float, float]] = []
    full = Stepper("full", options, trees)
    full.step()
    for turn in range(options.turns):
        first, second = (own, full) if turn % 2 else (full, own)
        times = {first: first.step()}
        times[second] = second.step()
        seconds.append((times[own], times[full]))
    return {
        "seconds": statistics.median(a for a, _ in seconds), "full": statistics.median(b for _, b in seconds),
        "ratio": statistics.median(a / b for a, b in seconds), "memory": memory,
        "trained": sum(p.numel() for p in own.weights),
    }  # fmt: skip


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Time a variant and train it."""
    model, tokenizer = load_model(options.model)
    train = [e for e in READERS["claqua"].read(options.mirror, "train").examples if e.questions]
    held_out = [e for e in READERS["claqua"].read(options.mirror, "validation").examples if e.questions]
    # Even numbers are natural and negated questions alike; no shuffling needs a seed to be told.
    train = train[:: max(1, len(train) // options.queries)][: options.queries]
    held_out = held_out[:: max(1, len(held_out) // options.held_out)][: options.held_out]
    trees = [example_of(tokenizer, e, list(e.passages), [e.questions[0]], 56).tree for e in train]
    checks = [example_of(tokenizer, e, list(e.passages), [e.questions[0]], 56).tree for e in held_out]
    asked = [(e, list(e.passages)) for e in held_out[: options.asked]]
    found: dict[str, Any] = {"name": name, **time_of(name, options, trees[: options.batch])}

    # All variants start from the same weights, so what those ask is judged once.
    start = options.output / "start.json"
    at_start = iter([True])

    def validate(trained: Any) -> dict[str, float]:
        first = next(at_start, False)
        if first and start.exists():
            return dict(read_json(start))
        generator = LocalGenerator(trained, tokenizer, max_new_tokens=40)
        questions = [c.text for c in generator.greedy([tree.prompt_ids for tree in checks[: options.asked]], label="")]
        judged = judge(questions, asked)
        if first:
            write_json(start, judged)
        return judged

    steps = round(options.steps / min(1.0, found["ratio"]))
    settings = settings_of(
        name, options, epochs=steps * options.batch / len(trees), warmup_ratio=0.1 * options.steps / steps,
        # Validated after a whole number of parts, one of them at as many steps as full training takes.
        validations=1 if steps == options.steps else 2, validation_queries=len(checks),
    )  # fmt: skip
    from rac.training import keeper

    keeper.validation_steps = lambda total, _: sorted({options.steps, total})
    with variant_of(name), tempfile.TemporaryDirectory() as folder:
        record = train_supervised(
            model, trees, settings, output_dir=folder, seed=options.seed, validation=checks,
            validate=validate if asked else None,
        )  # fmt: skip
        weights = Path(folder) / ("adapter_model.safetensors" if settings.adapter == "lora" else "model.safetensors")
        found["file"] = weights.stat().st_size
    found.update(steps=steps, at_steps=record.validation[options.steps], at_time=record.validation[steps])
    found["start"] = record.validation[0]
    return found


def table(results: Sequence[dict[str, Any]], options: argparse.Namespace) -> str:
    """Return the results as Markdown."""
    asked = ["unsupported", "informative", "ROUGE-L"] if options.asked else []
    questions = f", {options.asked} for the questions asked" if options.asked else ""
    head = [
        "trained", "weights, M", "s a step", "time against full", "memory, GB", "file, MB",
        f"NLL after {options.steps} steps", *asked, "steps in the time of full", "NLL then", *asked,
    ]  # fmt: skip
    lines = [
        f"`python bench/small_budgets.py`: {options.steps} steps of {options.batch} queries ({options.queries} "
        f"different ones), {options.held_out} held-out queries for the likelihood{questions}; {options.threads} "
        f"{'thread' if options.threads == 1 else 'threads'}, {time.strftime('%Y-%m-%d')}.",
        "",
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
    ]

    def judged(metrics: dict[str, float]) -> list[str]:
        return [f"{metrics[name]:.2f}" for name in ("unsupported", "informativeness", "rouge_l") if options.asked]

    for r in results:
        a, b = r["at_steps"], r["at_time"]
        cells = [
            VARIANTS[r["name"]][0], f"{r['trained'] / 1e6:.1f}", f"{r['seconds']:.2f}", f"{r['ratio']:.2f}",
            f"{r['memory'] / 1e9:.2f}", f"{r['file'] / 1e6:.0f}", f"{a['nll']:.3f}", *judged(a), str(r["steps"]),
            f"{b['nll']:.3f}", *judged(b),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, default=Path(os.environ.get("RAC_MIRROR", ".")))
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--output", type=Path, required=True, help="folder for finished variants")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--held-out", type=int, default=96)
    parser.add_argument("--asked", type=int, default=48, help="0: likelihood alone, much faster")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--markdown", type=Path, help="put the table between the markers of this page")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    results = []
    for name in options.variants:
        path = options.output / f"{name}.json"
        if not path.exists():
            write_json(path, measure(name, options))
        results.append(json.loads(path.read_text()))
        print(table(results[-1:], options).splitlines()[-1], flush=True)
    text = table(results, options)
    print("\n" + text)
    if options.markdown:
        from training import put_into

        put_into(options.markdown, text, "bench/small_budgets.py")


if __name__ == "__main__":
    main()
