"""int8: pairs where TensorRT or ONNX Runtime fuse them, ranges of real inputs, close results."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from emohead.bundle import DEFAULT_BUNDLE
from emohead.errors import ParityError
from emohead.runner import OrtRunner
from emohead.stages import EMOTION_ENCODER, EMOTION_LANDMARKS, SPEAKER_ENCODER
from emohead_export.clean import prepared
from emohead_export.graph import check_graph
from emohead_export.parity import natural_inputs
from emohead_export.precision import derive_graph
from emohead_export.quantise import Layout, int8_graph, quantisable, ranges_seen

FEEDS = [natural_inputs(EMOTION_ENCODER, "opt", seed) for seed in range(2)]


def golden(stage: str) -> onnx.ModelProto:
    return prepared(onnx.load(DEFAULT_BUNDLE / f"{stage}.onnx"))


def kinds(model: onnx.ModelProto) -> collections.Counter[str]:
    return collections.Counter(n.op_type for n in model.graph.node)


@pytest.mark.parametrize("layout", ["tensorrt", "cpu"])
def test_derived_graph_is_small_close_and_keeps_its_spec(layout: Layout) -> None:
    spec = EMOTION_ENCODER
    source = (DEFAULT_BUNDLE / f"{spec.name}.onnx").read_bytes()
    made = derive_graph(spec, source, "int8", FEEDS, layout)
    assert len(made.model) < 0.35 * len(source)
    assert 0 < made.errors.relative < spec.tolerance["int8"]
    check_graph(spec, onnx.load_model_from_string(made.model))
    assert derive_graph(spec, source, "int8", FEEDS, layout).model == made.model


def test_tensorrt_layout_is_symmetric_and_keeps_results_and_bias_in_float() -> None:
    source = golden(EMOTION_ENCODER.name)
    names = quantisable(source, "tensorrt")
    model = int8_graph(source, names, ranges_seen(source, names, FEEDS), "tensorrt")
    zeros = [t for t in model.graph.initializer if t.name.endswith("__zero")]
    assert all(t.data_type == TensorProto.INT8 for t in zeros)
    assert not any(numpy_helper.to_array(t).any() for t in zeros)
    made = {n.output[0]: n.op_type for n in model.graph.node}
    heavy = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm")]
    assert heavy
    for node in heavy:
        assert [made.get(i) for i in node.input][:2] == ["DequantizeLinear"] * 2
        assert made.get(node.input[2]) is None
    assert kinds(model)["QuantizeLinear"] == len({n.input[0] for n in heavy})


def test_cpu_layout_is_fused_into_integer_convolutions(tmp_path: Path) -> None:
    source = golden(EMOTION_ENCODER.name)
    names = quantisable(source, "cpu")
    model = int8_graph(source, names, ranges_seen(source, names, FEEDS), "cpu")
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    fused = kinds(onnx.load(tmp_path / "fused.onnx"))
    assert fused["QLinearConv"] == len(names) == kinds(source)["Conv"]
    assert fused["Conv"] == 0


def test_weights_keep_a_scale_per_channel() -> None:
    weight = np.stack([np.full((1, 1, 1), v, np.float32) for v in (1e-3, 5.0)])
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], name="/c")]
    nodes.append(helper.make_node("Sigmoid", ["c"], ["y"], name="/s"))
    shapes = ([1, 1, 2, 2], [1, 2, 2, 2])
    x, y = (
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in zip("xy", shapes, strict=True)
    )
    graph = helper.make_graph(nodes, "toy", [x], [y], [numpy_helper.from_array(weight, "w")])
    opset = [helper.make_opsetid("", 17)]
    source = prepared(helper.make_model(graph, opset_imports=opset, ir_version=8))
    feed = {"x": np.array([-1.0, 0.5, 2.0, 3.0], np.float32).reshape(1, 1, 2, 2)}
    names = quantisable(source, "tensorrt")
    ranges = ranges_seen(source, names, [feed])
    assert ranges["x"] == (-1.0, 3.0)
    model = int8_graph(source, names, ranges, "tensorrt")
    scale = next(t for t in model.graph.initializer if t.name == "w__scale")
    np.testing.assert_allclose(numpy_helper.to_array(scale), [1e-3 / 127, 5 / 127], rtol=1e-6)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, feed)
    exact = 1 / (1 + np.exp(-feed["x"] * weight.reshape(1, 2, 1, 1)))
    np.testing.assert_allclose(found, exact, atol=0.02)


def test_products_in_int8_run_on_a_cpu() -> None:
    spec, source = EMOTION_LANDMARKS, golden(EMOTION_LANDMARKS.name)
    feed = natural_inputs(spec, "opt")
    names = quantisable(source, "tensorrt")
    assert len(names) == kinds(source)["MatMul"]
    model = int8_graph(source, names, ranges_seen(source, names, [feed]), "tensorrt")
    found = OrtRunner(spec, model.SerializeToString())(**feed)
    exact = OrtRunner(spec, source.SerializeToString())(**feed)
    for name in spec.output_names:
        np.testing.assert_allclose(found[name], exact[name], atol=0.1)


def test_stage_without_a_convolution_has_no_int8_for_the_cpu() -> None:
    source = (DEFAULT_BUNDLE / f"{SPEAKER_ENCODER.name}.onnx").read_bytes()
    with pytest.raises(ParityError, match="it has none"):
        derive_graph(
            SPEAKER_ENCODER, source, "int8", [natural_inputs(SPEAKER_ENCODER, "opt")], "cpu"
        )
