"""Attention over prompt trees on a CPU: only what may be seen is computed.

A mask over a whole row, which is what attention implementations usually take, makes every tree of the row look at all
others, only to be told that it may not; and rows of unequal length need padding. Here ``ends`` itself (see
``rac.training.packing``) stands in for the mask. Queries are taken in blocks, each with the keys that one of them sees,
so that all trees of a batch can share one row without padding. It is registered with ``transformers`` as an attention
implementation.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers import AttentionInterface

NAME = "rac_trees"
"""Name of the implementation in ``config._attn_implementation``."""

BLOCK = 128
"""Most queries that are computed together."""

Block = tuple[int, int, Tensor, Tensor]
"""First query, end of the queries, [M] keys that one of them sees, [Q, M] which query does not see which key."""


@functools.lru_cache(maxsize=64)
def blocks_of(ends: tuple[int, ...], size: int) -> list[Block]:
    """Return the blocks of a row of at most ``size`` queries each; where it can, a block stops with a branch."""
    everything = torch.tensor(ends)
    found: list[Block] = []
    first = 0
    while first < len(ends):
        last = min(first + size, len(ends))
        leaves = [place for place in range(first + size // 2, last) if ends[place - 1] == place]
        if last < len(ends) and leaves:
            last = leaves[-1]
        queries = torch.arange(first, last)
        keys = torch.cat([(everything[:first] > first).nonzero().squeeze(1), queries])
        seen = (keys <= queries[:, None]) & (queries[:, None] < everything[keys])
        found.append((first, last, keys, ~seen))
        first = last
    return found


def _rows(ends: Tensor) -> list[tuple[int, Block]]:
    return [(row, block) for row, values in enumerate(ends.tolist()) for block in blocks_of(tuple(values), BLOCK)]


class _TreeAttention(torch.autograd.Function):
    """Softmax attention of grouped heads, keeping only what the backward pass needs."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, ends: Tensor, scaling: float) -> Tensor:
        """Return [R, L, H, D].

        Args:
            ctx: Autograd's.
            query: [R, H, L, D].
            key: [R, K, L, D]; H is a multiple of K.
            value: [R, K, L, D].
            ends: [R, L].
            scaling: Factor of the scores.
        """
        rows, heads, length, size = query.shape
        shared = key.shape[1]
        output = query.new_empty(rows, length, heads, size)
        kept = []
        with torch.autocast(query.device.type, enabled=False):
            for row, (first, last, keys, hidden) in _rows(ends):
                asked = (query[row, :, first:last] * scaling).reshape(shared, -1, size)
                scores = asked @ key[row].index_select(1, keys).transpose(1, 2)
                scores.view(shared, -1, *hidden.shape).masked_fill_(hidden, -torch.inf)
                weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
                found = weights @ value[row].index_select(1, keys)
                output[row, first:last] = found.view(heads, last - first, size).transpose(0, 1)
                kept.append(weights)
        ctx.save_for_backward(query, key, value, ends, output, *kept)
        ctx.scaling = scaling
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Return gradients with respect to query, key and value."""
        query, key, value, ends, output, *kept = ctx.saved_tensors
        _, heads, _, size = query.shape
        shared = key.shape[1]
        to_query, to_key, to_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        with torch.autocast(query.device.type, enabled=False):
            # The derivative of softmax needs the sum of each query's weighted gradients; it is this.
            means = (gradient * output).sum(-1).transpose(1, 2)
            for weights, (row, (first, last, keys, _)) in zip(kept, _rows(ends), strict=True):
                asked = (query[row, :, first:last] * ctx.scaling).reshape(shared, -1, size)
                wanted = gradient[row, first:last].transpose(0, 1).reshape(shared, -1, size)
                to_value[row].index_add_(1, keys, weights.transpose(1, 2) @ wanted)
                change = wanted @ value[row].index_select(1, keys).transpose(1, 2)
                change.sub_(means[row, :, first:last].reshape(shared, -1, 1)).mul_(weights)
                to_key[row].index_add_(1, keys, change.transpose(1, 2) @ asked)
                found = (change @ key[row].index_select(1, keys)).mul_(ctx.scaling)
                to_query[row, :, first:last] = found.view(heads, last - first, size)
        return to_query, to_key, to_value, None, None


def tree_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[Tensor, None]:
    """Compute attention as ``transformers`` asks an implementation to.

    Args:
        module: The model's attention layer.
        query: [R, H, L, D].
        key: [R, K, L, D].
        value: [R, K, L, D].
        attention_mask: ``ends`` of the batch as [R, 1, 1, L] integers.
        scaling: Factor of the scores.
        dropout: Must be 0.
        others: What an attention may have besides (a window, capped scores, sinks); all must be absent.

    Returns:
        [R, L, H, D], and no weights.

    Raises:
        ValueError: if something is asked for that this attention does not have.
    """
    asked = [name for name in ("sliding_window", "softcap", "s_aux", "position_bias") if others.get(name) is not None]
    if dropout:
        asked.append("dropout")
    if asked or attention_mask is None or attention_mask.dtype != torch.int64:
        raise ValueError(f"attention over trees has no {', '.join(asked) or 'other mask than where trees end'}")
    device = query.device.type
    if torch.is_autocast_enabled(device):
        query, key, value = (part.to(torch.get_autocast_dtype(device)) for part in (query, key, value))
    found: Tensor = _TreeAttention.apply(query, key, value, attention_mask[:, 0, 0], scaling)  # type: ignore[no-untyped-call]
    return found, None


AttentionInterface.register(NAME, tree_attention)
