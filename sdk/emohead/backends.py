"""Choosing where the graphs run, with the reason in a sentence.

Who calls: ``Bundle.runner``, ``emohead doctor``. Never a silent fallback: what was asked for by
name runs or raises ``BackendError``; only ``auto`` may settle for the CPU, and says why.
Not here: sessions (``runner.py``), TensorRT (``emohead_engines``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Final

from emohead.errors import BackendError

__all__ = ["BACKENDS", "Backend", "choose_backend", "installation_warnings"]

logger = logging.getLogger(__name__)

BACKENDS: Final = ("auto", "cpu", "cuda")
"""Names that ``choose_backend`` takes."""

CPU_PROVIDER: Final = "CPUExecutionProvider"
CUDA_PROVIDER: Final = "CUDAExecutionProvider"

# A graph of one Identity node (opset 17, float x of length 1): opening it tells what really runs.
PROBE_GRAPH: Final = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201705a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a001011"
)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Where graphs run, and why there."""

    name: str
    """``cpu`` or ``cuda``."""
    provider: str
    """ONNX Runtime's name of the execution provider."""
    reason: str
    """One sentence for people."""
    version: str
    """Version of ONNX Runtime."""
    warnings: tuple[str, ...] = ()
    """What is odd about this installation, one sentence each."""


def choose_backend(name: str = "auto") -> Backend:
    """Choose a backend by name, or the best one of this machine.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where a graph really opens on it, else the CPU.

    Returns
    -------
    Backend
        The choice, with its reason.

    Raises
    ------
    BackendError
        When the name is unknown, ONNX Runtime is not installed, or CUDA was asked for by name
        and does not work here.
    """
    if name not in BACKENDS:
        raise BackendError(f"expected a backend among {', '.join(BACKENDS)}, got {name!r}")
    version = _onnxruntime_version()
    warnings = installation_warnings()
    for warning in warnings:
        logger.warning(warning)
    if name == "cpu":
        return _backend("cpu", "the CPU was asked for", version, warnings)
    obstacle = _cuda_obstacle()
    if obstacle is None:
        why = "asked for and working" if name == "cuda" else "the fastest that works here"
        return _backend("cuda", f"CUDA is {why}", version, warnings)
    if name == "cuda":
        raise BackendError(
            f"expected a working CUDA provider, but {obstacle}; "
            "install emohead[gpu] on a machine with an NVIDIA driver, or choose --backend cpu"
        )
    return _backend("cpu", f"the CPU is used because {obstacle}", version, warnings)


def installation_warnings() -> tuple[str, ...]:
    """Say what is odd about the installed ONNX Runtime packages, one sentence each."""
    installed = [n for n in ("onnxruntime", "onnxruntime-gpu") if _is_installed(n)]
    if len(installed) < 2:
        return ()
    return (
        "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files; "
        "uninstall both, then install emohead[cpu] or emohead[gpu]",
    )


def _backend(name: str, reason: str, version: str, warnings: tuple[str, ...]) -> Backend:
    provider = CUDA_PROVIDER if name == "cuda" else CPU_PROVIDER
    logger.info("backend %s: %s", name, reason)
    return Backend(name=name, provider=provider, reason=reason, version=version, warnings=warnings)


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _onnxruntime_version() -> str:
    try:
        import onnxruntime as ort
    except ImportError as err:
        raise BackendError(
            f"expected onnxruntime, but it cannot be imported ({err}); "
            "run `pip install 'emohead[cpu]'`, or `pip install 'emohead[gpu]'` for NVIDIA"
        ) from err
    return str(ort.__version__)


@cache
def _cuda_obstacle() -> str | None:
    """Why CUDA cannot be used, or None; a probe graph is opened, for lists prove nothing."""
    import onnxruntime as ort

    if CUDA_PROVIDER not in ort.get_available_providers():
        return "the installed onnxruntime was built without CUDA"
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(
            PROBE_GRAPH, options, providers=[CUDA_PROVIDER, CPU_PROVIDER]
        )
    except Exception as err:  # onnxruntime's own exceptions share no public root
        return f"onnxruntime's CUDA provider fails here ({str(err).splitlines()[0]})"
    if session.get_providers()[0] != CUDA_PROVIDER:
        return "onnxruntime finds no usable NVIDIA GPU, driver or CUDA libraries here"
    return None
