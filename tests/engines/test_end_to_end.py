"""A talking head on engines shows what it shows on ONNX Runtime; missing parts are named."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from emohead import TalkingHead  # noqa: E402
from emohead.backends import Backend, choose_backend, open_runner  # noqa: E402
from emohead.bundle import Bundle  # noqa: E402
from emohead.errors import BackendError  # noqa: E402
from emohead.images import read_image  # noqa: E402
from emohead.machine import Gpu, Machine  # noqa: E402
from emohead.samples import SAMPLE_FACE  # noqa: E402
from emohead.stages import EMOTION_ENCODER, STAGES  # noqa: E402
from emohead_engines import device as devices  # noqa: E402
from emohead_engines.store import BUILD_VARIABLE, STORE_VARIABLE, EngineStore  # noqa: E402

from .fake_cuda import FakeGpu, install_cuda_bindings, install_pycuda  # noqa: E402
from .fake_trt import make_trt  # noqa: E402


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeGpu:
    """A machine with an imagined GPU and TensorRT 10."""
    imagined = FakeGpu()
    monkeypatch.setattr(devices, "_opened", [])
    install_cuda_bindings(monkeypatch, imagined)
    install_pycuda(monkeypatch, imagined)
    monkeypatch.setitem(sys.modules, "tensorrt", make_trt("10", imagined))
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "engines"))
    return imagined


@pytest.fixture
def chosen() -> Backend:
    machine = Machine(
        gpus=(Gpu(name="NVIDIA L4", compute_capability=(8, 9)),),
        libraries={"tensorrt": "10.3.0", "pycuda": "2026.1"},
    )
    return choose_backend("tensorrt", "fp32", machine=machine)


def frames(head: TalkingHead) -> np.ndarray:
    sound = (np.sin(np.arange(4000) / 9) * 0.3).astype(np.float32)
    face = head.portrait(read_image(SAMPLE_FACE), face_box=(60, 40, 200, 220))
    return np.stack(list(head.animate(face, (sound, 16_000), emotion="happy")))


def test_frames_are_those_of_onnxruntime(gpu: FakeGpu, chosen: Backend, tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    runners = {stage: bundle.runner(stage, chosen) for stage in STAGES}
    shown = frames(TalkingHead(runners, chosen))
    wanted = frames(TalkingHead.load(tiny_bundle, backend="cpu", threads=1))
    assert len(wanted) >= 7
    assert np.abs(shown.astype(int) - wanted).max() <= 1
    assert gpu.launches > 0
    assert {e.manifest.key.stage for e in EngineStore().entries()} == set(STAGES)
    for runner in runners.values():
        runner.close()
    assert gpu.is_empty


def test_render_nodes_do_not_build(
    gpu: FakeGpu, chosen: Backend, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BUILD_VARIABLE, "0")
    with pytest.raises(BackendError, match="face_detector fp32: expected its engine in .*none"):
        Bundle.open(tiny_bundle).runner("face_detector", chosen)


def test_the_precision_of_a_file_is_kept(gpu: FakeGpu, chosen: Backend, tiny_bundle: Path) -> None:
    model = Bundle.open(tiny_bundle).model(EMOTION_ENCODER.name)
    open_runner(chosen, EMOTION_ENCODER, model, precision="fp16").close()
    assert [e.manifest.key.precision for e in EngineStore().entries()] == ["fp16"]


def test_the_missing_extra_is_named(
    chosen: Backend, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "emohead_engines.runner", None)
    with pytest.raises(BackendError, match=r"extra `tensorrt`.*pip install 'emohead\[tensorrt\]'"):
        Bundle.open(tiny_bundle).runner(EMOTION_ENCODER.name, chosen)
