"""Rewriting a single-precision graph so that chosen nodes compute in half precision.

Strongly typed: every node's inputs are of one float type, Casts stand between the two; inputs and
outputs of the graph stay float32. Weights are stored in the type in which they are used.
Who calls: ``precision.py``. Not here: which nodes are chosen (``islands.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

__all__ = ["float_values", "half_graph", "opset_of", "rounded_graph", "supports_half"]

Array = NDArray[Any]
HALF_TYPE: Final = "tensor(float16)"
_MEASURES_ONLY: Final = frozenset({"Shape", "Size"})
"""Operators that look at shapes alone: they take any type."""


def float_values(model: onnx.ModelProto) -> set[str]:
    """Names of all values of a graph that are float32.

    Parameters
    ----------
    model : onnx.ModelProto
        Every type of which can be inferred.

    Returns
    -------
    set of str
        Inputs, weights, intermediate values and outputs.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    kind = onnx.TensorProto.FLOAT
    named = {v.name for v in values if v.type.tensor_type.elem_type == kind}
    return named | {t.name for t in inferred.initializer if t.data_type == kind}


def opset_of(model: onnx.ModelProto) -> int:
    """Version of the standard operators that a graph uses.

    Parameters
    ----------
    model : onnx.ModelProto
        With operators of ``ai.onnx``.

    Returns
    -------
    int
    """
    return int(next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")))


def supports_half(node: onnx.NodeProto, opset: int) -> bool:
    """Whether the operator's schema lets its first output be half precision.

    Parameters
    ----------
    node : onnx.NodeProto
        Of a standard operator.
    opset : int
        Version of the operators.

    Returns
    -------
    bool
    """
    schema = _schema(node, opset)
    return HALF_TYPE in _admitted(schema, schema.outputs[0].type_str)


def half_graph(model: onnx.ModelProto, half: Collection[str]) -> onnx.ModelProto:
    """Let the named nodes compute in half precision.

    Parameters
    ----------
    model : onnx.ModelProto
        From ``clean.prepared``.
    half : collection of str
        Names of nodes; each has a float output and an operator that supports half precision.

    Returns
    -------
    onnx.ModelProto
        Topologically sorted, strongly typed, with float32 inputs and outputs.
    """
    return _Rewriting(model, half, emulate=False).result()


def rounded_graph(model: onnx.ModelProto, half: Collection[str]) -> onnx.ModelProto:
    """Make a float32 graph that rounds wherever ``half_graph`` would, also on a CPU.

    ONNX Runtime's CPU kernels compute half-precision nodes in single precision and join
    neighbours without rounding between them, so that an overflow stays unseen. Here every result
    of a half node goes through half precision and back.

    Parameters
    ----------
    model : onnx.ModelProto
        From ``clean.prepared``.
    half : collection of str
        As for ``half_graph``.

    Returns
    -------
    onnx.ModelProto
        For measuring alone.
    """
    return _Rewriting(model, half, emulate=True).result()


class _Rewriting:
    """One pass over a graph in its order."""

    def __init__(self, model: onnx.ModelProto, half: Collection[str], *, emulate: bool) -> None:
        self._source, self._half, self._emulate = model, frozenset(half), emulate
        self._opset = opset_of(model)
        self._floats = float_values(model)
        self._constants = {t.name: t for t in model.graph.initializer}
        self._half_values: set[str] = set()
        self._made: dict[tuple[str, bool], str] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def result(self) -> onnx.ModelProto:
        import onnx

        outputs = {v.name for v in self._source.graph.output}
        for node in self._source.graph.node:
            self._convert(node, outputs)
        made = onnx.ModelProto()
        made.CopyFrom(self._source)
        for field in (made.graph.node, made.graph.initializer, made.graph.value_info):
            del field[:]
        made.graph.node.extend(self._nodes)
        made.graph.initializer.extend(self._weights.values())
        onnx.checker.check_model(made, full_check=True)
        return made

    def _convert(self, node: onnx.NodeProto, outputs: set[str]) -> None:
        import onnx

        is_half = node.name in self._half
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            copy.input[index] = self._input(node, index, name, is_half)
        self._nodes.append(copy)
        if not is_half:
            return
        if not self._emulate:
            _retype_attributes(copy)
        for index, name in enumerate(node.output):
            if name in self._floats:
                self._half_output(copy, index, name, name in outputs)

    def _input(self, node: onnx.NodeProto, index: int, name: str, is_half: bool) -> str:
        """Name of the value of the right type, made where it does not exist yet."""
        if name in self._constants and name not in self._floats:
            self._weights[name] = self._constants[name]
        if not name or name not in self._floats:
            return name
        if node.op_type in _MEASURES_ONLY and name not in self._constants:
            return name
        as_half = is_half and _follows(node, index, self._opset)
        if name in self._constants:
            return self._weight(name, as_half)
        if as_half == (name in self._half_values):
            return name
        return self._cast(name, as_half)

    def _weight(self, name: str, as_half: bool) -> str:
        import onnx

        named = f"{name}__half" if as_half else name
        if named not in self._weights:
            tensor = self._constants[name]
            if as_half:
                rounded = onnx.numpy_helper.to_array(tensor).astype(np.float16)
                kept = rounded.astype(np.float32) if self._emulate else rounded
                tensor = onnx.numpy_helper.from_array(kept, named)
            self._weights[named] = tensor
        return named

    def _cast(self, name: str, as_half: bool) -> str:
        key = (name, as_half)
        if key not in self._made:
            self._made[key] = f"{name}__{'half' if as_half else 'float'}"
            if not self._emulate:
                self._add_casts(name, self._made[key], (as_half,))
            elif as_half:
                self._add_casts(name, self._made[key], (True, False))
            else:
                self._made[key] = name
        return self._made[key]

    def _half_output(self, node: onnx.NodeProto, index: int, name: str, leaves: bool) -> None:
        """Register a half result; a graph output goes back to float32 under its own name."""
        self._half_values.add(name)
        if self._emulate:
            node.output[index] = f"{name}__exact"
            self._add_casts(node.output[index], name, (True, False))
        elif leaves:
            node.output[index] = f"{name}__half"
            self._add_casts(node.output[index], name, (False,))
            self._half_values.discard(name)
            self._made[name, True] = node.output[index]

    def _add_casts(self, source: str, target: str, chain: Iterable[bool]) -> None:
        import onnx

        chain = list(chain)
        for step, to_half in enumerate(chain):
            name = target if step == len(chain) - 1 else f"{target}__{step}"
            kind = onnx.TensorProto.FLOAT16 if to_half else onnx.TensorProto.FLOAT
            made = onnx.helper.make_node("Cast", [source], [name], name=f"cast:{name}", to=kind)
            self._nodes.append(made)
            source = name


def _retype_attributes(node: onnx.NodeProto) -> None:
    """Let nodes whose output type stands in an attribute give half precision."""
    import onnx

    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to":
            attribute.i = onnx.TensorProto.FLOAT16
        if node.op_type == "ConstantOfShape" and attribute.name == "value":
            value = onnx.numpy_helper.to_array(attribute.t).astype(np.float16)
            attribute.t.CopyFrom(onnx.numpy_helper.from_array(value))


def _follows(node: onnx.NodeProto, index: int, opset: int) -> bool:
    """Whether an input takes the node's type; the scales of Resize, for one, are always float32."""
    formal = _schema(node, opset).inputs
    kind = formal[min(index, len(formal) - 1)].type_str
    return HALF_TYPE in _admitted(_schema(node, opset), kind)


def _schema(node: onnx.NodeProto, opset: int) -> Any:
    import onnx

    return onnx.defs.get_schema(node.op_type, opset, node.domain)


def _admitted(schema: Any, kind: str) -> list[str]:
    named = (c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == kind)
    return next(named, [kind])
