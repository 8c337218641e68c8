"""Tiny random models of several families, and random trees."""

from __future__ import annotations

import functools
from typing import Any

import torch
import transformers as t
from hypothesis import strategies as st

from rac.training.packing import Tree

VOCABULARY = 96
_SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip

TREE_FAMILIES: dict[str, Any] = {
    "llama": lambda: t.LlamaConfig(**_SHAPE),
    "qwen2": lambda: t.Qwen2Config(**_SHAPE),
    "qwen3": lambda: t.Qwen3Config(**_SHAPE, head_dim=8),
    "gemma": lambda: t.GemmaConfig(**_SHAPE, head_dim=8),
    "mistral": lambda: t.MistralConfig(**_SHAPE, sliding_window=None),
}
"""Families that the packed path must serve."""

PLAIN_FAMILIES: dict[str, tuple[Any, str]] = {
    "mistral with a window": (lambda: t.MistralConfig(**_SHAPE, sliding_window=64), "sliding window of 64"),
    "gemma 2": (lambda: t.Gemma2Config(**_SHAPE, head_dim=8, sliding_window=64), "sliding_attention"),
    "gemma 3": (lambda: t.Gemma3TextConfig(**_SHAPE, head_dim=8, sliding_window=64), "sliding_attention"),
    "qwen 2 with a window": (
        lambda: t.Qwen2Config(**_SHAPE, use_sliding_window=True, sliding_window=32, max_window_layers=1),
        "sliding_attention",
    ),
    "qwen 3 next (linear attention)": (
        lambda: t.Qwen3NextConfig(
            **_SHAPE, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
            shared_expert_intermediate_size=16,
        ),
        "linear_attention",
    ),
    "gpt-neo (local attention)": (
        lambda: t.GPTNeoConfig(
            vocab_size=VOCABULARY, hidden_size=32, num_layers=2, num_heads=4, window_size=256,
            attention_types=[[["global", "local"], 1]], max_position_embeddings=256, bos_token_id=1, eos_token_id=2,
        ),
        "local",
    ),
    "bloom (alibi, no position ids)": (
        lambda: t.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4), "refuses a tree mask",
    ),
    "mpt (alibi, no position ids)": (
        lambda: t.MptConfig(vocab_size=VOCABULARY, d_model=32, n_layers=2, n_heads=4, max_seq_len=256),
        "does not follow the mask or the position ids",
    ),
}  # fmt: skip
"""Families that it must not serve, and what the reason given contains."""


def make_model(config: Any, seed: int = 0, spread: float = 3.0) -> Any:
    """A random model with weights larger than usual, so that a wrong mask is visible in the numbers."""
    torch.manual_seed(seed)
    model = t.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(spread)
    return model.eval()


@functools.cache
def model_of(family: str) -> Any:
    """The model of a family, made once."""
    return make_model(TREE_FAMILIES[family]())


def tiny_llama(seed: int = 0) -> Any:
    return make_model(TREE_FAMILIES["llama"](), seed)


_token = st.integers(3, VOCABULARY - 1)
_few = st.integers(3, 6)  # few different tokens, so that branches often begin alike


@st.composite
def random_trees(draw: st.DrawFn, most: int = 4) -> list[Tree]:
    """One to ``most`` trees: prompts from one token on, branches from one token on, shared beginnings, duplicates."""
    trees = []
    for number in range(draw(st.integers(1, most))):
        prompt = draw(st.lists(_token, min_size=1, max_size=14))
        branches = draw(
            st.lists(
                st.one_of(st.lists(_token, min_size=1, max_size=7), st.lists(_few, min_size=1, max_size=6)),
                min_size=1, max_size=5,
            )
        )  # fmt: skip
        trees.append(Tree(f"t{number}", prompt, branches))
    return trees


def fixed_trees(count: int, seed: int = 0, branches: int = 3) -> list[Tree]:
    """Trees of varied sizes from a seed."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(low: int, high: int) -> list[int]:
        size = int(torch.randint(low, high + 1, (1,), generator=generator))
        return torch.randint(3, VOCABULARY, (size,), generator=generator).tolist()

    return [
        Tree(f"t{number}", tokens(4, 14), [[*tokens(1, 6), 2] for _ in range(1 + number % branches)])
        for number in range(count)
    ]


def fixed_pairs(count: int, seed: int = 0) -> list[Tree]:
    """Trees with one chosen and one to three rejected branches."""
    return [Tree(tree.id, tree.prompt_ids, [[5, 6, 2], *tree.branches]) for tree in fixed_trees(count, seed)]


def gradients_of(model: Any, logps: torch.Tensor, weights: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradients of sum(weights * logps), by parameter."""
    model.zero_grad()
    (weights * logps).sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same_gradients(
    found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], weights: torch.Tensor
) -> None:
    """Gradients of sum(weights * logps) agree within 1e-3, or within rounding where they cancel out or are zero.

    A query that sees one key has a gradient of exactly 0, which the textbook's softmax gives as 1e-8 and less; a
    branch's gradient in these models is of the order of 1 to 10.
    """
    assert found.keys() == expected.keys()
    rounding = 1e-6 * float(weights.abs().sum())
    for name, gradient in expected.items():
        off = float((found[name] - gradient).norm())
        assert off <= 1e-3 * float(gradient.norm()) + rounding, name
