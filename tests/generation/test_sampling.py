from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from rac.generation import sampling
from rac.generation.sampling import draw, nucleus, stream


def direct(logits: torch.Tensor, temperature: float, top_p: float, top_k: int) -> torch.Tensor:
    """The warpers of ``transformers.generate``, then softmax."""
    warpers = LogitsProcessorList([TemperatureLogitsWarper(float(temperature))])
    if top_k:
        warpers.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        warpers.append(TopPLogitsWarper(top_p))
    return torch.softmax(warpers(torch.zeros(len(logits), 1, dtype=torch.long), logits.clone()), dim=-1)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    vocabulary=st.sampled_from([3, 40, 900]),
    spread=st.sampled_from([0.01, 1.0, 6.0]),
    temperature=st.sampled_from([0.3, 1.0, 2.0]),
    top_p=st.sampled_from([0.05, 0.5, 0.95, 1.0]),
    top_k=st.sampled_from([0, 1, 7, 5000]),
)
def test_nucleus_is_the_distribution_of_generate(
    seed: int, vocabulary: int, spread: float, temperature: float, top_p: float, top_k: int
) -> None:
    logits = torch.randn(4, vocabulary, generator=torch.Generator().manual_seed(seed)) * spread
    probabilities, ids = nucleus(logits, temperature, top_p, top_k)
    found = torch.zeros(4, vocabulary).scatter(-1, ids, probabilities)
    expected = direct(logits, temperature, top_p, top_k)
    # Which side of the nucleus a token on its very edge falls is a matter of rounding.
    differing = ((found > 0) != (expected > 0)).sum()
    if int(differing) == 0:
        assert torch.allclose(found, expected, atol=2e-5)
    else:
        assert int(differing) <= 2 and spread == 0.01


def test_flat_and_peaked_rows_are_drawn_alike_with_and_without_the_first_cut() -> None:
    size = 3 * sampling._FIRST_CUT
    noise = torch.randn(60, size, generator=torch.Generator().manual_seed(0))
    # From almost uniform (the nucleus is larger than the first cut) to peaked.
    logits = noise * torch.linspace(0.01, 6, 60)[:, None]
    uniforms = torch.from_numpy(stream(0, [1], 0, 60))
    probabilities, ids = nucleus(logits, 1.0, 0.9, 0)
    kept = (probabilities > 0).sum(-1)
    assert int(kept.max()) > sampling._FIRST_CUT and int(kept.min()) < 100
    slow = sampling._invert(probabilities, ids, uniforms)
    fast = draw(logits, uniforms, temperature=1.0, top_p=0.9, top_k=0)
    assert (slow == fast).all()


def test_draw_inverts_the_cumulative_distribution() -> None:
    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3]])).expand(5, 3)
    uniforms = torch.tensor([0.0, 0.49, 0.51, 0.79, 0.999999], dtype=torch.float64)
    assert draw(logits, uniforms, temperature=1.0, top_p=1.0, top_k=0).tolist() == [1, 1, 2, 2, 0]
    assert draw(logits, uniforms, temperature=1.0, top_p=0.75, top_k=0).tolist() == [1, 1, 1, 2, 2]
    assert draw(logits, uniforms, temperature=1.0, top_p=1.0, top_k=1).tolist() == [1] * 5
    assert draw(logits, uniforms, temperature=0, top_p=1.0, top_k=0).tolist() == [1] * 5


def test_a_uniform_number_just_below_one_never_leaves_the_nucleus() -> None:
    logits = torch.randn(50, 30, generator=torch.Generator().manual_seed(3))
    uniforms = torch.full((50,), 1 - 1e-16, dtype=torch.float64)
    tokens = draw(logits, uniforms, temperature=1.0, top_p=0.6, top_k=0)
    allowed = direct(logits, 1.0, 0.6, 0) > 0
    assert allowed[torch.arange(50), tokens].all()


def test_streams_depend_on_seed_prompt_and_candidate_only() -> None:
    base = stream(1, [4, 5], 0, 8)
    assert np.array_equal(base, stream(1, (4, 5), 0, 8))
    assert np.array_equal(base, stream(1, [4, 5], 0, 20)[:8])
    for other in (stream(2, [4, 5], 0, 8), stream(1, [45], 0, 8), stream(1, [4, 5], 1, 8)):
        assert not np.array_equal(base, other)
    assert (base >= 0).all() and (base < 1).all()


@pytest.mark.parametrize("top_k", [0, 20])
def test_infinite_logits_are_never_drawn(top_k: int) -> None:
    logits = torch.full((1, 30), -float("inf"))
    logits[0, 4] = 1.0
    logits[0, 9] = 1.0
    drawn = {int(draw(logits, torch.tensor([u]), temperature=1.0, top_p=0.95, top_k=top_k)) for u in (0.0, 0.4, 0.9)}
    assert drawn == {4, 9}
