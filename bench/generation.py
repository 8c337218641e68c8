"""How fast candidate questions are sampled, against ``transformers.generate(num_return_sequences=N)`` as it comes.

    python bench/generation.py                         8 prompts x 8 samples, the embedded model, about 5 minutes
    python bench/generation.py --greedy                one greedy question for each of 16 prompts
    python bench/generation.py --greedy --shots 3      the same behind three solved examples that all prompts share
    python bench/generation.py --profile               where our own time goes

Same model, prompts, precision, threads, temperature, top-p and top-k; one process, alternating, medians of the ratios.
Agreement is checked first: equal greedy questions, and the log-probabilities of samples against whole sequences; if
they differ the status is 1. A token counts if it belongs to a question (up to and with its end token), so that what
``generate`` computes behind the end of a question counts for nothing, and neither does it for us. ``--json FILE`` keeps
the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from rac.generation.local import LocalGenerator

Prompts = list[list[int]]


def make_prompts(tokenizer: Any, count: int, passages: int, seed: int, shots: int = 0) -> Prompts:
    """Return grounded prompts over random entries of the embedded Wikipedia, behind some solved examples."""
    from rac.corpus import read_corpus
    from rac.generation.templates import typed_question
    from rac.prompting import Shot, build_prompt

    entries = list(read_corpus("wikipedia"))
    rng = random.Random(seed)
    drawn = [rng.sample(entries, passages) for _ in range(count + shots)]
    solved = [Shot(d[0].title, tuple(d), typed_question(d[0].title, d)) for d in drawn[count:]]
    return [list(build_prompt(tokenizer, d[0].title, d, shots=solved).ids) for d in drawn[:count]]


def plain(generator: LocalGenerator, prompts: Prompts, n: int | None, seed: int, top_p: float, top_k: int) -> int:
    """Call ``generate`` on the padded batch; return how many tokens belong to questions."""
    width = max(map(len, prompts))
    ends = sorted(generator.ends)
    pad = ends[0] if ends else 0
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    options: dict[str, Any] = {"do_sample": False}
    if n is not None:
        options = {"do_sample": True, "temperature": 1.0, "top_p": top_p, "top_k": top_k, "num_return_sequences": n}
    torch.manual_seed(seed)
    with torch.inference_mode():
        rows = generator.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=generator.max_new_tokens, eos_token_id=ends or None,
            pad_token_id=pad, **options,
        )[:, width:].tolist()  # fmt: skip
    return sum(next((i + 1 for i, t in enumerate(row) if t in generator.ends), len(row)) for row in rows)


def ours(generator: LocalGenerator, prompts: Prompts, n: int | None, seed: int, top_p: float, top_k: int) -> int:
    """Generate with ``LocalGenerator``; return how many tokens belong to questions."""
    if n is None:
        return sum(len(c.token_ids) for c in generator.greedy(prompts, label=""))
    found = generator.sample(prompts, n, top_p=top_p, top_k=top_k, seed=seed, label="")
    return sum(len(c.token_ids) for candidates in found for c in candidates)


def check(generator: LocalGenerator, prompts: Prompts, top_p: float, top_k: int) -> tuple[int, float]:
    """Return how many greedy questions differ, and the largest error of a sample's log-probability per token."""
    from rac.generation.local import plain_generate

    some = prompts[:3]
    different = 0
    for prompt, candidate in zip(some, generator.greedy(some, label=""), strict=True):
        different += candidate.token_ids != plain_generate(generator, prompt, 1, None)[0].tokens
    worst = 0.0
    for prompt, candidates in zip(
        some, generator.sample(some, 2, top_p=top_p, top_k=top_k, seed=1, label=""), strict=True
    ):
        for candidate in candidates:
            with torch.inference_mode():
                logits = generator.model(input_ids=torch.tensor([prompt + candidate.token_ids])).logits
            logprobs = logits[0, len(prompt) - 1 : -1].float().log_softmax(-1)
            direct = float(logprobs[range(len(candidate.token_ids)), candidate.token_ids].sum())
            worst = max(worst, abs(direct - candidate.logprob) / len(candidate.token_ids))
    return different, worst


