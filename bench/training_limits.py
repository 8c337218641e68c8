"""What the arithmetic of a training step allows, and where our own step spends its time (``bench/training.py``)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from rac.training.attention import allowed
from rac.training.packing import PackedBatch
from training_peers import Example, Ours, System, TrlDpo, preference


class Work:
    """Multiplications of a step, in units of one token through the layers, forward."""

    def __init__(self, model: Any) -> None:
        config = model.config
        head = config.vocab_size * config.hidden_size
        total = sum(p.numel() for p in model.parameters())
        embeddings = model.get_input_embeddings().weight.numel() * (1 if config.tie_word_embeddings else 2)
        self.layers = total - embeddings
        self.head = head / self.layers
        # Scores and weighted values of one query over one key, in all layers.
        self.pair = 2 * config.num_hidden_layers * config.hidden_size / self.layers

    def rows(self, lengths: Sequence[int], targets: int | None, passes: float) -> float:
        """Work on padded rows; the head on all positions, or on the targets only."""
        width = max(lengths)
        tokens = len(lengths) * width
        heads = tokens if targets is None else targets
        return passes * (tokens * (1 + self.pair * width) + heads * self.head)

    def forest(self, batch: PackedBatch, passes: float) -> float:
        """Work on prompt trees: attention where something may be seen, the head where there is a target."""
        pairs = int(allowed(batch.ends).sum()) - int((batch.attention == 0).sum())
        return passes * (batch.tokens + self.pair * pairs + len(batch.head_positions) * self.head)

    def flops(self, work: float) -> float:
        """Return floating-point operations."""
        return 2 * self.layers * work


def limit(work: Work, examples: Sequence[Example], ours: Ours, peer: System) -> tuple[float, float]:
    """Return (ratio of work, ratio of tokens) of the peer's step to ours."""
    batch = ours.inputs()["batch"]
    mine = work.forest(batch, 3)
    lengths = [len(e.tree.prompt_ids) + len(b) for e in examples for b in e.tree.branches]
    heads = None if peer.whole_head else sum(len(b) for e in examples for b in e.tree.branches)
    theirs, their_tokens = work.rows(lengths, heads, 3), len(lengths) * max(lengths)
    if isinstance(peer, TrlDpo):
        mine, theirs = mine + work.forest(batch, 1), theirs + work.rows(lengths, None, 1)
    return theirs / mine, their_tokens / batch.tokens


def matmul_speed(model: Any, tokens: int, repeats: int = 5) -> float:
    """Return the matrix throughput in FLOP/s over the shapes of the model's own layers, forward and backward.

    Args:
        model: Whose linear layers give the shapes, each weighted by how often it occurs.
        tokens: Rows of the data matrices: those of a real step.
        repeats: The fastest of so many runs counts.
    """
    shapes = [tuple(m.weight.shape) for m in model.modules() if isinstance(m, torch.nn.Linear)]
    best = 0.0
    for _ in range(repeats):
        seconds, operations = 0.0, 0.0
        for rows, columns in sorted(set(shapes)):
            count = shapes.count((rows, columns)) if rows < 10_000 else 1
            weight, data, gradient = torch.randn(rows, columns), torch.randn(tokens, columns), torch.randn(tokens, rows)
            started = time.process_time()
            data @ weight.T, gradient @ weight, gradient.T @ data
            seconds += count * (time.process_time() - started) / torch.get_num_threads()
            operations += count * 6.0 * tokens * rows * columns
        best = max(best, operations / seconds)
    return best


def profile(model: Any, examples: Sequence[Example]) -> dict[str, Any]:
    """Return where our CPO step spends its time, and its share of the matrix throughput.

    Seconds are CPU seconds over threads, so that other processes on the machine do not count.
    """
    ours = preference(model, examples, "cpo")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-7, fused=True)
    threads = torch.get_num_threads()
    seconds = min(ours.step(optimizer).cpu_seconds for _ in range(4)) / threads
    batch = ours.inputs()["batch"]
    work = Work(model)
    useful = work.forest(batch, 3)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as trace:
        ours.step(optimizer)
    events = sorted(trace.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    speed = matmul_speed(model, batch.tokens)
    return {
        "step_seconds": seconds, "useful_gflops": work.flops(useful) / seconds / 1e9, "matmul_gflops": speed / 1e9,
        "share": work.flops(useful) / seconds / speed, "tokens_per_second": batch.tokens / seconds,
        "padding": 1 - batch.tokens / batch.input_ids.numel(),
        "operations": {event.key: event.self_cpu_time_total / total for event in events[:14]},
    }  # fmt: skip
