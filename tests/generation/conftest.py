"""Tiny random models of several families and a byte tokenizer, small enough to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers


class ByteTokenizer:
    """Token i is byte i - 1; 0 ends."""

    eos_token_id = 0
    pad_token_id = 0

    def decode(self, ids: list[int], **_: Any) -> str:
        return bytes(i - 1 for i in ids if i > 0).decode("utf-8", errors="replace")


SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": 0,
    "pad_token_id": 0,
}  # fmt: skip


def make_tiny(family: str, **changes: Any) -> Any:
    """Return a tiny causal model with random weights, spread widely enough that no two tokens tie."""
    kinds = {
        "llama": transformers.LlamaConfig,
        "qwen2": transformers.Qwen2Config,
        "qwen3": transformers.Qwen3Config,
        "gemma": transformers.GemmaConfig,
        "mistral": transformers.MistralConfig,
    }
    own = {"mistral": {"sliding_window": None}, "gemma": {"head_dim": 8}, "qwen3": {"head_dim": 8}}.get(family, {})
    if family == "bloom":
        config: Any = transformers.BloomConfig(vocab_size=64, hidden_size=32, n_layer=2, n_head=4, eos_token_id=0)
    else:
        config = kinds[family](**{**SIZES, **own, **changes})
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    return model.eval()


@pytest.fixture(scope="session")
def tokenizer() -> ByteTokenizer:
    return ByteTokenizer()


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    return make_tiny


@pytest.fixture(scope="session")
def llama() -> Any:
    return make_tiny("llama")
