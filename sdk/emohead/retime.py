"""Motion at 30 frames a second to motion at the video's rate, as the sound comes in.

Called by ``performance.py``. Not here: motion itself (``lips.py``, ``motion.py``).
"""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.motion import FPS

__all__ = ["MAX_FPS", "Retimer", "checked_fps", "wait_s"]

MAX_FPS = 120
"""Highest rate of the video."""

Array = NDArray[np.float64]


def checked_fps(fps: int) -> int:
    """Return `fps`; raises InputError unless it is 1 to 120."""
    if not 1 <= fps <= MAX_FPS:
        raise InputError(f"expected a frame rate from 1 to {MAX_FPS}, got {fps}")
    return int(fps)


def wait_s(fps: int) -> float:
    """Longest time, s, that a frame waits for the motion after it: 0 where rates divide."""
    return (fps - gcd(FPS, fps)) / fps / FPS


class Retimer:
    """Accumulator from rows at 30 a second to rows at `fps`: linear in time, the last one held.

    Parameters
    ----------
    fps : int, 1 to 120
        Frames a second of the result.
    width : int
        Values of a row.
    """

    def __init__(self, fps: int, width: int) -> None:
        self._fps = checked_fps(fps)
        self._rows = np.zeros((0, width))
        self._first = 0
        self._given = 0

    def push(self, rows: Array) -> Array:
        """Take rows (T, width) and return those of the video that lie between known ones."""
        self._rows = np.concatenate([self._rows, rows])
        end = self._first + len(self._rows)
        return self._give((end - 1) * self._fps // FPS + 1 if end else 0)

    def close(self, num_frames: int) -> Array:
        """Return the rest: `num_frames` rows were given in all."""
        return self._give(num_frames)

    def _give(self, stop: int) -> Array:
        frames = np.arange(self._given, max(stop, self._given))
        low, rest = np.divmod(frames * FPS, self._fps)
        last = len(self._rows) - 1
        below = np.minimum(low - self._first, last)
        above = np.minimum(below + (rest > 0), last)
        share = (rest / self._fps)[:, None]
        given: Array = (1 - share) * self._rows[below] + share * self._rows[above]
        self._given += len(frames)
        drop = max(0, min(self._given * FPS // self._fps - self._first, last))
        self._rows, self._first = self._rows[drop:], self._first + drop
        return given
