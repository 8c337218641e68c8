"""How fast both stages train, against TRL's trainers.

    python bench/training.py --mirror DATA                     all, the embedded model, 25 minutes on 2 cores
    python bench/training.py --cases short --alternations 5    CLAQUA pairs only
    python bench/training.py --profile                         where our own step spends its time
    python bench/training.py ... --markdown docs/training.md   put the table into a page, between its markers
    python bench/training.py --cases invented --model DIR      random words and any model: only to try it out

One process; same model, batch, float32, threads, AdamW and clipping; the peer with its fastest documented settings for
a CPU (gradient checkpointing and bf16 off, no tracker). A measurement is one whole optimiser step, collating included;
the systems of a case take turns, the order is turned round every time, and the figure is the median of the ratios of
steps of the same turn. Reference log-probabilities are counted on both sides, once for each pair (one epoch).
Agreement of all questions' log-probabilities is checked first, against the peer's own functions; if it fails the
status is 1.

Beside each ratio stands its limit: what the arithmetic allows if both sides ran every multiplication at the same
speed, padding included. A ratio above it means that the peer spends time on other things.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from training_data import claqua_pairs, clariq_queries, invented
from training_peers import Example, Ours, System, TrlCpo, TrlDpo, TrlSft, preference, supervised, textbook_logps

BARS = {
    ("short", "TRL DPO, reference online"): 3.5, ("short", "TRL DPO, reference precomputed"): 2.5,
    ("short", "TRL CPO"): 2.5, ("long", "TRL DPO, reference online"): 2.0,
    ("long", "TRL DPO, reference precomputed"): 2.0, ("long", "TRL CPO"): 2.0, ("clariq", "TRL SFT"): 6.0,
}  # fmt: skip
CASES = {
    "short": "stage 2, CLAQUA pairs, two gold passages",
    "long": "stage 2, CLAQUA pairs, five retrieved passages",
    "clariq": "stage 1, ClariQ, 13 questions a query, five passages",
    "invented": "random words",
}


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

    def flops(self, work: float) -> float:
        """Return floating-point operations."""
        return 2 * self.layers * work


def limit(work: Work, examples: Sequence[Example], ours: Ours, peer: System) -> tuple[float, float]:
    """Return (ratio of work, ratio of tokens) of the peer's step to ours."""
    batch = ours.inputs()["batch"]
    mine = work.rows([batch.ends.shape[1]] * len(batch.ends), len(batch.head_positions), 3)
    mine_tokens = batch.input_ids.numel()
    lengths = [len(e.tree.prompt_ids) + len(b) for e in examples for b in e.tree.branches]
    theirs, their_tokens = work.rows(lengths, None, 3), len(lengths) * max(lengths)
    if isinstance(peer, TrlDpo):
        forward = work.rows([batch.ends.shape[1]] * len(batch.ends), len(batch.head_positions), 1)
        mine, theirs = mine + forward, theirs + work.rows(lengths, None, 1)
    return theirs / mine, their_tokens / mine_tokens


