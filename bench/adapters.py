"""A training step of low-rank adapters: ``rac.training.adapter_products`` against peft's own layers.

    python bench/adapters.py --mirror DATA                 the embedded model, CLAQUA pairs over the top five, minutes
    python bench/adapters.py --mirror DATA --precision float32

One process, one model, one batch; a measurement is one forward and backward pass and an AdamW step. The two take turns,
the order is turned round every time, and the figure is the median of the ratios of the same turn. The losses are
compared first, with adapters that change something: to 1e-3 in float32, to 0.05 in half precision, which rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from rac.models import load_model
from rac.training.adapters import prepare_weights
from rac.training.memory import kept_memory
from rac.training.objectives import Preference
from rac.training.settings import Stage2
from rac.training.trainer import Pass, TreeTrainer, arithmetic, training_arguments
from training_data import claqua_pairs


def main() -> int:
    """Measure and print; return 1 if the values differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, required=True, help="folder with the benchmark's files")
    parser.add_argument("--pairs", type=int, default=4, help="pairs in a pass")
    parser.add_argument("--alternations", type=int, default=10)
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

    settings = Stage2(adapter="lora", precision=options.precision)
    model, tokenizer = load_model("embedded")
    model = prepare_weights(model, settings, seed=0).train()
    # New adapters add 0: any way to compute them would agree.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.02)
    trees = [example.tree for example in claqua_pairs(tokenizer, options.mirror, options.pairs, retrieved=True)]
    objective = Preference(settings)
    args = training_arguments(tempfile.mkdtemp(), settings, steps=1, seed=0, device=next(model.parameters()).device)
    item = Pass([trees], objective.totals(trees))
    trainer = TreeTrainer(
        model, args, passes=[item], objective=objective, plain=False, max_row_tokens=settings.max_row_tokens,
        callbacks=[],
    )  # fmt: skip
    # The trainer does this at the start of a training; it puts the rounding of mixed precision around the model.
    wrapped = trainer.accelerator.prepare_model(model)
    # With a learning rate of 0 a step does all its work and every step sees the same weights.
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0, fused=True)
    layers = {"rac": trainer.adapted, "peft": []}

    def step(name: str) -> tuple[float, float]:
        trainer.adapted = layers[name]
        started = time.perf_counter()
        loss = float(trainer.training_step(wrapped, trainer._collate([item])))
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - started, loss

    with kept_memory():
        losses = {name: [step(name)[1] for _ in range(2)][1] for name in layers}
        difference = abs(losses["rac"] - losses["peft"])
        kind = arithmetic(options.precision, next(model.parameters()).device)
        print(f"{len(layers['rac'])} adapted layers, {kind}, {sum(t.length for t in trees)} tokens a step; "
              f"loss {losses['rac']:.5f} and {losses['peft']:.5f}")  # fmt: skip
        if difference > (1e-3 if kind == "float32" else 0.05):
            print(f"the losses differ by {difference:.2g}: nothing can be compared")
            return 1
        took: dict[str, list[float]] = {name: [] for name in layers}
        for turn in range(options.alternations):
            for name in ("rac", "peft") if turn % 2 else ("peft", "rac"):
                took[name].append(step(name)[0])
    ratios = [theirs / ours for theirs, ours in zip(took["peft"], took["rac"], strict=True)]
    for name, seconds in took.items():
        print(f"{name}: {statistics.median(seconds):.2f} s a step")
    print(f"peft takes {statistics.median(ratios):.2f} times as long ({min(ratios):.2f} to {max(ratios):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
