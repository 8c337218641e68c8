"""Preference losses: pure functions of log-probabilities.

``chosen`` and ``rejected`` hold log p(C_q+ | U_q, D) and log p(C_q- | U_q, D), or their values per token
(``per_token``); ``chosen_reference`` and ``rejected_reference`` hold the same under the reference model, the stage-1
model p_θ0. All return one loss for each pair; averaging is the caller's.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def per_token(logps: Tensor, counts: Tensor) -> Tensor:
    """Return log-probabilities per token.

    Args:
        logps: [N] sums over tokens.
        counts: [N] numbers of tokens, at least 1.
    """
    return logps / counts


def cpo_loss(chosen: Tensor, rejected: Tensor, *, beta: float) -> Tensor:
    """Contrastive preference optimisation without its likelihood term, which is ``nll``.

    ``-log σ(β (log p+ - log p-))``, equation 3 of Xu et al. 2024, arXiv 2401.08417.

    Args:
        chosen: [N] log-probabilities of the chosen questions.
        rejected: [N] those of the rejected ones.
        beta: Sharpness.

    Returns:
        [N] losses.
    """
    return -functional.logsigmoid(beta * (chosen - rejected))


def dpo_loss(
    chosen: Tensor, rejected: Tensor, chosen_reference: Tensor, rejected_reference: Tensor, *, beta: float
) -> Tensor:
    """Direct preference optimisation.

    ``-log σ(β ((log p+ - log p_ref+) - (log p- - log p_ref-)))``, equation 7 of Rafailov et al. 2023, arXiv 2305.18290.

    Args:
        chosen: [N] log-probabilities of the chosen questions.
        rejected: [N] those of the rejected ones.
        chosen_reference: [N] under the reference model.
        rejected_reference: [N] under the reference model.
        beta: Strength of the tie to the reference.

    Returns:
        [N] losses.
    """
    return -functional.logsigmoid(beta * ((chosen - chosen_reference) - (rejected - rejected_reference)))


def ipo_loss(
    chosen: Tensor, rejected: Tensor, chosen_reference: Tensor, rejected_reference: Tensor, *, beta: float
) -> Tensor:
    """Identity preference optimisation: the margin is drawn to ``1 / (2 β)`` instead of to infinity.

    ``(((log p+ - log p_ref+) - (log p- - log p_ref-)) - 1 / (2 β))²``, equation 17 of Azar et al. 2023, arXiv
    2310.12036, β being the paper's τ. Its authors use log-probabilities per token.

    Args:
        chosen: [N] log-probabilities of the chosen questions.
        rejected: [N] those of the rejected ones.
        chosen_reference: [N] under the reference model.
        rejected_reference: [N] under the reference model.
        beta: Regularisation; the target margin is ``1 / (2 β)``.

    Returns:
        [N] losses.
    """
    margin = (chosen - chosen_reference) - (rejected - rejected_reference)
    return (margin - 1 / (2 * beta)).square()


def simpo_loss(chosen: Tensor, rejected: Tensor, *, beta: float, gamma: float) -> Tensor:
    """Simple preference optimisation: no reference, log-probabilities per token, a margin.

    ``-log σ(β log p+ / |C_q+| - β log p- / |C_q-| - γ)``, equation 6 of Meng et al. 2024, arXiv 2405.14734.

    Args:
        chosen: [N] log-probabilities per token of the chosen questions.
        rejected: [N] those of the rejected ones.
        beta: Sharpness.
        gamma: Margin, in units of β log p.

    Returns:
        [N] losses.
    """
    return -functional.logsigmoid(beta * (chosen - rejected) - gamma)


def listwise_loss(
    chosen: Tensor, rejected: Tensor, present: Tensor, chosen_reference: Tensor, rejected_reference: Tensor,
    *, beta: float,
) -> Tensor:  # fmt: skip
    """One chosen question against all rejected ones at once.

    ``-log (e^(β r+) / (e^(β r+) + Σ e^(β r-)))`` with ``r = log p - log p_ref``: the Plackett-Luce likelihood of the
    chosen one coming first, which is S-DPO (equation 11 of Chen et al. 2024, arXiv 2406.09215); with one rejected
    question it is ``dpo_loss``, with references of 0 the list form of ``cpo_loss``.

    Args:
        chosen: [N] log-probabilities of the chosen questions.
        rejected: [N, K] those of the rejected ones.
        present: [N, K] which entries of ``rejected`` are there; at least one in each row.
        chosen_reference: [N] under the reference model.
        rejected_reference: [N, K] under the reference model.
        beta: Strength of the tie to the reference.

    Returns:
        [N] losses.
    """
    chosen_reward = beta * (chosen - chosen_reference)
    rejected_reward = (beta * (rejected - rejected_reference)).masked_fill(~present, -torch.inf)
    return functional.softplus(rejected_reward.logsumexp(-1) - chosen_reward)


def nll(logps: Tensor, counts: Tensor) -> Tensor:
    """Return the negative log-likelihood per token over all questions, a scalar.

    Args:
        logps: [N] sums over tokens.
        counts: [N] numbers of tokens.
    """
    return -logps.sum() / counts.sum()
