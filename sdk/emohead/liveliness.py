"""What a face does by itself: breathing, and how lively eyes and head are.

Pure functions of time and seed, so that any chunking gives the same life, silence included.
Called by ``performance.py``. Not here: blinks and glances (``life.py``), onsets (``motion.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.life import BLINK_RATE, GAZE, apply_blink, apply_gaze, blinks, check_life, glances
from emohead.motion import Motion, checked_seed

__all__ = ["HEAD_MOTION", "MAX_HEAD_MOTION", "Life", "breathing", "stilled"]

HEAD_MOTION: Final = 1.0
"""The paper's rule as it is."""
MAX_HEAD_MOTION: Final = 4.0
"""Beyond this every onset throws the head to its bound."""

_PERIODS_S: Final = np.array([[11.3, 7.1], [4.1, 9.7], [13.1, 8.3]])
"""Two periods each of yaw, pitch and roll; pitch follows the breath, 15 a minute."""
_REACH: Final = np.radians([[0.35, 0.2], [0.3, 0.2], [0.2, 0.15]])
_RISE: Final = 0.004
"""Canonical units that the shoulders lift the head with the breath."""

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Life:
    """How lively a face is besides its speech."""

    seed: int = 0
    """Equal seeds live alike."""
    head_motion: float = HEAD_MOTION
    """How far the head moves, [0, 4]: 0 holds it still, 1 is the paper's rule."""
    blink_rate: float = BLINK_RATE
    """Blinks a minute, [0, 40]."""
    gaze: float = GAZE
    """How far the eyes glance aside, [0, 1]."""

    def __post_init__(self) -> None:
        checked_seed(self.seed)
        check_life(self.blink_rate, self.gaze)
        if not 0 <= self.head_motion <= MAX_HEAD_MOTION:
            raise InputError(
                f"expected a head motion from 0 (still) to {MAX_HEAD_MOTION:g}, got "
                f"{self.head_motion}: 1 is the usual amount"
            )

    def eyes(self, faces: NDArray[np.floating], times_s: Array) -> Array:
        """Let the eyes of faces (N, 68, 3), canonical units, glance and blink."""
        looking = apply_gaze(faces, self.glances(times_s))
        return apply_blink(looking, blinks(times_s, self.seed, self.blink_rate))

    def glances(self, times_s: Array) -> Array:
        """Where the eyes look, (N, 2) shares of the largest shift: right and down positive."""
        return glances(times_s, self.seed, self.gaze)

    def breath(self, times_s: Array) -> Motion:
        """Head motion of somebody who breathes and keeps his balance."""
        return breathing(times_s, self.seed, self.head_motion)


def stilled(life: Life) -> Life:
    """Take all motion from a life."""
    return replace(life, head_motion=0.0, blink_rate=0.0, gaze=0.0)


def breathing(times_s: NDArray[np.floating], seed: int = 0, amount: float = 1.0) -> Motion:
    """Head motion that never rests: the breath, and a slow sway.

    Parameters
    ----------
    times_s : (N,) floating, s
        Times to look at, in any order.
    seed : int, not negative
        Equal seeds breathe alike.
    amount : float
        How far; 0 for not at all.

    Returns
    -------
    Motion
        Less than a degree and half a hundredth of the eyes' distance at `amount` 1.
    """
    times = np.asarray(times_s, np.float64)[:, None, None]
    drawn = np.random.default_rng([checked_seed(seed), 0xB2EA])
    phases = drawn.uniform(0, 2 * math.pi, _PERIODS_S.shape)
    waves = np.sin(2 * math.pi * times / _PERIODS_S + phases)
    angles = amount * (waves * _REACH).sum(-1)
    shift = np.zeros((len(times), 3))
    shift[:, 1] = amount * _RISE * waves[:, 1, 0]
    return Motion(angles=angles, shift=shift)
