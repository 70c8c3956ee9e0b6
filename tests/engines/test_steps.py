"""Steps on TensorRT: states and held inputs stay on the GPU, lanes come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from emohead.contract import StageSpec, sample_inputs  # noqa: E402
from emohead.errors import BackendError, ContractError  # noqa: E402
from emohead.stages import NEUTRAL_LANDMARKS, RENDERER  # noqa: E402
from emohead_engines.device import Device  # noqa: E402
from emohead_engines.device_cuda import CudaDevice  # noqa: E402
from emohead_engines.runner import TensorRtRunner  # noqa: E402

from .fake_cuda import FakeGpu  # noqa: E402
from .runners import reference, same  # noqa: E402

Array = np.ndarray[Any, Any]


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
