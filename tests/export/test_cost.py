"""Counting the cost of graphs whose cost is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from emohead.contract import StageSpec, TensorSpec, fixed
from emohead.stages import BATCH
from emohead_export.cost import GraphCost, NodeCost, graph_cost
from emohead_export.roofline import Ceiling, bound_ms, predicted_ms

onnx = pytest.importorskip("onnx")
from onnx import helper, numpy_helper  # noqa: E402

FLOAT = 4


def _spec(taken: tuple[int, ...], given: tuple[int, ...]) -> StageSpec:
    def tensor(name: str, lengths: tuple[int, ...]) -> TensorSpec:
        dims = tuple(fixed(f"{name}{i}", n) for i, n in enumerate(lengths))
        return TensorSpec(name=name, dims=(BATCH, *dims), unit="1", doc="")

    return StageSpec(
        name="toy", version=1, inputs=(tensor("x", taken),), outputs=(tensor("y", given),)
    )


def _model(spec: StageSpec, nodes: list, **weights: np.ndarray) -> bytes:
    def value(t: TensorSpec):
        lengths = [d.name if d.is_dynamic else d.min for d in t.dims]
        return helper.make_tensor_value_info(t.name, onnx.TensorProto.FLOAT, lengths)

    stored = [numpy_helper.from_array(w, n) for n, w in weights.items()]
    graph = helper.make_graph(
        nodes, "toy", [value(spec.inputs[0])], [value(spec.outputs[0])], stored
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def _floats(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("op", "attributes", "kernel", "side", "macs"),
    [
        ("Conv", {"pads": [1, 1, 1, 1]}, (8, 4, 3, 3), 10, 8 * 100 * 4 * 9),
        ("Conv", {"group": 4, "strides": [2, 2]}, (4, 1, 2, 2), 5, 4 * 25 * 4),
        ("ConvTranspose", {"strides": [2, 2]}, (4, 8, 2, 2), 20, 4 * 100 * 8 * 4),
    ],
)
def test_convolutions(op: str, attributes, kernel, side: int, macs: int, batch: int) -> None:
    channels = kernel[1] if op == "ConvTranspose" else kernel[0]
    spec = _spec((4, 10, 10), (channels, side, side))
    node = helper.make_node(op, ["x", "w"], ["y"], **attributes)
    cost = graph_cost(spec, _model(spec, [node], w=_floats(*kernel)), batch)
    assert cost.macs == batch * macs
    assert cost.weight_bytes == FLOAT * np.prod(kernel)
    assert cost.io_bytes == FLOAT * batch * (4 * 100 + channels * side * side)
    assert cost.traffic_bytes == cost.compulsory_bytes


@pytest.mark.parametrize(
    ("node", "taken", "given", "weights", "macs"),
    [
        (("MatMul", ["x", "w"], {}), (3, 5), (3, 7), {"w": (5, 7)}, 3 * 5 * 7),
        (("Gemm", ["x", "w"], {"transB": 1}), (5,), (7,), {"w": (7, 5)}, 5 * 7),
        (("Einsum", ["x", "w"], {"equation": "bij,jk->bik"}), (3, 5), (3, 7), {"w": (5, 7)}, 105),
    ],
)
def test_products(node, taken, given, weights, macs: int) -> None:
    op, inputs, attributes = node
    spec = _spec(taken, given)
    made = helper.make_node(op, inputs, ["y"], **attributes)
    arrays = {name: _floats(*shape) for name, shape in weights.items()}
    assert graph_cost(spec, _model(spec, [made], **arrays)).macs == macs


def test_recurrence_counts_every_step() -> None:
    steps, size, hidden = 6, 3, 5
    spec = _spec((steps, size), (steps, 1, hidden))
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps_first"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["steps_first", "w", "r"], ["made"], hidden_size=hidden),
        helper.make_node("Transpose", ["made"], ["y"], perm=[2, 0, 1, 3]),
    ]
    weights = {"w": _floats(1, 4 * hidden, size), "r": _floats(1, 4 * hidden, hidden)}
    cost = graph_cost(spec, _model(spec, nodes, **weights))
    assert cost.macs == steps * 4 * hidden * (size + hidden)


def test_views_cost_nothing_and_intermediate_values_cost_traffic_alone() -> None:
    spec = _spec((4, 6), (24,))
    nodes = [
        helper.make_node("Relu", ["x"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["flat"]),
        helper.make_node("Neg", ["flat"], ["y"]),
    ]
    cost = graph_cost(spec, _model(spec, nodes))
    assert [n.op for n in cost.nodes] == ["Relu", "Neg"]
    assert (cost.macs, cost.io_bytes, cost.traffic_bytes) == (0, 2 * 96, 4 * 96)


def test_the_slower_of_arithmetic_and_memory_is_the_roof() -> None:
    heavy = NodeCost(op="Conv", macs=5_000_000, num_bytes=1_000)
    light = NodeCost(op="Add", macs=0, num_bytes=2_000_000)
    tiny = NodeCost(op="Mul", macs=0, num_bytes=4)
    cost = GraphCost(nodes=(heavy, light, tiny), weight_bytes=500_000, io_bytes=500_000)
    machine = Ceiling(name="m", gflops=10, bandwidth_gb_s=1)
    assert bound_ms(cost, machine) == pytest.approx(1.0)
    starved = Ceiling(name="m", gflops=10, bandwidth_gb_s=0.25)
    assert bound_ms(cost, starved) == pytest.approx(4.0)
    assert predicted_ms(cost, machine) == pytest.approx(1.0 + 2.0, rel=1e-4)
    launched = Ceiling(name="m", gflops=10, bandwidth_gb_s=1, launch_us=100)
    assert predicted_ms(cost, launched) == pytest.approx(3.1)
    halved = Ceiling(name="m", gflops=20, bandwidth_gb_s=1, bytes_per_number=2)
    assert predicted_ms(cost, halved) == pytest.approx(1.5, rel=1e-4)
