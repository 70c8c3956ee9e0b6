"""Flicker: how much still skin and background tremble from frame to frame, over real footage.

The second difference in time ignores steady change, so motion of the head counts little.
Called by ``rendering.py``. Not here: lips that tremble (``audio_visual.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import BROWS, EYES, MOUTH
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = ["REGIONS", "flicker_pairs", "regions", "second_difference"]

REGIONS: Final = ("face", "background")
"""Where flicker is measured."""

Mask = NDArray[np.bool_]


def regions(landmarks: NDArray[np.floating], size_px: int = 256) -> tuple[Mask, Mask]:
    """Skin that speech hardly moves, and what lies outside the face.

    Parameters
    ----------
    landmarks : (68, 2 or more) floating, px
    size_px : int
        Side of the frame.

    Returns
    -------
    face, background : (size_px, size_px) bool
        The landmarks' hull without mouth, eyes and brows and their surroundings; everything
        beyond the hull and its surroundings.
    """
    margin = PROTOCOL.face_margin_px
    hull = _hull(landmarks, range(68), size_px)
    moving = [_grown(_hull(landmarks, part, size_px), margin) for part in (MOUTH, EYES, BROWS)]
    return hull & ~np.any(moving, axis=0), ~_grown(hull, margin)


def second_difference(
    frames: NDArray[np.uint8], masks: tuple[Mask, ...]
) -> tuple[float | None, ...]:
    """Mean of ``|f[0] - 2 f[1] + f[2]|`` in regions.

    Parameters
    ----------
    frames : (3, height, width, 3) uint8, RGB
        Consecutive frames.
    masks : tuple of (height, width) bool

    Returns
    -------
    tuple of float or None
        8-bit levels, one per mask; None where the mask is empty.
    """
    first, middle, last = frames.astype(np.int16)
    trembling = np.abs(first - 2 * middle + last).mean(-1)
    return tuple(float(trembling[mask].mean()) if mask.any() else None for mask in masks)


def flicker_pairs(
    made: NDArray[np.uint8], true: NDArray[np.uint8], landmarks: NDArray[np.floating]
) -> Iterator[tuple[str, float, float]]:
    """Compare made triples with true ones.

    Parameters
    ----------
    made, true : (m, 3, 256, 256, 3) uint8, RGB
    landmarks : (m, 68, 2) floating, px
        Of each triple's last frame.

    Yields
    ------
    (region, made, true)
        Second differences, 8-bit levels.
    """
    for ours, theirs, points in zip(made, true, landmarks, strict=True):
        masks = regions(points, ours.shape[1])
        found = zip(
            REGIONS, second_difference(ours, masks), second_difference(theirs, masks), strict=True
        )
        yield from ((r, a, b) for r, a, b in found if a is not None and b is not None)


def _hull(landmarks: NDArray[np.floating], part: range | tuple[int, ...], size_px: int) -> Mask:
    import cv2

    points = np.rint(np.asarray(landmarks)[list(part), :2]).astype(np.int32)
    canvas = np.zeros((size_px, size_px), np.uint8)
    cv2.fillConvexPoly(canvas, cv2.convexHull(points), 1)
    return canvas > 0


def _grown(mask: Mask, margin_px: int) -> Mask:
    import cv2

    side = 2 * margin_px + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel)) > 0
