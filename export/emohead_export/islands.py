"""Which nodes compute in half precision, and which stay single: the islands.

Half precision starts at convolutions and products with weights and spreads from there; geometry,
distance fields, statistics, sampling positions and recurrent state stay single.
Who calls: ``precision.py``, whose gate asks for more islands. Not here: rewriting (``half.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from emohead.contract import StageSpec
from emohead_export.half import float_values, opset_of, supports_half

if TYPE_CHECKING:
    import onnx

__all__ = ["groups_of", "starting_half"]

_HEAVY: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "LSTM", "MatMul"})
"""Where half precision pays; MatMul and Gemm only with a weight."""
_SINGLE: Final = frozenset(
    {
        "Exp",
        "GridSample",  # ONNX Runtime's CUDA kernel takes float32 alone
        "InstanceNormalization",
        "LayerNormalization",
        "Log",
        "Pow",
        "ReduceMean",
        "ReduceSum",
        "Softmax",
        "Sqrt",
    }
)
"""Operators that lose too much, or overflow, in half precision."""
_SMALLEST_NORMAL: Final = float(np.finfo(np.float16).tiny)
_LARGEST: Final = float(np.finfo(np.float16).max)


def starting_half(spec: StageSpec, model: onnx.ModelProto) -> list[str]:
    """Choose nodes for half precision by rule.

    Parameters
    ----------
    spec : StageSpec
        Tells which outputs are recurrent state.
    model : onnx.ModelProto
        From ``clean.prepared``.

    Returns
    -------
    list of str
        Names of nodes, in the graph's order.
    """
    opset = opset_of(model)
    floats = float_values(model)
    weights = {t.name: t for t in model.graph.initializer}
    single = _positions_and_states(spec, model)
    half_values: set[str] = set()
    chosen = []
    for node in model.graph.node:
        fits = node.output[0] in floats and supports_half(node, opset) and node.name not in single
        if not fits or node.op_type in _SINGLE or _loses_constants(node, weights):
            continue
        if _is_heavy(node, weights, half_values) or half_values.intersection(node.input):
            chosen.append(node.name)
            half_values.update(node.output)
    return chosen


def groups_of(half: Iterable[str]) -> dict[str, list[str]]:
    """Group nodes by the module of the network that they came from.

    Parameters
    ----------
    half : iterable of str
        Names of nodes, ``index:/module/sub/operator``.

    Returns
    -------
    dict of str to list of str
        Names by group, in the graph's order.
    """
    groups: dict[str, list[str]] = {}
    for name in half:
        groups.setdefault(name.split(":", 1)[1].rsplit("/", 1)[0], []).append(name)
    return groups


def _is_heavy(
    node: onnx.NodeProto, weights: dict[str, onnx.TensorProto], half_values: set[str]
) -> bool:
    if node.op_type == "LSTM":
        # TensorRT-RTX cannot build an LSTM over a sequence that comes straight from a Cast.
        return node.input[0] in half_values
    return node.op_type in _HEAVY and node.input[1] in weights


def _positions_and_states(spec: StageSpec, model: onnx.ModelProto) -> set[str]:
    """Nodes between a heavy one and sampling positions or recurrent state."""
    makers = {o: n for n in model.graph.node for o in n.output}
    wanted = [s.output for s in spec.state]
    wanted += [n.input[1] for n in model.graph.node if n.op_type == "GridSample"]
    found: set[str] = set()
    while wanted:
        node = makers.get(wanted.pop())
        if node is not None and node.op_type not in _HEAVY and node.name not in found:
            found.add(node.name)
            wanted.extend(node.input)
    return found


def _loses_constants(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    """Whether a scalar such as an epsilon would become zero, denormal or infinite."""
    from onnx import TensorProto, numpy_helper

    for name in node.input:
        tensor = weights.get(name)
        if tensor is not None and tensor.data_type == TensorProto.FLOAT:
            value = np.abs(numpy_helper.to_array(tensor))
            lost = value.size == 1 and 0 < float(value.max()) < _SMALLEST_NORMAL
            if lost or float(value.max(initial=0.0)) > _LARGEST:
                return True
    return False
