from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from hypothesis import given, settings

from rac.errors import UserError
from rac.training.attention import (
    allowed,
    attention_mask,
    block_mask,
    tree_support,
    use_trees,
)
from rac.training.logps import branch_logps, plain_branch_logps
from rac.training.packing import Tree, collate
from training_support import PLAIN_FAMILIES, TREE_FAMILIES, fixed_trees, make_model, random_trees, tiny_llama


def test_a_mask_written_by_hand() -> None:
    # Prompt [1, 2], branches 5 6 and 5 7, then a pad.
    ends = torch.tensor([[5, 5, 5, 4, 5, 6]])
    expected = [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    assert allowed(ends).int().tolist() == [[expected]]


def test_masks_come_in_the_form_of_each_implementation() -> None:
    batch = collate([Tree("a", [1, 2], [[5, 9], [6, 9]])])
    assert attention_mask(batch, "sdpa", torch.float32).dtype == torch.bool
    additive = attention_mask(batch, "eager", torch.bfloat16)
    assert additive.dtype == torch.bfloat16
    assert set(additive.unique().tolist()) == {0.0, torch.finfo(torch.bfloat16).min}
    plain = collate([Tree("a", [1, 2], [[5, 9], [6, 9]])], plain=True)
    assert torch.equal(attention_mask(plain, "sdpa", torch.float32), plain.attention)


@given(random_trees())
@settings(deadline=None, max_examples=20)
def test_a_block_mask_allows_the_same_pairs(trees: list[Tree]) -> None:
    ends = collate(trees).ends
    mask = block_mask(ends)
    rows, length = ends.shape
    grid = torch.arange(length)
    for row in range(rows):
        dense = mask.mask_mod(torch.tensor(row), torch.tensor(0), grid[:, None], grid[None, :])
        assert torch.equal(dense, allowed(ends)[row, 0])


def test_flex_attention_gives_the_values_of_sdpa() -> None:
    from torch.nn.attention.flex_attention import flex_attention

    ends = collate(fixed_trees(5), max_row_tokens=64).ends
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(len(ends), 2, ends.shape[1], 16, generator=generator) for _ in range(3))
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed(ends))
    with torch.no_grad():
        found = flex_attention(query, key, value, block_mask=block_mask(ends))
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("family", TREE_FAMILIES)
def test_models_with_flex_attention_score_trees_as_the_textbook_does(family: str) -> None:
    """Forward only: torch has no backward of FlexAttention on a CPU."""
    textbook = make_model(TREE_FAMILIES[family]())
    model = type(textbook)._from_config(textbook.config, attn_implementation="flex_attention").eval()
    model.load_state_dict(textbook.state_dict())
    trees = fixed_trees(5)
    torch.compiler.set_stance("force_eager")  # compiling takes minutes, and gives the same
    try:
        with torch.no_grad():
            found, _ = branch_logps(model, collate(trees, max_row_tokens=64))
            assert tree_support(model).trees
    finally:
        torch.compiler.set_stance("default")
    with torch.no_grad():
        expected, _ = plain_branch_logps(textbook, trees)
    assert torch.allclose(found, expected, atol=1e-4)
    with pytest.raises(UserError, match="no backward pass on a CPU"):
        use_trees(model)


@pytest.mark.parametrize("family", TREE_FAMILIES)
def test_families_that_take_trees(family: str) -> None:
    assert tree_support(make_model(TREE_FAMILIES[family]())).trees


@pytest.mark.parametrize("family", PLAIN_FAMILIES)
def test_families_that_do_not_are_found_out_and_the_plain_layout_serves_them(
    family: str, caplog: pytest.LogCaptureFixture
) -> None:
    config, reason = PLAIN_FAMILIES[family]
    model = make_model(config())
    support = tree_support(model)
    assert not support.trees
    assert reason in support.reason
    with caplog.at_level(logging.WARNING):
        assert not use_trees(model)
    assert "cannot be trained on prompt trees" in caplog.text
    trees = fixed_trees(4)
    with torch.no_grad():
        found, _ = branch_logps(model, collate(trees, plain=True))
        expected, _ = plain_branch_logps(model, trees)
    assert torch.allclose(found, expected, atol=1e-4)


def test_an_attention_implementation_without_masks_is_named() -> None:
    model = tiny_llama()
    model.config._attn_implementation = "flash_attention_2"
    assert "flash_attention_2" in tree_support(model).reason


def test_a_model_that_ignores_positions_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_llama()
    forward = model.forward

    def without_positions(*args: Any, position_ids: Any = None, **kwargs: Any) -> Any:
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", without_positions)
    assert "position ids" in tree_support(model).reason


def test_the_probe_leaves_the_model_as_it_was() -> None:
    model = tiny_llama().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tree_support(model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
