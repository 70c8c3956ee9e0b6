"""Static int8: quantise and dequantise nodes around chosen convolutions and products.

Two layouts. TensorRT fuses pairs around the inputs of a node: signed, symmetric, bias in float.
ONNX Runtime's CPU kernels (VNNI) also want the results rounded, and unsigned activations.
Weights are signed; activation ranges are those of real inputs.
Who calls: ``precision.py``. Not here: which nodes are left out (its gate decides).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from emohead.machine import CPU_PROVIDER
from emohead_export.feeds import Feed

if TYPE_CHECKING:
    import onnx

__all__ = ["Layout", "Ranges", "int8_graph", "quantisable", "ranges_seen"]

Array = NDArray[Any]
Layout = Literal["tensorrt", "cpu"]
Ranges = Mapping[str, tuple[float, float]]
"""Smallest and largest number seen, by value; zero lies between them."""
_LEVELS: Final = 255
_LARGEST: Final = 127
_SMALLEST_RANGE: Final = 1e-6
"""A channel or value that is always zero gets this range instead."""
_KINDS: Final = {"tensorrt": ("Conv", "MatMul", "Gemm"), "cpu": ("Conv",)}
"""Operators that compute in int8, by layout."""


def quantisable(model: onnx.ModelProto, layout: Layout) -> list[str]:
    """Names of the nodes that can compute in int8: convolutions and products with weights.

    Parameters
    ----------
    model : onnx.ModelProto
        From ``clean.prepared``.
    layout : {"tensorrt", "cpu"}
        What will run the graph.

    Returns
    -------
    list of str
        In the graph's order.
    """
    weights = {t.name: len(t.dims) for t in model.graph.initializer}
    return [
        n.name
        for n in model.graph.node
        if n.op_type in _KINDS[layout] and weights.get(n.input[1], 0) >= 2
    ]


def ranges_seen(model: onnx.ModelProto, names: Collection[str], feeds: Sequence[Feed]) -> Ranges:
    """Ranges of what the named nodes take and give.

    Parameters
    ----------
    model : onnx.ModelProto
        From ``clean.prepared``.
    names : collection of str
        Nodes of ``quantisable``.
    feeds : sequence of Feed
        Real inputs.

    Returns
    -------
    mapping of str to (float, float)
        Of every input, and of every result behind its Relu.
    """
    import onnx
    import onnxruntime as ort

    nodes = [n for n in model.graph.node if n.name in set(names)]
    ends = _results(model, names)
    watched = list(dict.fromkeys(v for n in nodes for v in (n.input[0], ends[n.name])))
    open_ended = onnx.ModelProto()
    open_ended.CopyFrom(model)
    given = {v.name for v in model.graph.input}
    for value in set(watched) - given - {v.name for v in model.graph.output}:
        open_ended.graph.output.add(name=value)
    session = ort.InferenceSession(open_ended.SerializeToString(), providers=[CPU_PROVIDER])
    fetched = [v for v in watched if v not in given]
    ranges = dict.fromkeys(watched, (0.0, _SMALLEST_RANGE))
    for feed in feeds:
        results = session.run(fetched, feed) if fetched else []
        seen = feed | dict(zip(fetched, results, strict=True))
        for value, (low, high) in ranges.items():
            array = seen[value]
            ranges[value] = min(low, float(array.min())), max(high, float(array.max()))
    return ranges


def int8_graph(
    model: onnx.ModelProto, names: Collection[str], ranges: Ranges, layout: Layout
) -> onnx.ModelProto:
    """Quantise the named nodes.

    Parameters
    ----------
    model : onnx.ModelProto
        From ``clean.prepared``.
    names : collection of str
        Nodes of ``quantisable``.
    ranges : mapping of str to (float, float)
        From ``ranges_seen``.
    layout : {"tensorrt", "cpu"}
        What will run the graph.

    Returns
    -------
    onnx.ModelProto
        Float32 between the pairs, in and out.
    """
    return _Quantising(model, names, ranges, layout).result()


def _results(model: onnx.ModelProto, names: Collection[str]) -> dict[str, str]:
    """Value that holds each node's result: its output, or that of the Relu behind it."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node)
    found = {}
    for node in model.graph.node:
        if node.name in names:
            behind = readers.get(node.output[0], [])
            is_clipped = len(behind) == 1 and behind[0].op_type == "Relu"
            found[node.name] = behind[0].output[0] if is_clipped else node.output[0]
    return found


