"""What a machine offers to run networks: GPUs, driver, libraries, what they were built with.

``Machine`` is plain data, so that choosing (``choosing.py``) is a pure function of it and tests
simulate any machine. ``probe_machine`` looks at this one, lazily and without failing.
Called by ``backends.py``, ``doctor.py`` and whoever counts cores.
Not here: what follows from the facts.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from emohead.errors import first_line

__all__ = [
    "CPU_PROVIDER",
    "CUDA_PROVIDER",
    "PROBE_GRAPH",
    "TENSORRT_PROVIDER",
    "Gpu",
    "Machine",
    "cpu_model",
    "num_cores",
    "probe_machine",
]

logger = logging.getLogger(__name__)

CPU_PROVIDER: Final = "CPUExecutionProvider"
CUDA_PROVIDER: Final = "CUDAExecutionProvider"
TENSORRT_PROVIDER: Final = "TensorrtExecutionProvider"

LIBRARIES: Final = MappingProxyType(
    {
        "onnxruntime": ("onnxruntime",),
        "onnxruntime-gpu": ("onnxruntime-gpu",),
        "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-cu11"),
        "tensorrt_rtx": ("tensorrt-rtx", "tensorrt-rtx-cu13", "tensorrt-rtx-cu12"),
        "pycuda": ("pycuda",),
        "cuda-bindings": ("cuda-bindings",),
    }
)
"""What matters, and the distributions that bring it."""

# A graph of one Identity node (opset 17, float x of length 1): opening it tells what really runs.
PROBE_GRAPH: Final = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201705a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a001011"
)


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One NVIDIA GPU."""

    name: str
    """Model, as the driver names it."""
    compute_capability: tuple[int, int] | None = None
    """Major and minor; None where nothing tells."""
    memory_mib: int | None = None
    """Memory in MiB; None where nothing tells."""

    def __str__(self) -> str:
        known = self.compute_capability
        return self.name if known is None else f"{self.name} (sm_{known[0]}{known[1]})"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Facts about a machine; nothing in it is a choice."""

    cores: int = 1
    """Processor cores that this process may use."""
    gpus: tuple[Gpu, ...] = ()
    """NVIDIA GPUs that the driver shows; the first one is used."""
    driver: str | None = None
    """Version of NVIDIA's driver; None without one."""
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Versions by name, of those of ``LIBRARIES`` that are installed."""
    onnxruntime: str | None = None
    """Version of the onnxruntime that is imported; None where it cannot be."""
    providers: tuple[str, ...] = ()
    """Execution providers that it was built with; being listed proves nothing."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Why a provider does not open a graph, or a TensorRT cannot be imported: phrases by name."""

    @property
    def gpu(self) -> Gpu | None:
        """The GPU that is used."""
        return self.gpus[0] if self.gpus else None


def num_cores() -> int:
    """Count the processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


@cache
def probe_machine() -> Machine:
    """Look at this machine once.

    Returns
    -------
    Machine
        Nothing raises: what is missing is absent from the facts.
    """
    gpus, driver = _gpus()
    version, providers = _onnxruntime()
    tried = [p for p in (TENSORRT_PROVIDER, CUDA_PROVIDER) if p in providers]
    libraries = _libraries()
    failures: dict[str, str] = {p: why for p in tried if (why := _failure(p)) is not None}
    if gpus:
        failures |= _broken(libraries)
    if not gpus and CUDA_PROVIDER in tried and CUDA_PROVIDER not in failures:
        gpus = (Gpu(name="an NVIDIA GPU"),)  # CUDA works although nothing describes the GPU
    return Machine(
        cores=num_cores(),
        gpus=gpus,
        driver=driver,
        libraries=libraries,
        onnxruntime=version,
        providers=providers,
        failures=failures,
    )


def _libraries() -> dict[str, str]:
    found = {}
    for name, distributions in LIBRARIES.items():
        for distribution in distributions:
            try:
                found[name] = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
            break
    return found


def _broken(libraries: Mapping[str, str]) -> dict[str, str]:
    """Why an installed TensorRT cannot be imported: some wheels come without its libraries."""
    failures = {}
    for name in {"tensorrt", "tensorrt_rtx"} & libraries.keys():
        try:
            import_module(name)
        except (ImportError, OSError, RuntimeError) as err:
            failures[name] = first_line(err)
    return failures


def _onnxruntime() -> tuple[str | None, tuple[str, ...]]:
    try:
        import onnxruntime as ort
    except ImportError:
        return None, ()
    return str(ort.__version__), tuple(ort.get_available_providers())


def _failure(provider: str) -> str | None:
    """Why a graph does not open on a provider, or None; really opened, for lists prove nothing."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(PROBE_GRAPH, options, providers=[provider, CPU_PROVIDER])
    except Exception as err:  # onnxruntime's own exceptions share no public root
        return first_line(err)
    if session.get_providers()[0] != provider:
        return f"onnxruntime runs on {session.get_providers()[0]} instead"
    return None


def _gpus() -> tuple[tuple[Gpu, ...], str | None]:
    """GPUs and driver version, from the tool that drivers bring, else from ``cuda-bindings``."""
    return _gpus_of_tool() or _gpus_of_bindings() or ((), None)


def _gpus_of_tool() -> tuple[tuple[Gpu, ...], str | None] | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    fields = "name,compute_cap,memory.total,driver_version"
    query = [tool, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
        rows = [[cell.strip() for cell in r.split(",")] for r in done.stdout.splitlines() if r]
        gpus = tuple(
            Gpu(name=name, compute_capability=_numbers(cap), memory_mib=int(float(memory)))
            for name, cap, memory, _ in rows
        )
    except (OSError, subprocess.SubprocessError, ValueError) as err:
        logger.info("nvidia-smi tells nothing: %s", err)
        return None
    return (gpus, rows[0][3]) if rows else None


def _gpus_of_bindings() -> tuple[tuple[Gpu, ...], str | None] | None:
    try:
        cuda: Any = import_module("cuda.bindings.driver")
        count = _called(cuda.cuInit(0), cuda.cuDeviceGetCount())
        gpus = tuple(_described(cuda, i) for i in range(int(count)))
        version = int(_called(cuda.cuDriverGetVersion()))
    except (ImportError, OSError, RuntimeError) as err:
        logger.info("cuda-bindings tells nothing: %s", err)
        return None
    return (gpus, f"for CUDA {version // 1000}.{version % 1000 // 10}") if gpus else None


def _described(cuda: Any, index: int) -> Gpu:
    device = _called(cuda.cuDeviceGet(index))
    kinds = cuda.CUdevice_attribute
    major, minor = (
        int(_called(cuda.cuDeviceGetAttribute(kind, device)))
        for kind in (
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
        )
    )
    name = bytes(_called(cuda.cuDeviceGetName(128, device))).split(b"\0")[0].decode()
    memory = int(_called(cuda.cuDeviceTotalMem(device))) >> 20
    return Gpu(name=name, compute_capability=(major, minor), memory_mib=memory)


def _called(*results: tuple[Any, ...]) -> Any:
    """Value of the last of some driver calls, each a tuple that begins with its status."""
    for status, *_ in results:
        if int(status) != 0:
            raise RuntimeError(f"CUDA driver status {status}")
    return results[-1][1] if len(results[-1]) > 1 else None


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)


def cpu_model() -> str:
    """Name the processor: its model where Linux tells it; elsewhere what the platform says."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
