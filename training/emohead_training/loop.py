"""The one training loop: budget, checkpoints, resume, averaged weights.

A stage gives a ``Task``: its modules, optimisers, batches and step; ``fit`` drives it through
Lightning Fabric. Checkpoints are safetensors and JSON, never pickle. Not here: losses and data.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

__all__ = ["Budget", "RunConfig", "Task", "fit", "load_weights", "weights_path"]

log = logging.getLogger(__name__)

WEIGHTS_FILE = "weights.safetensors"
STATE_FILE = "training_state.safetensors"
PROGRESS_FILE = "progress.json"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to train."""

    steps: int
    """Optimiser steps after which training is finished."""
    minutes: float | None = None
    """Wall-clock minutes after which it is finished too, earlier runs included."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every stage's training takes from the command line."""

    data: Path
    """Corpus root."""
    out: Path
    """Folder of all stages' results; a stage writes into the sub-folder of its name."""
    recipe: str = "default"
    """Name of the recipe."""
    device: str = "auto"
    """Fabric accelerator: ``auto``, ``cpu`` or ``cuda``."""
    precision: str = "32-true"
    """Fabric precision, for example ``bf16-mixed``."""
    seed: int = 0
    """Seed of data order and initial weights."""
    resume: bool = True
    """Continue from the last checkpoint where there is one."""
    steps: int | None = None
    """Overrides the recipe's number of steps."""
    minutes: float | None = None
    """Overrides the recipe's wall-clock budget."""

    def budget(self, default: Budget) -> Budget:
        """`default` with this run's overrides."""
        minutes = default.minutes if self.minutes is None else self.minutes
        return Budget(steps=self.steps or default.steps, minutes=minutes)


