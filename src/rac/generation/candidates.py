"""Candidate questions, and the loop that grows them token by token whatever computes the next-token scores."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rac.generation.sampling import draw


@dataclass(frozen=True)
class Candidate:
    """One generated question.

    Attributes:
        text: The question, without the end token and surrounding white space.
        token_ids: The generated tokens, the end token included if there is one.
        logprob: Sum of the natural log-probabilities of ``token_ids`` under the model itself (temperature 1, nothing
            cut), whatever they were sampled with.
        finished: Whether an end token was generated (else the length limit cut the question off).
    """

    text: str
    token_ids: list[int]
    logprob: float
    finished: bool


class GenerationCancelled(Exception):
    """The ``cancel`` function said stop (a client left, a time limit passed)."""


class Stepper(Protocol):
    """What grows branches: a ``TreeDecoder``, or several of them whose scores are combined."""

    def start(self) -> Tensor:
        """Return next-token scores after each prompt [prompts, vocabulary]."""

    def step(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Continue live branches; return next-token scores [n, vocabulary]."""


@dataclass
class Branch:
    """A candidate while it grows."""

    tokens: list[int]
    logprob: float = 0.0
    finished: bool = False


def grow(
    stepper: Stepper,
    prompts: int,
    n: int,
    *,
    ends: Collection[int],
    max_new_tokens: int,
    uniforms: Tensor | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    cancel: Callable[[], bool] | None = None,
    on_tokens: Callable[[list[int], list[int]], None] | None = None,
    dropped: Callable[[int], bool] | None = None,
) -> list[list[Branch]]:
    """Grow ``n`` branches of each prompt until each has ended or reached the limit.

    Args:
        stepper: Computes next-token scores.
        prompts: Number of prompts that the stepper holds.
        n: Branches of each prompt.
        ends: Tokens that end a branch.
        max_new_tokens: Limit for the tokens of a branch, the end token included.
        uniforms: Random numbers [prompts * n, max_new_tokens]; None is greedy decoding.
        temperature: See ``draw``.
        top_p: See ``draw``.
        top_k: See ``draw``.
        cancel: Asked before every step; True raises ``GenerationCancelled``.
        on_tokens: Called after every step with branch numbers (prompt * n + candidate) and their new tokens.
        dropped: Asked for every live branch after each step; True leaves it where it is and out of all further steps
            (its reader left), while the others go on.

    Returns:
        Per prompt its ``n`` branches.
    """
    branches = [Branch([]) for _ in range(prompts * n)]
    end_tokens = torch.tensor(sorted(ends), dtype=torch.long)
    active = torch.arange(prompts * n)
    parents = torch.arange(prompts).repeat_interleave(n)
    scores = stepper.start()[parents]
    for position in range(max_new_tokens):
        if uniforms is None:
            tokens = scores.argmax(-1)
        else:
            tokens = draw(
                scores, uniforms[active, position], temperature=temperature, top_p=top_p, top_k=top_k
            )  # fmt: skip
        logprobs = scores.gather(-1, tokens[:, None]).squeeze(-1) - torch.logsumexp(scores, dim=-1)
        tokens = tokens.cpu()
        ended = torch.isin(tokens, end_tokens)
        for number, token, logprob, end in zip(
            active.tolist(), tokens.tolist(), logprobs.tolist(), ended.tolist(), strict=True
        ):
            branch = branches[number]
            branch.tokens.append(token)
            branch.logprob += logprob
            branch.finished = end
        if on_tokens is not None:
            on_tokens(active.tolist(), tokens.tolist())
        going = ~ended
        if dropped is not None:
            going &= torch.tensor([not dropped(number) for number in active.tolist()])
        if position + 1 == max_new_tokens or not bool(going.any()):
            break
        if cancel is not None and cancel():
            raise GenerationCancelled
        # At the first step the parents are the prompts themselves, later the branches of the step before.
        parents = (parents if position == 0 else torch.arange(len(active)))[going]
        active, tokens = active[going], tokens[going]
        scores = stepper.step(parents, tokens)
    return [branches[p * n : (p + 1) * n] for p in range(prompts)]
