"""The packed path equals the textbook path: log-probabilities within 1e-4, gradients within 1e-3 relative."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.training.logps import _TargetLogps, branch_logps, plain_branch_logps, score_branches, token_batches
from rac.training.packing import Tree, collate
from training_support import (
    TREE_FAMILIES,
    assert_same_gradients,
    fixed_trees,
    gradients_of,
    make_model,
    model_of,
    random_trees,
    tiny_llama,
)


@pytest.mark.parametrize("family", TREE_FAMILIES)
@given(trees=random_trees(), room=st.integers(8, 80), data=st.data())
@settings(deadline=None, max_examples=15)
def test_packed_equals_textbook(family: str, trees: list[Tree], room: int, data: st.DataObject) -> None:
    model = model_of(family)
    batch = collate(trees, max_row_tokens=room)
    found, counts = branch_logps(model, batch)
    expected, lengths = plain_branch_logps(model, trees)
    assert torch.equal(counts, lengths)
    assert torch.allclose(found, expected, atol=1e-4), (found - expected).abs().max()
    # Any loss is a function of the branches' log-probabilities; random weights stand for all of them.
    weights = torch.tensor(data.draw(st.lists(st.floats(-2, 2), min_size=len(found), max_size=len(found))))
    packed_gradients = gradients_of(model, found, weights)
    assert_same_gradients(packed_gradients, gradients_of(model, expected, weights), weights)


@pytest.mark.parametrize("family", TREE_FAMILIES)
def test_eager_attention_takes_the_additive_mask(family: str) -> None:
    config = TREE_FAMILIES[family]()
    config._attn_implementation = "eager"
    model = make_model(config)
    trees = fixed_trees(6)
    with torch.no_grad():
        found, _ = branch_logps(model, collate(trees, max_row_tokens=40))
        expected, _ = plain_branch_logps(model, trees)
    assert torch.allclose(found, expected, atol=1e-4)


@given(random_trees())
@settings(deadline=None, max_examples=15)
def test_the_plain_layout_equals_the_textbook(trees: list[Tree]) -> None:
    model = model_of("llama")
    with torch.no_grad():
        found, _ = branch_logps(model, collate(trees, plain=True))
        expected, _ = plain_branch_logps(model, trees)
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_value_computed_by_hand() -> None:
    """With all weights 0 every token has probability 1/96."""
    model = tiny_llama()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        sums, counts = branch_logps(model, collate([Tree("a", [4, 5], [[6, 7, 2], [8]])]))
    assert torch.allclose(sums, -torch.tensor([3.0, 1.0]) * torch.log(torch.tensor(96.0)))
    assert counts.tolist() == [3.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("heads", [1, 63, 64, 65, 150])
def test_the_softmax_at_targets_is_autograd_s(dtype: torch.dtype, heads: int) -> None:
    generator = torch.Generator().manual_seed(heads)
    logits = (5 * torch.randn(heads, 40, generator=generator)).to(dtype).requires_grad_()
    # Every position has a target, some have several, and one target is asked for twice.
    rows = torch.cat([torch.arange(heads), torch.arange(0, heads, 2), torch.tensor([0])])
    ids = torch.randint(0, 40, (len(rows),), generator=generator)
    ids[-1] = ids[0]
    weights = torch.randn(len(rows), generator=generator)

    def run(logps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        (gradient,) = torch.autograd.grad((logps * weights).sum(), logits)
        return logps.detach(), gradient

    values, gradient = run(_TargetLogps.apply(logits, rows, ids))
    expected, expected_gradient = run(logits.float().log_softmax(-1)[rows, ids])
    assert values.dtype == torch.float32 and gradient.dtype == dtype
    assert torch.allclose(values, expected, atol=1e-5)
    assert torch.allclose(gradient, expected_gradient, atol=1e-6 if dtype == torch.float32 else 1e-2)


def test_the_head_runs_only_where_there_is_a_target() -> None:
    model = tiny_llama()
    seen = []
    model.lm_head.register_forward_hook(lambda module, args, output: seen.append(output.shape))
    branch_logps(model, collate([Tree("a", [4] * 50, [[6, 7, 2], [6, 2]])]))
    # Targets: 6 (both), 7 and 2 after 6 (both from one position), 2 after 7: three positions of 52.
    assert [tuple(shape) for shape in seen] == [(3, 96)]
    assert not model.lm_head._forward_pre_hooks


def test_the_head_is_whole_again_after_an_error() -> None:
    model = tiny_llama()
    batch = collate([Tree("a", [4] * 5, [[6, 7, 2]])])
    with pytest.raises(IndexError):
        branch_logps(model, batch.to("cpu").__class__(**{**batch.__dict__, "input_ids": batch.input_ids + 1000}))
    assert not model.lm_head._forward_pre_hooks


@given(random_trees(most=8), st.integers(5, 60))
@settings(deadline=None, max_examples=20)
def test_scores_come_in_order_however_they_were_batched(trees: list[Tree], limit: int) -> None:
    model = model_of("llama")
    scores = score_branches(model, trees, max_tokens=limit, max_row_tokens=limit)
    with torch.no_grad():
        expected, counts = plain_branch_logps(model, trees)
    assert torch.allclose(torch.tensor([v for logps, _ in scores for v in logps]), expected, atol=1e-4)
    assert [c for _, lengths in scores for c in lengths] == counts.tolist()


@given(random_trees(most=8), st.integers(5, 60))
@settings(deadline=None, max_examples=40)
def test_token_batches_keep_to_their_limit(trees: list[Tree], limit: int) -> None:
    batches = token_batches(trees, limit)
    assert sorted(index for batch in batches for index in batch) == list(range(len(trees)))
    for batch in batches:
        assert len(batch) == 1 or sum(trees[index].length for index in batch) <= limit


@pytest.mark.model
def test_the_embedded_model_agrees_too(embedded_tokenizer: Any) -> None:
    from rac.models import load_model

    model, _ = load_model("embedded")
    texts = ("Which one do you mean, the film or the novel?", "Which one do you mean, the river or the town?", "Who?")
    branches = [[*embedded_tokenizer(text).input_ids, embedded_tokenizer.eos_token_id] for text in texts]
    prompt = embedded_tokenizer("Casablanca is a 1942 film. Casablanca is a city in Morocco.").input_ids
    trees = [Tree("a", prompt, branches), Tree("b", prompt[4:], branches[:1])]
    found, _ = branch_logps(model, collate(trees))
    expected, _ = plain_branch_logps(model, trees)
    assert torch.allclose(found, expected, atol=1e-4)
    weights = torch.ones(len(found))
    assert_same_gradients(gradients_of(model, found, weights), gradients_of(model, expected, weights), weights)
