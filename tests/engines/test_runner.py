"""The runner computes what ONNX Runtime does, over every flavour and both device layers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

onnx = pytest.importorskip("onnx")

from emohead.bundle import Bundle  # noqa: E402
from emohead.contract import StageSpec, sample_inputs  # noqa: E402
from emohead.errors import BackendError, ContractError  # noqa: E402
from emohead.runner import OrtRunner  # noqa: E402
from emohead.stages import EMOTION_ENCODER, NEUTRAL_LANDMARKS, RENDERER, STAGES  # noqa: E402
from emohead_engines.build import build_plan  # noqa: E402
from emohead_engines.device import Device  # noqa: E402
from emohead_engines.device_cuda import CudaDevice  # noqa: E402
from emohead_engines.device_pycuda import PycudaDevice  # noqa: E402
from emohead_engines.engine import Engine  # noqa: E402
from emohead_engines.flavour import Flavour, flavour_of  # noqa: E402
from emohead_engines.lane import Lane  # noqa: E402
from emohead_engines.runner import TensorRtRunner, open_runner  # noqa: E402
from emohead_engines.store import EngineStore  # noqa: E402
from emohead_engines.workshop import Graph, Target  # noqa: E402

from .fake_cuda import FakeGpu, install_cuda_bindings, install_pycuda  # noqa: E402
from .fake_trt import VERSIONS, make_trt  # noqa: E402

Array = np.ndarray[Any, Any]


@pytest.fixture
def gpu() -> FakeGpu:
    return FakeGpu()


@pytest.fixture(params=["pycuda", "cuda-bindings"])
def device(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, gpu: FakeGpu
) -> Iterator[Device]:
    install_cuda_bindings(monkeypatch, gpu)
    install_pycuda(monkeypatch, gpu if request.param == "pycuda" else None)
    yield PycudaDevice() if request.param == "pycuda" else CudaDevice()
    assert gpu.is_empty, "a test left memory, streams or graphs behind"


@pytest.fixture
def bindings(monkeypatch: pytest.MonkeyPatch, gpu: FakeGpu) -> CudaDevice:
    install_cuda_bindings(monkeypatch, gpu)
    return CudaDevice()


def wrapped(trt: ModuleType) -> Flavour:
    return flavour_of(trt, trt.__name__)


@pytest.fixture
def opened(tiny_bundle: Path, gpu: FakeGpu) -> Callable[..., TensorRtRunner]:
    """Open a toy stage; the toy graphs keep the true contract."""

    def open_it(
        spec: StageSpec, device: Device, version: str = "10", **options: Any
    ) -> TensorRtRunner:
        flavour = wrapped(make_trt(version, gpu))
        built = build_plan(flavour, spec, Bundle.open(tiny_bundle).model(spec.name))
        return TensorRtRunner(Engine(flavour, spec, built.plan, device), **options)

    return open_it


def reference(tiny_bundle: Path, spec: StageSpec) -> OrtRunner:
    return OrtRunner(spec, Bundle.open(tiny_bundle).model(spec.name), threads=1)


def same(got: dict[str, Array], wanted: dict[str, Array]) -> None:
    assert list(got) == list(wanted)
    for name in wanted:
        assert_allclose(got[name], wanted[name], atol=1e-6, err_msg=name)


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
    assert (len(gpu.graphs), gpu.launches) == (2, 5)
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


def split(spec: StageSpec, feed: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Moving input and held inputs of the renderer: all but the first input and the states."""
    states = {s.input for s in spec.state}
    names = [n for n in spec.input_names if n not in states]
    return {names[0]: feed[names[0]]}, {n: feed[n] for n in names[1:]}


def test_steps_keep_states_and_held_inputs_on_the_gpu(
    device: Device, opened: Callable[..., TensorRtRunner], tiny_bundle: Path, gpu: FakeGpu
) -> None:
    runner, truth = opened(RENDERER, device), reference(tiny_bundle, RENDERER)
    held = split(RENDERER, sample_inputs(RENDERER))[1]
    on_gpu, on_host = runner.steps([held]), truth.steps([held])
    for seed in range(6):
        moving, _ = split(RENDERER, sample_inputs(RENDERER, seed=seed))
        gpu.uploaded = 0
        got = on_gpu.step(**moving)
        assert gpu.uploaded == sum(a.nbytes for a in moving.values())
        same(got, on_host.step(**moving))
    assert len(gpu.graphs) == 2  # one per direction of the swap
    same(on_gpu.states()[0], on_host.states()[0])
    on_gpu.close()
    with pytest.raises(BackendError, match="the steps are closed"):
        on_gpu.step(**moving)
    with pytest.raises(BackendError, match="the steps are closed"):
        on_gpu.states()
    runner.close()


