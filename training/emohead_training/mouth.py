"""How far a mouth is open, in canonical units. Called wherever lips are judged or compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import LIP_PAIRS

__all__ = ["mouth_opening"]


def mouth_opening(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean distance between facing inner-lip points.

    Parameters
    ----------
    landmarks : (..., 68, 3) floating, canonical units

    Returns
    -------
    (...,) float64, canonical units
    """
    upper, lower = np.transpose(LIP_PAIRS)
    gaps = np.linalg.norm(landmarks[..., upper, :] - landmarks[..., lower, :], axis=-1)
    return np.asarray(gaps.mean(-1), np.float64)
