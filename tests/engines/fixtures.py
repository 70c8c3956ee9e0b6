"""Stores, keys, stages, imagined GPUs and runners that the tests of the engines share.

Not in ``conftest.py``, whose failed imports would end a whole run of pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emohead.bundle import Bundle
from emohead.contract import StageSpec
from emohead.stages import EMOTION_ENCODER
from emohead_engines.build import BuiltPlan, build_plan
from emohead_engines.device import Device
from emohead_engines.device_cuda import CudaDevice
from emohead_engines.device_pycuda import PycudaDevice
from emohead_engines.engine import Engine
from emohead_engines.keys import EngineKey
from emohead_engines.profiles import profile_of
from emohead_engines.runner import TensorRtRunner
from emohead_engines.store import EngineStore

from .fake_cuda import FakeGpu, install_cuda_bindings, install_pycuda
from .fake_trt import make_trt
from .runners import wrapped


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines", allow_build=True)


@pytest.fixture
def key() -> EngineKey:
    return EngineKey(
        stage=EMOTION_ENCODER.name,
        precision="fp32",
        onnx_sha256="a" * 64,
        spec_sha256="b" * 64,
        flavour="tensorrt",
        tensorrt_version="10.3.0",
        gpu="NVIDIA L4",
        compute_capability="8.9",
        cuda_runtime="12.6",
        profile=profile_of(EMOTION_ENCODER),
        options={"level": 3},
        builder="c" * 64,
    )


@pytest.fixture
def plan() -> BuiltPlan:
    return BuiltPlan(plan=b"a plan", timings=b"timings", seconds=1.5)


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
