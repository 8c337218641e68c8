"""Adapters computed in fewer steps equal peft's: values, gradients, half precision, and which layers are left alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from rac.training import trainer
from rac.training.adapter_products import plain_adapters, quick_adapters
from rac.training.adapters import prepare_weights
from rac.training.logps import branch_logps
from rac.training.packing import collate
from rac.training.settings import Stage1
from rac.training.supervised import train_supervised
from training_support import assert_same_gradients, fixed_trees, gradients_of, tiny_llama


def adapted(dtype: torch.dtype = torch.float32) -> Any:
    """Return a model whose adapters change something."""
    model = prepare_weights(tiny_llama().to(dtype), Stage1(adapter="lora", lora_rank=4), seed=0)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1)
    return model.train()


def logps_and_gradients(model: Any, weights: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    found, _ = branch_logps(model, collate(fixed_trees(2), max_row_tokens=64))
    return found.detach(), gradients_of(model, found, weights)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_values_and_gradients_are_those_of_peft(checkpointing: bool) -> None:
    model = adapted()
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    weights = torch.linspace(-1, 1, sum(len(tree.branches) for tree in fixed_trees(2)))
    expected, gradients = logps_and_gradients(model, weights)
    layers = plain_adapters(model)
    assert len(layers) == sum("lora_A" in name for name, _ in model.named_parameters()) > 0
    with quick_adapters(layers):
        found, quick = logps_and_gradients(model, weights)
    assert torch.allclose(found, expected, atol=1e-5)
    assert_same_gradients(quick, gradients, weights)
    assert not any("forward" in vars(layer) for layer, _ in layers)


def test_under_mixed_precision_it_is_about_as_near_to_full_precision() -> None:
    model = adapted()
    weights = torch.linspace(-1, 1, sum(len(tree.branches) for tree in fixed_trees(2)))
    exact, _ = logps_and_gradients(model, weights)
    with torch.autocast("cpu", torch.bfloat16):
        theirs, _ = logps_and_gradients(model, weights)
        with quick_adapters(plain_adapters(model)):
            ours, gradients = logps_and_gradients(model, weights)
    assert (ours - theirs).abs().max() < 0.1
    assert (ours - exact).abs().mean() <= 1.5 * (theirs - exact).abs().mean()
    assert {g.dtype for g in gradients.values()} == {torch.float32}


def test_a_training_of_adapters_computes_them_this_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []

    def noted(layers: Any) -> Any:
        used.append(len(layers))
        return quick_adapters(layers)

    monkeypatch.setattr(trainer, "quick_adapters", noted)
    for adapter in ("lora", "full"):
        settings = Stage1(adapter=adapter, lora_rank=2, batch_size=2, precision="float32")
        train_supervised(tiny_llama(), fixed_trees(2), settings, output_dir=tmp_path / adapter, seed=0)
    layers = 7 * tiny_llama().config.num_hidden_layers
    assert used == [layers, 0]


def test_a_layer_with_a_bias() -> None:
    torch.manual_seed(0)
    model = get_peft_model(
        nn.Sequential(nn.Linear(6, 5, bias=True)), LoraConfig(r=2, target_modules=["0"], init_lora_weights=False)
    )
    x = torch.randn(2, 3, 6)
    expected = model(x)
    (found,) = plain_adapters(model)
    with quick_adapters([found]):
        assert torch.allclose(model(x), expected, atol=1e-6)


@pytest.mark.parametrize("settings", [{"lora_dropout": 0.5}, {"use_dora": True}, {"lora_bias": True}])
def test_other_adapters_are_left_to_peft(settings: dict[str, Any]) -> None:
    model = nn.Sequential(nn.Linear(6, 5))
    assert plain_adapters(get_peft_model(model, LoraConfig(r=2, target_modules=["0"], **settings))) == []


def test_models_without_adapters_and_merged_ones_are_left_alone() -> None:
    assert plain_adapters(tiny_llama()) == []
    merged = copy.deepcopy(adapted())
    merged.merge_adapter()
    assert plain_adapters(merged) == []
