"""What this machine has, and which backend will be used and why.

Called by ``emohead doctor``; everything is looked at, nothing is changed.
Not here: choosing the backend (``backends.py``), drawing the report (``cli``).
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import emohead
from emohead.errors import EmoheadError

__all__ = ["MachineReport", "examine_machine"]

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
    """NVIDIA GPUs with memory and driver, as their driver names them."""
    packages: dict[str, str]
    """Versions of what the runtime stands on."""
    providers: tuple[str, ...]
    """Execution providers that the installed ONNX Runtime was built with."""
    backend: str | None
    """Backend that ``auto`` chooses; None when none works."""
    reason: str
    """Why that backend, or why none."""
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
    backend, reason, warnings = _backend()
    bundle, bundle_warnings = _bundle()
    return MachineReport(
        emohead=emohead.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu_model(),
        cores=_num_cores(),
        memory_gib=_memory_gib(),
        gpus=_gpus(),
        packages=dict(_versions()),
        providers=_providers(),
        backend=backend,
        reason=reason,
        bundle=bundle,
        warnings=(*warnings, *bundle_warnings),
    )


def _backend() -> tuple[str | None, str, tuple[str, ...]]:
    from emohead.backends import choose_backend

    try:
        chosen = choose_backend("auto")
    except EmoheadError as err:
        return None, str(err), (str(err),)
    return chosen.name, chosen.reason, chosen.warnings


def _bundle() -> tuple[str, tuple[str, ...]]:
    from emohead.bundle import Bundle

    try:
        manifest = Bundle.open().manifest
    except EmoheadError as err:
        return "unusable", (str(err),)
    num_bytes = sum(entry.num_bytes for entry in manifest.stages.values())
    return f"{manifest.name}, {len(manifest.stages)} stages, {num_bytes / 1e6:.1f} MB, intact", ()


def _providers() -> tuple[str, ...]:
    try:
        import onnxruntime as ort
    except ImportError:
        return ()
    return tuple(ort.get_available_providers())


def _versions() -> Iterator[tuple[str, str]]:
    for name in ("onnxruntime", "onnxruntime-gpu", *_PACKAGES):
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _cpu_model() -> str:
    """Model name where Linux tells it; elsewhere what the platform says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _num_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        num_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return round(num_bytes / 2**30, 1)


def _gpus() -> tuple[str, ...]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())
