"""Which backend and precision a machine gets, and why: pure rules over facts.

Called by ``backends.py`` and the tests, which simulate machines. Not here: looking at the machine
(``machine.py``), opening anything (``backends.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from emohead.errors import BackendError
from emohead.machine import CUDA_PROVIDER, TENSORRT_PROVIDER, Gpu, Machine

__all__ = ["BACKENDS", "PRECISIONS", "Choice", "choose", "obstacle"]

BACKENDS: Final = ("auto", "cpu", "cuda", "ort-tensorrt", "tensorrt")
"""CPU and CUDA mean ONNX Runtime there; ``ort-tensorrt`` is its TensorRT provider, ``tensorrt``
runs engines without it."""
PRECISIONS: Final = ("auto", "fp32", "fp16")
AUTOMATIC: Final = ("tensorrt", "cuda", "cpu")
"""What ``auto`` tries, fastest first."""

TURING: Final = (7, 5)
BLACKWELL: Final = (10, 0)
TENSORRT_RTX_GPUS: Final = frozenset({(7, 5), (8, 6), (8, 9), (12, 0), (12, 1)})
"""Compute capabilities of NVIDIA's support matrix for TensorRT-RTX."""
PASCAL_TENSORRT: Final = (8, 6)
"""Last TensorRT for GPUs before Turing."""
BLACKWELL_TENSORRT: Final = (10, 8)
PASCAL_ONNXRUNTIME: Final = (1, 22)
"""Last onnxruntime-gpu that runs on Pascal."""
CUDA_13_ONNXRUNTIME: Final = (1, 31)
"""First onnxruntime-gpu that is built for CUDA 13, which knows no GPU before Turing."""
CUDA_13_DRIVER: Final = 580
CUDA_12_DRIVER: Final = 525


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A backend for a machine."""

    backend: str
    """One of ``BACKENDS``, never ``auto``."""
    precision: str
    """``fp32`` or ``fp16``."""
    reason: str
    """One sentence for people: why this backend and this precision."""
    warnings: tuple[str, ...] = ()
    """What is odd about the installation, one sentence each."""


def choose(machine: Machine, name: str = "auto", precision: str = "auto") -> Choice:
    """Choose a backend and a precision.

    Parameters
    ----------
    machine : Machine
        Facts.
    name : str
        One of ``BACKENDS``; ``auto`` takes the fastest that nothing speaks against.
    precision : {"auto", "fp32", "fp16"}
        ``auto`` takes fp16 where engines run on a GPU that computes it fast.

    Returns
    -------
    Choice

    Raises
    ------
    BackendError
        When a name is unknown, what was asked for cannot work on this machine, or nothing can.
    """
    _check("a backend", name, BACKENDS)
    _check("a precision", precision, PRECISIONS)
    against = {b: obstacle(machine, b) for b in BACKENDS[1:]}
    warnings = tuple(_oddities(machine))
    if name == "auto":
        name = next((b for b in AUTOMATIC if against[b] is None), "cpu")
        why = _why_automatic(machine, name, against)
    else:
        why = f"{name} was asked for"
    if (trouble := against[name]) is not None:
        raise BackendError(f"expected a machine where {name} works, but {trouble}")
    chosen, because = _precision(machine.gpu, name, precision)
    return Choice(
        backend=name,
        precision=chosen,
        reason=f"{why}; {chosen} because {because}",
        warnings=warnings,
    )


def obstacle(machine: Machine, backend: str) -> str | None:
    """Tell what speaks against a backend on a machine.

    Parameters
    ----------
    machine : Machine
        Facts.
    backend : str
        One of ``BACKENDS`` but ``auto``.

    Returns
    -------
    str or None
        A phrase that ends with what to do; None where it should work.
    """
    if backend == "tensorrt":
        return _against_engines(machine)
    if machine.onnxruntime is None:
        return (
            "onnxruntime cannot be imported; run `pip install 'emohead[cpu]'`, "
            "or `pip install 'emohead[gpu]'` for NVIDIA"
        )
    if backend == "cpu":
        return None
    provider = CUDA_PROVIDER if backend == "cuda" else TENSORRT_PROVIDER
    return _against_provider(machine, machine.onnxruntime, provider)


def _against_provider(machine: Machine, version: str, provider: str) -> str | None:
    if provider not in machine.providers:
        kind = "TensorRT" if provider == TENSORRT_PROVIDER else "CUDA"
        return (
            f"the installed onnxruntime {version} was built without {kind}; uninstall onnxruntime, "
            "then run `pip install 'emohead[gpu]'`, or choose --backend cpu"
        )
    if machine.gpu is None:
        return _NO_GPU
    old = _against_versions(machine.gpu, machine.driver, version, provider)
    if old is not None:
        return old
    if provider in machine.failures:
        return (
            f"onnxruntime's {provider} fails here ({machine.failures[provider]}); install the CUDA "
            "and cuDNN that this onnxruntime needs (docs/backends.md), or choose --backend cpu"
        )
    return None


_NO_GPU: Final = (
    "no NVIDIA GPU with a working driver is seen; install NVIDIA's driver (`nvidia-smi` must list "
    "the GPU), or choose --backend cpu"
)


def _against_versions(gpu: Gpu, driver: str | None, version: str, provider: str) -> str | None:
    """Tell why an onnxruntime-gpu does not serve a GPU or a driver."""
    numbers, capability = _numbers(version), gpu.compute_capability
    needs_cuda_13 = numbers >= CUDA_13_ONNXRUNTIME
    if capability is not None and capability < TURING:
        if provider == TENSORRT_PROVIDER:
            return f"its TensorRT 10 does not support {gpu}; choose --backend cuda"
        if capability < (7, 0) and numbers[:2] > PASCAL_ONNXRUNTIME:
            return f"onnxruntime {version} does not support {gpu}; {_INSTALL_PASCAL}"
        if needs_cuda_13:
            return (
                f"onnxruntime {version} needs CUDA 13, which does not support {gpu}; "
                "run `pip install 'onnxruntime-gpu<1.31'`"
            )
    least = CUDA_13_DRIVER if needs_cuda_13 else CUDA_12_DRIVER
    if driver is not None and driver[0].isdigit() and _numbers(driver)[0] < least:
        return (
            f"onnxruntime {version} needs NVIDIA driver {least} or newer, this one is {driver}; "
            "update the driver, or install an older onnxruntime-gpu"
        )
    return None


_INSTALL_PASCAL: Final = (
    "run `pip install 'onnxruntime-gpu<1.23'`, or install TensorRT 8.6, the last for this GPU"
)


def _against_engines(machine: Machine) -> str | None:
    """Tell what speaks against TensorRT engines."""
    if machine.gpu is None:
        return _NO_GPU
    flavours = [n for n in ("tensorrt", "tensorrt_rtx") if n in machine.libraries]
    if not flavours:
        return "no TensorRT is installed; see docs/engines.md, or choose --backend cuda"
    if not {"pycuda", "cuda-bindings"} & machine.libraries.keys():
        return "neither pycuda nor cuda-bindings is installed; run `pip install cuda-bindings`"
    refusals = [_against_flavour(machine, machine.gpu, n) for n in flavours]
    return None if None in refusals else refusals[0]


def _against_flavour(machine: Machine, gpu: Gpu, flavour: str) -> str | None:
    version = machine.libraries[flavour]
    capability, numbers = gpu.compute_capability, _numbers(version)
    if flavour in machine.failures:
        return (
            f"{flavour} {version} cannot be imported ({machine.failures[flavour]}); "
            "install it as docs/engines.md shows"
        )
    if flavour == "tensorrt" and numbers[:2] < PASCAL_TENSORRT:
        return f"TensorRT {version} is too old; install 8.6 or newer"
    if capability is None:
        return None
    if flavour == "tensorrt_rtx":
        if capability in TENSORRT_RTX_GPUS:
            return None
        return (
            f"TensorRT-RTX {version} does not list {gpu}; install the full TensorRT "
            "(docs/engines.md), or choose --backend cuda"
        )
    if capability < TURING and numbers[:2] > PASCAL_TENSORRT:
        return (
            f"TensorRT {version} does not support {gpu}; install TensorRT 8.6, the last that does"
        )
    if capability >= BLACKWELL and numbers[:2] < BLACKWELL_TENSORRT:
        return f"TensorRT {version} does not support {gpu}; install TensorRT 10.8 or newer"
    return None


def _precision(gpu: Gpu | None, backend: str, asked: str) -> tuple[str, str]:
    """Precision and why, a phrase."""
    if backend in ("cpu", "cuda"):
        if asked == "fp16":
            raise BackendError(
                f"expected fp32 for the backend {backend}, which runs the bundle's graphs as they "
                "are, got fp16; choose --backend tensorrt for fp16 engines"
            )
        return "fp32", "the bundle's graphs run as they are"
    capability = gpu.compute_capability if gpu else None
    if asked != "auto":
        return asked, "it was asked for"
    if capability is None:
        return "fp32", "the GPU's compute capability is not known"
    if capability < (7, 0) and capability != (6, 0):
        return "fp32", f"{gpu} computes fp16 slowly"
    return "fp16", f"{gpu} computes fp16 fast"


def _why_automatic(machine: Machine, name: str, against: dict[str, str | None]) -> str:
    if name != "cpu":
        return f"{name} is the fastest that works with {machine.gpu}"
    troubles = [against["cuda"]]
    if "tensorrt" in machine.libraries or "tensorrt_rtx" in machine.libraries:
        troubles.append(against["tensorrt"])
    reasons = dict.fromkeys(t.partition(";")[0] for t in troubles if t is not None)
    return f"the CPU is used because {' and '.join(reasons)}"


def _oddities(machine: Machine) -> Iterable[str]:
    if {"onnxruntime", "onnxruntime-gpu"} <= machine.libraries.keys():
        yield (
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files; "
            "uninstall both, then install emohead[cpu] or emohead[gpu]"
        )


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise BackendError(f"expected {what} among {', '.join(known)}, got {given!r}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:4])