def run_case(
    name: str, examples: Sequence[Example], model: Any, tokenizer: Any, alternations: int, load: Any
) -> list[dict[str, Any]]:
    """Measure one case; return a row for each peer."""
    peers: list[tuple[System, Ours]] = []
    if len(examples[0].questions) > 2:
        peers.append((TrlSft(model, tokenizer, examples), supervised(model, examples)))
    else:
        dpo, cpo = preference(model, examples, "dpo"), preference(model, examples, "cpo")
        peers.append((TrlDpo(model, tokenizer, examples, precomputed=False, reference=load()), dpo))
        peers.append((TrlDpo(model, tokenizer, examples, precomputed=True, reference=None), dpo))
        peers.append((TrlCpo(model, tokenizer, examples), cpo))
    systems: list[System] = list(dict.fromkeys(s for pair in peers for s in pair))

    expected = textbook_logps(model, [example.tree for example in examples])
    for system in systems:
        worst = max(abs(a - b) for a, b in zip(system.logps(), expected, strict=True))
        say(f"{name}: {system.name}: log-probabilities differ from the textbook by at most {worst:.1e}")
        if worst > 1e-3:
            raise SystemExit(f"{system.name} computes other log-probabilities: nothing can be compared")

    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-7, fused=True)
    steps: dict[System, list[Any]] = {system: [] for system in systems}
    for turn in range(alternations + 1):
        for system in systems if turn % 2 else systems[::-1]:
            measure = system.step(optimizer)
            took = f"{measure.seconds:.2f} s, +{measure.memory / 1e9:.2f} GB"
            say(f"{name}, turn {turn}: {system.name}{_loss(system)}: {took}")
            if turn:  # the first turn warms up
                steps[system].append(measure)
    work = Work(model)
    rows = []
    for peer, ours in peers:
        ratios = [a.seconds / b.seconds for a, b in zip(steps[peer], steps[ours], strict=True)]
        bound, tokens = limit(work, examples, ours, peer)
        memory = {
            system: 3 * weights + system.reference_bytes + max(m.memory for m in steps[system])
            for system in (peer, ours)
        }
        rows.append({
            "case": name, "peer": peer.name, "loss": _loss(ours).strip(" ()") or "SFT", "examples": len(examples),
            "prompt_tokens": statistics.mean(len(e.tree.prompt_ids) for e in examples),
            "question_tokens": statistics.mean(len(b) for e in examples for b in e.tree.branches),
            "peer_seconds": statistics.median(m.seconds for m in steps[peer]),
            "our_seconds": statistics.median(m.seconds for m in steps[ours]),
            "ratio": statistics.median(ratios), "ratios": ratios, "limit": bound, "token_ratio": tokens,
            "bar": BARS.get((name, peer.name)), "peer_memory": memory[peer], "our_memory": memory[ours],
        })  # fmt: skip
        say(f"{name}: against {peer.name}: {rows[-1]['ratio']:.2f} x (limit {bound:.2f} x)")
    return rows


def _loss(system: System) -> str:
    objective = getattr(system, "objective", None)
    loss = getattr(getattr(objective, "settings", None), "loss", "")
    return f" ({loss.upper()})" if loss else ""


def matmul_speed(model: Any, tokens: int = 1024, repeats: int = 5) -> float:
    """Return the matrix throughput in FLOP/s over the shapes of the model's own layers, forward and backward."""
    shapes = [tuple(m.weight.shape) for m in model.modules() if isinstance(m, torch.nn.Linear)]
    best = 0.0
    for _ in range(repeats):
        seconds, operations = 0.0, 0.0
        for rows, columns in sorted(set(shapes)):
            count = shapes.count((rows, columns)) if rows < 10_000 else 1
            weight, data, gradient = torch.randn(rows, columns), torch.randn(tokens, columns), torch.randn(tokens, rows)
            started = time.perf_counter()
            data @ weight.T, gradient @ weight, gradient.T @ data
            seconds += count * (time.perf_counter() - started)
            operations += count * 6.0 * tokens * rows * columns
        best = max(best, operations / seconds)
    return best