class Task(Protocol):
    """A stage's side of training."""

    name: str
    """Training stage; names the result folder."""
    modules: Mapping[str, nn.Module]
    """Networks to train and save, keyed by the prefix of their weights."""
    optimizers: Mapping[str, torch.optim.Optimizer]
    """Optimisers over the modules' parameters."""

    def batches(self, seed: int) -> Iterator[Any]:
        """Endless stream of batches; `seed` differs after a resume."""
        ...

    def step(self, batch: Any, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """Compute losses, call ``fabric.backward``, step the optimisers; return figures to log."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures on held-out people; called at every checkpoint, modules in evaluation mode."""
        ...


class _Averages:
    """Exponential moving average of every trained weight."""

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in _flat(modules).items()}

    @torch.no_grad()
    def update(self, modules: Mapping[str, nn.Module], step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in _flat(modules).items():
            if value.is_floating_point():
                self.values[key].lerp_(value, 1 - decay)
            else:
                self.values[key].copy_(value)


def _flat(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{p}.{k}": v for p, m in modules.items() for k, v in m.state_dict().items()}


def weights_path(out: Path, name: str) -> Path:
    """File with the averaged weights of a finished or running stage."""
    return out / name / WEIGHTS_FILE


def load_weights(module: nn.Module, path: Path, prefix: str) -> None:
    """Load the weights stored under `prefix` into `module`, strictly."""
    stored = load_file(path)
    head = prefix + "."
    module.load_state_dict({k[len(head) :]: v for k, v in stored.items() if k.startswith(head)})


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    temporary = path.with_suffix(".tmp")
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, temporary)
    os.replace(temporary, path)


def _optimizer_tensors(optimizers: Mapping[str, torch.optim.Optimizer]) -> dict[str, Tensor]:
    return {
        f"optimizer.{name}.{index}.{key}": torch.as_tensor(value)
        for name, optimizer in optimizers.items()
        for index, slots in optimizer.state_dict()["state"].items()
        for key, value in slots.items()
    }


def _restore_optimizer(
    optimizer: torch.optim.Optimizer, name: str, stored: dict[str, Tensor]
) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    head = f"optimizer.{name}."
    for key, value in stored.items():
        if key.startswith(head):
            index, slot = key[len(head) :].split(".", 1)
            state.setdefault(int(index), {})[slot] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _checkpoint(folder: Path, task: Task, averages: _Averages, progress: dict[str, Any]) -> None:
    live = {f"live.{k}": v for k, v in _flat(task.modules).items()}
    _save(folder / STATE_FILE, live | _optimizer_tensors(task.optimizers))
    _save(folder / WEIGHTS_FILE, averages.values)
    temporary = folder / "progress.tmp"
    temporary.write_text(json.dumps(progress, indent=1))
    os.replace(temporary, folder / PROGRESS_FILE)


def _resume(folder: Path, task: Task, averages: _Averages) -> dict[str, Any]:
    stored = load_file(folder / STATE_FILE)
    for prefix, module in task.modules.items():
        head = f"live.{prefix}."
        module.load_state_dict({k[len(head) :]: v for k, v in stored.items() if k.startswith(head)})
    for name, optimizer in task.optimizers.items():
        _restore_optimizer(optimizer, name, stored)
    averages.values = load_file(folder / WEIGHTS_FILE)
    progress: dict[str, Any] = json.loads((folder / PROGRESS_FILE).read_text())
    return progress


@torch.no_grad()
def _validate(task: Task, averages: _Averages) -> dict[str, float]:
    """Judge the averaged weights, then put the live ones back."""
    live = {k: v.clone() for k, v in _flat(task.modules).items()}
    _assign(task.modules, averages.values)
    for module in task.modules.values():
        module.eval()
    figures = task.validate()
    for module in task.modules.values():
        module.train()
    _assign(task.modules, live)
    return figures


def _assign(modules: Mapping[str, nn.Module], values: Mapping[str, Tensor]) -> None:
    for key, value in _flat(modules).items():
        value.copy_(values[key])


def fit(
    task: Task,
    run: RunConfig,
    default: Budget,
    *,
    ema_decay: float = 0.999,
    checkpoint_seconds: float = 90.0,
) -> dict[str, float]:
    """Train `task` until its budget is spent.

    Parameters
    ----------
    task : Task
        Modules, batches and step of the stage.
    run : RunConfig
        Where to write, device, seed, resume, overrides of the budget.
    default : Budget
        The recipe's budget.
    ema_decay : float
        Decay of the averaged weights, which are what a stage ships.
    checkpoint_seconds : float
        Wall-clock seconds between checkpoints.

    Returns
    -------
    dict of str to float
        Last validation figures.
    """
    fabric = Fabric(accelerator=run.device, devices=1, precision=run.precision)  # type: ignore[arg-type]
    torch.manual_seed(run.seed)
    folder = run.out / task.name
    folder.mkdir(parents=True, exist_ok=True)
    for module in task.modules.values():
        module.to(fabric.device).train()
    averages = _Averages(task.modules, ema_decay)
    progress: dict[str, Any] = {"step": 0, "seconds": 0.0, "history": []}
    if run.resume and (folder / PROGRESS_FILE).is_file():
        progress = _resume(folder, task, averages)
    return _run(
        task, run.budget(default), fabric, averages, progress, folder, checkpoint_seconds, run.seed
    )


def _run(
    task: Task,
    budget: Budget,
    fabric: Fabric,
    averages: _Averages,
    progress: dict[str, Any],
    folder: Path,
    checkpoint_seconds: float,
    seed: int,
) -> dict[str, float]:
    before, began = progress["seconds"], time.monotonic()
    step, saved = progress["step"], began
    sums: dict[str, float] = {}
    seen, figures = 0, {}
    batches = task.batches(seed + step)
    while step < budget.steps and not _spent(budget, before + time.monotonic() - began):
        losses = task.step(next(batches), step, fabric)
        step += 1
        seen += 1
        averages.update(task.modules, step)
        for key, value in losses.items():
            sums[key] = sums.get(key, 0.0) + float(value)
        last = step == budget.steps or _spent(budget, before + time.monotonic() - began)
        if last or time.monotonic() - saved > checkpoint_seconds:
            figures = _validate(task, averages)
            means = {k: round(v / seen, 5) for k, v in sums.items()}
            seconds = before + time.monotonic() - began
            entry = {"step": step, "seconds": round(seconds, 1), **means, **figures}
            progress = {"step": step, "seconds": seconds, "history": [*progress["history"], entry]}
            _checkpoint(folder, task, averages, progress)
            log.info("%s %s", task.name, entry)
            sums, seen, saved = {}, 0, time.monotonic()
    return figures


def _spent(budget: Budget, seconds: float) -> bool:
    return budget.minutes is not None and seconds >= 60 * budget.minutes
