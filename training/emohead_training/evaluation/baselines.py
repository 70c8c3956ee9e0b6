"""Baselines that need no learning: copy the anchor, warp it, warp it with the clip's mean mouth.

Each is a ``Synthesis`` or a change of the case that one is run on. Called by ``rendering.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import MOUTH, RIGID
from emohead_training.evaluation.critics import similarity
from emohead_training.evaluation.pixels import Frames, PixelCase, Points

__all__ = ["copy_anchor", "warp_anchor", "with_mean_mouth"]

RIDGE: Final = 1e-3
"""Keeps the spline solvable where two points coincide."""
GRID_STEP_PX: Final = 5
"""The spline is evaluated at every so-manieth pixel (255 is a multiple) and is linear between."""
BORDER_STEPS: Final = 3
"""Pinned points a side of the image, for the spline must leave the far background where it is."""


def with_mean_mouth(case: PixelCase) -> PixelCase:
    """Replace every mouth of a case by the mean mouth of its clip: no speech, but all else true.

    Parameters
    ----------
    case : PixelCase

    Returns
    -------
    PixelCase
        The mean is taken and put back by similarities of the points that expression hardly moves.
    """
    rigid, mouth = list(RIGID), list(MOUTH)
    reference = case.anchor_landmarks[rigid]
    there = [similarity(points[rigid], reference) for points in case.landmarks]
    mean = np.mean([_mapped(p[mouth], m) for p, m in zip(case.landmarks, there, strict=True)], 0)
    landmarks = case.landmarks.copy()
    for points in landmarks:
        points[mouth] = _mapped(mean, similarity(reference, points[rigid]))
    return replace(case, landmarks=landmarks)


def _mapped(points: NDArray[Any], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def copy_anchor(anchor: Frames, anchor_landmarks: Points, landmarks: Points) -> Iterator[Frames]:
    """Baseline: the anchor itself, every frame."""
    for _ in landmarks:
        yield anchor


def warp_anchor(anchor: Frames, anchor_landmarks: Points, landmarks: Points) -> Iterator[Frames]:
    """Baseline: the anchor warped by a thin-plate spline through the true landmarks, no learning.

    The backward map from each frame to the anchor interpolates the 68 points and pins the border.
    """
    import cv2

    pinned = _border(anchor.shape[0])
    source = np.concatenate((anchor_landmarks, pinned))
    for points in landmarks:
        spline = _spline(np.concatenate((points, pinned)), source, anchor.shape[:2])
        yield cv2.remap(anchor, spline, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _border(size_px: int) -> Points:
    """Points along the image's border, corners included."""
    along = np.linspace(0, size_px - 1, BORDER_STEPS + 1)[:-1]
    zero, full = np.zeros_like(along), np.full_like(along, size_px - 1)
    sides = ((along, zero), (full, along), (full - along, full), (zero, full - along))
    return np.concatenate([np.stack(side, -1) for side in sides]).astype(np.float32)


def _kernel(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    squared: NDArray[Any] = np.square(x[:, None] - y[None]).sum(-1)
    return np.asarray(squared * np.log(np.maximum(squared, 1e-9)))


def _spline(at: Points, values: Points, shape: Sequence[int]) -> NDArray[np.float32]:
    """(height, width, 2) thin-plate spline that takes `values` at the points `at`."""
    import cv2

    count = len(at)
    linear = np.c_[np.ones(count), at]
    system = np.zeros((count + 3, count + 3))
    exact = at.astype(np.float64)
    system[:count, :count] = _kernel(exact, exact) + RIDGE * np.eye(count)
    system[:count, count:], system[count:, :count] = linear, linear.T
    weights = np.linalg.solve(system, np.concatenate((values, np.zeros((3, 2)))))
    rows, columns = np.mgrid[: shape[0] : GRID_STEP_PX, : shape[1] : GRID_STEP_PX]
    nodes = np.stack((columns.ravel(), rows.ravel()), -1).astype(np.float32)
    bent = _kernel(nodes, at) @ weights[:count].astype(np.float32)
    straight = np.c_[np.ones(len(nodes)), nodes] @ weights[count:]
    coarse = (bent + straight).astype(np.float32).reshape(*rows.shape, 2)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / GRID_STEP_PX
    fine: NDArray[np.float32] = cv2.remap(coarse, x, y, cv2.INTER_LINEAR)
    return fine
