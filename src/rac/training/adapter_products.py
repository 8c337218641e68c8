"""Low-rank adapters in training with fewer passes over memory: y = x Wᵀ + s (x Aᵀ) Bᵀ as one operation.

``peft`` computes the adapter's part beside the layer's, scales it, adds it, and keeps every step for the backward pass,
where the two gradients of x are added again. On a CPU the products themselves are a small part of a training step with
adapters; that traffic is a large one. Here the second product adds to the first in place, the scale is a factor of the
product, and so in the backward pass. The values are those of ``peft`` up to rounding (tested), with fewer roundings
under mixed precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


class _AdaptedProduct(torch.autograd.Function):
    """x [n, in], frozen W [out, in], A [r, in], B [out, r] -> x Wᵀ + s (x Aᵀ) Bᵀ [n, out]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, frozen: Tensor, down: Tensor, up: Tensor, scale: float) -> Tensor:
        ctx.kinds = (x.dtype, down.dtype, up.dtype)
        device = x.device.type
        kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        x, frozen, down, up = x.to(kind), frozen.to(kind), down.to(kind), up.to(kind)
        with torch.autocast(device, enabled=False):
            low = x @ down.t()
            out = (x @ frozen.t()).addmm_(low, up.t(), alpha=scale)
        ctx.scale = scale
        ctx.save_for_backward(x, frozen, down, up, low)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, frozen, down, up, low = ctx.saved_tensors
        of_x, of_down, of_up = ctx.kinds
        low_grad = (grad @ up).mul_(ctx.scale)
        x_grad = (grad @ frozen).addmm_(low_grad, down).to(of_x) if ctx.needs_input_grad[0] else None
        return x_grad, None, (low_grad.t() @ x).to(of_down), (grad.t() @ low).mul_(ctx.scale).to(of_up), None


def _forward(layer: Any, name: str, x: Tensor) -> Tensor:
    frozen = layer.base_layer
    out: Tensor = _AdaptedProduct.apply(  # type: ignore[no-untyped-call]
        x.reshape(-1, x.shape[-1]), frozen.weight, layer.lora_A[name].weight, layer.lora_B[name].weight,
        layer.scaling[name],
    )  # fmt: skip
    if frozen.bias is not None:
        out = out + frozen.bias.to(out.dtype)
    return out.view(*x.shape[:-1], -1)


def plain_adapters(model: Any) -> list[tuple[Any, str]]:
    """Return the adapted layers that ``quick_adapters`` can compute, each with the name of its adapter.

    Those are linear layers with one active adapter, without dropout, a bias of the adapter or another variant of LoRA,
    whose own weights are frozen.
    """
    from peft.tuners.lora import Linear

    found = []
    for layer in model.modules():
        if type(layer) is not Linear or type(layer.base_layer) is not nn.Linear or layer.fan_in_fan_out:
            continue
        names = [name for name in layer.active_adapters if name in layer.lora_A]
        if len(names) != 1 or layer.merged or layer.disable_adapters or names[0] in layer.lora_variant:
            continue
        own = (layer.base_layer.weight, layer.base_layer.bias)
        dropout = layer.lora_dropout[names[0]]
        if any(weight is not None and weight.requires_grad for weight in own) or not isinstance(dropout, nn.Identity):
            continue
        if layer.lora_B[names[0]].bias is None and layer.lora_A[names[0]].bias is None:
            found.append((layer, names[0]))
    return found


@contextmanager
def quick_adapters(layers: list[tuple[Any, str]]) -> Iterator[None]:
    """Compute the layers that ``plain_adapters`` found in the way of this module; outside the block they are as before.

    Args:
        layers: Adapted layers with the names of their adapters.
    """
    for layer, name in layers:
        layer.forward = partial(_forward, layer, name)
    try:
        yield
    finally:
        for layer, _ in layers:
            vars(layer).pop("forward", None)
