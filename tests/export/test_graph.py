"""Graphs that break their spec are refused, with every difference named."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from emohead.contract import Dim, StageSpec, TensorSpec, fixed, sample_inputs
from emohead.errors import ContractError, ParityError
from emohead.feeds import check_feed
from emohead.metadata import graph_metadata
from emohead.runner import OrtRunner
from emohead.stages import RENDERER, STAGES
from emohead_export.graph import check_graph, export_graph
from emohead_export.parity import check_parity, natural_inputs, relative_error
from emohead_export.tiny import tiny_graph

torch = pytest.importorskip("torch")

BATCH, WIDTH = Dim("batch", 1, 2, 4), fixed("width", 3)


def tensor(name: str, *dims: Dim) -> TensorSpec:
    return TensorSpec(name=name, dims=dims or (BATCH, WIDTH), unit="1", doc="x")


SPEC = StageSpec(name="toy", version=1, inputs=(tensor("x"),), outputs=(tensor("y"),))


class Module(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def export(spec: StageSpec, function: Any) -> onnx.ModelProto:
    return export_graph(spec, Module(function), graph_metadata(spec, precision="fp32", licence="x"))


def test_sound_graph_is_accepted_and_equal() -> None:
    module = Module(lambda x: 2 * x + 1)
    model = export(SPEC, module.function)
    assert check_parity(SPEC, module, OrtRunner(SPEC, model.SerializeToString())) < 1e-6


def test_axis_frozen_by_accident_is_found() -> None:
    module = Module(lambda x: x + torch.from_numpy(np.ones((x.shape[0], 3), np.float32)))
    model = export(SPEC, module.function).SerializeToString()
    with pytest.raises(ParityError, match=r"expected the graph to run|expected shape"):
        check_parity(SPEC, module, OrtRunner(SPEC, model))


def test_missing_output_is_found() -> None:
    spec = StageSpec(name="toy", version=1, inputs=SPEC.inputs, outputs=(tensor("y"), tensor("z")))
    with pytest.raises((ContractError, ParityError, ValueError, RuntimeError)):
        export(spec, lambda x: x + 1)


def test_unused_input_is_found() -> None:
    spec = StageSpec(name="toy", version=1, inputs=(tensor("x"), tensor("w")), outputs=SPEC.outputs)
    with pytest.raises(ParityError, match=r"inputs \['x'\] instead of \['x', 'w'\]"):
        export(spec, lambda x, w: x + 1)


def test_wrong_length_is_found_at_run_time() -> None:
    module = Module(lambda x: x.repeat(1, 2)[:, : x.shape[0] + 1])
    model = tiny_graph(SPEC).SerializeToString()
    with pytest.raises(ParityError, match=r"toy.y at min size, fp32: expected shape \(1, 3\)"):
        check_parity(SPEC, module, OrtRunner(SPEC, model))


def test_results_that_differ_are_refused() -> None:
    model = export(SPEC, lambda x: x * 1.001).SerializeToString()
    with pytest.raises(ParityError, match=r"at most 0.0001, got 0.001"):
        check_parity(SPEC, Module(lambda x: x), OrtRunner(SPEC, model))


def test_results_that_are_not_numbers_are_refused() -> None:
    model = export(SPEC, lambda x: x / (x - x)).SerializeToString()
    with pytest.raises(ParityError, match="got (nan|inf)"):
        check_parity(SPEC, Module(lambda x: x), OrtRunner(SPEC, model))


def test_difference_that_depends_on_the_batch_is_found() -> None:
    frozen = export(SPEC, lambda x: x - float(x.mean() * 0) + x.shape[0] * 0.0 + 0)
    frozen_model = OrtRunner(SPEC, frozen.SerializeToString())
    with pytest.raises(ParityError, match="at min size"):
        check_parity(SPEC, Module(lambda x: x * (1 + (x.shape[0] == 1))), frozen_model)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m: setattr(m.opset_import[0], "version", 18), "operator sets"),
        (lambda m: setattr(m.graph.node[0], "op_type", "NonZero"), "NonZero"),
        (lambda m: setattr(m.graph.input[0], "name", "q"), "inputs"),
        (lambda m: m.graph.output[0].type.tensor_type.shape.dim.pop(), "axes"),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[1], "dim_param", "n"),
            "must be fixed at 3",
        ),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 2),
            "axis batch is 2, it must be dynamic",
        ),
        (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 11), "float64"),
        (lambda m: m.opset_import.add(domain="com.microsoft", version=1), "com.microsoft"),
    ],
)
def test_graph_changed_by_hand_is_refused(change: Any, problem: str) -> None:
    model = tiny_graph(SPEC)
    change(model)
    with pytest.raises(ParityError, match=problem):
        check_graph(SPEC, model)


@pytest.mark.parametrize("spec", STAGES.values(), ids=STAGES)
def test_toy_graphs_pass_the_check_of_real_ones(spec: StageSpec) -> None:
    check_graph(spec, tiny_graph(spec))


def test_error_is_relative_to_the_largest_value() -> None:
    assert relative_error(np.array([100.0, 0.0]), np.array([101.0, 0.0])) == pytest.approx(0.01)
    assert relative_error(np.zeros(2), np.array([1e-6, 0])) == pytest.approx(1e-3)


def test_parity_is_judged_on_smooth_images() -> None:
    smooth, raw = natural_inputs(RENDERER, "min", seed=1), sample_inputs(RENDERER, "min", seed=1)
    check_feed(RENDERER, smooth)
    points, image = RENDERER.input_names[:2]
    assert np.array_equal(smooth[points], raw[points])
    assert np.abs(np.diff(smooth[image])).max() < 0.3 * np.abs(np.diff(raw[image])).max()
    assert np.ptp(smooth[image]) > 0.8
