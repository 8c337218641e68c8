"""Training of the small cross-encoder: one pass over many varied pairs."""

from __future__ import annotations

import copy
import json
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rac.files import atomic_path, write_json
from rac.metrics.entailment_packing import Row, pair_rows, row_arrays
from rac.metrics.entailment_training.model import ClaimEncoder, Shape, base_model_path, new_encoder
from rac.progress import Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a training run.

    ``precision`` is that of the forward and backward pass (weights stay float32): ``bfloat16`` is two to three times
    faster on processors with AVX-512 BF16 or AMX and many times slower on others.
    """

    learning_rate: float = 1.5e-4
    batch_tokens: int = 3072
    row_tokens: int = 256
    epochs: int = 1
    warmup: float = 0.06
    weight_decay: float = 0.01
    label_smoothing: float = 0.02
    premise_tokens: int = 96
    claim_tokens: int = 128
    precision: str = "float32"
    threads: int = 1
    seed: int = 7


Pair = tuple[str, str, bool]
"""Premise, hypothesis, whether it is entailed."""


def load_tokenizer() -> Any:
    """Return the base model's tokenizer (``tokenizers``), without padding and truncation."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base_model_path() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def tokenize_rows(pairs: Sequence[tuple[str, str]], settings: TrainSettings) -> tuple[list[Row], int]:
    """Return packed rows of the pairs and the number of texts that had to be cut."""
    return pair_rows(load_tokenizer(), pairs, settings.premise_tokens, settings.claim_tokens, settings.row_tokens)


def tensors(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Return a batch as tensors, padded to a multiple of 16 (fewer different shapes run faster)."""
    return {name: torch.from_numpy(array) for name, array in row_arrays(rows, multiple=16).items()}


def token_budget_batches(rows: Sequence[Row], budget: int, rng: random.Random) -> list[list[Row]]:
    """Return batches of rows of like length in a random order, each of at most ``budget`` tokens with padding."""
    order = list(rows)
    rng.shuffle(order)
    batches: list[list[Row]] = []
    for start in range(0, len(order), 400):
        batch: list[Row] = []
        for row in sorted(order[start : start + 400], key=lambda r: -r.tokens):
            if batch and batch[0].tokens * (len(batch) + 1) > budget:
                batches.append(batch)
                batch = []
            batch.append(row)
        batches.append(batch)
    rng.shuffle(batches)
    return batches


def train(
    pairs: Sequence[Pair], settings: TrainSettings, output: Path, *, model: ClaimEncoder | None = None
) -> ClaimEncoder:
    """Train on the pairs and write ``model.safetensors``, ``settings.json`` and ``training_log.jsonl``.

    Args:
        pairs: Premise, claim, whether it is entailed.
        settings: See ``TrainSettings``.
        output: Folder for the files.
        model: What to train; by default a new encoder over the embedded MiniLM.
    """
    from safetensors.torch import save_file

    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    rng = random.Random(settings.seed)
    output.mkdir(parents=True, exist_ok=True)
    rows, shortened = tokenize_rows([(p, h) for p, h, _ in pairs], settings)
    labels = torch.tensor([int(entailed) for _, _, entailed in pairs])
    tokens = sum(row.tokens for row in rows)
    log.info(
        "%d pairs in %d rows, %d tokens, %d texts cut, %.0f %% entailed",
        len(pairs), len(rows), tokens, shortened, 100 * labels.double().mean(),
    )  # fmt: skip
    plan = [batch for _ in range(settings.epochs) for batch in token_budget_batches(rows, settings.batch_tokens, rng)]
    model = (model or new_encoder()).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    low = settings.precision == "bfloat16"
    # Mixed precision by hand: activations of a bfloat16 copy need no casts, which cost more here than they save.
    worker = copy.deepcopy(model).bfloat16() if low else model
    working = [p for p in worker.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    total = len(plan)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / (settings.warmup * total), (total - step) / total / (1 - settings.warmup)),
    )
    started, losses, right, step = time.monotonic(), [], [], 0
    with (
        (output / "training_log.jsonl").open("w") as lines,
        Progress("training", total, unit="steps", interval=20.0) as progress,
    ):
        for batch in plan:
            target = labels[[i for row in batch for i in row.members]]
            logits = worker(**tensors(batch))
            loss = torch.nn.functional.cross_entropy(logits.float(), target, label_smoothing=settings.label_smoothing)
            torch.autograd.backward(loss)
            if low:
                for ours, theirs in zip(trained, working, strict=True):
                    ours.grad, theirs.grad = theirs.grad.float() if theirs.grad is not None else None, None
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step()
            if low:
                with torch.no_grad():
                    for ours, theirs in zip(trained, working, strict=True):
                        theirs.copy_(ours)
            step += 1
            losses.append(loss.item())
            right.append((logits.argmax(-1) == target).float().mean().item())
            recent = {"loss": float(np.mean(losses[-50:])), "accuracy": float(np.mean(right[-50:]))}
            progress.advance(1, f"loss {recent['loss']:.3f}, accuracy {recent['accuracy']:.3f}")
            if step % 50 == 0 or step == 1:
                lines.write(json.dumps({"step": step, **recent, "seconds": time.monotonic() - started}) + "\n")
                lines.flush()
    model.eval()
    write_json(output / "settings.json", asdict(settings))
    with atomic_path(output / "model.safetensors") as temporary:  # last: its presence means that training is done
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, temporary)
    return model


def load_encoder(folder: Path) -> ClaimEncoder:
    """Load what ``train`` wrote."""
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    layers = {int(name.split(".")[1]) for name in weights if name.startswith("layers.")}
    model = ClaimEncoder(Shape(layers=len(layers)))
    model.load_state_dict(weights)
    return model.eval()


def margins(
    model: ClaimEncoder, pairs: Sequence[tuple[str, str]], settings: TrainSettings, *, budget: int = 4096
) -> npt.NDArray[np.float64]:
    """Return logit(entailed) - logit(not entailed) of each pair, in float32."""
    rows, _ = tokenize_rows(pairs, settings)
    found = np.empty(len(pairs))
    with torch.inference_mode(), Progress("evaluation", len(pairs), unit="pairs") as progress:
        for batch in token_budget_batches(rows, budget, random.Random(0)):
            logits = model(**tensors(batch)).double().numpy()
            found[[i for row in batch for i in row.members]] = logits[:, 1] - logits[:, 0]
            progress.advance(len(logits))
    return found


def onnx_margins(path: Path, pairs: Sequence[tuple[str, str]], settings: TrainSettings) -> npt.NDArray[np.float64]:
    """Return what ``margins`` does, from an exported model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rows, _ = tokenize_rows(pairs, settings)
    found = np.empty(len(pairs))
    for batch in token_budget_batches(rows, 4096, random.Random(0)):
        logits = session.run(None, row_arrays(batch))[0].astype(np.float64)
        found[[i for row in batch for i in row.members]] = logits[:, 1] - logits[:, 0]
    return found
