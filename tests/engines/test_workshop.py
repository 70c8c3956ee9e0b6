"""From bundle to store, and the command line over it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx")

from emohead.bundle import Bundle  # noqa: E402
from emohead.cli import app  # noqa: E402
from emohead.errors import BackendError, InputError, ParityError  # noqa: E402
from emohead.stages import (  # noqa: E402
    EMOTION_ENCODER,
    EMOTION_LANDMARKS,
    SPEAKER_ENCODER,
    STAGES,
)
from emohead_engines import device as devices  # noqa: E402
from emohead_engines import workshop  # noqa: E402
from emohead_engines.device import ANY_GPU, Gpu  # noqa: E402
from emohead_engines.flavour import flavour_of  # noqa: E402
from emohead_engines.store import STORE_VARIABLE, EngineStore  # noqa: E402
from emohead_engines.workshop import (  # noqa: E402
    Graph,
    Target,
    ensure_engine,
    find_target,
    fits,
    graphs_of,
    model_in,
)

from .fake_cuda import FakeGpu, install_cuda_bindings, install_pycuda  # noqa: E402
from .fake_trt import make_trt  # noqa: E402

L4 = Gpu(name="NVIDIA L4", compute_capability="8.9", cuda_runtime="12.6")


@pytest.fixture
def target() -> Target:
    return Target(flavour=flavour_of(make_trt("10", FakeGpu()), "tensorrt"), gpu=L4)


@pytest.fixture
def graph(tiny_bundle: Path) -> Graph:
    (made,) = graphs_of(tiny_bundle, [EMOTION_ENCODER.name])
    return made


def test_graphs_come_verified_and_in_order(tiny_bundle: Path) -> None:
    assert [g.spec.name for g in graphs_of(tiny_bundle)] == list(STAGES)
    two = graphs_of(tiny_bundle, [EMOTION_ENCODER.name, SPEAKER_ENCODER.name])
    assert [g.spec for g in two] == [SPEAKER_ENCODER, EMOTION_ENCODER]
    assert two[0].model == Bundle.open(tiny_bundle).model(SPEAKER_ENCODER.name)
    with pytest.raises(InputError, match="expected a stage among .*, got 'nose'"):
        graphs_of(tiny_bundle, ["nose"])


def test_an_engine_is_built_once_for_its_key(
    store: EngineStore, target: Target, graph: Graph
) -> None:
    first = ensure_engine(store, target, graph)
    assert ensure_engine(store, target, graph).path == first.path
    key = first.manifest.key
    assert (key.gpu, key.tensorrt_version, key.cuda_runtime) == ("NVIDIA L4", "10.3.0", "12.6")
    assert fits(key, target)
    other = Gpu(name="NVIDIA A10", compute_capability="8.6", cuda_runtime="12.6")
    moved = Target(flavour=target.flavour, gpu=other)
    assert not fits(key, moved)
    assert not fits(key.model_copy(update={"spec_sha256": "0" * 64}), target)
    assert ensure_engine(store, moved, graph).path != first.path


def test_lower_precisions_are_derived_first(
    store: EngineStore, target: Target, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def derive(stage: str, source: Path, precision: str, out: Path) -> Path:
        asked.append((stage, precision))
        model = onnx.load_from_string(source.read_bytes())
        model.producer_name = precision
        out.write_bytes(model.SerializeToString())
        return out

    monkeypatch.setattr("emohead_export.precision.derive", derive)
    plain = ensure_engine(store, target, graph)
    half = ensure_engine(store, target, graph, "fp16")
    assert asked == [(EMOTION_ENCODER.name, "fp16")]
    assert plain.manifest.key.onnx_sha256 == half.manifest.key.onnx_sha256
    built = onnx.load_from_string(store.read(half).partition(b"\n")[2])
    assert built.producer_name == "fp16"
    ensure_engine(EngineStore(store.root, allow_build=False), target, graph, "fp16")
    assert len(asked) == 1  # a render node derives nothing


def test_precisions_that_cannot_be_derived_are_refused(
    store: EngineStore, target: Target, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackendError, match="precision among fp32, fp16, int8, got 'fp8'"):
        ensure_engine(store, target, graph, "fp8")
    half = Graph(spec=graph.spec, model=graph.model, precision="fp16")
    assert model_in(half, "fp16") == graph.model
    with pytest.raises(BackendError, match="the bundle holds fp16; build with --precision fp16"):
        model_in(half, "int8")
    monkeypatch.setitem(sys.modules, "emohead_export.precision", None)
    with pytest.raises(BackendError, match=r"pip install 'emohead\[tensorrt,cpu\]'"):
        model_in(graph, "fp16")


def test_targets_are_portable_or_this_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(name="NVIDIA GeForce GTX 1080 Ti", capability=(6, 1))
    monkeypatch.setattr(devices, "_opened", [])
    install_cuda_bindings(monkeypatch, gpu)
    install_pycuda(monkeypatch, gpu)
    monkeypatch.setitem(sys.modules, "tensorrt", make_trt("8.6", gpu))
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", make_trt("rtx", gpu))
    assert str(find_target()) == "TensorRT 8.6.1 on NVIDIA GeForce GTX 1080 Ti"
    assert find_target("tensorrt_rtx").gpu == ANY_GPU


@pytest.fixture
def emohead(
    monkeypatch: pytest.MonkeyPatch, target: Target, tiny_bundle: Path, tmp_path: Path
) -> Any:
    """Call ``emohead engines``; every build goes to the stand-in."""
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "engines"))
    monkeypatch.setattr(workshop, "find_target", lambda flavour="auto": target)

    def call(*arguments: str, code: int = 0) -> Any:
        bundle = ["--bundle", str(tiny_bundle)] if arguments[0] == "build" else []
        done = CliRunner().invoke(app, ["engines", *arguments, *bundle])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in arguments else done.output

    return call


def test_engines_are_built_listed_verified_and_pruned(emohead: Any, tmp_path: Path) -> None:
    two = ("--stage", SPEAKER_ENCODER.name, "--stage", EMOTION_ENCODER.name)
    assert "2 engines for TensorRT 10.3.0 on NVIDIA L4" in emohead("build", *two)
    again = emohead("build", *two, "--json")
    assert [e["built_now"] for e in again["engines"]] == [False, False]
    assert [e["stage"] for e in again["engines"]] == [SPEAKER_ENCODER.name, EMOTION_ENCODER.name]
    listed = emohead("list", "--json")
    assert listed["store"] == str(tmp_path / "engines")
    assert [e["fits"] for e in listed["engines"]] == [True, True]
    assert "2 engines in" in emohead("list")
    assert emohead("verify", "--json") == {"store": listed["store"], "intact": 2, "damaged": {}}
    assert "2 of 2 engines" in emohead("verify")
    removed = emohead("prune", "--max-mib", "0", "--json")["removed"]
    assert len(removed) == 2
    assert emohead("list", "--json")["engines"] == []


def test_a_stage_that_refuses_a_precision_stays_in_its_own_unless_it_was_named(
    emohead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = workshop.model_in

    def picky(graph: Graph, precision: str) -> bytes:
        if precision == "int8" and graph.spec == EMOTION_LANDMARKS:
            raise ParityError("emotion_landmarks: expected nodes that can compute in int8")
        return graph.model if precision == "int8" else real(graph, precision)

    monkeypatch.setattr(workshop, "model_in", picky)
    rows = emohead("build", "--precision", "int8", "--json")["engines"]
    kept = {row["stage"]: row for row in rows if row["precision"] != "int8"}
    assert [row["stage"] for row in rows] == list(STAGES)
    assert list(kept) == [EMOTION_LANDMARKS.name]
    refused = kept[EMOTION_LANDMARKS.name]["refused"]
    assert refused.endswith("compute in int8; its engine is in fp32")
    assert f"note: {refused}" in emohead("build", "--precision", "int8").replace("\n", " ")
    named = ("build", "--precision", "int8", "--stage", EMOTION_LANDMARKS.name)
    assert "expected nodes that can compute in int8" in emohead(*named, code=2)


def test_damaged_engines_fail_verification_and_are_pruned(emohead: Any, tmp_path: Path) -> None:
    emohead("build", "--stage", EMOTION_ENCODER.name)
    (plan,) = (tmp_path / "engines").glob("*.plan")
    plan.write_bytes(bytes(plan.stat().st_size))
    told = emohead("verify", "--json", code=2)
    assert told["intact"] == 0
    assert "content was altered" in told["damaged"][str(plan)]
    assert "prune --damaged" in emohead("verify", code=2)
    assert "0 engines removed, 1 left" in emohead("prune")
    assert "1 engines removed, 0 left" in emohead("prune", "--damaged")


def test_engines_of_other_machines_are_pruned_on_request(
    emohead: Any, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    emohead("build", "--stage", EMOTION_ENCODER.name)
    moved = Target(flavour=target.flavour, gpu=ANY_GPU)
    monkeypatch.setattr(workshop, "find_target", lambda flavour="auto": moved)
    assert [e["fits"] for e in emohead("list", "--json")["engines"]] == [False]
    assert "0 engines removed" in emohead("prune")
    assert "1 engines removed" in emohead("prune", "--foreign")


def test_a_machine_without_tensorrt_can_look_but_not_build(
    emohead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    emohead("build", "--stage", EMOTION_ENCODER.name)

    def missing(flavour: str = "auto") -> Target:
        raise BackendError("expected TensorRT")

    monkeypatch.setattr(workshop, "find_target", missing)
    assert [e["fits"] for e in emohead("list", "--json")["engines"]] == [None]
    assert "0 engines removed" in emohead("prune", "--foreign")
    assert "emohead: expected TensorRT" in emohead("build", code=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--stage", "nose"), "expected a stage among"),
        (("build", "--precision", "fp8"), "expected a precision among fp32, fp16, int8, got 'fp8'"),
        (("build", "--level", "9"), "expected a builder level from 0 to 5, got 9"),
        (("prune", "--max-mib", "-1"), "expected --max-mib of 0 or more, got -1"),
    ],
)
def test_bad_arguments_are_one_sentence(
    emohead: Any, arguments: tuple[str, ...], words: str
) -> None:
    assert words in " ".join(emohead(*arguments, code=2).split())
    told = emohead(*arguments, "--json", code=2)
    assert words in told["error"]["message"]


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("emohead_engines.store", "emohead_engines.build"):
        monkeypatch.setitem(sys.modules, name, None)
    for command in ("build", "list", "verify", "prune"):
        done = CliRunner().invoke(app, ["engines", command])
        assert done.exit_code == 2
        assert "pip install 'emohead[tensorrt]'" in " ".join(done.output.split())
