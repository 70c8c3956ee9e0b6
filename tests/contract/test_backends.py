"""Simulated machines: a backend is chosen with a reason; what was asked for is never replaced."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest

from emohead import machine as facts
from emohead.backends import choose_backend
from emohead.choosing import BACKENDS, choose, obstacle
from emohead.errors import BackendError
from emohead.machine import CPU_PROVIDER, CUDA_PROVIDER, TENSORRT_PROVIDER, Gpu, Machine

from .fake_onnxruntime import Driver, fake_onnxruntime

CPU_ONLY = Machine(
    cores=2,
    libraries={"onnxruntime": "1.32.0"},
    onnxruntime="1.32.0",
    providers=(CPU_PROVIDER,),
)
GPU_LIBRARIES = {"onnxruntime-gpu": "1.32.0", "cuda-bindings": "13.0.3"}


def machine(name: str, capability: tuple[int, int] | None, **changes: Any) -> Machine:
    """Make a machine with a GPU, onnxruntime-gpu and a driver of today."""
    made = Machine(
        cores=16,
        gpus=(Gpu(name=name, compute_capability=capability, memory_mib=11_264),),
        driver="580.95.05",
        libraries=GPU_LIBRARIES,
        onnxruntime="1.32.0",
        providers=(TENSORRT_PROVIDER, CUDA_PROVIDER, CPU_PROVIDER),
    )
    return replace(made, **changes)


def with_tensorrt(**versions: str) -> dict[str, str]:
    return {**GPU_LIBRARIES, **versions}


@pytest.fixture
def unprobed() -> Any:
    facts.probe_machine.cache_clear()
    yield
    facts.probe_machine.cache_clear()


GPUS = {
    "GTX 1080 Ti": (6, 1),
    "Tesla V100": (7, 0),
    "RTX 2080 Ti": (7, 5),
    "A10": (8, 6),
    "RTX 4090": (8, 9),
    "H100": (9, 0),
    "H200": (9, 0),
    "RTX 5090": (12, 0),
}
CHOSEN = [
    # GPU, TensorRT, TensorRT-RTX, onnxruntime-gpu -> backend, precision
    ("GTX 1080 Ti", None, None, "1.22.0", "cuda", "fp32"),
    ("GTX 1080 Ti", None, None, "1.23.2", "cpu", "fp32"),
    ("GTX 1080 Ti", "8.6.1", None, "1.32.0", "tensorrt", "fp32"),
    ("GTX 1080 Ti", "10.3.0", None, "1.22.0", "cuda", "fp32"),
    ("GTX 1080 Ti", None, "1.7.1.116", "1.32.0", "cpu", "fp32"),
    ("Tesla V100", None, None, "1.24.0", "cuda", "fp32"),
    ("Tesla V100", None, None, "1.32.0", "cpu", "fp32"),
    ("Tesla V100", "8.6.1", None, "1.32.0", "tensorrt", "fp16"),
    ("RTX 2080 Ti", None, None, "1.32.0", "cuda", "fp32"),
    ("RTX 2080 Ti", "11.4", None, "1.32.0", "tensorrt", "fp16"),
    ("RTX 2080 Ti", None, "1.7.1.116", "1.32.0", "tensorrt", "fp16"),
    ("A10", None, None, "1.32.0", "cuda", "fp32"),
    ("A10", "10.3.0", None, "1.32.0", "tensorrt", "fp16"),
    ("RTX 4090", None, "1.7.1.116", "1.32.0", "tensorrt", "fp16"),
    ("H100", None, "1.7.1.116", "1.32.0", "cuda", "fp32"),
    ("H100", "8.6.1", None, "1.32.0", "tensorrt", "fp16"),
    ("H200", "11.4", "1.7.1.116", "1.32.0", "tensorrt", "fp16"),
    ("RTX 5090", "10.3.0", None, "1.32.0", "cuda", "fp32"),
    ("RTX 5090", "10.8.0", None, "1.32.0", "tensorrt", "fp16"),
    ("RTX 5090", "10.3.0", "1.7.1.116", "1.32.0", "tensorrt", "fp16"),
]


@pytest.mark.parametrize(("gpu", "tensorrt", "rtx", "version", "backend", "precision"), CHOSEN)
def test_auto_takes_the_fastest_that_works(
    gpu: str, tensorrt: str | None, rtx: str | None, version: str, backend: str, precision: str
) -> None:
    given = {"tensorrt": tensorrt, "tensorrt_rtx": rtx, "onnxruntime-gpu": version}
    libraries = with_tensorrt(**{n: v for n, v in given.items() if v is not None})
    choice = choose(machine(gpu, GPUS[gpu], libraries=libraries, onnxruntime=version))
    assert (choice.backend, choice.precision) == (backend, precision)
    assert choice.reason
    if backend != "cpu":
        assert gpu in choice.reason


def test_pascal_computes_fp16_slowly_and_the_reason_says_so() -> None:
    pascal = machine("GTX 1080 Ti", (6, 1), libraries=with_tensorrt(tensorrt="8.6.1"))
    assert "GTX 1080 Ti (sm_61) computes fp16 slowly" in choose(pascal).reason
    assert choose(pascal, "tensorrt", "fp16").precision == "fp16"


def test_pascal_is_told_which_versions_serve_it() -> None:
    new = machine("GTX 1080 Ti", (6, 1), libraries=with_tensorrt(tensorrt="10.3"))
    with pytest.raises(BackendError, match=r"onnxruntime-gpu<1\.23.*TensorRT 8\.6"):
        choose(new, "cuda")
    with pytest.raises(BackendError, match=r"install TensorRT 8\.6, the last that does"):
        choose(new, "tensorrt")
    assert "does not support" in choose(new).reason


def test_cpu_only() -> None:
    choice = choose(CPU_ONLY)
    assert (choice.backend, choice.precision) == ("cpu", "fp32")
    assert "built without CUDA" in choice.reason
    for name in ("cuda", "ort-tensorrt"):
        with pytest.raises(BackendError, match=r"pip install 'emohead\[gpu\]'.*--backend cpu"):
            choose(CPU_ONLY, name)
    with pytest.raises(BackendError, match="no NVIDIA GPU with a working driver"):
        choose(CPU_ONLY, "tensorrt")


def test_gpu_libraries_without_a_driver() -> None:
    blind = machine("x", None, gpus=(), driver=None)
    choice = choose(blind)
    assert choice.backend == "cpu"
    assert "no NVIDIA GPU with a working driver is seen" in choice.reason
    with pytest.raises(BackendError, match=r"install NVIDIA's driver .*--backend cpu"):
        choose(blind, "cuda")


@pytest.mark.parametrize(
    ("version", "driver", "works"),
    [("1.32.0", "570.1", False), ("1.32.0", "580.1", True), ("1.24.0", "535.2", True),
     ("1.24.0", "470.2", False), ("1.32.0", "for CUDA 13.0", True)],
)  # fmt: skip
def test_a_driver_that_is_too_old_for_the_library(version: str, driver: str, works: bool) -> None:
    trouble = obstacle(machine("A10", (8, 6), onnxruntime=version, driver=driver), "cuda")
    assert (trouble is None) == works
    if trouble is not None:
        assert "update the driver" in trouble


def test_a_provider_that_does_not_open_is_no_provider() -> None:
    broken = machine("A10", (8, 6), failures={CUDA_PROVIDER: "libcudnn.so.9 is missing"})
    assert "libcudnn.so.9 is missing" in choose(broken).reason
    with pytest.raises(BackendError, match=r"libcudnn.so.9 is missing.*docs/backends.md"):
        choose(broken, "cuda")


def test_engines_need_something_that_talks_to_the_driver() -> None:
    libraries = {"onnxruntime-gpu": "1.32.0", "tensorrt": "11.4"}
    bare = machine("A10", (8, 6), libraries=libraries)
    assert choose(bare).backend == "cuda"
    with pytest.raises(BackendError, match="pip install cuda-bindings"):
        choose(bare, "tensorrt")
    pycuda = machine("A10", (8, 6), libraries={**libraries, "pycuda": "2026.1"})
    assert choose(pycuda).backend == "tensorrt"


def test_a_tensorrt_that_cannot_be_imported_is_none() -> None:
    libraries = with_tensorrt(tensorrt="11.4")
    broken = machine("A10", (8, 6), libraries=libraries, failures={"tensorrt": "no libnvinfer"})
    assert choose(broken).backend == "cuda"
    with pytest.raises(BackendError, match=r"no libnvinfer.*docs/engines.md"):
        choose(broken, "tensorrt")


def test_libraries_are_imported_where_a_gpu_would_use_them(
    monkeypatch: pytest.MonkeyPatch, unprobed: None
) -> None:
    def fail(name: str) -> Any:
        raise ImportError(f"{name}: libnvinfer.so.10 is missing")

    monkeypatch.setattr(facts, "_libraries", lambda: {"tensorrt": "10.3"})
    monkeypatch.setattr(facts, "_gpus", lambda: ((Gpu(name="A10"),), None))
    monkeypatch.setattr(facts, "import_module", fail)
    assert "libnvinfer" in facts.probe_machine().failures["tensorrt"]


def test_an_undescribed_gpu_gets_fp32() -> None:
    choice = choose(machine("an NVIDIA GPU", None, libraries=with_tensorrt(tensorrt="11.4")))
    assert (choice.backend, choice.precision) == ("tensorrt", "fp32")
    assert "not known" in choice.reason


def test_both_packages_installed_is_warned_about() -> None:
    both = {"onnxruntime": "1.32.0", **GPU_LIBRARIES}
    (warning,) = choose(machine("A10", (8, 6), libraries=both)).warnings
    assert "overwrite each other" in warning
    assert choose(CPU_ONLY).warnings == ()


def test_missing_onnxruntime_names_the_extra() -> None:
    with pytest.raises(BackendError, match=r"pip install 'emohead\[cpu\]'"):
        choose(replace(CPU_ONLY, onnxruntime=None, providers=()))


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(BackendError, match=f"among {', '.join(BACKENDS)}, got 'tpu'"):
        choose(CPU_ONLY, "tpu")
    with pytest.raises(BackendError, match="a precision among auto, fp32, fp16, got 'fp8'"):
        choose(CPU_ONLY, precision="fp8")
    with pytest.raises(BackendError, match=r"runs the bundle's graphs as they are.*--backend ten"):
        choose(CPU_ONLY, "cpu", "fp16")


def test_the_backend_carries_the_choice() -> None:
    h200 = machine("H200", (9, 0), libraries=with_tensorrt(tensorrt="11.4"))
    engines, cpu = choose_backend(machine=h200), choose_backend("cpu", machine=CPU_ONLY)
    assert (engines.name, engines.precision, engines.version) == ("tensorrt", "fp16", "11.4")
    assert engines.provider == ""
    assert (cpu.provider, cpu.version) == (CPU_PROVIDER, "1.32.0")


def test_offered_but_unusable_cuda_is_seen_through(
    monkeypatch: pytest.MonkeyPatch, unprobed: None
) -> None:
    driver = Driver()
    driver.usable = {CPU_PROVIDER}
    monkeypatch.setitem(sys.modules, "onnxruntime", fake_onnxruntime(driver))
    monkeypatch.setattr(facts, "LIBRARIES", {})
    monkeypatch.setattr(
        facts, "_gpus", lambda: ((Gpu(name="A10", compute_capability=(8, 6)),), None)
    )
    probed = facts.probe_machine()
    assert CUDA_PROVIDER in probed.providers
    assert "CPUExecutionProvider instead" in probed.failures[CUDA_PROVIDER]
    assert choose(probed).backend == "cpu"


def test_working_cuda_needs_nobody_who_describes_the_gpu(
    monkeypatch: pytest.MonkeyPatch, unprobed: None
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", fake_onnxruntime(Driver()))
    monkeypatch.setattr(facts, "LIBRARIES", {})
    monkeypatch.setattr(facts, "_gpus", lambda: ((), None))
    assert choose(facts.probe_machine()).backend == "cuda"


def test_probe_graph_runs_where_the_cpu_is_all_there_is() -> None:
    session = ort.InferenceSession(facts.PROBE_GRAPH, providers=[CPU_PROVIDER])
    assert session.get_providers() == [CPU_PROVIDER]


def test_this_machine_is_probed_without_failing(unprobed: None) -> None:
    probed = facts.probe_machine()
    assert probed.onnxruntime == ort.__version__
    assert probed.cores >= 1


def test_the_driver_s_tool_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "NVIDIA H200, 9.0, 143771, 580.95.05\nNVIDIA A10, 8.6, 23028, 580.95.05\n"
    monkeypatch.setattr(facts.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(facts.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=rows))
    gpus, driver = facts._gpus()
    assert [str(g) for g in gpus] == ["NVIDIA H200 (sm_90)", "NVIDIA A10 (sm_86)"]
    assert (gpus[0].memory_mib, driver) == (143771, "580.95.05")


@pytest.mark.parametrize("text", ["", "No devices were found\n", "a, b, c, d\n"])
def test_a_tool_that_tells_nothing_is_no_gpu(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(facts.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(facts.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=text))
    assert facts._gpus_of_tool() is None


def test_without_the_tool_the_bindings_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("cuda.bindings.driver")
    kinds = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR="major",
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR="minor",
    )
    fake.__dict__.update(
        CUdevice_attribute=kinds,
        cuInit=lambda _: (0,),
        cuDeviceGetCount=lambda: (0, 1),
        cuDeviceGet=lambda index: (0, index),
        cuDeviceGetAttribute=lambda kind, _: (0, {"major": 8, "minor": 9}[kind]),
        cuDeviceGetName=lambda length, _: (0, b"NVIDIA L4".ljust(length, b"\0")),
        cuDeviceTotalMem=lambda _: (0, 24 << 30),
        cuDriverGetVersion=lambda: (0, 13000),
    )
    monkeypatch.setattr(facts.shutil, "which", lambda _: None)
    monkeypatch.setattr(facts, "import_module", lambda _: fake)
    (gpu,), driver = facts._gpus() or ((), None)
    assert str(gpu) == "NVIDIA L4 (sm_89)"
    assert (gpu.memory_mib, driver) == (24576, "for CUDA 13.0")
    fake.cuInit = lambda _: (100,)  # no device
    assert facts._gpus() == ((), None)
