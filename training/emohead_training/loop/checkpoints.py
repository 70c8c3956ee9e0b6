"""Checkpoints: one numbered folder each, whole or absent, and what a stage publishes beside them.

``checkpoint-00001200`` holds live and averaged weights, the optimisers' state, progress and the
run's record. It appears by a rename; the older one goes afterwards. Not here: when to write one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from emohead.errors import InputError
from emohead_training.loop.config import Task
from emohead_training.loop.tensor_file import read_tensors, write_tensors
from emohead_training.loop.weights import WEIGHTS_FILE, Averages, assign, flat
from emohead_training.whole_files import read_json, write_json

__all__ = [
    "MAX_FILE_BYTES",
    "PROGRESS_FILE",
    "RECORD_FILE",
    "Checkpoint",
    "drop_all",
    "latest",
    "publish",
    "restore",
    "write",
]

MAX_FILE_BYTES: Final = 15 << 20
"""No file of a checkpoint is larger, so that it travels where files may have 16 MiB."""
PREFIX: Final = "checkpoint-"
PROGRESS_FILE: Final = "progress.json"
"""What a stage has done, beside its weights."""
RECORD_FILE: Final = "run.json"
"""What a stage was made of, beside its weights."""
_LIVE, _AVERAGE, _OPTIMIZER = "live", "average", "optimizer"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a run continues from."""

    tensors: Mapping[str, Tensor]
    """``live.*``, ``average.*`` and ``optimizer.*``."""
    progress: dict[str, Any]
    """Steps, seconds and history."""
    record: dict[str, Any]
    """Configuration, code, data and libraries of the run that wrote it."""


def write(
    folder: Path,
    task: Task,
    averages: Averages,
    progress: Mapping[str, Any],
    record: Mapping[str, Any],
) -> None:
    """Write a checkpoint of `task` below `folder`, drop the older one, publish the weights."""
    final = folder / f"{PREFIX}{progress['step']:08d}"
    partial = folder / f".{final.name}.partial"
    for leftover in folder.glob(f".{PREFIX}*"):
        shutil.rmtree(leftover)
    partial.mkdir(parents=True)
    tensors = {f"{_LIVE}.{k}": v for k, v in flat(task.modules).items()}
    tensors |= {f"{_AVERAGE}.{k}": v for k, v in averages.values.items()}
    for number, part in enumerate(_parts(tensors | _optimizer_tensors(task.optimizers))):
        write_tensors(partial / f"tensors-{number:02d}.safetensors", part)
    write_json(partial / PROGRESS_FILE, progress)
    write_json(partial / RECORD_FILE, record)
    for other in _folders(folder):
        if other >= final:
            _drop(other)
    partial.rename(final)
    for other in _folders(folder)[:-1]:
        _drop(other)
    publish(folder, averages, progress, record)


def publish(
    folder: Path, averages: Averages, progress: Mapping[str, Any], record: Mapping[str, Any]
) -> None:
    """Put averaged weights, progress and record beside the checkpoint, for whoever reads them."""
    write_tensors(folder / WEIGHTS_FILE, averages.values)
    write_json(folder / PROGRESS_FILE, progress)
    write_json(folder / RECORD_FILE, record)


def latest(folder: Path) -> Checkpoint | None:
    """Read the newest checkpoint below `folder`; half-written ones do not count."""
    found = _folders(folder)
    if not found:
        return None
    tensors: dict[str, Tensor] = {}
    for path in sorted(found[-1].glob("tensors-*.safetensors")):
        tensors |= read_tensors(path)
    progress, record = (read_json(found[-1] / name) for name in (PROGRESS_FILE, RECORD_FILE))
    assert progress is not None
    assert record is not None
    return Checkpoint(tensors=tensors, progress=progress, record=record)


def restore(checkpoint: Checkpoint, task: Task, averages: Averages) -> None:
    """Put a checkpoint's numbers into the task, in place.

    Raises
    ------
    InputError
        When they are of other networks.
    """
    targets = {f"{_LIVE}.{k}": v for k, v in flat(task.modules).items()}
    targets |= {f"{_AVERAGE}.{k}": v for k, v in averages.values.items()}
    shapes = {k: v.shape for k, v in checkpoint.tensors.items() if not k.startswith(_OPTIMIZER)}
    wrong = [
        k for k in {*shapes, *targets} if k not in targets or shapes.get(k) != targets[k].shape
    ]
    if wrong:
        raise InputError(
            f"{task.name}: the checkpoint is of other networks ({min(wrong)} and "
            f"{len(wrong) - 1} more differ); give another --out, or --no-resume to start anew"
        )
    assign(targets, checkpoint.tensors)
    for name, optimizer in task.optimizers.items():
        _restore_optimizer(optimizer, f"{_OPTIMIZER}.{name}.", checkpoint.tensors)


def drop_all(folder: Path) -> None:
    """Delete every checkpoint below `folder`."""
    for checkpoint in _folders(folder):
        _drop(checkpoint)


def _drop(folder: Path) -> None:
    """Delete a checkpoint so that half of it is never taken for a whole one."""
    doomed = folder.with_name(f".{folder.name}.dropped")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def _folders(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*")) if folder.is_dir() else []


def _parts(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Share the tensors out over files below the size limit."""
    part: dict[str, Tensor] = {}
    size = 0
    for name in sorted(tensors):
        num_bytes = tensors[name].numel() * tensors[name].element_size()
        if part and size + num_bytes > MAX_FILE_BYTES:
            yield part
            part, size = {}, 0
        part[name] = tensors[name]
        size += num_bytes
    yield part


def _optimizer_tensors(optimizers: Mapping[str, Optimizer]) -> dict[str, Tensor]:
    return {
        f"{_OPTIMIZER}.{name}.{index}.{key}": torch.as_tensor(value)
        for name, optimizer in optimizers.items()
        for index, slots in optimizer.state_dict()["state"].items()
        for key, value in slots.items()
    }


def _restore_optimizer(optimizer: Optimizer, head: str, stored: Mapping[str, Tensor]) -> None:
    """Load slots in the memory format of their parameters: other formats round differently."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in stored.items():
        if key.startswith(head):
            index, slot = key[len(head) :].split(".", 1)
            like = parameters[int(index)]
            if value.shape == like.shape:
                value = torch.empty_like(like, dtype=value.dtype, device="cpu").copy_(value)
            state.setdefault(int(index), {})[slot] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
