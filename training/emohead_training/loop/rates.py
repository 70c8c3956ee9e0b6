"""Learning rates over a run: how they fall, and setting them.

Who calls: every stage's step. Not here: warm-ups, which differ from stage to stage.
"""

from __future__ import annotations

import math

from torch.optim import Optimizer

__all__ = ["falling", "set_rate"]


def falling(done: float, floor: float) -> float:
    """Half a cosine from 1 down to `floor`.

    Parameters
    ----------
    done : float
        Share of the run that is over; beyond 1 the floor stays.
    floor : float, [0, 1]

    Returns
    -------
    float, [floor, 1]
    """
    return (1 + floor) / 2 + (1 - floor) / 2 * math.cos(math.pi * min(1.0, done))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give all groups of an optimiser a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
