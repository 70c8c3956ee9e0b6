"""Where graphs run: a choice for this machine, and runners opened on it.

Who calls: ``Bundle.runner``, ``TalkingHead.load``, ``emohead doctor``. Never a silent fallback:
what was asked for by name runs or raises ``BackendError``; only ``auto`` may settle for the CPU,
and says why. Not here: the rules (``choosing.py``), the facts (``machine.py``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from emohead.choosing import BACKENDS, choose
from emohead.errors import BackendError
from emohead.machine import CPU_PROVIDER, CUDA_PROVIDER, TENSORRT_PROVIDER, Machine, probe_machine

if TYPE_CHECKING:
    from emohead.contract import StageSpec
    from emohead.runner import Runner

__all__ = ["BACKENDS", "BUILD_VARIABLE", "Backend", "choose_backend", "open_runner"]

logger = logging.getLogger(__name__)

BUILD_VARIABLE: Final = "EMOHEAD_ENGINES_BUILD"
"""Environment variable; 0 forbids building TensorRT engines, for render nodes."""
_PROVIDERS = {"cpu": CPU_PROVIDER, "cuda": CUDA_PROVIDER, "ort-tensorrt": TENSORRT_PROVIDER}


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Where graphs run, and why there."""

    name: str
    """``cpu``, ``cuda``, ``ort-tensorrt`` or ``tensorrt``."""
    provider: str
    """ONNX Runtime's name of the execution provider; empty for ``tensorrt``."""
    reason: str
    """One sentence for people."""
    version: str
    """Version of the library that runs the graphs."""
    precision: str = "fp32"
    """``fp32`` or ``fp16``."""
    warnings: tuple[str, ...] = ()
    """What is odd about this installation, one sentence each."""


def choose_backend(
    name: str = "auto", precision: str = "auto", *, machine: Machine | None = None
) -> Backend:
    """Choose a backend by name, or the best one of this machine.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "ort-tensorrt", "tensorrt"}
        ``auto`` takes the fastest that works.
    precision : {"auto", "fp32", "fp16"}
        ``auto`` takes what the GPU computes fast.
    machine : Machine, optional
        This machine otherwise.

    Returns
    -------
    Backend
        The choice, with its reason.

    Raises
    ------
    BackendError
        When a name is unknown, ONNX Runtime is not installed, or what was asked for by name does
        not work here.
    """
    facts = machine or probe_machine()
    choice = choose(facts, name, precision)
    for warning in choice.warnings:
        logger.warning(warning)
    logger.info("backend %s: %s", choice.backend, choice.reason)
    engines = facts.libraries.get("tensorrt") or facts.libraries.get("tensorrt_rtx")
    return Backend(
        name=choice.backend,
        provider=_PROVIDERS.get(choice.backend, ""),
        reason=choice.reason,
        version=(engines if choice.backend == "tensorrt" else facts.onnxruntime) or "",
        precision=choice.precision,
        warnings=choice.warnings,
    )


def open_runner(
    backend: Backend, spec: StageSpec, model: bytes, *, precision: str = "fp32", threads: int = 0
) -> Runner:
    """Open a graph on a backend.

    Parameters
    ----------
    backend : Backend
        From ``choose_backend``.
    spec : StageSpec
        The contract that the graph must keep.
    model : bytes
        The ONNX file's content.
    precision : {"fp32", "fp16", "int8"}
        Of the file; engines of another precision are derived from fp32 only.
    threads : int
        Threads inside an operator on the CPU; 0 chooses by the machine's cores.

    Returns
    -------
    Runner

    Raises
    ------
    BackendError
        When the backend does not open here.
    BundleError
        When the file is not a graph that ONNX Runtime accepts.
    ContractError
        When the graph's inputs or outputs are not the spec's.
    """
    if backend.name == "tensorrt":
        return _open_engine(backend, spec, model, precision)
    if backend.name == "cpu":
        from emohead.runner import OrtRunner

        return OrtRunner(spec, model, threads=threads)
    from emohead.ort_gpu import OrtGpuRunner

    return OrtGpuRunner(spec, model, provider=backend.provider, precision=backend.precision)


def _open_engine(backend: Backend, spec: StageSpec, model: bytes, precision: str) -> Runner:
    """Open a TensorRT engine; imported here and by name, for the runtime needs no TensorRT."""
    try:
        engines: Any = import_module("emohead_engines.runner")
        workshop: Any = import_module("emohead_engines.workshop")
    except ImportError as err:
        raise BackendError(
            f"expected the extra `tensorrt`, but {err.name or 'a package'} cannot be imported; "
            "run `pip install 'emohead[tensorrt]'`"
        ) from err
    wanted = backend.precision if precision == "fp32" else precision
    graph = workshop.Graph(spec=spec, model=model, precision=precision)
    runner: Runner = engines.open_runner(graph, wanted)
    return runner
