"""What a run was made of: configuration, code, data and libraries, as JSON for ``run.json``."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import torch
from lightning.fabric import Fabric

from emohead_training.loop.config import Budget, RunConfig, Task

__all__ = ["config_json", "data_hash", "file_hash", "git_state", "record_of"]

_LIBRARIES: Final = (
    "torch",
    "lightning",
    "numpy",
    "opencv-python-headless",
    "onnx",
    "librosa",
    "av",
)
_INDICES: Final = (".csv", ".json")
_FOLDERS: Final = ("audio", "video", "shards", "cache", "portraits")
"""Sub-folders of a corpus whose files count, by name and size."""


def config_json(value: Any) -> Any:
    """Turn a configuration into what JSON can hold: dataclasses to mappings, paths to text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: config_json(getattr(value, f.name))
            for f in fields(value)
            if not callable(getattr(value, f.name))
        }
    if isinstance(value, Mapping):
        return {str(k): config_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [config_json(v) for v in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def data_hash(root: Path) -> str:
    """Hash a corpus: the content of its indices, name and size of every clip, voice and portrait.

    Parameters
    ----------
    root : Path
        Corpus root.

    Returns
    -------
    str
        Hexadecimal sha256, the same on every machine that holds the same corpus.
    """
    digest = hashlib.sha256()
    if not root.is_dir():
        return digest.hexdigest()
    for path in sorted(p for p in root.iterdir() if p.is_file() and p.suffix in _INDICES):
        digest.update(f"{path.name}\0{file_hash(path)}\n".encode())
    for name in _FOLDERS:
        for path in sorted(p for p in (root / name).rglob("*") if p.is_file()):
            digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\n".encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """Hexadecimal sha256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the repository around `folder` and whether files differ from it; None outside."""

    def asked(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return result.stdout.strip()

    try:
        return {
            "commit": asked("rev-parse", "HEAD"),
            "dirty": bool(asked("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def record_of(task: Task, run: RunConfig, budget: Budget, fabric: Fabric) -> dict[str, Any]:
    """Everything needed to tell how a checkpoint came about.

    Parameters
    ----------
    task : Task
    run : RunConfig
    budget : Budget
        With the run's overrides.
    fabric : Fabric

    Returns
    -------
    dict
        Ready for JSON.
    """
    return {
        "stage": task.name,
        "recipe": run.recipe,
        "run": config_json(run),
        "config": config_json(getattr(task, "config", None)),
        "budget": config_json(budget),
        "facts": config_json(getattr(task, "facts", {})),
        "data_sha256": data_hash(run.data),
        "git": git_state(Path(__file__).parent),
        "device": _device_name(fabric),
        "devices": fabric.world_size,
        "libraries": _versions(),
    }


def _device_name(fabric: Fabric) -> str:
    if fabric.device.type == "cuda":
        return torch.cuda.get_device_name(fabric.device)
    return f"CPU, {torch.get_num_threads()} threads"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
