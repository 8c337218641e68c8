"""Recipes for machines that are not here: their settings train a tiny model of the same architecture."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from rac.config import find_recipe, load_recipe
from rac.training.packing import Tree
from rac.training.preference import train_preference
from rac.training.supervised import train_supervised


def tiny_qwen2(dtype: torch.dtype) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=259, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    return Qwen2ForCausalLM(config).to(dtype).eval()


def trees() -> list[Tree]:
    return [
        Tree(f"q{i}", list(range(5, 60 + i)), [[9 + i, 20, 30, 2], [9 + i, 40, 2], [9 + i, 50, 60, 70, 2]])
        for i in range(32)
    ]


def test_the_recipe_for_a_gpu_trains_two_steps_of_each_stage(tmp_path: Path) -> None:
    recipe = load_recipe(find_recipe("gpu-8b"))
    assert recipe.model.base.startswith("Qwen/Qwen2")
    assert (recipe.model.dtype, recipe.training.adapter, recipe.preference.adapter) == ("bfloat16", "lora", "lora")
    model = tiny_qwen2(getattr(torch, recipe.model.dtype))
    stage1 = train_supervised(model, trees(), recipe.training, output_dir=tmp_path / "grounded", seed=0)
    assert stage1.steps == 2 and stage1.path == "trees"
    assert stage1.trainable < 0.5 * sum(p.numel() for p in model.parameters())
    from peft import PeftModel

    grounded = PeftModel.from_pretrained(tiny_qwen2(torch.bfloat16), tmp_path / "grounded")
    before = {n: p.detach().clone() for n, p in grounded.named_parameters()}
    stage2 = train_preference(grounded, trees(), recipe.preference, output_dir=tmp_path / "rac", seed=0)
    assert stage2.steps == 2
    moved = [n for n, p in grounded.named_parameters() if not torch.equal(p, before[n])]
    assert moved and all("lora_" in name for name in moved)
    assert (tmp_path / "rac/adapter_model.safetensors").exists()


def test_adapters_of_the_embedded_model_fit_into_ten_megabytes_in_half_precision() -> None:
    recipe = load_recipe(find_recipe("claqua"))
    rank = recipe.training.lora_rank
    assert recipe.preference.lora_rank == rank
    # SmolLM2-135M: 30 layers of hidden 576, keys and values 192, feed-forward 1,536; r (in + out) for each matrix.
    pairs = [(576, 576), (576, 192), (576, 192), (576, 576), (576, 1536), (576, 1536), (1536, 576)]
    weights = 30 * rank * sum(i + o for i, o in pairs)
    assert 2 * weights < 9.9e6
