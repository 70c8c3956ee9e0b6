"""Both device layers find the GPU, or say why not; the stand-ins have no names of their own."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np
import pytest

from emohead.errors import BackendError
from emohead_engines import device as devices
from emohead_engines.device import open_device
from emohead_engines.device_cuda import CudaDevice
from emohead_engines.device_pycuda import PycudaDevice

from .fake_cuda import FakeGpu, install_cuda_bindings, install_pycuda, runtime_names


@pytest.fixture(autouse=True)
def _forget_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_opened", [])


def test_pycuda_comes_first_and_cuda_bindings_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(name="NVIDIA H200", capability=(9, 0))
    install_cuda_bindings(monkeypatch, gpu)
    install_pycuda(monkeypatch, gpu)
    found = open_device()
    assert (found.layer, found.gpu.name, found.gpu.compute_capability) == (
        "pycuda",
        "NVIDIA H200",
        "9.0",
    )
    assert found.gpu.cuda_runtime == "12.6"
    assert open_device() is found
    devices._opened.clear()
    install_pycuda(monkeypatch, None)
    assert open_device().layer == "cuda-bindings"
    assert open_device().gpu == found.gpu


def test_missing_layers_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    install_cuda_bindings(monkeypatch, None)
    install_pycuda(monkeypatch, None)
    with pytest.raises(BackendError, match=r"pycuda or cuda-bindings.*emohead\[tensorrt\]"):
        open_device()


@pytest.mark.parametrize("has_pycuda", [True, False])
def test_missing_gpus_are_said(monkeypatch: pytest.MonkeyPatch, has_pycuda: bool) -> None:
    gpu = FakeGpu(name="")
    install_cuda_bindings(monkeypatch, gpu)
    install_pycuda(monkeypatch, gpu if has_pycuda else None)
    with pytest.raises(BackendError, match="NVIDIA GPU with a working driver.*nvidia-smi"):
        open_device()


def test_the_reason_of_the_driver_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    install_cuda_bindings(monkeypatch, FakeGpu())
    code = sys.modules["cuda.bindings.runtime"].cudaError_t.cudaErrorInsufficientDriver
    monkeypatch.setattr("cuda.bindings.runtime.cudaGetDeviceCount", lambda: (code, 0))
    with pytest.raises(BackendError, match="got: cudaErrorInsufficientDriver"):
        CudaDevice()


@pytest.mark.parametrize("layer", [PycudaDevice, CudaDevice])
def test_bytes_go_to_the_gpu_and_back(monkeypatch: pytest.MonkeyPatch, layer: Any) -> None:
    gpu = FakeGpu()
    install_cuda_bindings(monkeypatch, gpu)
    install_pycuda(monkeypatch, gpu)
    device = layer()
    with device.active():
        stream, address = device.open_stream(), device.allocate(64)
        host = device.allocate_host(64)
        host[:] = np.arange(64)
        device.upload(address, host[:32], stream)
        device.synchronize(stream)
        device.clear(address, 8, stream)
        host[:] = 255
        device.download(host[:32], address, stream)
        assert host[9] == 255  # nothing has happened yet
        device.synchronize(stream)
        assert host[:8].tolist() == [0] * 8
        assert host[8:32].tolist() == list(range(8, 32))
        assert host[32] == 255
        device.free(address)
        device.free_host(host)
        device.close_stream(stream)
    assert gpu.is_empty
    assert not gpu.current or layer is CudaDevice


def test_cuda_errors_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu()
    install_cuda_bindings(monkeypatch, gpu)
    install_pycuda(monkeypatch, gpu)
    pycuda = PycudaDevice()
    with pytest.raises(BackendError, match="got: launch failed"), pycuda.active():
        raise pycuda._driver.Error("launch failed")
    assert not gpu.current
    device = CudaDevice()
    with device.active(), pytest.raises(BackendError, match="error 2, out of memory; free GPU"):
        device.allocate(1 << 40)


def test_the_stand_in_has_only_names_of_the_real_runtime() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime")
    for name, imagined in runtime_names(FakeGpu()).items():
        real = getattr(runtime, name)
        if inspect.isclass(imagined):
            for member in imagined:
                assert int(getattr(real, member.name)) == member.value, member
        elif isinstance(imagined, int):
            assert int(real) == imagined, name


def test_without_a_driver_the_real_runtime_is_said_to_lack_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime")
    if runtime.cudaGetDeviceCount()[1]:
        pytest.skip("this machine has a GPU")
    install_pycuda(monkeypatch, None)
    with pytest.raises(BackendError, match="got: cudaError"):
        open_device()


@pytest.mark.gpu
def test_a_real_gpu_copies_bytes() -> None:
    device = open_device()
    with device.active():
        stream, address = device.open_stream(), device.allocate(1 << 20)
        host = device.allocate_host(1 << 20)
        host[:] = np.arange(1 << 20, dtype=np.uint64).astype(np.uint8)
        wanted = host.copy()
        device.upload(address, host, stream)
        device.synchronize(stream)
        host[:] = 0
        device.download(host, address, stream)
        device.synchronize(stream)
        assert np.array_equal(host, wanted)
        device.free(address)
        device.free_host(host)
        device.close_stream(stream)


def test_the_stand_in_of_tensorrt_has_only_names_of_the_real_one() -> None:
    real = pytest.importorskip("tensorrt_rtx")
    pytest.importorskip("onnx")
    from .fake_trt import make_trt

    fake = make_trt("rtx", FakeGpu())
    for name, imagined in vars(fake).items():
        if name.startswith("__") or name == "seen":
            continue
        assert hasattr(real, name), name
        if inspect.isclass(imagined):
            ours = [c for c in imagined.__mro__ if c.__module__ == make_trt.__module__]
            own = {n for c in ours for n in vars(c) if not n.startswith("_")}
            own -= {"flags", "model", "load", "profiles", "pools", "cache"}
            missing = {n for n in own if not hasattr(getattr(real, name), n)}
            assert not missing, (name, missing)