def measure(
    generator: LocalGenerator, prompts: Prompts, n: int | None, rounds: int, top_p: float, top_k: int
) -> dict[str, Any]:
    """Alternate both variants; return seconds, tokens and the median of the ratios of tokens per second."""
    variants: dict[str, Callable[..., int]] = {"generate": plain, "rac": ours}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    for number in range(rounds):
        for name, variant in variants.items():
            started = time.perf_counter()
            tokens = variant(generator, prompts, n, number, top_p, top_k)
            seconds = time.perf_counter() - started
            runs[name].append({"seconds": seconds, "tokens": tokens, "tokens_per_second": tokens / seconds})
            print(f"  {name:9} {seconds:6.1f} s {tokens:6d} tokens {tokens / seconds:7.1f} tokens/s", flush=True)
    ratios = [
        a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(runs["rac"], runs["generate"], strict=True)
    ]
    return {"runs": runs, "ratios": ratios, "median_ratio": statistics.median(ratios)}


def profile(generator: LocalGenerator, prompts: Prompts, n: int | None, top_p: float, top_k: int) -> None:
    """Print where our time goes: prompts, steps, choosing tokens; and the operators inside."""
    from rac.generation import candidates, tree

    spent = {"prompts": 0.0, "steps": 0.0, "choosing": 0.0}

    def timed(owner: Any, name: str, part: str) -> None:
        inner = getattr(owner, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return inner(*args, **kwargs)
            finally:
                spent[part] += time.perf_counter() - started

        setattr(owner, name, wrapper)

    timed(tree.TreeDecoder, "start", "prompts")
    timed(tree.TreeDecoder, "step", "steps")
    timed(candidates, "draw", "choosing")
    started = time.perf_counter()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        ours(generator, prompts, n, 0, top_p, top_k)
    total = time.perf_counter() - started
    for part, seconds in spent.items():
        print(f"  {part:9} {seconds:6.2f} s  {seconds / total:5.0%}")
    print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=40))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--prompts", type=int, default=None, help="default 8, or 16 with --greedy")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--passages", type=int, default=4, help="passages in a prompt")
    parser.add_argument("--shots", type=int, default=0, help="solved examples before each prompt, the same for all")
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--top-k", type=int, default=50, help="50 is the default of transformers")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)

    from rac.models import load_model

    torch.set_num_threads(options.threads)
    model, tokenizer = load_model(options.model)
    count = options.prompts or (16 if options.greedy else 8)
    prompts = make_prompts(tokenizer, count, options.passages, seed=0, shots=options.shots)
    n = None if options.greedy else options.samples
    generator = LocalGenerator(model, tokenizer, max_new_tokens=options.max_new_tokens)
    lengths = sorted(map(len, prompts))
    print(
        f"{options.model}, float32, {options.threads} threads, {platform.processor() or platform.machine()}; "
        f"{len(prompts)} prompts of {lengths[0]} to {lengths[-1]} tokens x {n or 'greedy'}, up to "
        f"{options.max_new_tokens} new tokens, top-p {options.top_p}, top-k {options.top_k}"
    )
    different, error = check(generator, prompts, options.top_p, options.top_k)
    print(f"agreement: {different} greedy questions differ, log-probability error per token {error:.1e}")
    if options.profile:
        profile(generator, prompts, n, options.top_p, options.top_k)
        return 0
    result = measure(generator, prompts, n, options.rounds, options.top_p, options.top_k)
    print(f"median ratio {result['median_ratio']:.2f} ({min(result['ratios']):.2f} to {max(result['ratios']):.2f})")
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k != "json"}
        record = {"settings": settings, "prompt_lengths": lengths, "greedy_differences": different, "error": error}
        options.json.write_text(json.dumps({**record, **result}, indent=2) + "\n", encoding="utf-8")
    return 0 if different == 0 and error < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
