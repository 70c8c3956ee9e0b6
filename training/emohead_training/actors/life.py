"""What a face does besides speaking: blinks, glances and lids that follow them.

Not here: head motion, which is the runtime's (``emohead.motion``), and emotions.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.life import blinks
from emohead_training.actors.actions import ACTION_INDEX, NUM_ACTIONS

__all__ = ["gaze", "living"]

_FIXATION_S: Final = (0.4, 2.5)
_SACCADE_S: Final = 0.05
_REACH: Final = (0.35, 0.2)
"""Typical sideways and vertical glance, as shares of ARKit's full look."""
_CONTACT_SHARE: Final = 0.55
"""How often the eyes rest on the camera."""


def gaze(num_frames: int, fps: float, rng: Generator) -> NDArray[np.float32]:
    """Draw a path of the eyes: fixations, joined by saccades.

    Parameters
    ----------
    num_frames : int
    fps : float
    rng : numpy.random.Generator

    Returns
    -------
    (num_frames, 2) float32 ndarray, [-1, 1]
        To the viewer's right and down.
    """
    times = np.arange(num_frames) / fps
    path = np.zeros((num_frames, 2))
    start = 0.0
    while num_frames and start <= times[-1]:
        away = rng.random() > _CONTACT_SHARE
        target = np.clip(rng.normal(0, _REACH), -0.9, 0.9) * away + rng.normal(0, 0.02, 2)
        share = np.clip((times - start) / _SACCADE_S, 0, 1)[:, None]
        path += (target - path) * (share if start > 0 else 1.0)
        start += rng.uniform(*_FIXATION_S)
    return path.astype(np.float32)


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
    closed = blinks(np.arange(num_frames) / fps, int(rng.integers(1 << 31)))
    right, down = gaze(num_frames, fps, rng).T
    amounts = {
        "eyeBlinkLeft": closed,
        "eyeBlinkRight": closed,
        "eyeLookOutLeft": right,
        "eyeLookInRight": right,
        "eyeLookInLeft": -right,
        "eyeLookOutRight": -right,
        "eyeLookDownLeft": down,
        "eyeLookDownRight": down,
        "eyeLookUpLeft": -down,
        "eyeLookUpRight": -down,
    }
    for name, amount in amounts.items():
        actions[:, ACTION_INDEX[name]] = np.maximum(amount, 0)
    return actions
