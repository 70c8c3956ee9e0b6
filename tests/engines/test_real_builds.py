"""Every stage of the shipped bundle builds with the real TensorRT-RTX, which needs no GPU."""

from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is installed on Linux x86-64 only")

from emohead.bundle import Bundle  # noqa: E402
from emohead.contract import StageSpec  # noqa: E402
from emohead.errors import BackendError, ContractError, ParityError  # noqa: E402
from emohead.stages import (  # noqa: E402
    EMOTION_ENCODER,
    EMOTION_LANDMARKS,
    NEUTRAL_LANDMARKS,
    SPEAKER_ENCODER,
    STAGES,
)
from emohead_engines.build import build_plan, parse_network  # noqa: E402
from emohead_engines.flavour import Flavour, find_flavour  # noqa: E402
from emohead_engines.profiles import network_shape  # noqa: E402
from emohead_engines.workshop import graphs_of, model_in  # noqa: E402

HALF = onnx.TensorProto.FLOAT16
LARGE_BYTES = 1 << 20


@pytest.fixture(scope="module")
def flavour() -> Flavour:
    return find_flavour("tensorrt_rtx")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("spec", STAGES.values(), ids=lambda s: s.name)
def test_every_stage_builds_and_keeps_its_spec(
    flavour: Flavour, spec: StageSpec, precision: str
) -> None:
    (graph,) = graphs_of(None, [spec.name])
    model = model_in(graph, precision)
    _, network, _parser = parse_network(flavour, spec, model)
    found = [network.get_input(i) for i in range(network.num_inputs)]
    found += [network.get_output(i) for i in range(network.num_outputs)]
    wanted = [(t.name, network_shape(t)) for t in (*spec.inputs, *spec.outputs)]
    assert [(t.name, tuple(t.shape)) for t in found] == wanted
    assert {t.dtype for t in found} == {flavour.module.float32}
    halves = [i for i in onnx.load_from_string(model).graph.initializer if i.data_type == HALF]
    assert bool(halves) == (precision == "fp16")
    if precision == "fp32" and len(model) > LARGE_BYTES:
        return  # it was read; building the half of it tells the rest in half the time
    assert len(build_plan(flavour, spec, model, precision).plan) > len(model) // 4


@pytest.mark.slow
def test_emotion_landmarks_refuse_int8_and_say_what_to_do() -> None:
    (graph,) = graphs_of(None, [EMOTION_LANDMARKS.name])
    with pytest.raises(ParityError, match="emotion_landmarks: .* int8 .*keep this stage in fp32"):
        model_in(graph, "int8")


@pytest.mark.slow
def test_int8_builds(flavour: Flavour) -> None:
    (graph,) = graphs_of(None, [EMOTION_ENCODER.name])
    model = model_in(graph, "int8")
    assert any(n.op_type == "QuantizeLinear" for n in onnx.load_from_string(model).graph.node)
    assert build_plan(flavour, graph.spec, model, "int8").plan


def test_progress_names_phases_and_counts_steps(flavour: Flavour) -> None:
    told: list[tuple[str, int, int]] = []
    model = Bundle.open().model(EMOTION_ENCODER.name)
    build_plan(flavour, EMOTION_ENCODER, model, progress=lambda *step: told.append(step))
    assert "Building engine" in {phase for phase, _, _ in told}
    assert all(0 <= done <= total for _, done, total in told)


def test_ctrl_c_ends_a_build(flavour: Flavour) -> None:
    def interrupt(phase: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    model = Bundle.open().model(EMOTION_ENCODER.name)
    with pytest.raises(KeyboardInterrupt):
        build_plan(flavour, EMOTION_ENCODER, model, progress=interrupt)


def test_a_graph_of_another_stage_is_refused(flavour: Flavour) -> None:
    model = Bundle.open().model(NEUTRAL_LANDMARKS.name)
    with pytest.raises(ContractError, match="speaker_encoder: expected the inputs.*export"):
        parse_network(flavour, SPEAKER_ENCODER, model)


def mismatched() -> bytes:
    """A graph whose product does not fit."""
    source, target = EMOTION_ENCODER.inputs[0], EMOTION_ENCODER.outputs[0]
    value, make = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    _, bands, frames = source.dims
    size, width = target.dims[1].min, bands.min * frames.opt
    nodes = [
        make("Reshape", [source.name, "shape"], ["flat"], name="/flatten/Reshape"),
        make("MatMul", ["flat", "weight"], [target.name], name="/read/MatMul"),
    ]
    constants = [
        onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [0, width]),
        onnx.helper.make_tensor("weight", 1, [width + 1, size], [0.1] * (width + 1) * size),
    ]
    inputs = [value(source.name, 1, [source.dims[0].name, bands.min, frames.name])]
    outputs = [value(target.name, 1, [source.dims[0].name, size])]
    graph = onnx.helper.make_graph(nodes, "g", inputs, outputs, constants)
    opset = onnx.helper.make_opsetid("", EMOTION_ENCODER.opset)
    model: bytes = onnx.helper.make_model(graph, opset_imports=[opset]).SerializeToString()
    return model


def test_what_cannot_be_parsed_is_said_with_stage_node_and_remedy(flavour: Flavour) -> None:
    with pytest.raises(BackendError) as refused:
        build_plan(flavour, EMOTION_ENCODER, mismatched())
    sentence = str(refused.value)
    assert sentence.startswith("emotion_encoder: expected TensorRT-RTX")
    assert "to parse the graph at node /read/MatMul (MatMul)" in sentence
    assert sentence.endswith("export the stage again")
