"""Canonical space: take pose and size out of landmarks, and put them back.

x right, y down, z away from the viewer; origin at the centroid of the rigid points; the outer
eye corners one unit apart; rotation removed by weighted Procrustes to the template.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from emohead.errors import InputError
from emohead.geometry.landmarks import NUM_LANDMARKS, OUTER_EYE_CORNERS, RIGID
from emohead.geometry.topology import TEMPLATE

RIGID_WEIGHTS: Final = (1.0, 1.0, 0.7, 0.4, 1.0, 1.0, 1.0, 1.0)
"""Weight of each point of `RIGID`: the nose tip swings with the upper lip, so it counts less."""

_RIGID: Final = list(RIGID)
_WEIGHTS: Final = np.asarray(RIGID_WEIGHTS)[:, None]


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Similarity that carries canonical landmarks back to where they were measured."""

    rotation: npt.NDArray[np.float64]
    """(..., 3, 3) proper rotation, canonical to measured."""
    translation: npt.NDArray[np.float64]
    """(..., 3) px, the rigid points' centroid."""
    scale: npt.NDArray[np.float64]
    """(...,) px per canonical unit, the outer eye corners' distance."""

    def apply(self, canonical: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Place canonical landmarks.

        Parameters
        ----------
        canonical : (..., K, 3) floating, canonical units

        Returns
        -------
        (..., K, 3) float64, px
            ``scale * canonical @ rotation.T + translation``.
        """
        turned = canonical @ np.swapaxes(self.rotation, -1, -2)
        placed: npt.NDArray[np.float64] = (
            np.asarray(self.scale)[..., None, None] * turned + self.translation[..., None, :]
        )
        return placed

    def remove(self, landmarks: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Undo `apply`.

        Parameters
        ----------
        landmarks : (..., K, 3) floating, px

        Returns
        -------
        (..., K, 3) float64, canonical units
        """
        centred = landmarks - self.translation[..., None, :]
        canonical: npt.NDArray[np.float64] = (
            centred @ self.rotation / np.asarray(self.scale)[..., None, None]
        )
        return canonical

    def __getitem__(self, index: Any) -> Pose:
        """Select along the leading axes."""
        return Pose(
            rotation=self.rotation[index],
            translation=self.translation[index],
            scale=np.asarray(self.scale)[index],
        )


def procrustes_rotation(
    source: npt.NDArray[np.floating],
    target: npt.NDArray[np.floating],
    weights: npt.NDArray[np.floating],
) -> npt.NDArray[np.float64]:
    """Rotation that turns centred source points onto centred target points.

    Parameters
    ----------
    source : (..., K, 3) floating
    target : (..., K, 3) floating
        Broadcasts against `source`.
    weights : (K, 1) floating, positive

    Returns
    -------
    (..., 3, 3) float64
        R that minimises ``sum(w * |source @ R.T - target|^2)``, with determinant +1.

    References
    ----------
    .. [1] Kabsch, A solution for the best rotation to relate two sets of vectors, 1976.
    """
    covariance = np.swapaxes(source * weights, -1, -2) @ target
    left, _, right = np.linalg.svd(np.asarray(covariance, np.float64))
    sign = np.linalg.det(left @ right)
    flip = np.ones((*sign.shape, 3))
    flip[..., 2] = np.where(sign < 0, -1.0, 1.0)
    rotation: npt.NDArray[np.float64] = np.swapaxes((left * flip[..., None, :]) @ right, -1, -2)
    return rotation


def pose_from_landmarks(
    landmarks: npt.NDArray[np.floating], template: npt.NDArray[np.floating] = TEMPLATE
) -> Pose:
    """Measure where a face is and how it is turned.

    Parameters
    ----------
    landmarks : (..., 68, 3) floating, px
    template : (68, 3) floating, canonical units

    Returns
    -------
    Pose

    Raises
    ------
    InputError
        Wrong shape, not finite, or eye corners that coincide.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape[-2:] != (NUM_LANDMARKS, 3):
        raise InputError(
            f"expected landmarks of shape (..., {NUM_LANDMARKS}, 3), got {points.shape}; "
            "pass iBUG-68 points as x, y, z"
        )
    rigid = points[..., _RIGID, :]
    start, end = OUTER_EYE_CORNERS
    scale = np.linalg.norm(points[..., end, :] - points[..., start, :], axis=-1)
    if not np.isfinite(points).all() or (scale < 1e-6).any():
        raise InputError(
            "expected finite landmarks with two distinct eye corners, got "
            "NaN, infinity or coinciding corners; detect the face again"
        )
    translation = rigid.mean(axis=-2)
    rotation = procrustes_rotation(template[_RIGID], rigid - translation[..., None, :], _WEIGHTS)
    return Pose(rotation=rotation, translation=translation, scale=scale)


def canonicalise(
    landmarks: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.float64], Pose]:
    """Remove position, size and head rotation from landmarks.

    Parameters
    ----------
    landmarks : (..., 68, 3) floating, px
        x right, y down, z away from the viewer, all in the same unit.

    Returns
    -------
    canonical : (..., 68, 3) float64, canonical units
        Rigid centroid at the origin, outer eye corners one unit apart, turned to the template.
    pose : Pose
        ``pose.apply(canonical)`` gives the landmarks back.

    Raises
    ------
    InputError
        Wrong shape, not finite, or eye corners that coincide.
    """
    pose = pose_from_landmarks(landmarks)
    return pose.remove(np.asarray(landmarks, np.float64)), pose
