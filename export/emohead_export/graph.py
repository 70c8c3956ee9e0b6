"""One network to one ONNX graph, and the checks that need no execution.

Legacy exporter, opset of the spec: the newer one freezes axes silently. Axes are checked anyway.
Who calls: ``packing.py``, the parity tests. Not here: comparing results (``parity.py``).
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from emohead.contract import StageSpec, TensorSpec, dynamic_axes, sample_inputs
from emohead.errors import ContractError, ParityError
from emohead_export.folding import fold_weights

if TYPE_CHECKING:
    import onnx
    from torch import nn

__all__ = ["check_graph", "export_graph", "set_metadata"]

log = logging.getLogger(__name__)

FORBIDDEN_OPS: Final = frozenset(
    {"If", "Loop", "NonMaxSuppression", "NonZero", "Optional", "Scan", "SequenceAt", "Unique"}
)
"""Control flow and data-dependent shapes: TensorRT and CUDA graphs take none of them."""


def export_graph(
    spec: StageSpec, module: nn.Module, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """Export a network in single precision.

    Parameters
    ----------
    spec : StageSpec
        Contract; gives names, axes, opset and sample inputs.
    module : torch.nn.Module
        In evaluation mode; takes the spec's inputs in order and returns its outputs in order.
    metadata : mapping of str to str
        Stored in the graph.

    Returns
    -------
    onnx.ModelProto
        Checked against the spec, without external data.

    Raises
    ------
    ParityError
        When the graph breaks the contract.
    """
    import onnx
    import torch

    samples = tuple(torch.from_numpy(x) for x in sample_inputs(spec).values())
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(record=True) as heard,
        torch.no_grad(),
    ):
        file = Path(folder) / "graph.onnx"
        warnings.simplefilter("always")
        torch.onnx.export(
            module,
            samples,
            file,
            input_names=list(spec.input_names),
            output_names=list(spec.output_names),
            dynamic_axes=dynamic_axes(spec),
            opset_version=spec.opset,
            do_constant_folding=True,
            dynamo=False,
        )
        model = onnx.load(file)
    for warning in heard:
        log.debug("%s: %s", spec.name, str(warning.message).splitlines()[0])
    fold_weights(model)
    _strip(model)
    _declare_outputs(spec, model)
    set_metadata(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    check_graph(spec, model)
    return model


def set_metadata(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """Replace a graph's key-value metadata.

    Parameters
    ----------
    model : onnx.ModelProto
        Changed in place.
    metadata : mapping of str to str
        What it holds afterwards.
    """
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)


def check_graph(spec: StageSpec, model: onnx.ModelProto) -> None:
    """Compare a graph with its spec: names, order, axes, opset, operators, external data.

    Parameters
    ----------
    spec : StageSpec
        Contract.
    model : onnx.ModelProto
        Graph to examine.

    Raises
    ------
    ParityError
        With every difference found.
    """
    graph = model.graph
    problems = [
        *_check_tensors(spec.inputs, graph.input, "input"),
        *_check_tensors(spec.outputs, graph.output, "output"),
        *_check_nodes(spec, model),
    ]
    if problems:
        raise ParityError(
            f"{spec.name}: expected a graph that keeps its spec, got {'; '.join(problems)}; "
            "mend the module's forward, or raise the spec's version if the spec is wrong"
        )


def _check_tensors(
    tensors: Iterable[TensorSpec], values: Iterable[onnx.ValueInfoProto], kind: str
) -> list[str]:
    wanted, found = {t.name: t for t in tensors}, {v.name: v for v in values}
    if list(wanted) != list(found):
        return [f"{kind}s {list(found)} instead of {list(wanted)}"]
    return [p for name, t in wanted.items() for p in _check_axes(t, found[name])]


def _check_axes(tensor: TensorSpec, value: onnx.ValueInfoProto) -> list[str]:
    import onnx

    kind = value.type.tensor_type
    element = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
    if element != tensor.dtype:
        return [f"{tensor.name} is {element}, not {tensor.dtype}"]
    if len(kind.shape.dim) != len(tensor.dims):
        return [f"{tensor.name} has {len(kind.shape.dim)} axes, not {len(tensor.dims)}"]
    problems = []
    for dim, axis in zip(tensor.dims, kind.shape.dim, strict=True):
        found: Any = axis.dim_value if axis.HasField("dim_value") else axis.dim_param
        if found != (dim.name if dim.is_dynamic else dim.min):
            state = "dynamic" if dim.is_dynamic else f"fixed at {dim.min}"
            problems.append(f"{tensor.name}: axis {dim.name} is {found!r}, it must be {state}")
    return problems


def _check_nodes(spec: StageSpec, model: onnx.ModelProto) -> list[str]:
    import onnx

    opsets = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    problems = []
    if opsets != {"ai.onnx": spec.opset}:
        problems.append(f"operator sets {opsets} instead of ai.onnx {spec.opset}")
    foreign = sorted({n.op_type for n in model.graph.node} & FORBIDDEN_OPS)
    if foreign:
        problems.append(f"operators {foreign}, which are not allowed")
    if any(onnx.external_data_helper.uses_external_data(t) for t in model.graph.initializer):
        problems.append("weights stored outside the file")
    inner = [n.name for n in model.graph.node for a in n.attribute if a.HasField("g")]
    if inner:
        problems.append(f"nodes with sub-graphs: {inner}")
    return problems


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's source paths: they change from machine to machine."""
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""


def _declare_outputs(spec: StageSpec, model: onnx.ModelProto) -> None:
    """Write the spec's lengths where the exporter inferred none, never over an inferred one."""
    if [v.name for v in model.graph.output] != list(spec.output_names):
        raise ContractError(
            f"{spec.name}: expected outputs {list(spec.output_names)}, the module returned "
            f"{len(model.graph.output)}; return one tensor per output of the spec, in its order"
        )
    for tensor, value in zip(spec.outputs, model.graph.output, strict=True):
        axes = value.type.tensor_type.shape.dim
        for dim, axis in zip(tensor.dims, axes, strict=False):
            if not dim.is_dynamic and not axis.HasField("dim_value"):
                axis.dim_value = dim.min
