"""Writing the trained encoder as an ONNX file, in float32 or with 8-bit weights.

The graph is written node by node: the network is small, and the file then holds exactly the operators that onnxruntime
runs fast. Weights of linear layers are 8-bit in blocks with a scale each (``MatMulNBits``), activations are quantised
per row and block while running, so that no pair's score depends on the other pairs of its batch, as it would with the
usual per-tensor dynamic quantisation. Word embeddings are 8-bit with a scale per word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rac.metrics.entailment_training.model import ClaimEncoder

Array = npt.NDArray[Any]
BLOCK = 64
_OPSET, _MICROSOFT = 17, "com.microsoft"


def quantise_blocks(weight: Array, block: int = BLOCK) -> tuple[Array, Array]:
    """Quantise a linear layer's weight to 8 bits, symmetric, in blocks along its input dimension.

    Args:
        weight: (outputs, inputs) float32; inputs must be a multiple of ``block``.
        block: Weights that share a scale.

    Returns:
        (outputs, blocks, block) unsigned bytes around 128 and (outputs * blocks,) float32 scales.
    """
    outputs, inputs = weight.shape
    parts = weight.reshape(outputs, inputs // block, block)
    scales = np.abs(parts).max(axis=-1, keepdims=True) / 127.0
    scales = np.where(scales == 0, 1.0, scales)
    quantised = np.clip(np.rint(parts / scales), -127, 127) + 128
    return quantised.astype(np.uint8), scales.astype(np.float32).reshape(-1)


class _Graph:
    """Collects nodes and weights; every method returns the name of its output."""

    def __init__(self, quantised: bool) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self.quantised = quantised
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, name: str, value: Array) -> str:
        self.weights.append(self._numpy.from_array(np.asarray(value, order="C"), name))
        return name

    def node(self, op: str, inputs: list[str], *, domain: str = "", name: str = "", **attributes: Any) -> str:
        output = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def linear(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """``x @ weight.T + bias`` for a weight of shape (outputs, inputs)."""
        outputs, inputs = weight.shape
        if self.quantised:
            packed, scales = quantise_blocks(weight)
            product = self.node(
                "MatMulNBits", [x, self.weight(f"{name}.q", packed), self.weight(f"{name}.scale", scales)],
                domain=_MICROSOFT, K=inputs, N=outputs, bits=8, block_size=BLOCK, accuracy_level=4,
            )  # fmt: skip
        else:
            product = self.node("MatMul", [x, self.weight(f"{name}.w", weight.T)])
        return self.node("Add", [product, self.weight(f"{name}.b", bias)])

    def norm(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """Layer norm over the last dimension."""
        parts = [x, self.weight(f"{name}.w", weight), self.weight(f"{name}.b", bias)]
        return self.node("LayerNormalization", parts, axis=-1, epsilon=1e-12)

    def embed(self, ids: str, name: str, table: Array) -> str:
        """Rows of a table."""
        if not self.quantised:
            return self.node("Gather", [self.weight(name, table), ids])
        scales = np.abs(table).max(axis=-1, keepdims=True) / 127.0
        scales = np.where(scales == 0, 1.0, scales).astype(np.float32)
        stored = np.clip(np.rint(table / scales), -127, 127).astype(np.int8)
        rows = self.node("Cast", [self.node("Gather", [self.weight(f"{name}.q", stored), ids])], to=1)
        return self.node("Mul", [rows, self.node("Gather", [self.weight(f"{name}.scale", scales), ids])])


def export_onnx(model: ClaimEncoder, path: Path, *, quantised: bool) -> None:
    """Write ``model`` to ``path``; inputs and output are those of ``ClaimEncoder.forward``."""
    import onnx
    from onnx import TensorProto, helper

    w = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    g = _Graph(quantised)

    def linear(x: str, name: str) -> str:
        return g.linear(x, name, w[f"{name}.weight"], w[f"{name}.bias"])

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
        inputs = [linear(states, f"{name}.{part}") for part in ("query", "key", "value")]
        mixed = g.node("MultiHeadAttention", [*inputs, "", "", bias], domain=_MICROSOFT, num_heads=model.shape.heads)
        states = norm(g.node("Add", [states, linear(mixed, f"{name}.project")]), f"{name}.attention_norm")
        inner = linear(g.node("Gelu", [linear(states, f"{name}.widen")], domain=_MICROSOFT), f"{name}.narrow")
        states = norm(g.node("Add", [states, inner]), f"{name}.output_norm")
    flat = g.node("Reshape", [states, g.weight("flat", np.array([-1, model.shape.hidden], np.int64))])
    tokens = g.node("Gather", [flat, "claim_index"])
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
    hidden = g.node("Gelu", [linear(features, "dense")], domain=_MICROSOFT)
    g.quantised = False  # two outputs: nothing to gain
    g.node("Identity", [linear(hidden, "out")], name="logits")
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
