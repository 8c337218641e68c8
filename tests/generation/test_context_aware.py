from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from rac.errors import UserError
from rac.generation.context_aware import ContextAwareGenerator, contrast
from rac.generation.local import LocalGenerator

Tiny = Callable[..., Any]

PROMPTS = [[3, 4, 5, 6], [9, 8], [7, 7, 1, 2, 3, 4]]
BARE = [[4, 5], [8, 1], [1]]


@pytest.fixture(scope="module")
def other(tiny: Tiny) -> Any:
    model = tiny("llama")
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            generator = torch.Generator().manual_seed(number)
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model


def test_contrast_by_hand() -> None:
    grounded = torch.log(torch.tensor([[0.5, 0.3, 0.2]]))
    ungrounded = torch.log(torch.tensor([[0.7, 0.1, 0.2]]))
    raw = torch.tensor([0.5 * 0.5 / 0.7, 0.3 * 0.3 / 0.1, 0.2])
    assert torch.allclose(contrast(grounded, ungrounded, 1.0).exp()[0], raw / raw.sum())
    assert torch.allclose(contrast(grounded, ungrounded, 0.0), grounded)
    cut = contrast(grounded, ungrounded, 1.0, plausibility=0.5).exp()[0]
    assert cut[2] == 0
    assert torch.allclose(cut[:2], raw[:2] / raw[:2].sum())


@pytest.mark.parametrize(("alpha", "plausibility"), [(0.5, 0.0), (1.5, 0.1)])
def test_greedy_equals_the_direct_computation(
    llama: Any, other: Any, tokenizer: Any, alpha: float, plausibility: float
) -> None:
    both = ContextAwareGenerator(
        llama, other, tokenizer, alpha=alpha, plausibility=plausibility, max_new_tokens=8, max_rows=2
    )
    found = both.greedy(PROMPTS, BARE)
    for prompt, bare, candidate in zip(PROMPTS, BARE, found, strict=True):
        tokens: list[int] = []
        logprob = 0.0
        while len(tokens) < 8 and (not tokens or tokens[-1] != 0):
            with torch.no_grad():
                logits = [m(torch.tensor([p + tokens])).logits[:, -1] for m, p in ((llama, prompt), (other, bare))]
            scores = contrast(*logits, alpha, plausibility)[0]
            tokens.append(int(scores.argmax()))
            logprob += float(scores.max())
        assert candidate.token_ids == tokens
        assert candidate.logprob == pytest.approx(logprob, abs=1e-3)


def test_without_contrast_it_is_the_grounded_model(llama: Any, other: Any, tokenizer: Any) -> None:
    both = ContextAwareGenerator(llama, other, tokenizer, alpha=0.0, max_new_tokens=8)
    alone = LocalGenerator(llama, tokenizer, max_new_tokens=8)
    assert [c.token_ids for c in both.greedy(PROMPTS, BARE)] == [c.token_ids for c in alone.greedy(PROMPTS)]
    ours = both.sample(PROMPTS, BARE, 3, seed=2)
    assert [[c.token_ids for c in f] for f in ours] == [
        [c.token_ids for c in f] for f in alone.sample(PROMPTS, 3, seed=2)
    ]
    louder = ContextAwareGenerator(llama, other, tokenizer, alpha=2.0, max_new_tokens=8)
    assert [c.token_ids for c in louder.greedy(PROMPTS, BARE)] != [c.token_ids for c in alone.greedy(PROMPTS)]


def test_models_that_do_not_fit_together(llama: Any, other: Any, tiny: Tiny, tokenizer: Any) -> None:
    with pytest.raises(UserError, match="vocabularies of 64 and 80"):
        ContextAwareGenerator(llama, tiny("llama", vocab_size=80), tokenizer)
    with pytest.raises(UserError, match="side by side"):
        ContextAwareGenerator(llama, tiny("mistral", sliding_window=8), tokenizer)
    with pytest.raises(UserError, match="side by side"):
        ContextAwareGenerator(tiny("mistral", sliding_window=8), llama, tokenizer)
    with pytest.raises(ValueError, match="alpha"):
        ContextAwareGenerator(llama, other, tokenizer, alpha=-1)
    both = ContextAwareGenerator(llama, other, tokenizer, max_new_tokens=4)
    with pytest.raises(ValueError, match="one each"):
        both.greedy(PROMPTS, BARE[:2])
    with pytest.raises(ValueError, match="two different bare prompts"):
        both.greedy([[1], [1]], [[2], [3]])
