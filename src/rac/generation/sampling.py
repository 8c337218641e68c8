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
    else:
        values, ids = torch.sort(scores, dim=-1, descending=True)
    probabilities = _keep(torch.softmax(values, dim=-1), top_p)
    return probabilities / probabilities.sum(-1, keepdim=True), ids


def _keep(probabilities: Tensor, top_p: float) -> Tensor:
    """Set to zero what lies behind the first tokens (of descending ones) whose sum reaches ``top_p``."""
    if top_p >= 1:
        return probabilities
    before = torch.cumsum(probabilities.double(), dim=-1) - probabilities
    return torch.where(before < top_p, probabilities, 0.0)


def draw(logits: Tensor, uniforms: Tensor, *, temperature: float, top_p: float, top_k: int) -> Tensor:
    """Sample one token per row by inverting the cumulative distribution of ``nucleus``.

    Where only top-p cuts, the vocabulary is sorted only for rows whose nucleus is larger than the ``_FIRST_CUT`` most
    probable tokens.

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
    if top_k or top_p >= 1 or logits.shape[-1] <= _FIRST_CUT:
        return _invert(*nucleus(logits, temperature, top_p, top_k), uniforms)
    scores = logits.float() / temperature
    values, ids = torch.topk(scores, _FIRST_CUT)
    probabilities = torch.exp(values - torch.logsumexp(scores, dim=-1, keepdim=True))
    # The margin keeps rounding from deciding that a nucleus is whole when it is not.
    flat = probabilities.double().sum(-1) < top_p + 1e-4
    kept = _keep(probabilities, top_p)
    tokens = _invert(kept / kept.sum(-1, keepdim=True), ids, uniforms)
    if bool(flat.any()):
        tokens[flat] = _invert(*nucleus(logits[flat], temperature, top_p, 0), uniforms[flat.cpu()])
    return tokens


def _invert(probabilities: Tensor, ids: Tensor, uniforms: Tensor) -> Tensor:
    """Return for each row the id at which the cumulative probability passes the row's number."""
    cumulative = torch.cumsum(probabilities.double(), dim=-1)
    # Rounding may leave the last sum below 1: the last token that can be drawn takes the rest.
    allowed = (probabilities > 0).sum(-1, keepdim=True)
    index = (cumulative <= uniforms.to(cumulative.device)[:, None]).sum(-1, keepdim=True)
    return ids.gather(-1, torch.minimum(index, allowed - 1)).squeeze(-1)


def stream(seed: int, prompt: Sequence[int], candidate: int, length: int) -> np.ndarray:
    """Return the ``length`` uniform numbers that candidate ``candidate`` of a prompt is sampled with, in [0, 1).

    They depend on the seed, the prompt's content and the candidate's number only, so neither the batch nor the number
    of candidates changes what is sampled; a longer stream starts with the shorter one.
    """
    digest = hashlib.sha256(f"{seed}|{candidate}|{','.join(map(str, prompt))}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big")).random(length)
