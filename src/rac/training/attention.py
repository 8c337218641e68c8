"""Attention masks of prompt trees, and which models can take them."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rac.errors import UserError
from rac.training import tree_attention
from rac.training.packing import PackedBatch, Tree, collate

log = logging.getLogger(__name__)

TREE_ATTENTION = ("sdpa", "eager", "flex_attention")
"""Attention implementations of ``transformers`` that take a mask of our own."""

QUICK_TOKENS = 1024
"""Longest tree whose attention is computed with plain matrix products on a CPU, which keep L² weights a head."""

_quick: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
"""Models that were tried with ``rac.training.tree_attention``, and whether they agreed."""


@dataclass(frozen=True)
class Support:
    """Whether a model can be trained on prompt trees, and why not."""

    trees: bool
    reason: str = ""


def allowed(ends: Tensor) -> Tensor:
    """Return which position may see which.

    Args:
        ends: [R, L] end of each token's descendants.

    Returns:
        [R, 1, L, L] booleans: entry (q, k) is true if ``k <= q < end[k]``.
    """
    place = torch.arange(ends.shape[1], device=ends.device)
    query, key = place[:, None], place[None, :]
    return ((key <= query) & (query < ends[:, None, :])).unsqueeze(1)


def attention_mask(batch: PackedBatch, implementation: str, dtype: torch.dtype) -> Any:
    """Return the mask of a batch in the form that an attention implementation takes.

    Args:
        batch: The batch, on the device where the model is.
        implementation: The model's ``config._attn_implementation``.
        dtype: The model's dtype, for an additive mask.

    Returns:
        The usual [R, L] mask for a plain batch; else a boolean [R, 1, L, L] mask for ``sdpa``, an additive one for
        ``eager``, a block mask for ``flex_attention``, [R, 1, 1, L] ends for ``rac.training.tree_attention``.
    """
    if implementation == tree_attention.NAME:
        return batch.ends[:, None, None]
    if batch.plain:
        return batch.attention
    if implementation == "flex_attention":
        return block_mask(batch.ends)
    mask = allowed(batch.ends)
    if implementation == "sdpa":
        return mask
    additive = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return additive.masked_fill_(~mask, torch.finfo(dtype).min)


@contextmanager
def quick_attention(model: Any, longest: int) -> Iterator[None]:
    """Compute attention over trees in the way that is fastest where the model is.

    torch's fused CPU kernel is made for long rows without a mask of one's own; trees as short as these are computed
    with plain matrix products over what may be seen (``rac.training.tree_attention``).

    Args:
        model: A model, wrapped or not; outside the block it is as it was.
        longest: Length of the longest tree.
    """
    if not takes_quick_attention(model, longest):
        yield
        return
    inner = _unwrapped(model)
    before = inner.config._attn_implementation
    inner.set_attn_implementation(tree_attention.NAME)
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def _unwrapped(model: Any) -> Any:
    while not hasattr(model, "config"):
        model = model.module
    return model


def takes_quick_attention(model: Any, longest: int) -> bool:
    """Return whether ``quick_attention`` changes anything: on a CPU, for short trees, where the values are the same.

    A model on which a small batch gets other values, or which drops some of its attention weights in training, keeps
    its attention, and the log says so; this is tried once for each model.
    """
    model = _unwrapped(model)
    on_cpu = next(model.parameters()).device.type == "cpu"
    if longest > QUICK_TOKENS or not on_cpu:
        return False
    if getattr(model.config, "_attn_implementation", None) == tree_attention.NAME:
        return True
    if getattr(model.config, "_attn_implementation", None) != "sdpa":
        return False
    if model in _quick:
        return _quick[model]
    before, reason = model.config._attn_implementation, ""
    try:
        expected = _trial(model, plain=False)
        model.set_attn_implementation(tree_attention.NAME)
        difference = float((_trial(model, plain=False) - expected).abs().max())
        if getattr(model.config, "attention_dropout", 0.0):
            reason = "it drops attention weights in training"
        elif not difference <= _tolerance(model, expected):
            reason = f"difference {difference:.2g}"
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error!s:.120}"
    finally:
        model.set_attn_implementation(before)
    if reason:
        log.info("%s keeps attention '%s' (%s)", type(model).__name__, before, reason)
    _quick[model] = not reason
    return _quick[model]


def block_mask(ends: Tensor) -> Any:
    """Return the FlexAttention block mask for ``ends`` [R, L]; blocks without an allowed pair are skipped."""
    from torch.nn.attention.flex_attention import create_block_mask

    rows, length = ends.shape

    def visible(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (query < ends[row, key])

    return create_block_mask(visible, rows, None, length, length, device=str(ends.device))


def tree_support(model: Any) -> Support:
    """Say whether a model computes prompt trees rightly.

    The configuration is asked first (sliding windows, other attention implementations); then a small tree is run both
    packed and plain, and the log-probabilities must agree. So a model that ignores position ids, or whose layers mix
    tokens by something other than attention, is found out whatever its name is.
    """
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    implementation = getattr(config, "_attn_implementation", None) or "eager"
    if implementation not in TREE_ATTENTION:
        return Support(False, f"attention implementation '{implementation}' takes no mask of ours; load with 'sdpa'")
    layers = getattr(config, "layer_types", None)
    kinds = layers or getattr(config, "attention_layers", None) or ["full_attention"]
    if others := sorted(set(kinds) - {"full_attention", "attention", "global"}):
        return Support(False, f"layers of type {', '.join(others)}")
    if not layers and getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return Support(False, f"a sliding window of {config.sliding_window} tokens")

    try:
        packed, plain = _trial(model, plain=False), _trial(model, plain=True)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        return Support(False, f"it refuses a tree mask ({type(error).__name__}: {error!s:.120})")
    difference = float((packed - plain).abs().max())
    if not difference <= _tolerance(model, plain):
        return Support(
            False, f"its attention does not follow the mask or the position ids (difference {difference:.2g})"
        )
    return Support(True)


def _trial(model: Any, *, plain: bool) -> Tensor:
    """Return the log-probabilities of four questions of two small trees; the model is left as it was."""
    from rac.training.logps import branch_logps

    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    count = min(int(config.vocab_size), 64)
    ids = [number * 7 % count for number in range(1, 18)]
    trees = [Tree("a", ids[:6], [ids[6:9], [*ids[6:8], ids[9]], ids[10:14]]), Tree("b", ids[3:5], [ids[14:17]])]
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            return branch_logps(model, collate(trees, max_row_tokens=64, plain=plain).to(device))[0]
    finally:
        model.train(was_training)


def _tolerance(model: Any, logps: Tensor) -> float:
    """Return by how much two ways of computing the same may differ: bfloat16 does so in the second decimal."""
    usual = 3e-4 if next(model.parameters()).dtype == torch.float32 else 0.15
    return usual * max(1.0, float(logps.abs().max()) / 30)


def use_trees(model: Any) -> bool:
    """Return whether to train on trees; the log says why not.

    Raises:
        UserError: if the model's attention cannot be trained on its device at all.
    """
    implementation = getattr(model.config, "_attn_implementation", None)
    if implementation == "flex_attention" and next(model.parameters()).device.type == "cpu":
        raise UserError(
            "attention implementation 'flex_attention' has no backward pass on a CPU, so nothing can be trained; load "
            "the model with attn_implementation='sdpa'"
        )
    support = tree_support(model)
    if not support.trees:
        log.warning(
            "%s cannot be trained on prompt trees (%s): every question is computed with its own copy of the prompt, "
            "which gives the same result and takes longer", type(model).__name__, support.reason,
        )  # fmt: skip
    return support.trees