class _Quantising:
    """One pass over a graph in its order."""

    def __init__(
        self, model: onnx.ModelProto, names: Collection[str], ranges: Ranges, layout: Layout
    ) -> None:
        self._source, self._names, self._ranges = model, frozenset(names), ranges
        self._is_symmetric = layout == "tensorrt"
        self._weights = {t.name: t for t in model.graph.initializer}
        self._added: dict[str, onnx.TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._rounded: dict[str, str] = {}
        chosen = [n for n in model.graph.node if n.name in self._names]
        self._wanted = {n.input[0] for n in chosen}
        if layout == "cpu":
            self._wanted |= set(_results(model, self._names).values())
        self._wanted -= {v.name for v in model.graph.output}

    def result(self) -> onnx.ModelProto:
        import onnx

        for value in self._source.graph.input:
            self._round(value.name)
        for node in self._source.graph.node:
            self._convert(node)
            for value in node.output:
                self._round(value)
        made = onnx.ModelProto()
        made.CopyFrom(self._source)
        for field in (made.graph.node, made.graph.initializer, made.graph.value_info):
            del field[:]
        made.graph.node.extend(self._nodes)
        used = {name for n in self._nodes for name in n.input}
        kept = (t for t in (*self._weights.values(), *self._added.values()) if t.name in used)
        made.graph.initializer.extend(kept)
        onnx.checker.check_model(made, full_check=True)
        return made

    def _convert(self, node: onnx.NodeProto) -> None:
        import onnx

        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            copy.input[index] = self._rounded.get(name, name)
        if node.name in self._names:
            copy.input[1] = self._weight(node)
        self._nodes.append(copy)

    def _round(self, value: str) -> None:
        """Let a value go through int8; everything behind it takes the rounded one."""
        if value not in self._wanted:
            return
        low, high = self._ranges[value]
        if self._is_symmetric:
            names = self._constants(value, max(-low, high) / _LARGEST, np.int8(0))
        else:
            scale = max(high - low, _SMALLEST_RANGE) / _LEVELS
            names = self._constants(value, scale, np.uint8(round(-low / scale)))
        self._add("QuantizeLinear", [value, *names], f"{value}__int8")
        self._add("DequantizeLinear", [f"{value}__int8", *names], f"{value}__rounded")
        self._rounded[value] = f"{value}__rounded"

    def _weight(self, node: onnx.NodeProto) -> str:
        """Store weights as int8, with a scale per output channel of a convolution."""
        import onnx

        name = node.input[1]
        stored, result = f"{name}__int8", f"{name}__rounded"
        if stored not in self._added:
            weight = onnx.numpy_helper.to_array(self._weights[name])
            # ONNX Runtime's integer products take one scale alone; its convolutions many.
            is_product = node.op_type != "Conv"
            others = None if is_product else tuple(range(1, weight.ndim))
            scale = np.abs(weight).max(axis=others, keepdims=True).clip(_SMALLEST_RANGE) / _LARGEST
            self._tensor(stored, np.rint(weight / scale).astype(np.int8))
            names = self._constants(
                name, scale.flat[0] if is_product else scale.ravel(), np.int8(0)
            )
            self._add("DequantizeLinear", [stored, *names], result, axis=0)
        return result

    def _constants(self, name: str, scale: Any, zero: Any) -> tuple[str, str]:
        self._tensor(f"{name}__scale", np.asarray(scale, np.float32))
        self._tensor(f"{name}__zero", np.full(np.shape(scale), zero))
        return f"{name}__scale", f"{name}__zero"

    def _tensor(self, name: str, value: Array) -> None:
        import onnx

        self._added[name] = onnx.numpy_helper.from_array(value, name)

    def _add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        import onnx

        made = onnx.helper.make_node(kind, inputs, [output], name=f"q:{output}", **attributes)
        self._nodes.append(made)
