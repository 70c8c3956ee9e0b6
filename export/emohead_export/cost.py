"""What one run of a graph costs: multiply-accumulates and bytes, node by node.

Shapes are those of a real run, so no operator's shape rule is repeated here.
Who calls: ``packing.py`` for the manifest, ``roofline.py``. Not here: time, which depends on the
machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.agreement import natural_inputs
from emohead.contract import StageSpec
from emohead.machine import CPU_PROVIDER
from emohead.stages import BATCH

if TYPE_CHECKING:
    import onnx

__all__ = ["GraphCost", "NodeCost", "graph_cost"]

Array = NDArray[Any]
Values = Mapping[str, Array]

_VIEWS: Final = frozenset(
    ("Constant", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze")
)
"""What moves no data."""
_PICKERS: Final = frozenset(("Gather", "GatherElements", "GatherND", "Slice", "Split"))
"""What reads no more than it gives."""


@dataclass(frozen=True, kw_only=True)
class NodeCost:
    """One node's share."""

    op: str
    """Operator."""
    macs: int
    """Multiply-accumulates of convolutions, products and recurrent layers; of others 0."""
    num_bytes: int
    """Bytes of all inputs and outputs, each read or written once."""


@dataclass(frozen=True, kw_only=True)
class GraphCost:
    """One run of a graph."""

    nodes: tuple[NodeCost, ...]
    """Nodes that move data, in graph order."""
    weight_bytes: int
    """Stored numbers."""
    io_bytes: int
    """The graph's inputs and outputs."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(n.macs for n in self.nodes)

    @property
    def compulsory_bytes(self) -> int:
        """What must move even if nothing between input and output leaves the chip."""
        return self.weight_bytes + self.io_bytes

    @property
    def traffic_bytes(self) -> int:
        """What moves when every node reads its inputs from memory and writes its outputs there."""
        return sum(n.num_bytes for n in self.nodes)


def graph_cost(spec: StageSpec, model: bytes, batch: int = 1) -> GraphCost:
    """Count what one run of a stage's graph costs.

    Parameters
    ----------
    spec : StageSpec
        Contract; gives the inputs.
    model : bytes
        Content of the ONNX file.
    batch : int
        Items of the run; every other axis has its opt length.

    Returns
    -------
    GraphCost
    """
    import onnx
    from onnx import numpy_helper

    graph_model = onnx.load_model_from_string(model)
    graph = graph_model.graph
    stored = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    feed = _repeated(spec, batch)
    values = {**stored, **feed, **_all_values(graph_model, feed)}
    ends = [values[name] for name in (*spec.input_names, *spec.output_names)]
    return GraphCost(
        nodes=tuple(_node_cost(n, values) for n in graph.node if n.op_type not in _VIEWS),
        weight_bytes=sum(a.nbytes for a in stored.values()),
        io_bytes=sum(a.nbytes for a in ends),
    )


def _repeated(spec: StageSpec, batch: int) -> dict[str, Array]:
    """One sample of the spec as often as the batch is large."""
    feed = natural_inputs(spec, "opt")
    axes = {t.name: t.dims.index(BATCH) for t in spec.inputs}
    return {name: np.repeat(array, batch, axis=axes[name]) for name, array in feed.items()}


def _all_values(model: onnx.ModelProto, feed: Values) -> dict[str, Array]:
    """Run the graph as written and keep what every node gives."""
    import onnx
    import onnxruntime as ort

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {v.name for v in watched.graph.output}
    names = [name for node in watched.graph.node for name in node.output if name]
    watched.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=[CPU_PROVIDER])
    return dict(zip(names, session.run(names, dict(feed)), strict=True))


def _node_cost(node: onnx.NodeProto, values: Values) -> NodeCost:
    count = _MACS.get(node.op_type)
    given = [values[name] for name in node.output if name]
    taken = [values[name] for name in dict.fromkeys(node.input) if name]
    if node.op_type in _PICKERS:
        taken = given
    return NodeCost(
        op=node.op_type,
        macs=count(node, values) if count is not None else 0,
        num_bytes=sum(a.nbytes for a in (*taken, *given)),
    )


def _conv(node: onnx.NodeProto, values: Values) -> int:
    kernel = values[node.input[1]].shape
    return int(values[node.output[0]].size) * math.prod(kernel[1:])


def _transposed_conv(node: onnx.NodeProto, values: Values) -> int:
    kernel = values[node.input[1]].shape
    return int(values[node.input[0]].size) * math.prod(kernel[1:])


def _matmul(node: onnx.NodeProto, values: Values) -> int:
    return int(values[node.output[0]].size) * int(values[node.input[0]].shape[-1])


def _gemm(node: onnx.NodeProto, values: Values) -> int:
    from onnx import helper

    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    inner = values[node.input[0]].shape[0 if attributes.get("transA") else 1]
    return int(values[node.output[0]].size) * int(inner)


def _einsum(node: onnx.NodeProto, values: Values) -> int:
    from onnx import helper

    equation = helper.get_attribute_value(node.attribute[0]).decode()
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    lengths: dict[str, int] = {}
    for term, name in zip(terms, node.input, strict=True):
        lengths.update(zip(term, values[name].shape, strict=True))
    return math.prod(lengths.values()) if len(terms) > 1 else 0


def _recurrent(node: onnx.NodeProto, values: Values) -> int:
    sequence, weights, recurrence = (values[name] for name in node.input[:3])
    return int(np.prod(sequence.shape[:2])) * int(weights.size + recurrence.size)


_MACS: Final[Mapping[str, Callable[[onnx.NodeProto, Values], int]]] = MappingProxyType(
    {
        "Conv": _conv,
        "ConvTranspose": _transposed_conv,
        "Einsum": _einsum,
        "GRU": _recurrent,
        "Gemm": _gemm,
        "LSTM": _recurrent,
        "MatMul": _matmul,
        "RNN": _recurrent,
    }
)
