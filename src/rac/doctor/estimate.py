"""How much memory and time a recipe will take on this machine, from counted tokens and a short measurement.

Training is counted as six operations per weight and token (forward 2, backward 4; Kaplan et al. 2020), answering as
two; what the machine does in a second is measured on matrix products of the model's own shapes. How much of that a
whole program reaches was read off four runs of two recipes on two CPU cores: 0.8 to 0.9 in training, 0.2 in decoding.
The range that is shown takes half to one and a half times of that, and more on GPUs, where nothing was measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rac.arithmetic import has_fast_bfloat16, usable_cores, use_wide_float32
from rac.config import Recipe
from rac.doctor.check import Check
from rac.doctor.machine import available_memory, free_disk
from rac.doctor.models import cached_config
from rac.errors import UserError
from rac.files import read_json
from rac.progress import format_seconds

_TEMPLATE, _QUESTION = 60, 24
"""Tokens of the chat around query and passages, and of a question, in the recipes that were looked at."""
_TRAINING, _DECODING = 0.8, 0.2
_TRAFFIC = 9e-8
"""Seconds that a CPU moves memory for in training, per token, layer and hidden unit, whatever its products take."""
_FAULTY = 0.3
"""Share of the queries of stage 1 whose greedy question has a fault, before a mined round."""
_BYTES_PER_ACTIVATION = 4 * 34
"""Float32 values kept for the backward pass, per token, layer and hidden unit (Korthikanti et al. 2022)."""
_ASSUMED_QUERIES = 1000


@dataclass(frozen=True)
class Size:
    """A language model in numbers: weights in the layers and in the head, and its shape."""

    body: int
    head: int
    layers: int
    hidden: int
    inner: int
    vocabulary: int

    @property
    def weights(self) -> int:
        """All weights."""
        return self.body + self.head


EMBEDDED = Size(106_200_000, 28_311_552, 30, 576, 1536, 49_152)


@dataclass(frozen=True)
class Work:
    """What a recipe does, in tokens.

    Attributes:
        prompt: Tokens of a prompt with passages.
        questions: Gold questions of a query in training.
        stage1: Queries of stage 1.
        stage2: Queries of stage 2.
        evaluated: Answers given in evaluation, over all systems that are language models.
        assumed: What had to be assumed, "" if all was known.
    """

    prompt: int
    questions: int
    stage1: int
    stage2: int
    evaluated: int
    assumed: str = ""


def checks(recipe: Recipe, output: Path, *, probe: bool = True) -> Iterator[Check]:
    """Yield what the recipe needs of disk and memory, and how long it takes."""
    size = size_of(recipe.model.base)
    if size is None:
        yield Check(
            "estimate", "note", f"the size of {recipe.model.base} is not known before it is on this machine",
            "fetch the model first, then ask again",
        )  # fmt: skip
        return
    work = work_of(recipe)
    yield disk(recipe, size, output)
    yield memory(recipe, size, work)
    if probe:
        rate, where = measure(size, recipe)
        alike = _is_wide(recipe, asking=True) == _is_wide(recipe, asking=False)
        asking = rate if alike else measure(size, recipe, asking=True)[0]
        yield duration(recipe, size, work, rate, where, asking=asking)


def size_of(name: str) -> Size | None:
    """Return the size of a model from its configuration; None if that is not on this machine."""
    if name == "embedded":
        return EMBEDDED
    own = Path(name).expanduser() / "config.json"
    try:
        path = own if own.is_file() else cached_config(name) if name.count("/") == 1 else None
        if path is None:
            return None
        c = read_json(path)
        hidden, layers, vocabulary = int(c["hidden_size"]), int(c["num_hidden_layers"]), int(c["vocab_size"])
        inner = int(c.get("intermediate_size") or 4 * hidden)
        heads = int(c.get("num_attention_heads") or 1)
        width = int(c.get("head_dim") or hidden // heads)
        keys = int(c.get("num_key_value_heads") or heads)
    except (KeyError, TypeError, ValueError, UserError):
        return None
    body = layers * (hidden * width * (2 * heads + 2 * keys) + 3 * hidden * inner)
    return Size(body, hidden * vocabulary, layers, hidden, inner, vocabulary)


def work_of(recipe: Recipe) -> Work:
    """Return what a recipe does, as far as it can be known before it runs."""
    data, assumed = recipe.data, ""
    queries, held_out, questions = data.train_queries, data.evaluation_queries, data.questions_per_query or 1
    if data.source == "bootstrap":
        made = recipe.bootstrap
        most = round(made.examples * (1 - made.validation - made.test))
        queries = min(queries or most, most)
        held_out = min(held_out or made.examples, max(1, round(made.examples * made.test)))
        questions = min(data.questions_per_query or made.questions_per_example, made.questions_per_example)
    elif queries is None and Path(data.source).is_dir():
        queries = sum(_lines(file) for file in Path(data.source).glob("train*.jsonl")) or None
    if queries is None:
        queries = _ASSUMED_QUERIES
        assumed = f"for {queries:,} training queries; the source was not counted"
    if held_out is None:
        held_out = max(1, queries // 5)
    stage2 = round(queries * data.stage2_share)
    asked = [s for s in recipe.evaluation.systems if not s.startswith(("template", "gold", "openai"))]
    answers = held_out * sum(len(recipe.evaluation.sources_of(system)) for system in asked)
    prompt = _TEMPLATE + recipe.prompt.top_k * recipe.prompt.passage_tokens
    return Work(min(prompt, recipe.prompt.max_tokens), questions, queries - stage2, stage2, answers, assumed)


def _lines(path: Path) -> int:
    with path.open("rb") as handle:
        return sum(1 for line in handle if line.strip())


def disk(recipe: Recipe, size: Size, output: Path) -> Check:
    """Compare the space that models and checkpoints take with what is free."""
    full = recipe.training.adapter == "full"
    models = 2 + recipe.preference.all_rounds
    # Each model as float32; while one is trained, a checkpoint with the optimiser's two moments.
    needed = size.weights * (4 * models + 12) if full else size.weights * 0.5
    where, free = free_disk(output)
    found = f"{needed / 1e9:.1f} GB for {models} models and a checkpoint, {free / 1e9:.1f} GB free at {where}"
    figures = {"needed": needed, "free": free}
    if needed > free:
        return Check("disk", "problem", found, "free some space, or write elsewhere with -o", figures)
    return Check("disk", "ok", found, figures=figures)


def memory_needed(recipe: Recipe, size: Size, work: Work) -> float:
    """Return bytes that training takes at its peak, about: weights, gradients, moments, activations, logits."""
    peaks = []
    for stage, branches in ((recipe.training, work.questions), (recipe.preference, 5)):
        rows = max(1, stage.batch_size // stage.accumulation)
        tokens = rows * (work.prompt + branches * _QUESTION)
        kept = tokens * size.hidden * _BYTES_PER_ACTIVATION
        activations = kept * (1 + 0.1 * size.layers) if stage.gradient_checkpointing else kept * size.layers
        logits = 3 * 4 * rows * branches * _QUESTION * size.vocabulary
        states = 16 if stage.adapter == "full" else 4.4
        peaks.append(states * size.weights + activations + logits)
    return max(peaks) + 0.6e9


def memory(recipe: Recipe, size: Size, work: Work) -> Check:
    """Compare the memory that training takes with what is free."""
    import torch

    needed = memory_needed(recipe, size, work)
    on_gpu = torch.cuda.is_available() and recipe.model.device != "cpu"
    free = float(torch.cuda.mem_get_info()[0]) if on_gpu else available_memory()
    place = "on the graphics processor" if on_gpu else "here"
    found = f"training takes about {needed / 1e9:.1f} GB (up to half more), {free / 1e9:.1f} GB are free {place}"
    figures = {"needed": needed, "free": free}
    advice = (
        "raise training.accumulation and preference.accumulation (the results stay the same), set "
        "training.gradient_checkpointing=true, or training.adapter=lora"
    )
    if needed > free:
        return Check("memory for training", "problem", found, advice, figures)
    if 1.5 * needed > free:
        return Check("memory for training", "warning", found, advice, figures)
    return Check("memory for training", "ok", found, figures=figures)


def _is_wide(recipe: Recipe, *, asking: bool) -> bool:
    """Whether training and sampling, or asking, are computed in bfloat16 on this machine."""
    import torch

    on_gpu = torch.cuda.is_available() and recipe.model.device != "cpu"
    precision = recipe.model.dtype if asking else recipe.training.precision
    return precision in ("auto", "bfloat16") and has_fast_bfloat16("cuda" if on_gpu else "cpu")


def measure(size: Size, recipe: Recipe, *, seconds: float = 1.5, asking: bool = False) -> tuple[float, str]:
    """Return operations per second of matrix products of the model's shapes, and where they were measured.

    Args:
        size: The model.
        recipe: Decides the device.
        seconds: How long to measure.
        asking: Measure the arithmetic in which systems are asked, not that of training and sampling.
    """
    import torch

    on_gpu = torch.cuda.is_available() and recipe.model.device != "cpu"
    device = "cuda" if on_gpu else "cpu"
    dtype = torch.bfloat16 if _is_wide(recipe, asking=asking) else torch.float32
    if not on_gpu:
        use_wide_float32()
    generator = torch.Generator(device).manual_seed(0)
    x = torch.randn(512, size.hidden, device=device, generator=generator).to(dtype)
    w = torch.randn(size.hidden, size.inner, device=device, generator=generator).to(dtype)

    def run(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            torch.mm(x, w)
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    run(3)
    times = 8
    taken = run(times)
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not rates:
        times = max(1, min(10_000, round(times * 0.2 / max(taken, 1e-6))))
        taken = run(times)
        rates.append(2 * x.shape[0] * size.hidden * size.inner * times / taken)
    rates.sort()
    name = torch.cuda.get_device_name() if on_gpu else f"{torch.get_num_threads()} CPU threads"
    return rates[len(rates) // 2], name


def is_busy() -> bool:
    """Whether more programs want to compute than there are processors."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > usable_cores() + 0.5


