"""Every version is built as it wants to be; what fails is said with stage, node and remedy."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

onnx = pytest.importorskip("onnx")

from emohead.bundle import Bundle  # noqa: E402
from emohead.errors import BackendError, ContractError  # noqa: E402
from emohead.stages import EMOTION_ENCODER, NEUTRAL_LANDMARKS, RENDERER  # noqa: E402
from emohead_engines.build import BuildOptions, build_plan, parse_network  # noqa: E402
from emohead_engines.flavour import Flavour, find_flavour, flavour_of  # noqa: E402
from emohead_engines.profiles import profile_of  # noqa: E402

from .fake_cuda import FakeGpu  # noqa: E402
from .fake_trt import VERSIONS, make_trt  # noqa: E402

STRONGLY_TYPED, EXPLICIT_BATCH = 2, 1
TF32, FP16, INT8, REQUIRE_USER_ALLOCATION = 7, 0, 1, 20


def always(version: str) -> set[int]:
    """Flags of every build: without this one RTX allocates while it runs, and captures nothing."""
    return {REQUIRE_USER_ALLOCATION} if version == "rtx" else set()


def wrapped(trt: ModuleType) -> Flavour:
    return flavour_of(trt, trt.__name__)


@pytest.fixture
def model(tiny_bundle: Path) -> bytes:
    return Bundle.open(tiny_bundle).model(EMOTION_ENCODER.name)


@pytest.mark.parametrize(
    ("version", "flags"),
    [
        ("8.6", EXPLICIT_BATCH),
        ("10", STRONGLY_TYPED),
        ("11", STRONGLY_TYPED),
        ("rtx", STRONGLY_TYPED),
    ],
)
def test_networks_are_made_as_the_version_wants(version: str, flags: int, model: bytes) -> None:
    flavour = wrapped(make_trt(version, FakeGpu()))
    options = BuildOptions(level=2, workspace_mib=64)
    built = build_plan(flavour, EMOTION_ENCODER, model, options=options)
    config, network = (flavour.module.seen[k] for k in ("config", "network"))
    assert network.flags == flags
    assert config.flags == always(version)  # TF32 off, no precision flag for fp32
    assert config.builder_optimization_level == 2
    assert config.pools == {0: 64 << 20}
    (profile,) = config.profiles
    assert profile.shapes == profile_of(EMOTION_ENCODER)
    assert built.plan.endswith(model)


def test_versions_from_11_on_may_drop_the_flag_for_typed_networks(model: bytes) -> None:
    trt = make_trt("11", FakeGpu())
    trt.NetworkDefinitionCreationFlag = ModuleType("empty")  # type: ignore[attr-defined]
    assert flavour_of(trt, "tensorrt").network_flags() == 0


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("version", VERSIONS)
def test_precision_flags_are_for_8_6_alone(version: str, precision: str, model: bytes) -> None:
    flavour = wrapped(make_trt(version, FakeGpu()))
    build_plan(flavour, EMOTION_ENCODER, model, precision)
    wanted = {"fp16": {FP16}, "int8": {INT8, FP16}}[precision] if version == "8.6" else set()
    wanted = wanted | always(version)
    assert flavour.module.seen["config"].flags == wanted


def test_pascal_is_told_to_stay_with_fp32(model: bytes) -> None:
    flavour = wrapped(make_trt("8.6", FakeGpu(capability=(6, 1)), has_fast_fp16=False))
    with pytest.raises(BackendError, match="fast fp16 arithmetic.*--precision fp32.*faster here"):
        build_plan(flavour, EMOTION_ENCODER, model, "fp16")
    assert build_plan(flavour, EMOTION_ENCODER, model).plan


def test_tf32_is_a_choice(model: bytes) -> None:
    flavour = wrapped(make_trt("10", FakeGpu()))
    build_plan(flavour, EMOTION_ENCODER, model, options=BuildOptions(tf32=True))
    assert flavour.module.seen["config"].flags == {TF32}


@pytest.mark.parametrize(
    ("version", "given", "kept"),
    [
        ("8.6", b"", b"|timed"),
        ("10", b"old", b"old|timed"),
        ("11", b"foreign driver", b"|timed"),
        ("rtx", b"old", b""),
    ],
)
def test_timing_caches_go_in_and_out(version: str, given: bytes, kept: bytes, model: bytes) -> None:
    flavour = wrapped(make_trt(version, FakeGpu()))
    assert build_plan(flavour, EMOTION_ENCODER, model, timings=given).timings == kept


@pytest.mark.parametrize("version", VERSIONS)
def test_progress_comes_from_versions_that_have_it(version: str, model: bytes) -> None:
    told: list[tuple[str, int, int]] = []
    flavour = wrapped(make_trt(version, FakeGpu()))
    build_plan(flavour, EMOTION_ENCODER, model, progress=lambda *step: told.append(step))
    assert (told == []) == (version == "8.6")
    assert told in ([], [("Building engine", n, 1) for n in (0, 1, 1)])


@pytest.mark.parametrize("version", VERSIONS)
def test_nodes_that_do_not_parse_are_named(version: str, model: bytes) -> None:
    node = onnx.load_from_string(model).graph.node[0]
    label = f"{node.name or node.output[0]} ({node.op_type})"
    flavour = wrapped(make_trt(version, FakeGpu(), unsupported=(node.op_type,)))
    with pytest.raises(BackendError) as refused:
        build_plan(flavour, EMOTION_ENCODER, model)
    assert f"emotion_encoder: expected {flavour} to parse the graph at node" in str(refused.value)
    assert label in str(refused.value)
    assert "with operators of emohead_engines.operators" in str(refused.value)
    spare = flavour.module.Builder(None).create_network(flavour.network_flags())
    found = flavour.unsupported_nodes(flavour.module.OnnxParser(spare, None), model)
    kinds = [onnx.load_from_string(model).graph.node[i].op_type for i in found]
    assert set(kinds) == {node.op_type}


@pytest.mark.parametrize(
    ("complaint", "remedy"),
    [
        ("CHECK(nbdims_bias == 4) failed", "as a 2-D one of height 1"),
        ("Unsupported SM: 0x601", "8.6 for Pascal"),
        ("OutOfMemory (no further information)", "free GPU memory or raise --workspace"),
        ("kMIN dimensions in profile 0 are wrong", "export the stage again"),
        ("CUDA initialization failure with error: 35", "emohead doctor"),
        ("something else", "report the message"),
    ],
)
def test_failed_builds_give_a_remedy(complaint: str, remedy: str, model: bytes) -> None:
    node = onnx.load_from_string(model).graph.node[-1]
    name = node.name or node.output[0]
    flavour = wrapped(make_trt("10", FakeGpu(), complaint=f"[{name}] {complaint}"))
    with pytest.raises(BackendError) as refused:
        build_plan(flavour, EMOTION_ENCODER, model)
    sentence = str(refused.value)
    assert sentence.startswith("emotion_encoder fp32: expected TensorRT 10.3.0 to build the graph")
    assert f"at node {name} ({node.op_type}): [{name}] {complaint}" in sentence
    assert remedy in sentence


def test_networks_of_another_spec_are_refused(tiny_bundle: Path) -> None:
    flavour = wrapped(make_trt("10", FakeGpu()))
    model = onnx.load_from_string(Bundle.open(tiny_bundle).model(RENDERER.name))
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    with pytest.raises(ContractError, match=r"renderer: expected frame as float32 .*float16 "):
        parse_network(flavour, RENDERER, model.SerializeToString())
    other = Bundle.open(tiny_bundle).model(NEUTRAL_LANDMARKS.name)
    with pytest.raises(ContractError, match="renderer: expected the inputs"):
        parse_network(flavour, RENDERER, other)


@pytest.mark.parametrize("version", VERSIONS)
def test_scratch_memory_is_read_where_the_version_keeps_it(version: str, model: bytes) -> None:
    trt = make_trt(version, FakeGpu())
    flavour = wrapped(trt)
    assert flavour.device_memory_bytes(trt.ICudaEngine(model, None)) == 1 << 20


def test_the_first_flavour_that_imports_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    full, rtx = make_trt("11", FakeGpu()), make_trt("rtx", FakeGpu())
    monkeypatch.setitem(sys.modules, "tensorrt", full)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", rtx)
    assert str(find_flavour()) == "TensorRT 11.4.0"
    assert str(find_flavour("tensorrt_rtx")) == "TensorRT-RTX 1.7.1.116"
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert find_flavour().module is rtx
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(BackendError, match=r"tensorrt: .*; tensorrt_rtx: .*emohead\[tensorrt\]"):
        find_flavour()
    with pytest.raises(BackendError, match="among auto, tensorrt, tensorrt_rtx, got 'onnx'"):
        find_flavour("onnx")


def test_versions_before_8_6_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_trt("8.6", FakeGpu())
    old.__version__ = "8.5.3"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(BackendError, match="expected TensorRT 8.6 or newer, got 8.5.3"):
        find_flavour()
