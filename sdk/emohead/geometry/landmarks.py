"""The iBUG-68 layout: which point is which, how they mirror, how they are drawn.

Pure index tables without I/O; every module that needs "the mouth" asks here.
"Left" and "right" are the viewer's, as in the image.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

NUM_LANDMARKS: Final = 68

JAW: Final = tuple(range(17))
LEFT_BROW: Final = tuple(range(17, 22))
RIGHT_BROW: Final = tuple(range(22, 27))
NOSE_BRIDGE: Final = tuple(range(27, 31))
NOSE_BASE: Final = tuple(range(31, 36))
LEFT_EYE: Final = tuple(range(36, 42))
RIGHT_EYE: Final = tuple(range(42, 48))
OUTER_LIPS: Final = tuple(range(48, 60))
INNER_LIPS: Final = tuple(range(60, 68))

BROWS: Final = LEFT_BROW + RIGHT_BROW
NOSE: Final = NOSE_BRIDGE + NOSE_BASE
EYES: Final = LEFT_EYE + RIGHT_EYE
MOUTH: Final = OUTER_LIPS + INNER_LIPS

RIGID: Final = (*NOSE_BRIDGE, 36, 39, 42, 45)
"""Points that expression hardly moves: nose bridge and the four eye corners."""

OUTER_EYE_CORNERS: Final = (36, 45)
"""Their distance is the unit of canonical space."""

LIP_PAIRS: Final = ((61, 67), (62, 66), (63, 65))
"""(upper, lower) inner-lip points that face each other."""

EYELID_PAIRS: Final = ((37, 41), (38, 40), (43, 47), (44, 46))
"""(upper, lower) eyelid points that face each other."""

OPENINGS: Final = (INNER_LIPS, LEFT_EYE, RIGHT_EYE)
"""Rims of the holes in the face surface: mouth and eyes."""

POLYLINES: Final[tuple[tuple[int, ...], ...]] = (
    JAW,
    LEFT_BROW,
    RIGHT_BROW,
    NOSE_BRIDGE,
    NOSE_BASE,
    (*LEFT_EYE, LEFT_EYE[0]),
    (*RIGHT_EYE, RIGHT_EYE[0]),
    (*OUTER_LIPS, OUTER_LIPS[0]),
    (*INNER_LIPS, INNER_LIPS[0]),
)
"""Index chains to draw; a closed chain repeats its first point."""

_MIRROR: Final = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46),
    *(39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)

MIRROR: Final[npt.NDArray[np.intp]] = np.asarray(_MIRROR, dtype=np.intp)
"""(68,) index of each point's mirror image; its own inverse."""
MIRROR.setflags(write=False)


def mirrored(canonical: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Mirror canonical landmarks left to right.

    Parameters
    ----------
    canonical : (..., 68, 3) floating, canonical units

    Returns
    -------
    (..., 68, 3) floating, canonical units
        x negated and the points renamed, so that index 36 is again the viewer's left.
    """
    flipped: npt.NDArray[np.floating] = canonical[..., MIRROR, :] * np.array(
        [-1, 1, 1], canonical.dtype
    )
    return flipped