def profile(model: Any, examples: Sequence[Example]) -> dict[str, Any]:
    """Return where our CPO step spends its time, and its share of the matrix throughput."""
    ours = preference(model, examples, "cpo")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-7, fused=True)
    ours.step(optimizer)
    seconds = min(ours.step(optimizer).seconds for _ in range(3))
    batch = ours.inputs()["batch"]
    work = Work(model)
    useful = 3 * (batch.tokens * (1 + work.pair * batch.ends.shape[1] / 2) + len(batch.head_positions) * work.head)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as trace:
        ours.step(optimizer)
    events = sorted(trace.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    speed = matmul_speed(model)
    return {
        "step_seconds": seconds, "useful_gflops": work.flops(useful) / seconds / 1e9, "matmul_gflops": speed / 1e9,
        "share": work.flops(useful) / seconds / speed, "tokens_per_second": batch.tokens / seconds,
        "padding": 1 - batch.tokens / batch.input_ids.numel(),
        "operations": {event.key: event.self_cpu_time_total / total for event in events[:14]},
    }  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    lines = [
        f"`{result['command']}`, {result['machine']}, {result['threads']} threads, torch {result['torch']}, "
        f"transformers {result['transformers']}, trl {result['trl']}, {result['date']}; one step each, medians of "
        f"{result['alternations']} alternations.", "",
        "| data | prompts, tokens + question | peer | peer, s | rac, s | ratio | limit (tokens) | bar | "
        "peak memory, GB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in result["rows"]:
        size = f"{row['examples']} x {row['prompt_tokens']:.0f} + {row['question_tokens']:.0f}"
        bar = "" if row["bar"] is None else f"{row['bar']:.1f} {'reached' if row['ratio'] >= row['bar'] else 'missed'}"
        lines.append(
            f"| {CASES[row['case']]} | {size} | {row['peer']} | {row['peer_seconds']:.1f} | {row['our_seconds']:.1f} | "
            f"**{row['ratio']:.2f}** ({min(row['ratios']):.2f}–{max(row['ratios']):.2f}) | {row['limit']:.2f} "
            f"({row['token_ratio']:.2f}) | {bar} | {row['peer_memory'] / 1e9:.2f} / {row['our_memory'] / 1e9:.2f} |"
        )
    if found := result.get("profile"):
        shares = ", ".join(f"{name} {share:.0%}" for name, share in found["operations"].items() if share >= 0.01)
        speed = f"{found['tokens_per_second']:.0f} tokens/s, {found['useful_gflops']:.0f} GFLOP/s of useful arithmetic"
        lines += [
            "",
            f"Our CPO step on the first case: {speed}, {found['share']:.0%} of the {found['matmul_gflops']:.0f} "
            f"GFLOP/s that plain multiplications of the model's own shapes reach; {found['padding']:.0%} of the row "
            f"places are padding. Time by operation: {shares}.",
        ]
    return "\n".join(lines)


def put_into(page: Path, text: str) -> None:
    """Replace what stands between a page's markers."""
    before, start, rest = page.read_text().partition("<!-- bench/training.py -->\n")
    _, end, after = rest.partition("<!-- /bench/training.py -->")
    if not start or not end:
        raise SystemExit(f"{page} has no markers <!-- bench/training.py --> and <!-- /bench/training.py -->")
    page.write_text(f"{before}{start}\n{text}\n\n{end}{after}")


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, default=Path(os.environ.get("RAC_MIRROR", ".")))
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--cases", nargs="+", default=["short", "long", "clariq"], choices=list(CASES))
    parser.add_argument("--alternations", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=8, help="pairs in a batch of short prompts")
    parser.add_argument("--long-pairs", type=int, default=2, help="pairs in a batch of long prompts")
    parser.add_argument("--queries", type=int, default=1, help="ClariQ queries in a batch")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--markdown", type=Path, help="put the table between the markers of this page")
    options = parser.parse_args()

    import transformers
    import trl

    from rac.models import load_model

    model, tokenizer = load_model(options.model)
    model.config.use_cache = False

    def examples_of(case: str) -> list[Example]:
        if case == "short":
            return claqua_pairs(tokenizer, options.mirror, options.pairs, retrieved=False)
        if case == "long":
            return claqua_pairs(tokenizer, options.mirror, options.long_pairs, retrieved=True)
        if case == "clariq":
            return clariq_queries(tokenizer, options.mirror, options.queries)
        return invented(tokenizer, options.pairs, questions=2, prompt_words=20)

    result: dict[str, Any] = {
        "command": "python bench/training.py " + " ".join(a for a in sys.argv[1:] if "/" not in a), "rows": [],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start",
        "threads": torch.get_num_threads(), "torch": torch.__version__, "transformers": transformers.__version__,
        "trl": trl.__version__, "date": time.strftime("%Y-%m-%d"), "alternations": options.alternations,
    }  # fmt: skip
    for case in options.cases:
        rows = run_case(
            case, examples_of(case), model, tokenizer, options.alternations, lambda: load_model(options.model)[0]
        )  # fmt: skip
        result["rows"] += rows
    if options.profile:
        result["profile"] = profile(model, examples_of(options.cases[0]))
    say("\n" + table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if options.markdown:
        put_into(options.markdown, table(result))


if __name__ == "__main__":
    main()
