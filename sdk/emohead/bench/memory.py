"""Memory of this process and of the GPU."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["gpu_memory_mib", "peak_rss_mib"]


def peak_rss_mib() -> float | None:
    """Largest resident memory of this process so far, MiB; None where the system does not tell."""
    try:
        # Unlike getrusage, this forgets what the process was before it became this program.
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    except (OSError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def gpu_memory_mib() -> float | None:
    """Memory in use on the first NVIDIA GPU, whoever uses it, MiB; None without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
        return float(done.stdout.split()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
