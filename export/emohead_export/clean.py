"""A golden graph made ready for rewriting: constants as weights, no additions of zeros.

Who calls: ``precision.py``. Not here: changing what is computed (``half.py``, ``quantise.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

__all__ = ["prepared"]


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a graph with every constant as an initialiser and a unique name on every node.

    Additions of zeros disappear, for TensorRT-RTX cannot build one behind a 1-D convolution.

    Parameters
    ----------
    model : onnx.ModelProto
        A golden graph.

    Returns
    -------
    onnx.ModelProto
        Computes the same.
    """
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    nodes = list(made.graph.node)
    del made.graph.node[:]
    for index, node in enumerate(nodes):
        value = next((a.t for a in node.attribute if a.name == "value"), None)
        if node.op_type == "Constant" and value is not None:
            tensor = made.graph.initializer.add()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
        else:
            node.name = f"{index}:{node.name}"
            made.graph.node.append(node)
    while _drop_zero_additions(made):
        pass  # without one, the shapes behind it become known
    _drop_unused(made)
    onnx.checker.check_model(made, full_check=True)
    return made


def _drop_zero_additions(model: onnx.ModelProto) -> bool:
    """Drop those that can be proven void; whether there were any."""
    graph = model.graph
    shapes = _shapes(model)
    measured = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Shape"}
    outputs = {v.name for v in graph.output}
    zeros: set[str] = set()
    renamed: dict[str, str] = {}
    kept = []
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
        result = node.output[0]
        if _makes_zeros(node):
            zeros.add(result)
            shapes[result] = shapes.get(measured.get(node.input[0], ""), [])
        spared = [x for x in node.input if x not in zeros]
        if node.op_type == "Add" and len(spared) == 1 and result not in outputs:
            void = next(x for x in node.input if x in zeros)
            if _is_within(shapes.get(void, []), shapes.get(spared[0], [])):
                renamed[result] = spared[0]
                shapes[result] = shapes[spared[0]]
                continue
        kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    return bool(renamed)


def _makes_zeros(node: onnx.NodeProto) -> bool:
    import onnx

    if node.op_type != "ConstantOfShape":
        return False
    values = [onnx.numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"]
    return not values or not values[0].any()


def _shapes(model: onnx.ModelProto) -> dict[str, list[str]]:
    """Lengths of the axes of every value, as text: a number, a name, or empty if unknown."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    axes = {v.name: v.type.tensor_type.shape.dim for v in values}
    return {
        name: [str(d.dim_value) if d.HasField("dim_value") else d.dim_param for d in dims]
        for name, dims in axes.items()
    }


def _is_within(small: list[str], large: list[str]) -> bool:
    """Whether a value of the first shape broadcasts into the second without enlarging it."""
    pairs = zip(reversed(small), reversed(large), strict=False)
    return 0 < len(small) <= len(large) and all(a == "1" or a == b != "" for a, b in pairs)


def _drop_unused(model: onnx.ModelProto) -> None:
    graph = model.graph
    used = {v.name for v in graph.output}
    kept = []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            used.update(node.input)
            kept.append(node)
    weights = [t for t in graph.initializer if t.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)
