"""What a face does besides speaking: the runtime's blinks and glances as facial actions.

Not here: when they happen (``emohead.life``), head motion (``emohead.motion``), emotions.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.landmarks.arkit import eye_looks
from emohead.life import blinks, glances
from emohead_training.actors.actions import ACTION_INDEX, NUM_ACTIONS

__all__ = ["living"]

_LOOK_OF_GLANCE: Final = 0.5
"""ARKit's full look turns the eye about twice as far as the runtime's largest glance."""
_BEGIN_S: Final = 50.0
"""Clips begin anywhere within the first seconds of somebody's minute."""


def living(num_frames: int, fps: float, rng: Generator) -> NDArray[np.float32]:
    """Actions of eyes that blink and look about.

    Parameters
    ----------
    num_frames : int
    fps : float
    rng : numpy.random.Generator

    Returns
    -------
    (num_frames, 52) float32 ndarray
    """
    actions = np.zeros((num_frames, NUM_ACTIONS), np.float32)
    seed, begin = int(rng.integers(1 << 31)), float(rng.uniform(0, _BEGIN_S))
    times = begin + np.arange(num_frames) / fps
    closed = blinks(times, seed)
    right, down = glances(times, seed, float(rng.uniform(0.3, 1.0))).T * _LOOK_OF_GLANCE
    amounts = {"eyeBlinkLeft": closed, "eyeBlinkRight": closed, **eye_looks(right, down)}
    for name, amount in amounts.items():
        actions[:, ACTION_INDEX[name]] = np.maximum(amount, 0)
    return actions
