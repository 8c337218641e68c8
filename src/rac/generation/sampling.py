"""Choosing the next token: temperature, top-k, top-p as pure functions, and random streams that belong to a prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_FIRST_CUT = 512
"""How many of the most probable tokens are sorted at first when only top-p cuts."""


def nucleus(logits: Tensor, temperature: float, top_p: float, top_k: int) -> tuple[Tensor, Tensor]:
    """Return the tokens that may be sampled and their renormalised probabilities.

    As in ``transformers.generate``: temperature, then the ``top_k`` largest, then of these the smallest set whose
    probability reaches ``top_p``. Cutting to ``top_k`` first spares sorting the whole vocabulary.

    Args:
        logits: [n, vocabulary].
        temperature: Above 0; logits are divided by it.
        top_p: In (0, 1]; 1 keeps everything.
        top_k: 0 keeps everything.

    Returns:
        Probabilities [n, k], descending, zero for tokens that were cut; token ids [n, k].
    """
    scores = logits.float() / temperature
    vocabulary = scores.shape[-1]
    if top_k and top_k < vocabulary:
        values, ids = torch.topk(scores, top_k)
        probabilities = torch.softmax(values, dim=-1)
    else:
        total = torch.logsumexp(scores, dim=-1, keepdim=True)
        size = min(_FIRST_CUT, vocabulary) if top_p < 1 else vocabulary
        values, ids = torch.topk(scores, size)
        probabilities = torch.exp(values - total)
        if size < vocabulary and bool((probabilities.sum(-1) < top_p + 1e-4).any()):
            # A flat distribution: the set may be larger than the first cut.
            values, ids = torch.sort(scores, dim=-1, descending=True)
            probabilities = torch.exp(values - total)
    if top_p < 1:
        before = torch.cumsum(probabilities.double(), dim=-1) - probabilities
        probabilities = torch.where(before < top_p, probabilities, 0.0)
    return probabilities / probabilities.sum(-1, keepdim=True), ids


def draw(logits: Tensor, uniforms: Tensor, *, temperature: float, top_p: float, top_k: int) -> Tensor:
    """Sample one token per row by inverting the cumulative distribution.

    Args:
        logits: [n, vocabulary].
        uniforms: One number in [0, 1) per row [n], float64.
        temperature: See ``nucleus``; 0 takes the most probable token.
        top_p: See ``nucleus``.
        top_k: See ``nucleus``.

    Returns:
        Token ids [n].
    """
    if temperature == 0:
        return logits.argmax(-1)
    probabilities, ids = nucleus(logits, temperature, top_p, top_k)
    cumulative = torch.cumsum(probabilities.double(), dim=-1)
    # Rounding may leave the last sum below 1: the last token that can be drawn takes the rest.
    allowed = (probabilities > 0).sum(-1, keepdim=True)
    index = (cumulative <= uniforms.to(cumulative.device)[:, None]).sum(-1, keepdim=True)
    index = torch.minimum(index, allowed - 1)
    return ids.gather(-1, index).squeeze(-1)


def stream(seed: int, prompt: Sequence[int], candidate: int, length: int) -> np.ndarray:
    """Return the ``length`` uniform numbers that candidate ``candidate`` of a prompt is sampled with, in [0, 1).

    They depend on the seed, the prompt's content and the candidate's number only, so neither the batch nor the number
    of candidates changes what is sampled; a longer stream starts with the shorter one.
    """
    digest = hashlib.sha256(f"{seed}|{candidate}|{','.join(map(str, prompt))}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big")).random(length)
