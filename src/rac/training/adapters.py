"""Which weights a stage trains: all, the upper layers, or low-rank adapters beside them."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from rac.errors import UserError
from rac.training.settings import Optimisation


def decoder_layers(model: Any) -> tuple[str, nn.ModuleList]:
    """Return the name and the list of a model's layers: its longest list of modules."""
    lists = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise UserError(
            f"{type(model).__name__} has no list of layers, so neither frozen layers nor adapters can be placed; use "
            "`adapter: full` and `frozen_layers: 0`"
        )
    return max(lists, key=lambda item: len(item[1]))


def prepare_weights(model: Any, settings: Optimisation, seed: int) -> Any:
    """Choose the trainable weights, and add adapters if asked for.

    Args:
        model: A causal language model; it is changed in place. A model that already has a ``peft`` adapter goes on
            training that adapter.
        settings: ``adapter``, ``lora_rank`` and ``frozen_layers`` are used.
        seed: Seed of new adapters' first matrices (the second ones start at 0, so nothing changes at first).

    Returns:
        The model to train, wrapped by ``peft`` if it has an adapter.

    Raises:
        UserError: if there are fewer layers than are to be frozen.
    """
    from peft import LoraConfig, PeftModel, TaskType, get_peft_model

    if isinstance(model, PeftModel):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("lora_" in name)
        return model
    name, layers = decoder_layers(model)
    if settings.frozen_layers >= len(layers):
        raise UserError(
            f"frozen_layers: {settings.frozen_layers} leaves nothing to train, because the model has {len(layers)} "
            "layers; use a smaller number"
        )
    if settings.adapter == "lora":
        kinds = sorted({
            place.rsplit(".", 1)[-1] for place, module in layers.named_modules() if isinstance(module, nn.Linear)
        })  # fmt: skip
        config = LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=settings.lora_rank,
            lora_alpha=2 * settings.lora_rank,
            lora_dropout=0.0,
            target_modules=kinds,
            layers_to_transform=list(range(settings.frozen_layers, len(layers))),
            layers_pattern=name.rsplit(".", 1)[-1],
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return get_peft_model(model, config)
    model.requires_grad_(True)
    if settings.frozen_layers:
        pattern = re.compile(rf"{re.escape(name)}\.(\d+)\.")
        for place, parameter in model.named_parameters():
            found = pattern.match(place)
            if found and int(found.group(1)) < settings.frozen_layers:
                parameter.requires_grad_(False)
        # Nothing below the first trained layer may need a gradient, or the backward pass goes all the way down.
        model.get_input_embeddings().requires_grad_(False)
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
