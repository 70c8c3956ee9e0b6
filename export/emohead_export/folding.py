"""Constant parts of a graph become initialisers, so that every kernel is stored as it is used.

Who calls: ``graph.py``, after the exporter, which leaves some arithmetic on weights in the graph:
ONNX Runtime would fold it at every load, quantisers and TensorRT want kernels that are constants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import onnx

__all__ = ["fold_weights"]

FOLDED_OPS: Final = frozenset({"Add", "Concat", "Slice", "Split", "Sub", "Transpose"})
"""What shares out or combines kernels."""


def fold_weights(model: onnx.ModelProto) -> None:
    """Evaluate, in place, what only rearranges or adds floating-point initialisers.

    Parameters
    ----------
    model : onnx.ModelProto
        Nodes in topological order; initialisers that nothing uses afterwards are removed.
    """
    from onnx import numpy_helper

    graph = model.graph
    known: dict[str, Any] = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            known[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    kept, made = [], {}
    for node in graph.node:
        if _is_folded(node, known):
            made.update(_evaluated(node, known, model.opset_import))
            known.update(made)
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input} | {v.name for v in graph.output}
    kept = [n for n in kept if n.op_type != "Constant" or n.output[0] in used]
    stored = [i for i in graph.initializer if i.name in used]
    stored += [numpy_helper.from_array(made[n], n) for n in made if n in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(stored)


def _is_folded(node: onnx.NodeProto, known: dict[str, Any]) -> bool:
    inputs = [name for name in node.input if name]
    return (
        node.op_type in FOLDED_OPS
        and all(name in known for name in inputs)
        and known[inputs[0]].ndim == 4
        and known[inputs[0]].dtype.kind == "f"
    )


def _evaluated(node: onnx.NodeProto, known: dict[str, Any], opsets: Any) -> dict[str, Any]:
    """Run one node alone."""
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    names = [name for name in node.input if name]
    inputs = [onnx.helper.make_tensor_value_info(n, 0, None) for n in names]
    outputs = [onnx.helper.make_tensor_value_info(n, 0, None) for n in node.output]
    alone = onnx.helper.make_graph([node], "constant", inputs, outputs)
    runner = ReferenceEvaluator(onnx.helper.make_model(alone, opset_imports=opsets))
    values = runner.run(None, {n: known[n] for n in names})
    made = [np.ascontiguousarray(v) for v in values]
    return dict(zip(node.output, made, strict=True))
