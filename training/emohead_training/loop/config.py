"""What the loop is told: the budget, the command line's settings, and a stage's side of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from emohead.errors import InputError

__all__ = ["PRECISIONS", "Budget", "Progress", "RunConfig", "Task"]

PRECISIONS: Final = ("32-true", "bf16-mixed")
"""Of Fabric's precisions those that the loop is right for."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to train."""

    steps: int
    """Optimiser steps after which training is finished."""
    minutes: float | None = None
    """Wall-clock minutes after which it is finished too, earlier runs included."""

    def is_spent(self, step: int, seconds: float) -> bool:
        """Whether `step` steps in `seconds` seconds use the budget up."""
        return step >= self.steps or (self.minutes is not None and seconds >= 60 * self.minutes)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a stage is; the command line draws it."""

    stage: str
    """Training stage."""
    step: int
    """Steps done."""
    seconds: float
    """Wall-clock seconds spent, earlier runs included."""
    budget: Budget
    """When it ends."""
    figures: Mapping[str, float]
    """Latest mean losses and validation figures."""


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
    devices: int = 1
    """How many of them; gradients are averaged over all."""
    precision: str = "32-true"
    """Of ``PRECISIONS``."""
    seed: int = 0
    """Seed of data order and initial weights."""
    resume: bool = True
    """Continue from the last checkpoint where there is one."""
    steps: int | None = None
    """Overrides the recipe's number of steps."""
    minutes: float | None = None
    """Overrides the recipe's wall-clock budget."""
    from_bundle: str | None = None
    """Bundle whose weights a fresh run starts from, or ``default``."""
    perceptual: Path | None = None
    """ONNX file of VGG-19 for the renderer's perceptual loss."""
    identity_net: Path | None = None
    """ONNX file of an ArcFace network for the renderer's local identity loss."""
    tensorboard: bool = False
    """Write event files beside the checkpoints."""
    stop_at_s: float | None = field(default=None, compare=False)
    """``time.monotonic()`` at which to leave off, to go on later; None trains to the end."""
    progress: Callable[[Progress], None] | None = field(default=None, compare=False)
    """Called after every step on the first device's process."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(
                f"expected a precision among {', '.join(PRECISIONS)}, got {self.precision!r}; "
                "others scale the losses, which no stage undoes, or change nothing"
            )

    def must_stop(self) -> bool:
        """Whether this run's time is over, though the stage may not be finished."""
        return self.stop_at_s is not None and time.monotonic() >= self.stop_at_s

    def budget(self, default: Budget) -> Budget:
        """`default` with this run's overrides."""
        minutes = default.minutes if self.minutes is None else self.minutes
        return Budget(steps=self.steps or default.steps, minutes=minutes)


class Task(Protocol):
    """A stage's side of training.

    Optional attributes: ``config`` (a dataclass, stored with every checkpoint), ``clip_norms``
    (largest gradient norm by optimiser), ``facts`` (mapping, stored too), and ``pictures()``
    ((H, W, 3) uint8 by name, for TensorBoard).
    """

    name: str
    """Training stage; names the result folder."""
    modules: Mapping[str, nn.Module]
    """Networks to train and save, keyed by the prefix of their weights."""
    optimizers: Mapping[str, Optimizer]
    """Optimisers over the modules' parameters."""

    def batches(self, seed: int) -> Iterator[Any]:
        """Endless stream of batches that depends on `seed` alone; it is restarted often."""
        ...

    def step(self, batch: Any, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """Compute losses, call ``fabric.backward``, step the optimisers; return figures to log."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures on held-out people; called at every checkpoint, modules in evaluation mode."""
        ...
