"""Half precision: strongly typed, as precise as the gate demands, equal bytes each time."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from emohead.bundle import DEFAULT_BUNDLE
from emohead.contract import Dim, StageSpec, TensorSpec, fixed, shape_of
from emohead.errors import BundleError, InputError, ParityError
from emohead.metadata import check_metadata
from emohead.runner import OrtRunner
from emohead.stages import CONTENT_ENCODER, EDGES, EMOTION_LANDMARKS, POINTS, RENDERER, STAGES
from emohead_export.clean import prepared
from emohead_export.gate import LIMITS, Gate, psnr_db
from emohead_export.graph import check_graph
from emohead_export.half import half_graph, rounded_graph
from emohead_export.islands import groups_of, starting_half
from emohead_export.parity import natural_inputs
from emohead_export.precision import derive, derive_graph

BATCH = Dim("batch", 1, 1, 4)


def golden(stage: str) -> onnx.ModelProto:
    return prepared(onnx.load(DEFAULT_BUNDLE / f"{stage}.onnx"))


def toy(*nodes: onnx.NodeProto, wide: int = 4, **weights: np.ndarray) -> onnx.ModelProto:
    """A graph from x to y, both (batch, wide)."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", wide]) for n in "xy")
    constants = [numpy_helper.from_array(v, k) for k, v in weights.items()]
    graph = helper.make_graph(list(nodes), "toy", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tensor(name: str, **fields: object) -> TensorSpec:
    dims = (BATCH, fixed("width", 4))
    return TensorSpec(name=name, dims=dims, unit="1", doc="x", **fields)  # type: ignore[arg-type]


TOY = StageSpec(name="toy", version=1, inputs=(tensor("x"),), outputs=(tensor("y"),))


def float_types(model: onnx.ModelProto) -> dict[str, set[int]]:
    """Float types among the inputs of every node, Casts aside."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    types = {v.name: v.type.tensor_type.elem_type for v in values}
    types |= {t.name: t.data_type for t in graph.initializer}
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    return {
        n.name: {types[i] for i in n.input if types.get(i) in floats}
        for n in graph.node
        if n.op_type not in ("Cast", "Resize")  # the scales of Resize are always float32
    }


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_in_half_is_strongly_typed_and_close(stage: str) -> None:
    spec, source = STAGES[stage], golden(stage)
    half = starting_half(spec, source)
    model = half_graph(source, half)
    check_graph(spec, model)
    assert all(len(types) <= 1 for types in float_types(model).values())
    heavy = [n for n in source.graph.node if n.op_type in ("Conv", "Gemm")]
    assert {n.name for n in heavy} <= set(half)
    assert model.ByteSize() < 0.96 * source.ByteSize()
    golden_runner = OrtRunner(spec, source.SerializeToString())
    gate = Gate(golden_runner, "fp16", [natural_inputs(spec, "min")])
    for graph in (model, rounded_graph(source, half)):
        errors = gate.errors(OrtRunner(spec, graph.SerializeToString()))
        assert 0 < errors.relative < spec.tolerance["fp16"]


def test_weights_are_stored_once_and_in_half() -> None:
    source = golden(CONTENT_ENCODER.name)
    model = half_graph(source, starting_half(CONTENT_ENCODER, source))
    assert model.ByteSize() < 0.52 * source.ByteSize()


def test_sampling_positions_and_recurrent_state_stay_single() -> None:
    source = golden(RENDERER.name)
    model = half_graph(source, starting_half(RENDERER, source))
    makers = {o: n for n in model.graph.node for o in n.output}
    types = float_types(model)
    samplers = [n for n in model.graph.node if n.op_type == "GridSample"]
    assert samplers
    assert all(types[n.name] == {TensorProto.FLOAT} for n in samplers)
    for state in RENDERER.state:
        assert types[makers[state.output].name] == {TensorProto.FLOAT}


def test_additions_of_zeros_disappear_and_change_nothing() -> None:
    spec, model = CONTENT_ENCODER, onnx.load(DEFAULT_BUNDLE / f"{CONTENT_ENCODER.name}.onnx")
    cleaned = prepared(model)
    feed = natural_inputs(spec, "opt")
    before, after = (OrtRunner(spec, m.SerializeToString())(**feed) for m in (model, cleaned))
    for name in spec.output_names:
        np.testing.assert_allclose(after[name], before[name], atol=1e-5)
    zeros = [
        helper.make_node("Shape", ["x"], ["s"], name="a"),
        helper.make_node("ConstantOfShape", ["s"], ["z"], name="b"),
        helper.make_node("Add", ["x", "z"], ["sum"], name="c"),
        helper.make_node("Relu", ["sum"], ["y"], name="d"),
    ]
    assert [n.op_type for n in prepared(toy(*zeros)).graph.node] == ["Relu"]
    zeros[1].attribute.append(
        helper.make_attribute("value", numpy_helper.from_array(np.ones(1, np.float32)))
    )
    assert len(prepared(toy(*zeros)).graph.node) == 4


def test_overflow_that_a_cpu_hides_is_seen_by_the_gate() -> None:
    eye = np.eye(4, dtype=np.float32) * 300
    source = prepared(
        toy(
            helper.make_node("MatMul", ["x", "w"], ["a"], name="/m/first"),
            helper.make_node("Mul", ["a", "a"], ["b"], name="/m/square"),
            helper.make_node("Mul", ["b", "tenth"], ["y"], name="/m/scale"),
            w=eye,
            tenth=np.float32(1e-3).reshape(1),
        )
    )
    half = starting_half(TOY, source)
    assert len(half) == 3
    feed = {"x": np.full((1, 4), 2.0, np.float32)}
    hidden = OrtRunner(TOY, half_graph(source, half).SerializeToString())(**feed)
    seen = OrtRunner(TOY, rounded_graph(source, half).SerializeToString())(**feed)
    assert np.isfinite(hidden["y"]).all()
    assert np.isinf(seen["y"]).all()


def test_constants_that_half_cannot_hold_make_an_island() -> None:
    nodes = (
        helper.make_node("MatMul", ["x", "w"], ["a"], name="/m/first"),
        helper.make_node("Add", ["a", "tiny"], ["y"], name="/m/guard"),
    )
    source = prepared(toy(*nodes, w=np.eye(4, dtype=np.float32), tiny=np.float32([1e-8])))
    assert starting_half(TOY, source) == ["0:/m/first"]


def landmarks_toy() -> tuple[StageSpec, onnx.ModelProto]:
    """Two modules: one adds 150 to landmarks and is coarse in half, the other scales finely."""
    dims = (BATCH, POINTS)
    named = {n: TensorSpec(name=n, dims=dims, unit="px", doc="x", high=50.0) for n in "xy"}
    spec = StageSpec(name="toy", version=1, inputs=(named["x"],), outputs=(named["y"],))
    eye = np.eye(68, dtype=np.float32)
    model = toy(
        helper.make_node("MatMul", ["x", "w"], ["a"], name="/fine/m"),
        helper.make_node("MatMul", ["a", "w"], ["b"], name="/coarse/m"),
        helper.make_node("Add", ["b", "shift"], ["c"], name="/coarse/add"),
        helper.make_node("Sub", ["c", "shift"], ["y"], name="/last/sub"),
        wide=68,
        w=eye,
        shift=np.full((1, 68), 500.0, np.float32),
    )
    return spec, model


def test_gate_gives_up_the_most_harmful_module_and_keeps_the_rest() -> None:
    spec, model = landmarks_toy()
    made = derive_graph(spec, model.SerializeToString(), "fp16", [])
    assert made.errors.landmarks_px < 0.05
    assert made.num_islands >= 2
    kept = [n.name for n in onnx.load_model_from_string(made.model).graph.node]
    start = groups_of(starting_half(spec, prepared(model)))
    assert set(start) == {"/fine", "/coarse", "/last"}
    assert "0:/fine/m" in kept
    assert made.num_nodes > 0


def test_nothing_within_the_limits_is_a_parity_error(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, model = landmarks_toy()
    monkeypatch.setattr(Gate, "excess", lambda self, errors: 2.0)
    with pytest.raises(ParityError, match="keep this stage in fp32"):
        derive_graph(spec, model.SerializeToString(), "fp16", [])


def test_derived_file_has_equal_bytes_and_says_its_precision(tmp_path: Path) -> None:
    graph = DEFAULT_BUNDLE / f"{EMOTION_LANDMARKS.name}.onnx"
    first, second = (
        derive(EMOTION_LANDMARKS.name, graph, "fp16", tmp_path / n / "g.onnx", feeds=[])
        for n in "ab"
    )
    assert first.read_bytes() == second.read_bytes()
    assert [p.name for p in first.parent.iterdir()] == ["g.onnx"]
    runner = OrtRunner(EMOTION_LANDMARKS, first.read_bytes())
    check_metadata(EMOTION_LANDMARKS, runner.metadata, "here")
    assert runner.metadata["emohead.precision"] == "fp16"


def test_unusable_arguments_are_named(tmp_path: Path) -> None:
    graph = DEFAULT_BUNDLE / f"{EMOTION_LANDMARKS.name}.onnx"
    with pytest.raises(InputError, match="expected a stage among"):
        derive("nonsense", graph, "fp16", tmp_path / "x.onnx", feeds=[])
    with pytest.raises(BundleError, match="expected its golden graph"):
        derive(EMOTION_LANDMARKS, tmp_path / "none.onnx", "fp16", tmp_path / "x.onnx", feeds=[])
    (tmp_path / "bad.onnx").write_bytes(b"\xff\xff not a graph")
    with pytest.raises(BundleError, match="sound ONNX graph"):
        derive(EMOTION_LANDMARKS, tmp_path / "bad.onnx", "fp16", tmp_path / "x.onnx", feeds=[])
    with pytest.raises(InputError, match="expected the precision"):
        derive(EMOTION_LANDMARKS, graph, "fp8", tmp_path / "x.onnx", feeds=[])  # type: ignore[arg-type]


def test_gate_counts_what_is_not_finite_as_failed() -> None:
    spec, model = landmarks_toy()
    runner = OrtRunner(spec, model.SerializeToString())
    gate = Gate(runner, "fp16", [natural_inputs(spec, "min")])

    class Broken(OrtRunner):
        def _run(self, feed):  # type: ignore[no-untyped-def]
            return {k: v * np.nan for k, v in super()._run(feed).items()}

    errors = gate.errors(Broken(spec, model.SerializeToString()))
    assert gate.excess(errors) == float("inf")
    assert psnr_db(np.zeros(3), np.full(3, 0.1)) == pytest.approx(20)
    assert psnr_db(np.zeros(3), np.full(3, np.nan)) == float("-inf")


def test_every_landmark_and_picture_of_the_contract_has_a_limit_of_its_own() -> None:
    for spec in STAGES.values():
        made = {t.name: np.zeros(shape_of(t), np.float32) for t in spec.outputs}
        for tensor in spec.outputs:
            is_face = {POINTS, EDGES} & set(tensor.dims)
            is_picture = spec is RENDERER and tensor is spec.outputs[0]
            if is_face or is_picture:
                other = made | {tensor.name: made[tensor.name] + 1}
                golden, moved = Mock(return_value=made, spec=spec), Mock(return_value=other)
                golden.spec = spec
                errors = Gate(golden, "fp16", [{}]).errors(moved)
                assert errors.landmarks_px > 0 if is_face else np.isfinite(errors.frames_db)
    assert LIMITS["fp16"].frames_db == 45
