"""Log-probabilities of questions: the output head runs only where there is a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rac.training.attention import attention_mask, quick_attention, takes_quick_attention
from rac.training.packing import PackedBatch, Tree, collate


@contextmanager
def answer_only_head(model: Any, positions: Tensor) -> Iterator[None]:
    """Let the model's output head see only some positions.

    The whole model is called as usual, so that wrappers (data parallel, sharded, adapters) and whatever a model does to
    its logits keep working; only the input of the head is cut, by a hook.

    Args:
        model: A causal language model, wrapped or not.
        positions: [H] flat positions (row * length + column); the logits are then [H, vocabulary].
    """
    inner = model
    while not hasattr(inner, "get_output_embeddings"):
        inner = inner.module

    def cut(_: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = arguments[0]
        return (hidden.reshape(-1, hidden.shape[-1])[positions], *arguments[1:])

    handle = inner.get_output_embeddings().register_forward_pre_hook(cut)
    try:
        yield
    finally:
        handle.remove()


class _TargetLogps(torch.autograd.Function):
    """Log-softmax at some entries only, a few rows at a time.

    Autograd's own way passes over the [H, vocabulary] logits a dozen times and allocates a copy for most of them.
    """

    ROWS = 64

    @staticmethod
    def forward(ctx: Any, logits: Tensor, rows: Tensor, ids: Tensor) -> Tensor:
        """Return ``log_softmax(logits)[rows, ids]`` in float32.

        Args:
            ctx: Autograd's.
            logits: [H, V].
            rows: [T] into H; a row may be asked for several ids.
            ids: [T] into V.
        """
        totals = torch.cat([part.float().logsumexp(-1) for part in torch.split(logits, _TargetLogps.ROWS)])
        ctx.save_for_backward(logits, totals, rows, ids)
        return logits[rows, ids].float() - totals[rows]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Return ``one-hot - softmax``, weighted, with respect to the logits."""
        logits, totals, rows, ids = ctx.saved_tensors
        weights = torch.zeros_like(totals).index_add_(0, rows, gradient)
        result = torch.empty_like(logits)
        for start in range(0, len(logits), _TargetLogps.ROWS):
            part = slice(start, start + _TargetLogps.ROWS)
            softmax = (logits[part].float() - totals[part, None]).exp_()
            result[part] = softmax.mul_(-weights[part, None])
        result.index_put_((rows, ids), gradient.to(result.dtype), accumulate=True)
        return result, None, None


def target_logps(model: Any, batch: PackedBatch) -> Tensor:
    """Return the log-probability of every target, [T], in float32."""
    inner = model
    while not hasattr(inner, "config"):
        inner = inner.module
    config = inner.config.get_text_config() if hasattr(inner.config, "get_text_config") else inner.config
    mask = attention_mask(batch, getattr(config, "_attn_implementation", None) or "eager", inner.dtype)
    # A plain row needs no position ids, and some models that need plain rows take none.
    positions = {} if batch.plain else {"position_ids": batch.position_ids}
    with answer_only_head(model, batch.head_positions):
        output = model(input_ids=batch.input_ids, attention_mask=mask, use_cache=False, **positions)
    logps: Tensor = _TargetLogps.apply(  # type: ignore[no-untyped-call]
        output.logits, batch.target_rows, batch.target_ids
    )
    return logps


def branch_logps(model: Any, batch: PackedBatch) -> tuple[Tensor, Tensor]:
    """Return the log-probability of every branch given its prompt, and its number of tokens.

    Args:
        model: A causal language model.
        batch: Packed trees, or the plain layout, on the model's device.

    Returns:
        [B] sums of log-probabilities (float32, with gradient) and [B] token counts (float32).
    """
    logps = target_logps(model, batch)
    sums = torch.zeros(batch.branches, device=logps.device).index_add(0, batch.target_branches, logps)
    ones = torch.ones_like(logps)
    counts = torch.zeros(batch.branches, device=logps.device).index_add(0, batch.target_branches, ones)
    return sums, counts.detach()


def plain_branch_logps(model: Any, trees: Sequence[Tree]) -> tuple[Tensor, Tensor]:
    """Return what ``branch_logps`` returns, computed in the textbook way.

    Every question stands behind a copy of its prompt in a row of its own, padded on the right, and the logits of all
    positions are computed. Nothing here uses trees: this is the reference that the fast path is tested against. The
    softmax is in float64, since torch's float32 one over a large vocabulary is off by some 1e-5 a token.
    """
    sequences = [(len(tree.prompt_ids), [*tree.prompt_ids, *branch]) for tree in trees for branch in tree.branches]
    width = max(len(ids) for _, ids in sequences)
    device = next(model.parameters()).device
    input_ids = torch.tensor([ids + [0] * (width - len(ids)) for _, ids in sequences], device=device)
    attention = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for _, ids in sequences], device=device)
    logits = model(input_ids=input_ids, attention_mask=attention, use_cache=False).logits.double()
    logps = logits[:, :-1].log_softmax(-1).float().gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    sums, counts = [], []
    for row, (prompt, ids) in enumerate(sequences):
        sums.append(logps[row, prompt - 1 : len(ids) - 1].sum())
        counts.append(float(len(ids) - prompt))
    return torch.stack(sums), torch.tensor(counts, device=device)


def token_batches(trees: Sequence[Tree], max_tokens: int) -> list[list[int]]:
    """Group trees of like length into batches of at most ``max_tokens`` tokens (one tree at least).

    Returns:
        Indices into ``trees``, a list for each batch.
    """
    batches: list[list[int]] = []
    used = 0
    for index in sorted(range(len(trees)), key=lambda index: trees[index].length):
        if not batches or used + trees[index].length > max_tokens:
            batches.append([])
            used = 0
        batches[-1].append(index)
        used += trees[index].length
    return batches


def score_branches(
    model: Any, trees: Sequence[Tree], *, max_tokens: int = 4096, max_row_tokens: int = 1024, plain: bool = False
) -> list[tuple[list[float], list[int]]]:
    """Score every question of every tree without gradient: validation, reference log-probabilities, candidates.

    Args:
        model: A causal language model; it is left in the mode (training or not) in which it was.
        trees: Prompts with their questions.
        max_tokens: Tokens of one forward pass.
        max_row_tokens: Room of a row.
        plain: Use the plain layout, for a model that cannot take trees.

    Returns:
        For each tree, in order: the log-probability and the token count of each branch.
    """
    device = next(model.parameters()).device
    scores: list[tuple[list[float], list[int]]] = [([], []) for _ in trees]
    was_training = model.training
    model.eval()
    try:
        longest = max((tree.length for tree in trees), default=0)
        quick = not plain and takes_quick_attention(model, longest)
        with torch.no_grad(), quick_attention(model, longest) if quick else nullcontext():
            for indices in token_batches(trees, max_tokens):
                group = [trees[index] for index in indices]
                batch = collate(group, max_row_tokens=max_row_tokens, plain=plain, one_row=quick).to(device)
                sums, counts = (values.tolist() for values in branch_logps(model, batch))
                start = 0
                for index, tree in zip(indices, group, strict=True):
                    stop = start + len(tree.branches)
                    scores[index] = sums[start:stop], [int(count) for count in counts[start:stop]]
                    start = stop
    finally:
        model.train(was_training)
    return scores
