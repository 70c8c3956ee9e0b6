"""A bundle of toy graphs with the true contract: every name, shape and state, no training.

Made from the specs with ``onnx.helper`` alone, so that tests need no torch. The outputs depend on
the inputs and the state, so that a forgotten input or a dropped state shows in a test.
Who calls: ``emohead-export tiny``, the tests. Never a fallback for trained weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.bundle import Bundle
from emohead.contract import Dim, StageSpec, TensorSpec
from emohead.errors import ContractError
from emohead.geometry.topology import TEMPLATE
from emohead.metadata import graph_metadata
from emohead.stages import (
    EMOTION_ENCODER,
    EMOTION_LANDMARKS,
    FACE_DETECTOR,
    FACE_LANDMARKS,
    NEUTRAL_LANDMARKS,
    STAGES,
)
from emohead_export.packing import write_bundle
from emohead_export.parts import Part

if TYPE_CHECKING:
    import onnx

__all__ = ["tiny_graph", "write_tiny_bundle"]

LICENCE: Final = "Apache-2.0"
INFLUENCE: Final = 1e-3
"""How strongly the mean of the inputs shifts an output."""
STRETCH: Final = 0.05
"""How much of an edge's length an emotion at full strength adds."""


def write_tiny_bundle(out: Path) -> Bundle:
    """Write the toy bundle.

    Parameters
    ----------
    out : pathlib.Path
        Folder, or a path that ends in ``.zip``.

    Returns
    -------
    Bundle
        Opened and verified.

    Raises
    ------
    BundleError
        When `out` is something else than a bundle.
    InputError
        When `out` cannot be written.
    """
    parts = [
        Part(
            spec=spec,
            model=tiny_graph(spec).SerializeToString(),
            num_parameters=0,
            licence=LICENCE,
            sources=(),
        )
        for spec in STAGES.values()
    ]
    return write_bundle(parts, out, name="tiny")


def tiny_graph(spec: StageSpec) -> onnx.ModelProto:
    """Make a toy graph of a stage.

    An output with the axes of an input repeats it, any other is a fixed pattern; both are shifted
    by a little of the mean of all inputs, taken per item of the batch (and per frame, where the
    output has frames), so that batches and chunks stay independent.

    Parameters
    ----------
    spec : StageSpec
        Contract to keep.

    Returns
    -------
    onnx.ModelProto
        Valid, a few kilobytes.
    """
    import onnx
    from onnx import helper

    graph = _Graph()
    for tensor in spec.outputs:
        graph.output(spec, tensor)
    made = helper.make_graph(
        graph.nodes,
        spec.name,
        [_value(t) for t in spec.inputs],
        [_value(t) for t in spec.outputs],
        graph.constants,
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", spec.opset)], ir_version=8
    )
    metadata = graph_metadata(spec, precision="fp32", licence=LICENCE)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and constants in the making."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = output or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def output(self, spec: StageSpec, tensor: TensorSpec) -> None:
        """Add what computes one output."""
        states = {s.output: s.input for s in spec.state}
        if tensor.name in states and any(d.is_dynamic for d in _own_axes(spec, tensor)):
            # How often a stage with a free chunk length is called must not show in its state.
            self.node("Identity", states[tensor.name], output=tensor.name)
            return
        twins = [t.name for t in spec.inputs if _axes(t) == _axes(tensor)]
        twin = states.get(tensor.name) or (twins[0] if twins else None)
        base = twin or self.constant(_pattern(spec, tensor))
        change = self._style(base) if spec is EMOTION_LANDMARKS else self._shift(spec, tensor)
        total = self.node("Add", base, change)
        spread = self.node("Expand", total, self._shape(spec, tensor))
        if not tensor.unit.startswith("RGB"):
            self.node("Identity", spread, output=tensor.name)
            return
        low, high = (self.constant(np.array(x, np.float32)) for x in (tensor.low, tensor.high))
        self.node("Clip", spread, low, high, output=tensor.name)

    def _shift(self, spec: StageSpec, tensor: TensorSpec) -> str:
        """Return a small multiple of the means of all inputs."""
        total, *others = [self._mean(source, tensor) for source in spec.inputs]
        for mean in others:
            total = self.node("Add", total, mean)
        return self.node("Mul", total, self.constant(np.array([INFLUENCE], np.float32)))

    def _style(self, edges: str) -> str:
        """Stretch all edges by the emotion, except by its first class, which is neutral."""
        emotion = EMOTION_LANDMARKS.inputs[1]
        stretch = np.full((emotion.dims[1].min, 1), STRETCH, np.float32)
        stretch[0] = 0.0
        share = self.node("MatMul", emotion.name, self.constant(stretch))
        axis = self.constant(np.array([2], np.int64))
        return self.node("Mul", edges, self.node("Unsqueeze", share, axis))

    def _mean(self, source: TensorSpec, target: TensorSpec) -> str:
        """Mean of an input over the axes that the output does not share, shaped to broadcast."""
        shared = {d.name for d in target.dims if d.is_dynamic}
        kept = [d.name for d in source.dims if d.name in shared]
        over = [i for i, d in enumerate(source.dims) if d.name not in shared]
        mean = self.node("ReduceMean", source.name, axes=over, keepdims=0) if over else source.name
        lengths = [
            self._axis_length(mean, kept.index(d.name))
            if d.name in kept
            else self.constant(np.ones(1, np.int64))
            for d in target.dims
        ]
        return self.node("Reshape", mean, self.node("Concat", *lengths, axis=0))

    def _shape(self, spec: StageSpec, tensor: TensorSpec) -> str:
        return self.node("Concat", *(self._length(spec, d) for d in tensor.dims), axis=0)

    def _length(self, spec: StageSpec, dim: Dim) -> str:
        """Length of an axis at run time."""
        if not dim.is_dynamic:
            return self.constant(np.array([dim.min], np.int64))
        for source in spec.inputs:
            for i, d in enumerate(source.dims):
                if d.name == dim.name:
                    return self._axis_length(source.name, i)
        raise ContractError(
            f"{spec.name}: expected an input with the axis {dim.name} of its outputs, found none; "
            "mend the spec"
        )

    def _axis_length(self, value: str, axis: int) -> str:
        shape = self.node("Shape", value)
        return self.node("Gather", shape, self.constant(np.array([axis], np.int64)))


