"""Writing the trained encoder as an ONNX file, in float32 or with 8-bit integers.

The graph is written node by node: the network is small, and the file then holds exactly the operators that onnxruntime
runs fast. In the quantised form linear layers multiply integers, with one scale per output channel and a fixed scale
per layer input that ``activations`` measured. The usual dynamic quantisation measures it anew for each batch, so that a
pair's score would depend on the other pairs of its batch, and a cache would not be exact; quantising in blocks or per
row is exact too, but three times as slow.

Channels differ by far in size. Before an input is quantised, its channels are divided by factors that move half of the
difference (in logarithms) into the weights (SmoothQuant, Xiao et al. 2023). Weights use 7 of the 8 bits, since without
VNNI instructions pairs of full products do not fit the 16 bits in which processors add them, and scores would differ
from machine to machine. Word embeddings are 8-bit with a scale per word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rac.metrics.entailment_training.model import ClaimEncoder

Array = npt.NDArray[Any]
WEIGHT_LEVELS = 63
_OPSET, _MICROSOFT = 17, "com.microsoft"


@dataclass(frozen=True)
class Activation:
    """What a linear layer's input looks like: the lowest and the highest value of each channel, shape (inputs,)."""

    low: Array
    high: Array


@dataclass(frozen=True)
class InputScale:
    """How an input is quantised: q = round(x / factors / scale) + zero, as an unsigned byte."""

    factors: Array
    scale: float
    zero: int


