"""Which ONNX operators an engine may be built from: no plugin, GridSample of rank 4 only.

Who calls: ``build.py`` before it parses, and the test over the shipped bundle.
Not here: control flow and opset of exported graphs (``emohead_export.graph``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from emohead.errors import BundleError

if TYPE_CHECKING:
    import onnx

__all__ = ["ALLOWED_OPERATORS", "check_operators"]

_SHAPES: Final = (
    "Concat ConstantOfShape DepthToSpace Expand Flatten Gather Pad Reshape Resize Shape Slice "
    "Split Squeeze Transpose Unsqueeze"
)
_ARITHMETIC: Final = (
    "Abs Add Clip Div Exp Log Max Min Mod Mul Neg Pow Reciprocal ReduceMax ReduceMean ReduceMin "
    "ReduceSum Sqrt Sub"
)
_LOGIC: Final = "And Cast Constant Equal Greater Identity Less Not Or Where"
_LAYERS: Final = (
    "AveragePool BatchNormalization Conv ConvTranspose Gemm GlobalAveragePool GridSample "
    "InstanceNormalization LSTM LayerNormalization LeakyRelu MatMul Relu Sigmoid Softmax Tanh"
)
_QUANTISATION: Final = "DequantizeLinear QuantizeLinear"
ALLOWED_OPERATORS: Final = frozenset(
    " ".join((_SHAPES, _ARITHMETIC, _LOGIC, _LAYERS, _QUANTISATION)).split()
)
"""Operators of ai.onnx that every supported TensorRT parses natively."""
GRID_RANK: Final = 4


def check_operators(stage: str, model: onnx.ModelProto) -> None:
    """Refuse a graph that TensorRT could build only with a plugin, or not at all.

    Parameters
    ----------
    stage : str
        Name of the stage, for the message.
    model : onnx.ModelProto
        The graph.

    Raises
    ------
    BundleError
        With the first node that is not allowed, and why.
    """
    for node, problem in _problems(model):
        raise BundleError(
            f"{stage}: expected only operators that every TensorRT builds without plugins, got "
            f"{problem} at node {node}; write it with allowed operators "
            "(emohead_engines.operators) and export the stage again"
        )


def _problems(model: onnx.ModelProto) -> Iterator[tuple[str, str]]:
    ranks = None
    for node in model.graph.node:
        label = repr(node.name or node.output[0])
        if node.domain not in ("", "ai.onnx"):
            yield label, f"{node.op_type} of the domain {node.domain}, a plugin"
        elif node.op_type not in ALLOWED_OPERATORS:
            yield label, node.op_type
        elif node.op_type == "GridSample":
            ranks = _ranks(model) if ranks is None else ranks
            for name in node.input:
                if ranks.get(name) != GRID_RANK:
                    yield label, f"GridSample of rank {ranks.get(name, 'unknown')}, not {GRID_RANK}"


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    """Rank of every tensor whose shape can be inferred."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    values = (*graph.input, *graph.output, *graph.value_info)
    ranks = {
        v.name: len(v.type.tensor_type.shape.dim)
        for v in values
        if v.type.tensor_type.HasField("shape")
    }
    return ranks | {i.name: len(i.dims) for i in graph.initializer}
