"""Context-aware decoding: what the passages add to a question is made louder.

Each token is chosen from softmax(log p_theta0 + alpha (log p_theta0 - log p_uncond)): the grounded model's score,
raised where the passages made a token more likely than the ungrounded model finds it. After Shi et al., "Trusting Your
Evidence: Hallucinate Less with Context-Aware Decoding" (NAACL 2024, arXiv 2305.14739), who compare one model with and
without context; here both stage-1 models are at hand. It needs no training and two forward passes for each token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rac.errors import UserError
from rac.generation.candidates import Candidate, Stepper
from rac.generation.local import Ids, LocalGenerator
from rac.generation.tree import TreeDecoder, supports_tree


class _Contrast:
    """Steps both models along the same branches; the scores are log-probabilities of the combined distribution."""

    def __init__(self, grounded: Stepper, ungrounded: Stepper, alpha: float, plausibility: float) -> None:
        self._grounded, self._ungrounded = grounded, ungrounded
        self._alpha, self._plausibility = alpha, plausibility

    def start(self) -> Tensor:
        return contrast(self._grounded.start(), self._ungrounded.start(), self._alpha, self._plausibility)

    def step(self, parents: Tensor, tokens: Tensor) -> Tensor:
        return contrast(
            self._grounded.step(parents, tokens), self._ungrounded.step(parents, tokens), self._alpha,
            self._plausibility,
        )  # fmt: skip


def contrast(grounded: Tensor, ungrounded: Tensor, alpha: float, plausibility: float = 0.0) -> Tensor:
    """Combine next-token logits of both models.

    log p = log p_theta0 + alpha (log p_theta0 - log p_uncond), renormalised; tokens with p_theta0 below
    ``plausibility`` times its largest value are left out (Li et al., "Contrastive Decoding", ACL 2023).

    Args:
        grounded: Logits of the grounded model [n, vocabulary].
        ungrounded: Logits of the ungrounded model [n, vocabulary].
        alpha: Strength; 0 gives the grounded model.
        plausibility: In [0, 1); 0 leaves nothing out.

    Returns:
        Log-probabilities [n, vocabulary].
    """
    own = torch.log_softmax(grounded.float(), dim=-1)
    scores = own + alpha * (own - torch.log_softmax(ungrounded.float(), dim=-1).to(own.device))
    if plausibility > 0:
        least = own.max(-1, keepdim=True).values + torch.log(torch.tensor(plausibility))
        scores = scores.masked_fill(own < least, -torch.inf)
    return torch.log_softmax(scores, dim=-1)


class ContextAwareGenerator:
    """Generates with a grounded and an ungrounded model together. Log-probabilities are those of the combination.

    Args:
        grounded: p_theta0, which sees (U_q, D).
        ungrounded: p_uncond, which sees U_q; of the same tokenizer.
        tokenizer: Of both.
        alpha: See ``contrast``.
        plausibility: See ``contrast``.
        max_new_tokens: Limit for the tokens of a question.
        max_rows: How many candidates grow at the same time.

    Raises:
        UserError: if the two models cannot be combined.
    """

    def __init__(
        self,
        grounded: Any,
        ungrounded: Any,
        tokenizer: Any,
        *,
        alpha: float = 0.5,
        plausibility: float = 0.0,
        max_new_tokens: int = 48,
        max_rows: int = 64,
    ) -> None:
        if alpha < 0 or not 0 <= plausibility < 1:
            raise ValueError(f"alpha={alpha} must be 0 or more, plausibility={plausibility} at least 0 and below 1")
        sizes = [m.get_output_embeddings().weight.shape[0] for m in (grounded, ungrounded)]
        if sizes[0] != sizes[1]:
            raise UserError(
                f"context-aware decoding adds the scores of two models token by token, and these have vocabularies of "
                f"{sizes[0]} and {sizes[1]} tokens: train both from the same base model"
            )
        self._inner = _Inner(
            grounded, ungrounded, tokenizer, alpha, plausibility, max_new_tokens=max_new_tokens, max_rows=max_rows
        )
        reason = "" if self._inner.shares_prompts else supports_tree(grounded)
        reason = reason or supports_tree(ungrounded)
        if reason:
            raise UserError(
                "context-aware decoding steps two models side by side, which this model does not allow "
                f"({reason}): use a model with full attention, such as the Llama, Qwen, Gemma 1 and Mistral families"
            )

    def greedy(
        self,
        prompts: Sequence[Ids],
        bare_prompts: Sequence[Ids],
        *,
        cancel: Callable[[], bool] | None = None,
        label: str = "asking",
    ) -> list[Candidate]:
        """Return the greedily decoded question of each query.

        Args:
            prompts: Prompts of the grounded model.
            bare_prompts: Prompts of the ungrounded model for the same queries, in the same order.
            cancel: Asked before every step; True raises ``GenerationCancelled``.
            label: Shown with the progress; "" shows none.
        """
        self._inner.pair(prompts, bare_prompts)
        return self._inner.greedy(prompts, cancel=cancel, label=label)

    def sample(
        self,
        prompts: Sequence[Ids],
        bare_prompts: Sequence[Ids],
        n: int,
        *,
        temperature: float = 1.0,
        top_p: float = 0.95,
        top_k: int = 0,
        seed: int,
        cancel: Callable[[], bool] | None = None,
        label: str = "sampling",
    ) -> list[list[Candidate]]:
        """Return ``n`` sampled questions of each query; see ``greedy`` and ``LocalGenerator.sample``."""
        self._inner.pair(prompts, bare_prompts)
        return self._inner.sample(
            prompts, n, temperature=temperature, top_p=top_p, top_k=top_k, seed=seed, cancel=cancel, label=label
        )


class _Inner(LocalGenerator):
    """A local generator whose steps combine two models."""

    def __init__(
        self, grounded: Any, ungrounded: Any, tokenizer: Any, alpha: float, plausibility: float, **limits: Any
    ) -> None:
        super().__init__(grounded, tokenizer, **limits)
        self._other, self._alpha, self._plausibility = ungrounded, alpha, plausibility
        self._bare: dict[tuple[int, ...], tuple[int, ...]] = {}

    def pair(self, prompts: Sequence[Ids], bare_prompts: Sequence[Ids]) -> None:
        """Remember which bare prompt belongs to which prompt."""
        if len(prompts) != len(bare_prompts):
            raise ValueError(f"{len(prompts)} prompts and {len(bare_prompts)} bare prompts: one each is needed")
        self.check([tuple(p) for p in bare_prompts])
        self._bare = {}
        for prompt, bare in zip(prompts, bare_prompts, strict=True):
            if self._bare.setdefault(tuple(prompt), tuple(bare)) != tuple(bare):
                raise ValueError("one prompt was given with two different bare prompts")

    def decoder(self, prompts: Sequence[Ids], n: int) -> Stepper:
        bare = [self._bare[tuple(p)] for p in prompts]
        ungrounded = TreeDecoder(self._other, bare, n * self.max_new_tokens)
        return _Contrast(super().decoder(prompts, n), ungrounded, self._alpha, self._plausibility)
