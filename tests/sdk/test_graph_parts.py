from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from emohead.graph_parts import Value, parts_of

GROUPS = (["held"], ["fed"], ["state"])


@pytest.fixture
def model() -> bytes:
    """Give ``out = (2 * held + fed * w) * state``, ``plain = fed * w`` and ``next = -state``."""
    nodes = [
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32([2]))),
        helper.make_node("Mul", ["held", "two"], ["doubled"]),
        helper.make_node("Mul", ["fed", "w"], ["plain"]),
        helper.make_node("Add", ["doubled", "plain"], ["sum"]),
        helper.make_node("Mul", ["sum", "state"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "two"], ["out"]),
        helper.make_node("Neg", ["state"], ["next"]),
    ]

    def values(*names: str) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 3]) for n in names]

    weight = numpy_helper.from_array(np.float32([1, 10, 100]), "w")
    graph = helper.make_graph(
        nodes, "toy", values("held", "fed", "state"), values("out", "plain", "next"), [weight]
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return made.SerializeToString()


def opened(model: bytes) -> tuple[list[ort.InferenceSession], list[onnx.ModelProto]]:
    parts = parts_of(model, GROUPS)
    passed: dict[str, Value] = {}
    sessions, models = [], []
    for part in range(parts.num_parts):
        content = parts.model_of(part, passed)
        sessions.append(ort.InferenceSession(content, providers=["CPUExecutionProvider"]))
        models.append(onnx.load_from_string(content))
        for output in sessions[-1].get_outputs():
            value = Value(name=output.name, element="float", shape=output.shape)
            passed[output.name] = value
    return sessions, models


def test_every_part_reads_only_what_is_known_then(model: bytes):
    sessions, models = opened(model)
    reads = [[i.name for i in s.get_inputs()] for s in sessions]
    gives = [[o.name for o in s.get_outputs()] for s in sessions]
    assert reads == [["held"], ["fed", "doubled"], ["state", "sum"]]
    assert gives == [["doubled"], ["plain", "sum"], ["out", "next"]]
    assert [[t.name for t in m.graph.initializer] for m in models] == [[], ["w"], []]
    assert [m.opset_import[0].version for m in models] == [17, 17, 17]


def test_parts_together_compute_the_whole(model: bytes):
    rng = np.random.default_rng(0)
    known = {n: rng.normal(size=(2, 3)).astype(np.float32) for (n,) in GROUPS}
    whole = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    wanted = dict(zip(("out", "plain", "next"), whole.run(None, known), strict=True))
    for session in opened(model)[0]:
        feed = {i.name: known[i.name] for i in session.get_inputs()}
        names = [o.name for o in session.get_outputs()]
        known.update(zip(names, session.run(names, feed), strict=True))
    for name, array in wanted.items():
        np.testing.assert_allclose(known[name], array, rtol=1e-6)


def test_long_names_and_lengths_survive(model: bytes):
    graph = onnx.load_from_string(model)
    long = "n" * 300
    for node in graph.graph.node:
        node.input[:] = [long if n == "sum" else n for n in node.input]
        node.output[:] = [long if n == "sum" else n for n in node.output]
    _, models = opened(graph.SerializeToString())
    assert long in [o.name for o in models[1].graph.output]
    dims = next(i for i in models[2].graph.input if i.name == long).type.tensor_type.shape.dim
    assert dims[1].dim_value == 3
