"""How fast both stages train, against TRL's trainers.

    python bench/training.py --mirror DATA                     all, the embedded model, an hour on one core
    python bench/training.py --cases short --peers cpo         one comparison (some minutes)
    python bench/training.py --cases short --profile --peers   only where our own step spends its time
    python bench/training.py --merge A.json B.json --markdown docs/training.md
                                                               put saved figures into a page, between its markers
    python bench/training.py --cases invented --model DIR      random words and any model: only to try it out

One process; same model, batch, float32, threads, AdamW and clipping; the peer with its fastest documented settings for
a CPU (gradient checkpointing and bf16 off, no tracker). A measurement is one whole optimiser step, collating included;
the systems of a case take turns, the order is turned round every time, and the figure is the median of the ratios of
steps of the same turn. Reference log-probabilities are counted on both sides, once for each pair (one epoch).
Agreement of all questions' log-probabilities is checked first, against the peer's own functions; if it fails the
status is 1. CPU seconds are measured as well as wall time, since other work on a machine disturbs them less. Our
trainer keeps freed memory from step to step (``rac.training.memory``), so our step is measured as the second of two;
the peers start with whatever the step before theirs left, which is more than they have in a loop of their own.

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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from training_data import claqua_pairs, clariq_queries, invented
from training_limits import Work, limit, profile
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
PEERS = ("dpo-online", "dpo-precomputed", "cpo", "sft")


def make_systems(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    wanted: Sequence[str],
    load: Callable[[], Any],
    accumulation: int = 1,
) -> list[tuple[System, Ours]]:
    """Return the peers that fit the examples, each with our counterpart."""
    if len(examples[0].questions) > 2:
        peer = TrlSft(model, tokenizer, examples, accumulation)
        return [(peer, supervised(model, examples))] if "sft" in wanted else []
    peers: list[tuple[System, Ours]] = []
    dpo = preference(model, examples, "dpo")
    if "dpo-online" in wanted:
        peers.append((TrlDpo(model, tokenizer, examples, precomputed=False, reference=load()), dpo))
    if "dpo-precomputed" in wanted:
        peers.append((TrlDpo(model, tokenizer, examples, precomputed=True, reference=None), dpo))
    if "cpo" in wanted:
        peers.append((TrlCpo(model, tokenizer, examples), preference(model, examples, "cpo")))
    return peers


def run_case(
    name: str, examples: Sequence[Example], model: Any, peers: Sequence[tuple[System, Ours]], alternations: int
) -> list[dict[str, Any]]:
    """Measure one case; return a row for each peer."""
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
    added: dict[System, int] = {}
    for turn in range(alternations + 1):
        for system in systems if turn % 2 else systems[::-1]:
            measure = system.step(optimizer, trim=not turn)
            took = f"{measure.seconds:.2f} s, {measure.cpu_seconds:.2f} s of CPU, +{measure.memory / 1e9:.2f} GB"
            say(f"{name}, turn {turn}: {system.name}{_loss(system)}: {took}")
            if turn:
                steps[system].append(measure)
            else:  # the first turn warms up, and shows the memory of a step
                added[system] = measure.memory
    work = Work(model)
    rows = []
    for peer, ours in peers:
        pairs = list(zip(steps[peer], steps[ours], strict=True))
        ratios = [a.seconds / b.seconds for a, b in pairs]
        bound, tokens = limit(work, examples, ours, peer)
        memory = {system: 3 * weights + system.reference_bytes + added[system] for system in (peer, ours)}
        rows.append({
            "case": name, "peer": peer.name, "loss": _loss(ours).strip(" ()") or "SFT", "examples": len(examples),
            "prompt_tokens": statistics.mean(len(e.tree.prompt_ids) for e in examples),
            "question_tokens": statistics.mean(len(b) for e in examples for b in e.tree.branches),
            "peer_seconds": statistics.median(m.seconds for m in steps[peer]),
            "our_seconds": statistics.median(m.seconds for m in steps[ours]),
            "ratio": statistics.median(ratios), "ratios": ratios, "limit": bound, "token_ratio": tokens,
            "cpu_ratio": statistics.median(a.cpu_seconds / b.cpu_seconds for a, b in pairs),
            "bar": BARS.get((name, peer.name)), "peer_memory": memory[peer], "our_memory": memory[ours],
        })  # fmt: skip
        say(f"{name}: against {peer.name}: {rows[-1]['ratio']:.2f} x (limit {bound:.2f} x)")
    return rows


def _loss(system: System) -> str:
    objective = getattr(system, "objective", None)
    loss = getattr(getattr(objective, "settings", None), "loss", "")
    return f" ({loss.upper()})" if loss else ""


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return results of one or several runs as Markdown."""
    first = results[0]
    counts = sorted({result["alternations"] for result in results if result["rows"]})
    lines = [
        f"{first['machine']}, {first['threads']} {'thread' if first['threads'] == 1 else 'threads'}, torch "
        f"{first['torch']}, transformers {first['transformers']}, trl {first['trl']}, {first['date']}; one step each, "
        f"medians of {' or '.join(map(str, counts))} alternations (lowest to highest). Commands:", "", "```",
        *(result["command"] for result in results), "```", "",
        "| data | prompts, tokens + question | peer | peer, s | rac, s | ratio | ratio of CPU time | limit (tokens) | "
        "bar | peak memory, peer / rac, GB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in (row for result in results for row in result["rows"]):
        size = f"{row['examples']} x {row['prompt_tokens']:.0f} + {row['question_tokens']:.0f}"
        bar = "" if row["bar"] is None else f"{row['bar']:.1f} {'reached' if row['ratio'] >= row['bar'] else 'missed'}"
        lines.append(
            f"| {CASES[row['case']]} | {size} | {row['peer']} | {row['peer_seconds']:.1f} | {row['our_seconds']:.1f} | "
            f"**{row['ratio']:.2f}** ({min(row['ratios']):.2f}–{max(row['ratios']):.2f}) | {row['cpu_ratio']:.2f} | "
            f"{row['limit']:.2f} ({row['token_ratio']:.2f}) | {bar} | "
            f"{row['peer_memory'] / 1e9:.2f} / {row['our_memory'] / 1e9:.2f} |"
        )
    for result in results:
        if found := result.get("profile"):
            shares = ", ".join(f"{name} {share:.0%}" for name, share in found["operations"].items() if share >= 0.01)
            speed = (
                f"{found['tokens_per_second']:.0f} tokens/s, {found['useful_gflops']:.0f} GFLOP/s of useful arithmetic"
            )
            lines += [
                "",
                f"Our CPO step ({found['case']}): {speed}, {found['share']:.0%} of the {found['matmul_gflops']:.0f} "
                f"GFLOP/s that plain multiplications of the model's own shapes reach; {found['padding']:.0%} of the "
                f"row places are padding. Time by operation: {shares}.",
            ]
    return "\n".join(lines)


def put_into(page: Path, text: str, name: str = "bench/training.py") -> None:
    """Replace what stands between a page's markers."""
    before, start, rest = page.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not start or not end:
        raise SystemExit(f"{page} has no markers <!-- {name} --> and <!-- /{name} -->")
    page.write_text(f"{before}{start}\n{text}\n\n{end}{after}")


def say(text: str) -> None:
    print(text, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, default=Path(os.environ.get("RAC_MIRROR", ".")))
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--cases", nargs="+", default=["short", "long", "clariq"], choices=list(CASES))
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--alternations", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=8, help="pairs in a batch of short prompts")
    parser.add_argument("--long-pairs", type=int, default=2, help="pairs in a batch of long prompts")
    parser.add_argument("--queries", type=int, default=1, help="ClariQ queries in a batch")
    parser.add_argument(
        "--sft-accumulation", type=int, default=4, help="passes of TRL's SFTTrainer in a step, for memory"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--merge", type=Path, nargs="+", help="measure nothing: join figures written with --json")
    parser.add_argument("--markdown", type=Path, help="put the table between the markers of this page")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run what the command line asks for."""
    import transformers
    import trl

    from rac.models import load_model

    torch.set_num_threads(options.threads)
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
        "command": "python bench/training.py " + " ".join(a for a in sys.argv[1:] if "/" not in a and a != "--json"),
        "rows": [], "machine": f"{platform.machine()}, {os.cpu_count()} cores", "threads": options.threads,
        "torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__,
        "date": time.strftime("%Y-%m-%d"), "alternations": options.alternations,
    }  # fmt: skip
    for case in options.cases if options.peers else ():
        examples = examples_of(case)
        peers = make_systems(
            model, tokenizer, examples, options.peers, lambda: load_model(options.model)[0], options.sft_accumulation
        )
        result["rows"] += run_case(case, examples, model, peers, options.alternations)
    if options.profile:
        result["profile"] = {**profile(model, examples_of(options.cases[0])), "case": CASES[options.cases[0]]}
    return result


def main() -> None:
    options = arguments()
    results = [json.loads(path.read_text()) for path in options.merge] if options.merge else [measure(options)]
    say("\n" + table(results))
    if options.json:
        options.json.write_text(json.dumps(results[0], indent=2) + "\n")
    if options.markdown:
        put_into(options.markdown, table(results))


if __name__ == "__main__":
    main()
