"""``fit``: drives a task through its budget.

Who calls: every stage's ``train``. Not here: how a checkpoint looks, how chance is derived.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from lightning.fabric import Fabric
from torch import Tensor

from emohead_training.loop import checkpoints
from emohead_training.loop.board import Board
from emohead_training.loop.config import Budget, Progress, RunConfig, Task
from emohead_training.loop.devices import launched, prepared, shared_decision, synchronise
from emohead_training.loop.randomness import Batches
from emohead_training.loop.record import record_of
from emohead_training.loop.weights import Averages, assign, flat
from emohead_training.warm_start import load_from_bundle

__all__ = ["fit"]

log = logging.getLogger(__name__)

REPORT_STEPS: Final = 25
"""Steps between points of the curves."""


def fit(
    task: Task,
    run: RunConfig,
    default: Budget,
    *,
    ema_decay: float = 0.999,
    checkpoint_seconds: float = 90.0,
) -> dict[str, float]:
    """Train `task` until its budget is spent.

    A run that was killed and started again ends with the weights of an unbroken one, bit by bit on
    a CPU, given the same budget of steps and the same number of threads.

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
        Last validation figures; empty where nothing was left to do.

    Raises
    ------
    InputError
        When the checkpoint is of other networks.
    BundleError
        When the run cannot start from the bundle that it names.
    """
    fabric = launched(run)
    folder = run.out / task.name
    folder.mkdir(parents=True, exist_ok=True)
    for module in task.modules.values():
        module.to(fabric.device).train()
    found = checkpoints.latest(folder) if run.resume else None
    if found is None and run.from_bundle is not None:
        load_from_bundle(task.modules, run.from_bundle)
    averages = Averages(task.modules, ema_decay)
    if found is not None:
        checkpoints.restore(found, task, averages)
    synchronise(fabric, [*flat(task.modules).values(), *averages.values.values()])
    progress = found.progress if found else {"step": 0, "seconds": 0.0, "history": []}
    loop = _Loop(task, run, run.budget(default), fabric, averages, progress)
    if found is not None and fabric.is_global_zero:
        _compare(task.name, found.record, loop.record)
        checkpoints.publish(folder, averages, progress, found.record)
    clip_norms: Mapping[str, float] = getattr(task, "clip_norms", {})
    wanted = run.tensorboard and fabric.is_global_zero
    with (
        prepared(fabric, task.optimizers, clip_norms),
        Board(folder / "events", progress["step"], wanted) as board,
    ):
        return loop.run_through(board, checkpoint_seconds)


class _Means:
    """Running means of figures, kept on their device until they are read."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._count = 0

    def add(self, figures: Mapping[str, Tensor | float]) -> None:
        for key, value in figures.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        self._count += 1

    def read(self) -> dict[str, float]:
        means = {k: float(v) / self._count for k, v in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


class _Loop:
    """State of a running training."""

    def __init__(
        self,
        task: Task,
        run: RunConfig,
        budget: Budget,
        fabric: Fabric,
        averages: Averages,
        progress: dict[str, Any],
    ) -> None:
        self.task, self.run, self.budget, self.fabric = task, run, budget, fabric
        self.averages, self.progress = averages, progress
        self.folder: Path = run.out / task.name
        self.record = record_of(task, run, budget, fabric) if fabric.is_global_zero else {}
        self.before, self.began = progress["seconds"], time.monotonic()

    def seconds(self) -> float:
        """Wall-clock seconds spent, earlier runs included."""
        return float(self.before + time.monotonic() - self.began)

    def _is_spent(self, step: int) -> bool:
        return self.budget.is_spent(step, self.seconds())

    def is_over(self, step: int) -> bool:
        return shared_decision(self.fabric, self._is_spent(step) or self.run.must_stop())

    def run_through(self, board: Board, checkpoint_seconds: float) -> dict[str, float]:
        step, saved = self.progress["step"], time.monotonic()
        figures: dict[str, float] = {}
        if self.is_over(step):
            return figures
        batches = Batches(self.task, self.run.seed, self.fabric.global_rank, step)
        curve, since_saved, shown = _Means(), _Means(), {}
        over = False
        while not over:
            losses = self.task.step(batches.at(step), step, self.fabric)
            step += 1
            self.averages.update(self.task.modules, step)
            curve.add(losses)
            since_saved.add(losses)
            over = self.is_over(step)
            due = over or time.monotonic() - saved > checkpoint_seconds
            if step % REPORT_STEPS == 0 or over:
                shown |= curve.read()
                board.scalars(step, self._named(shown))
            if shared_decision(self.fabric, due):
                figures = self._save(step, since_saved.read(), board)
                shown, saved = shown | figures, time.monotonic()
            self._tell(step, shown)
        return figures

    def _named(self, losses: Mapping[str, float]) -> dict[str, float]:
        rates = {f"rate/{k}": o.param_groups[0]["lr"] for k, o in self.task.optimizers.items()}
        return {f"train/{k}": v for k, v in losses.items() if not k.startswith("val_")} | rates

    def _save(self, step: int, means: dict[str, float], board: Board) -> dict[str, float]:
        """Judge, log and write a checkpoint on the first process; the others wait."""
        figures: dict[str, float] = {}
        if self.fabric.is_global_zero:
            figures = self._judge(step, board)
            rounded = {k: round(v, 5) for k, v in means.items()}
            entry = {"step": step, "seconds": round(self.seconds(), 1), **rounded, **figures}
            history = [*self.progress["history"], entry]
            self.progress = {"step": step, "seconds": self.seconds(), "history": history}
            args = (self.folder, self.task, self.averages, self.progress, self.record)
            checkpoints.write(*args)
            log.info("%s %s", self.task.name, entry)
        self.fabric.barrier()
        return figures

    @torch.no_grad()
    def _judge(self, step: int, board: Board) -> dict[str, float]:
        """Judge the averaged weights, then put the live ones back."""
        targets = flat(self.task.modules)
        live = {k: v.clone() for k, v in targets.items()}
        assign(targets, self.averages.values)
        for module in self.task.modules.values():
            module.eval()
        figures = self.task.validate()
        board.scalars(step, {f"validation/{k.removeprefix('val_')}": v for k, v in figures.items()})
        pictures = getattr(self.task, "pictures", None)
        if pictures is not None and self.run.tensorboard:
            board.pictures(step, pictures())
        for module in self.task.modules.values():
            module.train()
        assign(targets, live)
        return figures

    def _tell(self, step: int, figures: Mapping[str, float]) -> None:
        if self.run.progress is not None and self.fabric.is_global_zero:
            self.run.progress(
                Progress(
                    stage=self.task.name,
                    step=step,
                    seconds=self.seconds(),
                    budget=self.budget,
                    figures=dict(figures),
                )
            )


def _compare(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Say where a resumed run differs from what its checkpoint was made with."""
    for key in ("config", "data_sha256", "facts"):
        if _without_budget(before.get(key)) != _without_budget(now.get(key)):
            log.warning("%s: continues with another %s than before", name, key)


def _without_budget(value: Any) -> Any:
    return {k: v for k, v in value.items() if k != "budget"} if isinstance(value, dict) else value
