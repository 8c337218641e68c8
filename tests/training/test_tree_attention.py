"""Attention computed tree by tree equals attention under a mask: values, gradients, and where it is used at all."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.training import attention, tree_attention
from rac.training.adapters import prepare_weights
from rac.training.attention import QUICK_TOKENS, allowed, quick_attention
from rac.training.logps import branch_logps, plain_branch_logps
from rac.training.packing import Tree, collate
from rac.training.settings import Stage1
from rac.training.tree_attention import blocks_of
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
@given(trees=random_trees(), room=st.integers(8, 80), block=st.integers(2, 40), data=st.data())
@settings(deadline=None, max_examples=15)
def test_tree_by_tree_equals_the_textbook(
    family: str, trees: list[Tree], room: int, block: int, data: st.DataObject
) -> None:
    model = model_of(family)
    with pytest.MonkeyPatch.context() as patch, quick_attention(model, QUICK_TOKENS):
        patch.setattr(tree_attention, "BLOCK", block)
        assert model.config._attn_implementation == tree_attention.NAME
        found, _ = branch_logps(model, collate(trees, max_row_tokens=room, one_row=data.draw(st.booleans())))
        weights = torch.tensor(data.draw(st.lists(st.floats(-2, 2), min_size=len(found), max_size=len(found))))
        gradients = gradients_of(model, found, weights)
    expected, _ = plain_branch_logps(model, trees)
    assert torch.allclose(found, expected, atol=1e-4), (found - expected).abs().max()
    assert_same_gradients(gradients, gradients_of(model, expected, weights), weights)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_trees_of_several_blocks(checkpointing: bool) -> None:
    model = tiny_llama().train()
    trees = [Tree("long", [*range(3, 90), *range(3, 90)], [[5, 6, 2], [7, 2]]), *fixed_trees(2)]
    assert trees[0].length > tree_attention.BLOCK
    weights = torch.linspace(-1, 1, sum(len(tree.branches) for tree in trees))
    expected, _ = plain_branch_logps(model, trees)
    gradients = gradients_of(model, expected, weights)
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    with quick_attention(model, QUICK_TOKENS):
        found, _ = branch_logps(model, collate(trees))
        assert torch.allclose(found, expected, atol=1e-4)
        assert_same_gradients(gradients_of(model, found, weights), gradients, weights)


@given(trees=random_trees(), room=st.integers(8, 80), size=st.integers(2, 20))
@settings(deadline=None)
def test_blocks_hold_every_pair_that_is_allowed_once(trees: list[Tree], room: int, size: int) -> None:
    ends = collate(trees, max_row_tokens=room).ends
    for row, mask in zip(ends.tolist(), allowed(ends)[:, 0], strict=True):
        found = torch.zeros_like(mask)
        end = 0
        for first, last, keys, hidden in blocks_of(tuple(row), size):
            assert first == end < last <= first + size
            found[first:last, keys] |= ~hidden
            assert bool((~hidden).any(0).all())  # no key that nobody sees
            end = last
        assert end == len(row)
        assert torch.equal(found, mask)


def test_bfloat16_comes_as_near_as_the_mask_does() -> None:
    model = tiny_llama()
    trees = fixed_trees(4)
    exact, _ = plain_branch_logps(model, trees)
    exact_gradients = gradients_of(model, exact, torch.ones(len(exact)))

    def errors() -> tuple[float, float]:
        with torch.autocast("cpu", torch.bfloat16):
            found, _ = branch_logps(model, collate(trees))
        gradients = gradients_of(model, found, torch.ones(len(found)))
        off = [float((gradients[n] - g).norm() / g.norm()) for n, g in exact_gradients.items()]
        return float((found - exact).detach().abs().max()), max(off)

    usual = errors()
    with quick_attention(model, QUICK_TOKENS):
        quick = errors()
    assert 0 < quick[0] <= 2 * usual[0]
    assert 0 < quick[1] <= 2 * usual[1]


@pytest.mark.parametrize("adapter", [False, True])
def test_short_trees_on_a_cpu_are_computed_so_for_a_while(adapter: bool) -> None:
    model = tiny_llama()
    trees = fixed_trees(4)
    expected, _ = branch_logps(model, collate(trees))
    if adapter:
        model = prepare_weights(model, Stage1(adapter="lora", lora_rank=2), 0)
    with quick_attention(model, QUICK_TOKENS + 1):
        assert model.config._attn_implementation == "sdpa"
    with pytest.raises(KeyError), quick_attention(model, QUICK_TOKENS):
        assert model.config._attn_implementation == tree_attention.NAME
        found, _ = branch_logps(model, collate(trees))
        assert torch.allclose(found, expected, atol=1e-4)
        raise KeyError
    assert model.config._attn_implementation == "sdpa"


def test_what_it_does_not_have_is_refused_or_left_to_the_usual_attention(caplog: pytest.LogCaptureFixture) -> None:
    dropping = TREE_FAMILIES["llama"]()
    dropping.attention_dropout = 0.1
    model = make_model(dropping)
    with caplog.at_level(logging.INFO), quick_attention(model, 8):
        assert model.config._attn_implementation == "sdpa"
    assert "drops attention weights" in caplog.text
    layer = tiny_llama().model.layers[0].self_attn
    part = torch.zeros(1, 4, 3, 8)
    ends = torch.tensor([[[[3, 3, 3]]]])
    for other in ({"softcap": 30.0}, {"sliding_window": 4}, {"s_aux": part}, {"dropout": 0.1}):
        with pytest.raises(ValueError, match=f"has no {next(iter(other))}"):
            tree_attention.tree_attention(layer, part, part, part, ends, scaling=1.0, **other)
    with pytest.raises(ValueError, match="other mask"):
        tree_attention.tree_attention(layer, part, part, part, ends.bool(), scaling=1.0)


def test_a_model_that_gets_other_values_from_it_keeps_its_attention(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny_llama()
    forward = model.forward

    def changed(*args: Any, **kwargs: Any) -> Any:
        if model.config._attn_implementation == tree_attention.NAME:
            kwargs["input_ids"] = kwargs["input_ids"].flip(-1)
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", changed)
    with caplog.at_level(logging.INFO), quick_attention(model, 8):
        assert model.config._attn_implementation == "sdpa"
    assert "difference" in caplog.text
    assert model in attention._quick
