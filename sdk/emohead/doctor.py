"""What this machine has, and which backend will be used and why.

Called by ``emohead doctor``; everything is looked at, nothing is changed.
Not here: choosing the backend (``backends.py``), drawing the report (``cli``).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

import emohead
from emohead.errors import EmoheadError

if TYPE_CHECKING:
    from emohead.backends import Backend
    from emohead.machine import Gpu

__all__ = ["MachineReport", "examine_machine", "installed"]

_PACKAGES = ("av", "librosa", "numpy", "opencv-python-headless")


@dataclass(frozen=True, kw_only=True)
class MachineReport:
    """Findings of one look at this machine."""

    emohead: str
    """Version of this package."""
    python: str
    """Version of the interpreter."""
    system: str
    """Operating system, its release and the machine type."""
    cpu: str
    """Model of the processor."""
    cores: int
    """Processor cores that this process may use."""
    memory_gib: float | None
    """Physical memory in GiB; None where the system does not tell."""
    gpus: tuple[str, ...]
    """NVIDIA GPUs with compute capability and memory, as their driver names them."""
    driver: str | None
    """Version of NVIDIA's driver; None without one."""
    packages: dict[str, str]
    """Versions of what the runtime stands on, and of what GPUs run on."""
    providers: tuple[str, ...]
    """Execution providers that the installed ONNX Runtime was built with."""
    backend: str | None
    """Backend that ``auto`` chooses; None when none works."""
    precision: str | None
    """Precision that it chooses with it."""
    reason: str
    """Why that backend and that precision, or why none."""
    obstacles: dict[str, str]
    """What speaks against the other backends, by name; each ends with what to do."""
    bundle: str
    """State of the default bundle, a phrase."""
    warnings: tuple[str, ...]
    """What should be mended, one sentence each."""

    @property
    def is_ready(self) -> bool:
        """Whether rendering can work here."""
        return self.backend is not None and not self.warnings


def examine_machine() -> MachineReport:
    """Look at the machine, its packages and the default bundle.

    Returns
    -------
    MachineReport
        Problems are findings, not exceptions.
    """
    from emohead.choosing import BACKENDS, obstacle
    from emohead.machine import cpu_model, probe_machine

    machine = probe_machine()
    chosen, reason, warnings = _backend()
    bundle, bundle_warnings = _bundle()
    against = {name: obstacle(machine, name) for name in BACKENDS[1:]}
    return MachineReport(
        emohead=emohead.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=cpu_model(),
        cores=machine.cores,
        memory_gib=_memory_gib(),
        gpus=tuple(_described(gpu) for gpu in machine.gpus),
        driver=machine.driver,
        packages={**machine.libraries, **dict(_versions())},
        providers=machine.providers,
        backend=chosen.name if chosen else None,
        precision=chosen.precision if chosen else None,
        reason=reason,
        obstacles={name: why for name, why in against.items() if why is not None},
        bundle=bundle,
        warnings=(*warnings, *bundle_warnings),
    )


def installed() -> tuple[str, str]:
    """Tell the embedded bundle and the backend that ``auto`` takes here, a line each.

    Every file of the bundle is compared with its hash; ``examine_machine`` looks closer.
    """
    from emohead.bundle import Bundle

    try:
        manifest = Bundle.open(stages=()).manifest
        bundle = f"{manifest.name}, graphs {manifest.graphs_sha256[:16]}, made {manifest.created}"
    except EmoheadError as err:
        bundle = f"unusable: {err}"
    backend, reason, _ = _backend()
    named = (
        f"none: {reason}" if backend is None else f"{backend.name}, onnxruntime {backend.version}"
    )
    return f"bundle {bundle}", f"backend {named}"


def _described(gpu: Gpu) -> str:
    return str(gpu) if gpu.memory_mib is None else f"{gpu}, {gpu.memory_mib} MiB"


def _backend() -> tuple[Backend | None, str, tuple[str, ...]]:
    from emohead.backends import choose_backend

    try:
        chosen = choose_backend("auto")
    except EmoheadError as err:
        return None, str(err), (str(err),)
    return chosen, chosen.reason, chosen.warnings


def _bundle() -> tuple[str, tuple[str, ...]]:
    from emohead.bundle import Bundle

    try:
        manifest = Bundle.open().manifest
    except EmoheadError as err:
        return "unusable", (str(err),)
    num_bytes = sum(entry.num_bytes for entry in manifest.stages.values())
    return f"{manifest.name}, {len(manifest.stages)} stages, {num_bytes / 1e6:.1f} MB, intact", ()


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _memory_gib() -> float | None:
    try:
        num_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return round(num_bytes / 2**30, 1)
