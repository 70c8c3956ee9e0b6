"""Distances between landmarks that a landmarker finds on made frames and those of true frames.

Units are pixels of the 256 px frame unless a docstring says otherwise.
Not here: lips driven by sound in canonical space (``emohead_training.voice.lip_scores``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import MOUTH
from emohead.portrait import find_landmarks
from emohead.runner import Runner

__all__ = ["LandmarkFinder", "landmark_distance", "landmark_finder", "lmd", "mouth_width"]

Points = NDArray[np.floating]
LandmarkFinder = Callable[[NDArray[np.uint8], Points], NDArray[np.float64]]
"""(n, 256, 256, 3) RGB frames, (n, 68, 2) px that say where the faces are -> (n, 68, 2) px."""

_LIPS = list(MOUTH)


def landmark_finder(landmarker: Runner) -> LandmarkFinder:
    """Make a finder of the project's own landmarker, which starts from the known face's box.

    Parameters
    ----------
    landmarker : Runner
        Of the stage ``face_landmarks``.
    """

    def find(frames: NDArray[np.uint8], near: Points) -> NDArray[np.float64]:
        boxes = [np.concatenate((p[:, :2].min(0), p[:, :2].max(0))) for p in near]
        found = [find_landmarks(f, b, landmarker)[0] for f, b in zip(frames, boxes, strict=True)]
        return np.stack(found)[..., :2]

    return find


def landmark_distance(
    found: Points, true: Points, indices: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Mean Euclidean distance of the points of each frame.

    Parameters
    ----------
    found, true : (n, 68, 2 or more) floating, px
    indices : tuple of int, optional
        Points that count; all 68 otherwise.

    Returns
    -------
    (n,) float64 ndarray, px
    """
    chosen = slice(None) if indices is None else list(indices)
    difference = np.asarray(found)[:, chosen, :2] - np.asarray(true)[:, chosen, :2]
    return np.asarray(np.linalg.norm(difference, axis=-1).mean(-1), np.float64)


def lmd(made: Points, true: Points) -> NDArray[np.float64]:
    """Landmark distance of the lips after aligning them (LMD, paper section 4.1).

    The paper gives neither unit nor normalisation. Here the 20 lip points of both frames are
    moved to their own mean, so that only the lips' shape counts, and the distance is in pixels of
    the 256 px frame.

    Parameters
    ----------
    made, true : (n, 68, 2 or more) floating, px
        Landmarks found by one and the same landmarker on both frames.

    Returns
    -------
    (n,) float64 ndarray, px

    References
    ----------
    .. [1] Chen et al., Lip Movements Generation at a Glance, ECCV 2018.
    """
    lips = [np.asarray(x, np.float64)[:, _LIPS, :2] for x in (made, true)]
    first, second = (x - x.mean(1, keepdims=True) for x in lips)
    return np.asarray(np.linalg.norm(first - second, axis=-1).mean(-1), np.float64)


def mouth_width(landmarks: Points) -> NDArray[np.float64]:
    """Distance of the mouth's corners of each frame (n, 68, 2 or more), px."""
    corners = np.asarray(landmarks, np.float64)[:, (48, 54), :2]
    return np.asarray(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=-1), np.float64)
