"""Which weights a stage trains: all, or low-rank adapters beside them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from rac.errors import UserError
from rac.models import without_foreign_deprecations
from rac.training.settings import Optimisation


def decoder_layers(model: Any) -> tuple[str, nn.ModuleList]:
    """Return the name and the list of a model's layers: its longest list of modules."""
    lists = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise UserError(
            f"{type(model).__name__} has no list of layers, so adapters cannot be placed; use `adapter: full`"
        )
    return max(lists, key=lambda item: len(item[1]))


def prepare_weights(model: Any, settings: Optimisation, seed: int) -> Any:
    """Choose the trainable weights, and add adapters if asked for.

    Args:
        model: A causal language model; it is changed in place. A model that already has a ``peft`` adapter goes on
            training that adapter.
        settings: ``adapter`` and ``lora_rank`` are used.
        seed: Seed of new adapters' first matrices (the second ones start at 0, so nothing changes at first).

    Returns:
        The model to train, wrapped by ``peft`` if it has an adapter.

    Raises:
        UserError: if adapters are asked for and the model has no list of layers.
    """
    from peft import LoraConfig, PeftModel, TaskType, get_peft_model

    if isinstance(model, PeftModel):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("lora_" in name)
        return model
    if settings.adapter == "lora":
        name, layers = decoder_layers(model)
        kinds = sorted({
            place.rsplit(".", 1)[-1] for place, module in layers.named_modules() if isinstance(module, nn.Linear)
        })  # fmt: skip
        config = LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=settings.lora_rank,
            lora_alpha=2 * settings.lora_rank,
            lora_dropout=0.0,
            target_modules=kinds,
            layers_to_transform=list(range(len(layers))),
            layers_pattern=name.rsplit(".", 1)[-1],
        )
        with torch.random.fork_rng(), without_foreign_deprecations():
            torch.manual_seed(seed)
            return get_peft_model(model, config)
    model.requires_grad_(True)
    return model


def trainable_bytes(model: Any) -> tuple[int, int]:
    """Return the bytes of the trained weights and of all weights."""
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    return trained, sum(p.numel() * p.element_size() for p in model.parameters())


def save_memory(model: Any) -> None:
    """Compute activations twice instead of keeping them, whatever this version of transformers calls that."""
    arguments = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=arguments)
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=arguments)