def _own_axes(spec: StageSpec, tensor: TensorSpec) -> list[Dim]:
    """Return axes of the stage's inputs that the tensor lacks."""
    names = {d.name for d in tensor.dims}
    return [d for source in spec.inputs for d in source.dims if d.name not in names]


def _axes(tensor: TensorSpec) -> list[tuple[str, int, int]]:
    return [(d.name, d.min, d.max) for d in tensor.dims]


def _value(tensor: TensorSpec) -> onnx.ValueInfoProto:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    lengths = [d.name if d.is_dynamic else d.min for d in tensor.dims]
    return helper.make_tensor_value_info(tensor.name, kind, lengths)


def _pattern(spec: StageSpec, tensor: TensorSpec) -> NDArray[np.float32]:
    """Values of an output that repeats no input; those that the pipeline acts upon make sense."""
    made: dict[tuple[str, int], NDArray[np.float64]] = {
        (FACE_DETECTOR.name, 0): np.array([[[0.25, 0.25, 0.75, 0.75]]]),
        (FACE_DETECTOR.name, 1): _one_score(),
        (FACE_LANDMARKS.name, 0): _template_face(),
        (FACE_LANDMARKS.name, 1): np.full((1, 1), 0.98),
        (EMOTION_ENCODER.name, 0): _mostly_third(),
        (NEUTRAL_LANDMARKS.name, 0): np.zeros((1, 1, 1, 1)),
    }
    middle = np.full([1] * len(tensor.dims), (tensor.low + tensor.high) / 2)
    index = spec.output_names.index(tensor.name)
    return made.get((spec.name, index), middle).astype(np.float32)


def _one_score() -> NDArray[np.float64]:
    scores = np.zeros((1, FACE_DETECTOR.outputs[1].dims[1].min))
    scores[0, scores.shape[1] // 2] = 0.95
    return scores


def _template_face() -> NDArray[np.float64]:
    """Place the template, frontal, in the middle of the crop."""
    face: NDArray[np.float64] = TEMPLATE[None] * 0.35 + np.array([0.5, 0.45, 0.0])
    return face


def _mostly_third() -> NDArray[np.float64]:
    scores = np.full((1, EMOTION_ENCODER.outputs[0].dims[1].min), 0.05)
    scores[0, 2] = 0.8
    return scores
