"""The runner computes what ONNX Runtime does, over every flavour and both device layers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

onnx = pytest.importorskip("onnx")

from emohead.bundle import Bundle  # noqa: E402
from emohead.contract import StageSpec, sample_inputs  # noqa: E402
from emohead.errors import BackendError, ContractError  # noqa: E402
from emohead.stages import EMOTION_ENCODER, NEUTRAL_LANDMARKS, RENDERER, STAGES  # noqa: E402
from emohead_engines.build import build_plan  # noqa: E402
from emohead_engines.device import Device  # noqa: E402
from emohead_engines.device_cuda import CudaDevice  # noqa: E402
from emohead_engines.device_pycuda import PycudaDevice  # noqa: E402
from emohead_engines.engine import Engine  # noqa: E402
from emohead_engines.lane import Lane  # noqa: E402
from emohead_engines.runner import TensorRtRunner, open_runner  # noqa: E402
from emohead_engines.store import EngineStore  # noqa: E402
from emohead_engines.workshop import Graph, Target  # noqa: E402

from .fake_cuda import FakeGpu, install_cuda_bindings, install_pycuda  # noqa: E402
from .fake_trt import VERSIONS, make_trt  # noqa: E402
from .runners import reference, same, wrapped  # noqa: E402

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("version", VERSIONS)
def test_results_are_those_of_onnxruntime(
    version: str, device: Device, opened: Callable[..., TensorRtRunner], tiny_bundle: Path
) -> None:
    runner = opened(NEUTRAL_LANDMARKS, device, version)
    truth = reference(tiny_bundle, NEUTRAL_LANDMARKS)
    for seed, size in enumerate(("min", "max", "opt", "opt", "max", "min")):
        feed = sample_inputs(NEUTRAL_LANDMARKS, size, seed)  # type: ignore[arg-type]
        same(runner(**feed), truth(**feed))
    runner.close()


@pytest.mark.parametrize("spec", STAGES.values(), ids=lambda s: s.name)
def test_every_stage_runs(
    spec: StageSpec,
    bindings: CudaDevice,
    opened: Callable[..., TensorRtRunner],
    tiny_bundle: Path,
    gpu: FakeGpu,
) -> None:
    runner = opened(spec, bindings, "rtx")
    feed = sample_inputs(spec)
    same(runner(**feed), reference(tiny_bundle, spec)(**feed))
    runner.close()
    assert gpu.is_empty


def test_results_belong_to_the_caller(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner]
) -> None:
    runner = opened(EMOTION_ENCODER, bindings)
    (first,) = runner(**sample_inputs(EMOTION_ENCODER, seed=1)).values()
    kept = first.copy()
    runner(**sample_inputs(EMOTION_ENCODER, seed=2))
    assert_allclose(first, kept, atol=0)
    runner.close()


def test_the_feed_is_checked_as_for_every_runner(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner]
) -> None:
    runner = opened(EMOTION_ENCODER, bindings)
    (feed,) = sample_inputs(EMOTION_ENCODER).values()
    with pytest.raises(ContractError, match="as a numpy array of float32, got float64"):
        runner.run(feed.astype(np.float64))
    runner.close()
    with pytest.raises(BackendError, match="the runner is closed"):
        runner.run(feed)


def test_repeated_work_is_captured_once_per_shape(
    device: Device, opened: Callable[..., TensorRtRunner], gpu: FakeGpu
) -> None:
    runner = opened(EMOTION_ENCODER, device)
    for seed in range(4):
        runner(**sample_inputs(EMOTION_ENCODER, "opt", seed))
    assert (len(gpu.graphs), gpu.launches) == (1, 3)
    for seed in range(3):
        runner(**sample_inputs(EMOTION_ENCODER, "max", seed))
    assert (len(gpu.graphs), gpu.launches) == (1, 5)  # those of other shapes are void
    runner.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_engines_that_cannot_be_captured_run_without(
    version: str,
    bindings: CudaDevice,
    opened: Callable[..., TensorRtRunner],
    tiny_bundle: Path,
    gpu: FakeGpu,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gpu.is_capturable = False
    runner = opened(EMOTION_ENCODER, bindings, version)
    truth = reference(tiny_bundle, EMOTION_ENCODER)
    with caplog.at_level("INFO"):
        for seed in range(4):
            feed = sample_inputs(EMOTION_ENCODER, "opt", seed)
            same(runner(**feed), truth(**feed))
    assert caplog.text.count("runs without CUDA graphs") == 1
    assert gpu.launches == 0
    assert gpu.captures == (0 if version == "rtx" else 1)  # RTX is asked first
    runner.close()


def test_rtx_is_captured_where_its_context_allows(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner], gpu: FakeGpu
) -> None:
    runner = opened(EMOTION_ENCODER, bindings, "rtx")
    for seed in range(3):
        runner(**sample_inputs(EMOTION_ENCODER, "opt", seed))
    assert (gpu.captures, gpu.launches) == (1, 2)
    runner.close()


def test_pycuda_alone_runs_without_graphs(
    monkeypatch: pytest.MonkeyPatch,
    opened: Callable[..., TensorRtRunner],
    tiny_bundle: Path,
    gpu: FakeGpu,
) -> None:
    install_pycuda(monkeypatch, gpu)
    install_cuda_bindings(monkeypatch, None)
    device = PycudaDevice()
    assert not device.can_capture
    runner, truth = opened(EMOTION_ENCODER, device), reference(tiny_bundle, EMOTION_ENCODER)
    for seed in range(3):
        feed = sample_inputs(EMOTION_ENCODER, "opt", seed)
        same(runner(**feed), truth(**feed))
    runner.close()
    assert gpu.is_empty


def test_many_threads_share_one_engine(
    device: Device, opened: Callable[..., TensorRtRunner], tiny_bundle: Path
) -> None:
    runner, truth = (
        opened(EMOTION_ENCODER, device, max_lanes=2),
        reference(tiny_bundle, EMOTION_ENCODER),
    )
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for i in range(5):
                feed = sample_inputs(EMOTION_ENCODER, "opt", 10 * seed + i)
                same(runner(**feed), truth(**feed))
        except BaseException as err:
            failures.append(err)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert 1 <= len(runner._lanes) <= 2
    runner.close()


def test_forgotten_runners_give_their_memory_back(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner], gpu: FakeGpu
) -> None:
    runner = opened(EMOTION_ENCODER, bindings)
    runner(**sample_inputs(EMOTION_ENCODER))
    assert not gpu.is_empty
    del runner
    assert gpu.is_empty


def test_shapes_that_come_back_are_recorded_anew(
    device: Device, opened: Callable[..., TensorRtRunner], tiny_bundle: Path, gpu: FakeGpu
) -> None:
    runner, truth = opened(EMOTION_ENCODER, device), reference(tiny_bundle, EMOTION_ENCODER)
    for size in ("min", "max", "min", "min", "max", "max", "min", "min"):
        feed = sample_inputs(EMOTION_ENCODER, size)  # type: ignore[arg-type]
        same(runner(**feed), truth(**feed))
    assert (gpu.captures, len(gpu.graphs)) == (3, 1)
    runner.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_work_that_is_refused_while_it_is_recorded_runs_without(
    version: str,
    device: Device,
    opened: Callable[..., TensorRtRunner],
    tiny_bundle: Path,
    gpu: FakeGpu,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner, truth = (
        opened(EMOTION_ENCODER, device, version),
        reference(tiny_bundle, EMOTION_ENCODER),
    )
    context = runner._engine.flavour.module.IExecutionContext
    execute = context.execute_async_v3
    monkeypatch.setattr(
        context, "execute_async_v3", lambda self, s: s not in gpu.capturing and execute(self, s)
    )
    for seed in range(4):
        feed = sample_inputs(EMOTION_ENCODER, "opt", seed)
        same(runner(**feed), truth(**feed))
    assert (gpu.captures, gpu.launches, gpu.graphs) == (1, 0, {})
    runner.close()


def test_errors_of_the_device_while_recording_do_not_end_the_call(
    device: Device, opened: Callable[..., TensorRtRunner], gpu: FakeGpu, monkeypatch: Any
) -> None:
    runner = opened(EMOTION_ENCODER, device)
    upload = type(device).upload

    def broken(self: Device, address: int, host: Any, stream: int) -> None:
        if stream in gpu.capturing:
            error = getattr(getattr(device, "_driver", None), "Error", BackendError)
            raise error("operation not permitted when stream is capturing")
        upload(self, address, host, stream)

    monkeypatch.setattr(type(device), "upload", broken)
    for seed in range(3):
        runner(**sample_inputs(EMOTION_ENCODER, "opt", seed))
    assert (gpu.launches, gpu.graphs) == (0, {})
    runner.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_two_lanes_take_dynamic_shapes_at_once(
    version: str, bindings: CudaDevice, opened: Callable[..., TensorRtRunner]
) -> None:
    runner = opened(EMOTION_ENCODER, bindings, version)
    lanes = [runner.lend(None) for _ in range(2)]
    for lane in lanes:
        lane.run(sample_inputs(EMOTION_ENCODER, "max"), EMOTION_ENCODER.output_names)
    runner.close()


def test_a_lane_that_finds_no_memory_leaves_nothing(
    device: Device, opened: Callable[..., TensorRtRunner], gpu: FakeGpu
) -> None:
    runner = opened(RENDERER, device)
    gpu.room_bytes = 1 << 20
    with pytest.raises(BackendError, match="out of memory"):
        runner(**sample_inputs(RENDERER))
    assert gpu.is_empty
    gpu.room_bytes = 1 << 34
    runner(**sample_inputs(RENDERER))
    runner.close()


def test_closing_waits_for_the_call_in_hand(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner], gpu: FakeGpu, monkeypatch: Any
) -> None:
    runner = opened(EMOTION_ENCODER, bindings)
    began, may_go_on = threading.Event(), threading.Event()
    synchronize = gpu.synchronize

    def slow(stream: int) -> None:
        began.set()
        assert may_go_on.wait(30)
        synchronize(stream)

    runner(**sample_inputs(EMOTION_ENCODER))
    monkeypatch.setattr(gpu, "synchronize", slow)
    bindings._runtime.cudaStreamSynchronize = lambda stream: (0, slow(stream))
    with ThreadPoolExecutor(2) as threads:
        call = threads.submit(lambda: runner(**sample_inputs(EMOTION_ENCODER)))
        assert began.wait(30)
        closing = threads.submit(runner.close)
        assert not wait([closing], 0.2).done
        may_go_on.set()
        assert call.result(30)
        closing.result(30)
    assert gpu.is_empty


def test_plans_of_another_version_are_refused(
    bindings: CudaDevice, tiny_bundle: Path, gpu: FakeGpu
) -> None:
    ten, eleven = (wrapped(make_trt(v, gpu)) for v in ("10", "11"))
    built = build_plan(ten, EMOTION_ENCODER, Bundle.open(tiny_bundle).model(EMOTION_ENCODER.name))
    with pytest.raises(BackendError, match="Version tag does not match; build it again with"):
        Engine(eleven, EMOTION_ENCODER, built.plan, bindings)


def test_engines_of_another_spec_are_refused(
    bindings: CudaDevice, tiny_bundle: Path, gpu: FakeGpu
) -> None:
    flavour = wrapped(make_trt("10", gpu))
    built = build_plan(flavour, RENDERER, Bundle.open(tiny_bundle).model(RENDERER.name))
    with pytest.raises(BackendError, match="emotion_encoder: expected an engine with log_mel as"):
        Engine(flavour, EMOTION_ENCODER, built.plan, bindings)


def test_what_tensorrt_refuses_is_said(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner], monkeypatch: Any, gpu: FakeGpu
) -> None:
    runner = opened(EMOTION_ENCODER, bindings)
    lane = Lane(runner._engine)
    feed = sample_inputs(EMOTION_ENCODER)
    monkeypatch.setattr(
        type(lane._executions[0]._context), "execute_async_v3", lambda self, stream: False
    )
    with pytest.raises(BackendError, match="expected TensorRT 10.3.0 to accept the work"):
        lane.run(feed, EMOTION_ENCODER.output_names)
    lane.close()
    monkeypatch.setattr(type(runner._engine._engine), "create_execution_context", lambda self: None)
    with pytest.raises(BackendError, match="expected 1 MiB of GPU memory"):
        runner(**feed)
    assert gpu.is_empty


def test_opening_builds_once_and_reads_from_the_store(
    bindings: CudaDevice, tiny_bundle: Path, tmp_path: Path, gpu: FakeGpu
) -> None:
    flavour = wrapped(make_trt("10", gpu))
    target = Target(flavour=flavour, gpu=bindings.gpu)
    graph = Graph(spec=EMOTION_ENCODER, model=Bundle.open(tiny_bundle).model(EMOTION_ENCODER.name))
    feed = sample_inputs(EMOTION_ENCODER)
    node = EngineStore(tmp_path, allow_build=False)
    with pytest.raises(BackendError, match="building is not allowed here"):
        open_runner(graph, store=node, target=target, device=bindings)
    maker = EngineStore(tmp_path, allow_build=True)
    first = open_runner(graph, store=maker, target=target, device=bindings)
    second = open_runner(graph, store=node, target=target, device=bindings)
    same(second(**feed), first(**feed))
    assert len(maker.entries()) == 1
    first.close()
    second.close()
