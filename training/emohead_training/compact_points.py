"""Points over time in few bytes: differences from frame to frame, in fixed steps."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["PIXEL_STEPS", "UNIT_STEPS", "compact_points", "points_from"]

PIXEL_STEPS: Final = 8
"""Steps of a pixel, as fine as half precision at 256."""
UNIT_STEPS: Final = 2048
"""Steps of a canonical unit, a twentieth of a pixel."""


def compact_points(points: NDArray[np.floating], steps: int = PIXEL_STEPS) -> NDArray[Any]:
    """Turn points over time into small integers, where all are known.

    Parameters
    ----------
    points : (N, ...) floating
    steps : int
        Of one unit.

    Returns
    -------
    (N, ...) int16, or float16 where a point is not a number
    """
    if not np.isfinite(points).all():
        return np.asarray(points, np.float16)
    whole = np.round(np.asarray(points, np.float64) * steps)
    return np.diff(whole, axis=0, prepend=0).astype(np.int16)


def points_from(stored: NDArray[Any], steps: int = PIXEL_STEPS) -> NDArray[np.float32]:
    """Points (N, ...) float32 from their compact form, or from floats."""
    if np.issubdtype(stored.dtype, np.floating):
        return np.asarray(stored, np.float32)
    return np.asarray(np.cumsum(stored, axis=0, dtype=np.int32), np.float32) / np.float32(steps)
