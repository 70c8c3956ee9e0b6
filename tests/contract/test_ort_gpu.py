"""ONNX Runtime on a GPU: never the CPU instead, state on the device, graphs nobody else replays."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from emohead.backends import choose_backend, open_runner
from emohead.bundle import Bundle
from emohead.contract import sample_inputs
from emohead.errors import BackendError, ContractError
from emohead.machine import Gpu, Machine
from emohead.ort_gpu import CACHE_VARIABLE, GRAPH_KEY, OrtGpuRunner, provider_options
from emohead.runner import OrtRunner
from emohead.stages import EMOTION_ENCODER, RENDERER, STAGES

from .fake_onnxruntime import CPU, CUDA, TENSORRT, Driver, RunOptions, fake_onnxruntime

HELD = RENDERER.input_names[1:-3]
POINTS = RENDERER.input_names[0]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver()
    monkeypatch.setitem(sys.modules, "onnxruntime", fake_onnxruntime(made))
    return made


@pytest.fixture
def model(tiny_bundle: Path) -> bytes:
    return Bundle.open(tiny_bundle).model(RENDERER.name)


def streams(number: int) -> list[dict[str, np.ndarray]]:
    feeds = [sample_inputs(RENDERER, seed=s) for s in range(number)]
    return [{n: feed[n] for n in HELD} for feed in feeds]


def points(number: int, seed: int) -> np.ndarray:
    feeds = [sample_inputs(RENDERER, seed=100 * seed + i)[POINTS] for i in range(number)]
    return np.concatenate(feeds)


@pytest.mark.parametrize("captures", [True, False])
@pytest.mark.parametrize("number", [1, 3])
def test_streams_on_the_device_equal_streams_on_the_host(
    model: bytes, driver: Driver, captures: bool, number: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "onnxruntime")
        host = OrtRunner(RENDERER, model, threads=1).steps(streams(number))
        wanted = [host.step(**{POINTS: points(number, i)}) for i in range(4)]
    runner = OrtGpuRunner(RENDERER, model, captures=captures)
    device = runner.steps(streams(number))
    for i, frames in enumerate(wanted):
        got = device.step(**{POINTS: points(number, i)})
        assert got.keys() == frames.keys()
        for name, array in frames.items():
            np.testing.assert_allclose(got[name], array, atol=1e-6)
    for mine, other in zip(device.states(), host.states(), strict=True):
        for name, array in other.items():
            assert array.any()
            np.testing.assert_allclose(mine[name], array, atol=1e-6)
    assert driver.replays == (2 if captures else 0)
    assert driver.sessions[-1].axes == {"batch": number}


def test_states_go_on_in_other_company(model: bytes, driver: Driver) -> None:
    runner = OrtGpuRunner(RENDERER, model)
    alone, pair = runner.steps(streams(2)[1:]), runner.steps(streams(2))
    for i in range(3):
        both = points(2, i)
        pair.step(**{POINTS: both})
        frame = alone.step(**{POINTS: both[1:]})
    left = runner.steps(streams(2)[1:], pair.states()[1:])
    both = points(2, 9)
    frame, other = (s.step(**{POINTS: both[1:]}) for s in (alone, left))
    for name in frame:
        np.testing.assert_allclose(frame[name], other[name], atol=1e-6)


def test_buffers_and_graphs_are_reused_by_the_next_streams_alone(
    model: bytes, driver: Driver
) -> None:
    runner = OrtGpuRunner(RENDERER, model)
    first, second = runner.steps(streams(1)), runner.steps(streams(2)[1:])
    for steps in (first, second, first, second, first, second):
        steps.step(**{POINTS: points(1, 0)})
    graphs = driver.sessions[-1].captured
    assert sorted(graphs) == ["1", "2", "3", "4"]
    wanted = runner.steps(streams(1))
    frame = wanted.step(**{POINTS: points(1, 5)})
    first.close()
    again = runner.steps(streams(1))
    for name, array in again.step(**{POINTS: points(1, 5)}).items():
        np.testing.assert_array_equal(array, frame[name])
    assert len(graphs) == 5
    with pytest.raises(BackendError, match="streams are closed"):
        first.step(**{POINTS: points(1, 0)})


def test_threads_share_one_session_and_never_run_it_at_once(
    model: bytes, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = OrtGpuRunner(RENDERER, model)
    plain = type(driver.sessions[0])
    inside, crowds, numbers = [], [], []

    def opened(self: object, *given: object, **named: object) -> None:
        time.sleep(0.05)
        begin(self, *given, **named)

    def run(self: object, binding: object, options: RunOptions) -> None:
        inside.append(self)
        crowds.append(inside.count(self))
        numbers.append(options.entries[GRAPH_KEY])
        time.sleep(0.02)
        bound(self, binding, options)
        inside.remove(self)

    begin, bound = plain.__init__, plain.run_with_iobinding
    monkeypatch.setattr(plain, "__init__", opened)
    monkeypatch.setattr(plain, "run_with_iobinding", run)
    together = threading.Barrier(4)

    def act(seed: int) -> None:
        together.wait(10)
        steps = runner.steps(streams(1))
        for i in range(2):
            steps.step(**{POINTS: points(1, seed + i)})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(act, range(4)))
    assert len(driver.sessions) == 2
    assert max(crowds) == 1
    assert len(set(numbers)) == len(numbers) == 8


def test_a_gpu_that_vanished_is_an_error_never_the_cpu(model: bytes, driver: Driver) -> None:
    driver.usable = {CPU}
    with pytest.raises(BackendError, match="expected to run on CUDAExecutionProvider"):
        OrtGpuRunner(RENDERER, model)


def test_the_gpu_lost_between_two_sessions_is_an_error(model: bytes, driver: Driver) -> None:
    runner = OrtGpuRunner(RENDERER, model)
    driver.usable = {CPU}
    with pytest.raises(BackendError, match="onnxruntime offers CPUExecutionProvider"):
        runner.steps(streams(1))


def test_without_graphs_the_device_still_works_and_the_log_says_so(
    model: bytes, driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    driver.captures = False
    runner = OrtGpuRunner(RENDERER, model)
    runner.steps(streams(1)).step(**{POINTS: points(1, 0)})
    assert "without CUDA graphs" in caplog.text
    assert driver.sessions[-1].providers[0] == CUDA


def test_a_failing_run_says_what_to_do(
    model: bytes, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = OrtGpuRunner(RENDERER, model).steps(streams(1))

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA failure 2: out of memory\nmore")

    monkeypatch.setattr(type(driver.sessions[-1]), "run_with_iobinding", fail)
    with pytest.raises(BackendError, match="out of memory; free GPU memory"):
        steps.step(**{POINTS: points(1, 0)})


def test_wrong_feeds_are_refused_before_the_device(model: bytes, driver: Driver) -> None:
    runner = OrtGpuRunner(RENDERER, model)
    with pytest.raises(ContractError, match="same held inputs"):
        runner.steps([])
    with pytest.raises(ContractError, match="expected 2 states, got 1"):
        steps = runner.steps(streams(2))
        runner.steps(streams(2), steps.states()[:1])
    with pytest.raises(ContractError, match="expected 2 streams in landmarks, got 3"):
        steps.step(**{POINTS: points(3, 0)})


def test_a_closed_runner_says_so(model: bytes, driver: Driver) -> None:
    runner = OrtGpuRunner(RENDERER, model)
    steps = runner.steps(streams(1))
    runner.close()
    steps.close()
    with pytest.raises(BackendError, match="closed"):
        runner.steps(streams(1))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the TensorRT provider's engines."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache" / "ort"))
    return tmp_path / "cache" / "ort"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_engines_of_onnxruntime_come_from_a_private_folder(cache: Path) -> None:
    provider_options(EMOTION_ENCODER, TENSORRT)
    assert cache.stat().st_mode & 0o777 == 0o700
    cache.chmod(0o777)
    with pytest.raises(BackendError, match=r"others can as well \(mode 777\): run `chmod go-w"):
        provider_options(EMOTION_ENCODER, TENSORRT)
    cache.rmdir()
    cache.write_bytes(b"")
    with pytest.raises(BackendError, match="expected a folder for engines"):
        provider_options(EMOTION_ENCODER, TENSORRT)


def test_a_user_without_a_home_is_told_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(BackendError, match=f"set {CACHE_VARIABLE}"):
        provider_options(EMOTION_ENCODER, TENSORRT)


def test_engines_of_onnxruntime_have_profiles_cache_and_fp16(cache: Path) -> None:
    ((name, options), (after, _)) = provider_options(EMOTION_ENCODER, TENSORRT, precision="fp16")
    assert (name, after) == (TENSORRT, CUDA)
    tensor = EMOTION_ENCODER.inputs[0].name
    assert options["trt_profile_min_shapes"] == f"{tensor}:1x128x16"
    assert options["trt_profile_max_shapes"] == f"{tensor}:16x128x1024"
    assert options["trt_fp16_enable"] == "1"
    assert options["trt_engine_cache_path"] == str(cache)


@pytest.mark.parametrize("name", ["cuda", "ort-tensorrt"])
def test_every_stage_opens_and_runs_on_the_named_backend(
    tiny_bundle: Path, driver: Driver, name: str
) -> None:
    machine = Machine(
        gpus=(Gpu(name="NVIDIA A10", compute_capability=(8, 6)),),
        driver="580.10",
        onnxruntime="1.32.0",
        providers=(TENSORRT, CUDA, CPU),
    )
    backend = choose_backend(name, machine=machine)
    bundle = Bundle.open(tiny_bundle)
    for spec in STAGES.values():
        results = open_runner(backend, spec, bundle.model(spec.name))(**sample_inputs(spec))
        assert results.keys() == set(spec.output_names)
    used = {s.providers[0] for s in driver.sessions}
    assert used == {TENSORRT if name == "ort-tensorrt" else CUDA}


@pytest.mark.gpu
def test_a_real_gpu_renders_what_the_cpu_does() -> None:
    if CUDA not in pytest.importorskip("onnxruntime").get_available_providers():
        pytest.skip("needs onnxruntime-gpu")
    bundle = Bundle.open()
    host, device = (bundle.runner(RENDERER.name, b).steps(streams(2)) for b in ("cpu", "cuda"))
    for i in range(4):
        frames = [
            s.step(**{POINTS: points(2, i)})[RENDERER.output_names[0]] for s in (host, device)
        ]
        np.testing.assert_allclose(frames[0], frames[1], atol=1e-3)