def activations(model: ClaimEncoder, batches: Sequence[dict[str, Any]]) -> dict[str, Activation]:
    """Return the range of every linear layer's input over some batches (``train.tensors``), by the layer's name."""
    import torch

    found: dict[str, Activation] = {}

    def note(name: str) -> Any:
        def hook(module: Any, inputs: Any) -> None:
            values = inputs[0].reshape(-1, inputs[0].shape[-1])
            low, high = values.amin(0).numpy(), values.amax(0).numpy()
            known = found.get(name, Activation(low, high))
            found[name] = Activation(np.minimum(known.low, low), np.maximum(known.high, high))

        return hook

    hooks = [
        module.register_forward_pre_hook(note(name))
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    with torch.inference_mode():
        for batch in batches:
            model(**batch)
    for hook in hooks:
        hook.remove()
    return found


def input_scale(activation: Activation, weights: Sequence[Array]) -> InputScale:
    """Choose how the common input of some linear layers is quantised; ``weights`` are (outputs, inputs) each."""
    size = np.maximum(np.maximum(np.abs(activation.low), np.abs(activation.high)), 1e-6)
    heavy = np.maximum(np.max([np.abs(w).max(axis=0) for w in weights], axis=0), 1e-6)
    factors = np.sqrt(size / heavy)
    factors = (factors / np.exp(np.log(factors).mean())).astype(np.float32)
    low = min(0.0, float((activation.low / factors).min()))
    high = max(0.0, float((activation.high / factors).max()))
    scale = max(high - low, 1e-6) / 255.0
    return InputScale(factors, scale, round(-low / scale))


def quantise_columns(weight: Array) -> tuple[Array, Array]:
    """Quantise (outputs, inputs) to (inputs, outputs) signed bytes within 7 bits and one scale per output."""
    scales = np.abs(weight).max(axis=1) / WEIGHT_LEVELS
    scales = np.where(scales == 0, 1.0, scales).astype(np.float32)
    quantised = np.clip(np.rint(weight / scales[:, None]), -WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8)
    return np.ascontiguousarray(quantised.T), scales


class _Graph:
    """Collects nodes and weights; every method returns the name of its output."""

    def __init__(self, measured: dict[str, Activation] | None) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self.measured = measured
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, name: str, value: Array) -> str:
        self.weights.append(self._numpy.from_array(np.asarray(value, order="C"), name))
        return name

    def node(self, op: str, inputs: list[str], *, domain: str = "", name: str = "", **attributes: Any) -> str:
        output = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def linear(self, x: str, layers: Sequence[tuple[str, Array, Array]], *, exact: bool = False) -> list[str]:
        """``x @ weight.T + bias`` for each (name, weight, bias), weight of shape (outputs, inputs)."""
        if self.measured is None or exact:
            return [
                self.node("Add", [self.node("MatMul", [x, self.weight(f"{n}.w", w.T)]), self.weight(f"{n}.b", b)])
                for n, w, b in layers
            ]
        first = layers[0][0]
        chosen = input_scale(self.measured[first], [w for _, w, _ in layers])
        scale = self.weight(f"{first}.in_scale", np.array(chosen.scale, np.float32))
        zero = self.weight(f"{first}.in_zero", np.array(chosen.zero, np.uint8))
        evened = self.node("Mul", [x, self.weight(f"{first}.in_factors", 1.0 / chosen.factors)])
        integers = self.node("QuantizeLinear", [evened, scale, zero])
        outputs = []
        for name, weight, bias in layers:
            packed, scales = quantise_columns(weight * chosen.factors)
            parts = [integers, self.weight(f"{name}.q", packed), scale, self.weight(f"{name}.scale", scales), zero, ""]
            outputs.append(
                self.node("MatMulIntegerToFloat", [*parts, self.weight(f"{name}.b", bias)], domain=_MICROSOFT)
            )
        return outputs

    def norm(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """Layer norm over the last dimension."""
        parts = [x, self.weight(f"{name}.w", weight), self.weight(f"{name}.b", bias)]
        return self.node("LayerNormalization", parts, axis=-1, epsilon=1e-12)

    def embed(self, ids: str, name: str, table: Array) -> str:
        """Rows of a table."""
        if self.measured is None:
            return self.node("Gather", [self.weight(name, table), ids])
        scales = np.abs(table).max(axis=-1, keepdims=True) / 127.0
        scales = np.where(scales == 0, 1.0, scales).astype(np.float32)
        stored = np.clip(np.rint(table / scales), -127, 127).astype(np.int8)
        rows = self.node("Cast", [self.node("Gather", [self.weight(f"{name}.q", stored), ids])], to=1)
        return self.node("Mul", [rows, self.node("Gather", [self.weight(f"{name}.scale", scales), ids])])


def export_onnx(model: ClaimEncoder, path: Path, measured: dict[str, Activation] | None = None) -> None:
    """Write ``model`` to ``path``; inputs and output are those of ``ClaimEncoder.forward``.

    Args:
        model: The trained network.
        path: The file.
        measured: Ranges from ``activations`` for the quantised form; None writes float32.
    """
    import onnx
    from onnx import TensorProto, helper

    w = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    g = _Graph(measured)

    def linear(x: str, *names: str, exact: bool = False) -> list[str]:
        return g.linear(x, [(n, w[f"{n}.weight"], w[f"{n}.bias"]) for n in names], exact=exact)

    def norm(x: str, name: str) -> str:
        return g.norm(x, name, w[f"{name}.weight"], w[f"{name}.bias"])

    zero = g.weight("zero", np.array(0, np.int64))
    side = g.node("Cast", [g.node("Greater", ["segments", zero])], to=TensorProto.INT64)
    states = g.node(
        "Add", [g.embed("input_ids", "words", w["words.weight"]), g.embed("position_ids", "places", w["places.weight"])]
    )
    states = norm(g.node("Add", [states, g.node("Gather", [g.weight("sides", w["sides.weight"]), side])]), "norm")
    keys = g.node("Unsqueeze", ["segments", g.weight("axes_keys", np.array([1, 2], np.int64))])
    queries = g.node("Unsqueeze", ["segments", g.weight("axes_queries", np.array([1, 3], np.int64))])
    allowed = g.node("Or", [g.node("Equal", [keys, zero]), g.node("Equal", [keys, queries])])
    bias = g.node(
        "Where", [allowed, g.weight("open", np.array(0.0, np.float32)), g.weight("shut", np.array(-1e9, np.float32))]
    )
    for i in range(model.shape.layers):
        name = f"layers.{i}"
        inputs = linear(states, f"{name}.query", f"{name}.key", f"{name}.value")
        mixed = g.node("MultiHeadAttention", [*inputs, "", "", bias], domain=_MICROSOFT, num_heads=model.shape.heads)
        if i == model.shape.layers - 1:  # from here on only the claims' tokens are needed
            flat = g.weight("flat", np.array([-1, model.shape.hidden], np.int64))
            mixed, states = (g.node("Gather", [g.node("Reshape", [x, flat]), "claim_index"]) for x in (mixed, states))
        states = norm(g.node("Add", [states, *linear(mixed, f"{name}.project")]), f"{name}.attention_norm")
        inner = linear(g.node("Gelu", linear(states, f"{name}.widen"), domain=_MICROSOFT), f"{name}.narrow")
        states = norm(g.node("Add", [states, *inner]), f"{name}.output_norm")
    tokens = states
    last, middle = g.weight("axis_last", np.array([2], np.int64)), g.weight("axis_1", np.array([1], np.int64))
    mask = g.node("Unsqueeze", [g.node("Cast", ["claim_mask"], to=TensorProto.FLOAT), last])
    mean = g.node(
        "Div",
        [
            g.node("ReduceSum", [g.node("Mul", [tokens, mask]), middle], keepdims=0),
            g.node("ReduceSum", [mask, middle], keepdims=0),
        ],
    )
    push = g.node(
        "Mul",
        [
            g.node("Sub", [mask, g.weight("one_f", np.array(1.0, np.float32))]),
            g.weight("big", np.array(1e4, np.float32)),
        ],
    )
    highest = g.node("ReduceMax", [g.node("Add", [tokens, push])], axes=[1], keepdims=0)
    first = g.node("Gather", [tokens, zero], axis=1)
    features = g.node("Concat", [first, mean, highest], axis=-1)
    # The head runs once per claim and decides: nothing to gain from integers there.
    hidden = g.node("Gelu", linear(features, "dense", exact=True), domain=_MICROSOFT)
    g.node("Identity", linear(hidden, "out", exact=True), name="logits")
    rows = ["rows", "tokens"]
    inputs_info = [
        helper.make_tensor_value_info(n, TensorProto.INT64, rows) for n in ("input_ids", "position_ids", "segments")
    ]
    inputs_info += [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["claims", "length"]) for n in ("claim_index", "claim_mask")
    ]
    graph = helper.make_graph(
        g.nodes,
        "claims",
        inputs_info,
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["claims", 2])],
        g.weights,
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)], ir_version=8
    )
    onnx.save(made, str(path))