def seconds_of(
    recipe: Recipe, size: Size, work: Work, rate: float, *, asking: float | None = None, on_cpu: bool = True
) -> dict[str, float]:
    """Return the likely seconds of each part of a recipe.

    Args:
        recipe: The recipe.
        size: The model.
        work: What the recipe does.
        rate: Operations per second of training and sampling.
        asking: The same of validating and of asking; None: as fast.
        on_cpu: Whether moving memory counts beside the products.
    """
    training, asking = rate * _TRAINING, asking or rate
    traffic = _TRAFFIC * size.layers * size.hidden if on_cpu else 0.0

    def trained(queries: float, prompt: int, branches: int) -> float:
        tokens = queries * (prompt + branches * _QUESTION)
        products = 6 * (size.body * tokens + size.head * queries * branches * _QUESTION) / training
        return float(products + traffic * tokens)

    def answered(prompts: float, answers: float, speed: float) -> float:
        read = 2 * size.body * prompts * work.prompt / (speed * _TRAINING)
        return float(read + 2 * size.weights * answers * _QUESTION / (speed * _DECODING))

    def validated(stage: Any, times: int) -> float:
        asked = times * (stage.validations + 1) * stage.validation_queries if stage.validations else 0
        return answered(asked, asked, asking)

    own = recipe.preference
    samples = recipe.pairs.grounded_samples + recipe.pairs.ungrounded_samples
    queries = float(own.rounds * work.stage2)
    unlabelled = recipe.data.unlabelled_queries or own.unlabelled_rounds * work.stage2
    queries += unlabelled if own.unlabelled_rounds else 0
    # Every second mined round asks the queries without labels, if there are any.
    others = own.mined_rounds // 2 if own.unlabelled_rounds else 0
    mined = float((own.mined_rounds - others) * work.stage1 + others * unlabelled)
    queries += _FAULTY * mined
    stage1 = validated(recipe.training, 1)
    return {
        "ungrounded": trained(work.stage1 * recipe.training.epochs, 30, work.questions) + stage1,
        "grounded": trained(work.stage1 * recipe.training.epochs, work.prompt, work.questions) + stage1,
        "pairs": answered(queries, queries * samples, rate) + answered(mined, mined, rate),
        "rac": trained(queries * own.epochs, work.prompt, 5) + validated(own, own.all_rounds),
        "evaluation": answered(work.evaluated, work.evaluated, asking),
    }


def duration(recipe: Recipe, size: Size, work: Work, rate: float, where: str, *, asking: float | None = None) -> Check:
    """Say how long the recipe takes, as a range; the arguments are those of ``seconds_of``."""
    parts = seconds_of(recipe, size, work, rate, asking=asking, on_cpu="CPU" in where)
    total = sum(parts.values())
    low, high = (0.25 * total, 2.0 * total) if "CPU" not in where else (0.6 * total, 1.6 * total)
    shares = ", ".join(f"{name} {format_seconds(value)}" for name, value in parts.items())
    found = f"{format_seconds(low)} to {format_seconds(high)} on {where} ({rate / 1e9:,.0f} GFLOP/s measured): {shares}"
    if "CPU" in where and is_busy():
        found += "; other programs are keeping the processors busy now, without them it would be faster"
    if work.assumed:
        found += f"; {work.assumed}"
    advice = ""
    if total > 24 * 3600:
        advice = "use a graphics processor, a smaller model, or fewer queries (data.train_queries)"
    figures = {"low": low, "high": high, "flops_per_second": rate, **parts}
    return Check("time", "warning" if advice else "note", found, advice, figures)
