"""Chance as a function of seed, process and step, so that a resumed run draws what it would have.

No generator's state is stored: all of them start anew at every step. Batches come in blocks of
steps, each block a fresh stream; a resume inside a block passes over what was already used.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch

from emohead_training.loop.config import Task

__all__ = ["BLOCK_STEPS", "Batches", "reseed", "seed_all"]

BLOCK_STEPS: Final = 60
"""Steps fed by one stream: fewer restart it too often, more make a resume slow. Shares out evenly
over any few networks that a stage trains in turn."""
_STREAM, _STEP = 0, 1


def _derived(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def seed_all(seed: int) -> None:
    """Seed the global generators of torch, numpy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)


def reseed(task: Task, seed: int, rank: int, step: int) -> None:
    """Seed the global generators and those that are attributes of the task, for one step."""
    derived = _derived(seed, rank, step, _STEP)
    seed_all(derived)
    for value in vars(task).values():
        if isinstance(value, np.random.Generator):
            fresh = type(value.bit_generator)(derived)
            value.bit_generator.state = fresh.state
        elif isinstance(value, torch.Generator):
            value.manual_seed(derived)
        elif isinstance(value, random.Random):
            value.seed(derived)


class Batches:
    """The batch of every step, in order, from any step on.

    Parameters
    ----------
    task : Task
    seed : int
        The run's.
    rank : int
        Number of this process.
    step : int
        Steps done already.
    """

    def __init__(self, task: Task, seed: int, rank: int, step: int) -> None:
        self._task, self._seed, self._rank = task, seed, rank
        self._stream: Iterator[Any] | None = None
        for passed in range(step - step % BLOCK_STEPS, step):
            self.at(passed)

    def at(self, step: int) -> Any:
        """Seed everything for `step` and return its batch; steps must follow one another."""
        if self._stream is None or step % BLOCK_STEPS == 0:
            block = _derived(self._seed, self._rank, step // BLOCK_STEPS, _STREAM)
            self._stream = iter(self._task.batches(block))
        reseed(self._task, self._seed, self._rank, step)
        return next(self._stream)