def test_streams_move_between_batches(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner], tiny_bundle: Path
) -> None:
    runner, truth = opened(RENDERER, bindings), reference(tiny_bundle, RENDERER)
    feeds = [split(RENDERER, sample_inputs(RENDERER, seed=seed)) for seed in range(3)]
    alone = []
    for moving, held in feeds:
        steps = truth.steps([held])
        alone.append([steps.step(**moving) for _ in range(4)])
    states: dict[int, Any] | None = None
    for at, batches in enumerate(([[0], [1], [2]], [[0, 1, 2]], [[2, 0], [1]], [[0, 1, 2]])):
        after: dict[int, Any] = {}
        for batch in batches:
            given = None if states is None else [states[i] for i in batch]
            steps = runner.steps([feeds[i][1] for i in batch], given)
            joined = {n: np.concatenate([feeds[i][0][n] for i in batch]) for n in feeds[0][0]}
            got = steps.step(**joined)
            for row, i in enumerate(batch):
                same({n: a[row : row + 1] for n, a in got.items()}, alone[i][at])
            after |= dict(zip(batch, steps.states(), strict=True))
            steps.close()
        states = after
    assert len(runner._lanes) == 3  # batches of 1, 2 and 3, lent again and again
    runner.close()


def test_steps_do_not_disturb_each_other_or_the_runner(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner], gpu: FakeGpu
) -> None:
    runner = opened(RENDERER, bindings)
    feeds = [sample_inputs(RENDERER, seed=seed) for seed in range(2)]
    alone = []
    for feed in feeds:
        moving, held = split(RENDERER, feed)
        steps = runner.steps([held])
        alone.append([steps.step(**moving) for _ in range(3)])
        steps.close()
    both = [runner.steps([split(RENDERER, feed)[1]]) for feed in feeds]
    for step in range(3):
        for feed, steps, wanted in zip(feeds, both, alone, strict=True):
            same(steps.step(**split(RENDERER, feed)[0]), wanted[step])
            runner(**feeds[0])
    runner.close()
    with pytest.raises(BackendError, match="the runner is closed"):
        both[0].step(**split(RENDERER, feeds[0])[0])
    assert gpu.is_empty


def test_frames_of_a_step_may_vary(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner], tiny_bundle: Path
) -> None:
    spec = NEUTRAL_LANDMARKS
    runner, truth = opened(spec, bindings), reference(tiny_bundle, spec)
    states = {s.input for s in spec.state}
    feed = {n: a for n, a in sample_inputs(spec, "max").items() if n not in states}
    held = {n: a[:1] for n, a in feed.items() if a.ndim == 3 and n == spec.input_names[1]}
    on_gpu, on_host = runner.steps([held]), truth.steps([held])
    (name,) = on_gpu.fed
    for frames in (3, 1, 3, 256, 3):
        given = {name: feed[name][:1, :frames]}
        same(on_gpu.step(**given), on_host.step(**given))
    with pytest.raises(ContractError, match="expected 1 streams in content, got 16"):
        on_gpu.step(**{name: feed[name]})
    runner.close()


def test_forgotten_steps_give_their_lane_back(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner]
) -> None:
    runner = opened(RENDERER, bindings)
    held = split(RENDERER, sample_inputs(RENDERER))[1]
    for _ in range(3):
        runner.steps([held])
    assert len(runner._lanes) == 1
    runner.close()


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


def test_old_graphs_make_room(
    bindings: CudaDevice, opened: Callable[..., TensorRtRunner], gpu: FakeGpu, monkeypatch: Any
) -> None:
    monkeypatch.setattr("emohead_engines.lane.MAX_GRAPHS", 2)
    runner = opened(EMOTION_ENCODER, bindings)
    for size in ("min", "opt", "max", "min", "opt", "max"):
        for seed in range(2):
            runner(**sample_inputs(EMOTION_ENCODER, size, seed))  # type: ignore[arg-type]
    assert len(gpu.graphs) == 2
    runner.close()


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
    monkeypatch.setattr(type(lane._context), "execute_async_v3", lambda self, stream: False)
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
