"""What is minimised in each stage, split so that any number of processes and passes adds up to the same loss.

An objective divides by totals of the *whole* optimiser step, which are known before it is computed. The parts of a
step (accumulated passes, processes) then simply add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rac.training.losses import cpo_loss, dpo_loss, ipo_loss, listwise_loss, per_token, simpo_loss
from rac.training.packing import PackedBatch, Tree
from rac.training.settings import Stage2

Totals = dict[str, float]
Score = tuple[list[float], list[int]]
"""Log-probability and token count of each branch of a tree."""
Sums = dict[str, tuple[Tensor, float]]
"""Name -> (sum over this part, what the step's sum is divided by)."""


class Objective(Protocol):
    """A loss over the branches of a batch."""

    def totals(self, trees: Sequence[Tree]) -> Totals:
        """Return what the losses of a whole step are divided by."""

    def __call__(self, logps: Tensor, counts: Tensor, batch: PackedBatch, totals: Totals) -> tuple[Tensor, Sums]:
        """Return this part's share of the step's loss, and sums to log (detached)."""

    def evaluate(self, trees: Sequence[Tree], scores: Sequence[Score]) -> dict[str, float]:
        """Return metrics of validation trees from their branches' log-probabilities and token counts."""


@dataclass(frozen=True)
class Supervised:
    """Negative log-likelihood per token of all questions, each weighted.

    ``- Σ_b w_b log p(C_q^b | U_q, D) / Σ_b w_b |C_q^b|``
    """

    def totals(self, trees: Sequence[Tree]) -> Totals:
        """Return the weighted number of question tokens."""
        return {
            "tokens": sum(
                weight * len(branch)
                for tree in trees
                for weight, branch in zip(tree.branch_weights, tree.branches, strict=True)
            )
        }

    def __call__(self, logps: Tensor, counts: Tensor, batch: PackedBatch, totals: Totals) -> tuple[Tensor, Sums]:
        """Return the weighted loss; nothing more is logged."""
        return -(batch.weights * logps).sum() / totals["tokens"], {}

    def evaluate(self, trees: Sequence[Tree], scores: Sequence[Score]) -> dict[str, float]:
        """Return the weighted negative log-likelihood per token."""
        pairs = [
            (weight, logp)
            for tree, (logps, _) in zip(trees, scores, strict=True)
            for weight, logp in zip(tree.branch_weights, logps, strict=True)
        ]
        return {"nll": -sum(weight * logp for weight, logp in pairs) / self.totals(trees)["tokens"]}


@dataclass(frozen=True)
class Preference:
    """A preference loss, plus the likelihood of the chosen question.

    A tree's first branch is C_q+, the others are its C_q-. Pairwise losses are averaged over the rejected questions of
    a tree, so that every prompt counts the same; the likelihood is per token over all chosen questions.
    """

    settings: Stage2

    def totals(self, trees: Sequence[Tree]) -> Totals:
        """Return the number of prompts (weighted) and of chosen tokens."""
        return {
            "prompts": sum(tree.branch_weights[0] for tree in trees),
            "tokens": sum(tree.branch_weights[0] * len(tree.branches[0]) for tree in trees),
        }

    def __call__(self, logps: Tensor, counts: Tensor, batch: PackedBatch, totals: Totals) -> tuple[Tensor, Sums]:
        """Return the loss and the sums behind margins, accuracy and log-probabilities."""
        settings = self.settings
        chosen_at, rejected_at, present = pair_indices(batch.branch_trees)
        weights = batch.weights[chosen_at]
        scores, references = logps, batch.reference
        if settings.normalised:
            scores, references = per_token(logps, counts), per_token(batch.reference, counts)
        if not settings.needs_reference:
            references = torch.zeros_like(references)
        losses = self._losses(scores, references, chosen_at, rejected_at, present)
        likelihood = -(weights * logps[chosen_at]).sum() / totals["tokens"]
        loss = (weights * losses).sum() / totals["prompts"] + settings.nll_weight * likelihood

        with torch.no_grad():
            margins = settings.beta * ((scores - references)[chosen_at][:, None] - (scores - references)[rejected_at])
            # Before the first step all margins to a reference are 0 but for rounding: a tie is half right.
            right = (margins > 0).float().masked_fill(margins.abs() <= 1e-3 * settings.beta, 0.5)
            shares = weights[:, None] * present / present.sum(-1, keepdim=True)
            prompts = totals["prompts"]
            sums = {
                "margins": ((shares * margins).sum(), prompts),
                "accuracy": ((shares * right).sum(), prompts),
                "logps/chosen": ((weights * logps[chosen_at]).sum(), prompts),
                "logps/rejected": ((shares * logps[rejected_at]).sum(), prompts),
                "nll/chosen": (likelihood.detach() * totals["tokens"], totals["tokens"]),
            }
            if settings.needs_reference:
                change = logps[chosen_at] - batch.reference[chosen_at]
                sums["logps/chosen_change"] = ((weights * change).sum(), prompts)
        return loss, sums

    def evaluate(self, trees: Sequence[Tree], scores: Sequence[Score]) -> dict[str, float]:
        """Return accuracy, and mean log-probabilities of chosen and rejected questions."""
        chosen = [logps[0] for logps, _ in scores]
        rejected = [sum(logps[1:]) / len(logps[1:]) for logps, _ in scores]
        right = [sum(logps[0] > other for other in logps[1:]) / len(logps[1:]) for logps, _ in scores]
        count = len(scores)
        return {
            "accuracy": sum(right) / count,
            "logps/chosen": sum(chosen) / count,
            "logps/rejected": sum(rejected) / count,
        }

    def _losses(
        self, scores: Tensor, references: Tensor, chosen_at: Tensor, rejected_at: Tensor, present: Tensor
    ) -> Tensor:
        settings = self.settings
        chosen, rejected = scores[chosen_at], scores[rejected_at]
        chosen_reference, rejected_reference = references[chosen_at], references[rejected_at]
        if settings.loss == "listwise":
            return listwise_loss(chosen, rejected, present, chosen_reference, rejected_reference, beta=settings.beta)
        chosen, chosen_reference = chosen[:, None], chosen_reference[:, None]
        if settings.loss == "cpo":
            losses = cpo_loss(chosen, rejected, beta=settings.beta)
        elif settings.loss == "simpo":
            losses = simpo_loss(chosen, rejected, beta=settings.beta, gamma=settings.gamma)
        else:
            function = dpo_loss if settings.loss == "dpo" else ipo_loss
            losses = function(chosen, rejected, chosen_reference, rejected_reference, beta=settings.beta)
        return (losses * present).sum(-1) / present.sum(-1)


def pair_indices(branch_trees: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return where the chosen and the rejected branches of each tree are.

    Args:
        branch_trees: [B] the tree of each branch, ascending; a tree's first branch is the chosen one.

    Returns:
        [N] chosen branches, [N, K] rejected ones (K the most that a tree has; absent entries repeat the last branch of
        the tree), [N, K] which of them are there.
    """
    sizes = torch.bincount(branch_trees)
    first = sizes.cumsum(0) - sizes
    offsets = torch.arange(1, int(sizes.max()), device=branch_trees.device)
    present = offsets[None, :] < sizes[:, None]
    rejected = first[:, None] + torch.minimum(offsets[None, :], sizes[:, None] - 1)
    return first, rejected, present
