"""From canonical faces to image points: head motion, the portrait's pose, projection.

Called by ``performance.py`` and live streams. Not here: how the head moves (``motion.py``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from emohead.errors import InputError
from emohead.geometry import Pose

__all__ = [
    "PIVOT",
    "angles_from_rotations",
    "pinhole_matrix",
    "place",
    "project",
    "rotations_from_angles",
]

Array = npt.NDArray[np.float64]

PIVOT: Final = (0.0, 0.9, 1.0)
"""Where the skull sits on the neck, canonical units: below and behind the eyes."""


def rotations_from_angles(angles: npt.NDArray[np.floating]) -> Array:
    """Rotation matrices of head angles.

    Parameters
    ----------
    angles : (..., 3) floating, rad
        Yaw (towards the viewer's right), pitch (chin down) and roll (clockwise as seen).

    Returns
    -------
    (..., 3, 3) float64
        Pitch first, then yaw, then roll, for column vectors with x right, y down, z away.
    """
    yaw, pitch, roll = np.moveaxis(np.asarray(angles, np.float64), -1, 0)
    about_x = _about(0, pitch)
    about_y = _about(1, -yaw)
    about_z = _about(2, roll)
    turned: Array = about_z @ about_y @ about_x
    return turned


def angles_from_rotations(rotations: npt.NDArray[np.floating]) -> Array:
    """Undo ``rotations_from_angles``.

    Parameters
    ----------
    rotations : (..., 3, 3) floating

    Returns
    -------
    (..., 3) float64, rad
        Yaw in [-pi/2, pi/2], pitch and roll.
    """
    turned = np.asarray(rotations, np.float64)
    level = np.hypot(turned[..., 0, 0], turned[..., 1, 0])
    yaw = np.arctan2(turned[..., 2, 0], level)
    pitch = np.arctan2(turned[..., 2, 1], turned[..., 2, 2])
    roll = np.arctan2(turned[..., 1, 0], turned[..., 0, 0])
    return np.stack([yaw, pitch, roll], axis=-1)


def _about(axis: int, angle: Array) -> Array:
    """Right-handed rotations (..., 3, 3) about one axis."""
    matrix = np.zeros((*np.shape(angle), 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., first, second] = -np.sin(angle)
    matrix[..., second, first] = np.sin(angle)
    return matrix


def place(
    canonical: npt.NDArray[np.floating],
    pose: Pose,
    angles: npt.NDArray[np.floating] | None = None,
    shift: npt.NDArray[np.floating] | None = None,
) -> Array:
    """Move the head and set it where the portrait has it.

    Parameters
    ----------
    canonical : (N, 68, 3) floating, canonical units
    pose : Pose
        Of the portrait.
    angles : (N, 3) floating, rad, optional
        Yaw, pitch and roll about ``PIVOT``, relative to the portrait's pose.
    shift : (N, 3) floating, canonical units, optional
        Of the whole head.

    Returns
    -------
    (N, 68, 3) float64, px
        Crop pixels, z in the same unit; without motion exactly ``pose.apply(canonical)``.

    Raises
    ------
    InputError
        Numbers of frames that differ.
    """
    faces = np.asarray(canonical, np.float64)
    for given in (angles, shift):
        if given is not None and np.shape(given) != (len(faces), 3):
            raise InputError(
                f"expected head motion of shape ({len(faces)}, 3) for {len(faces)} faces, "
                f"got {np.shape(given)}; give one row per frame"
            )
    if angles is not None and np.any(angles):
        turn = np.swapaxes(rotations_from_angles(angles), -1, -2)
        faces = (faces - PIVOT) @ turn + PIVOT
    if shift is not None:
        faces = faces + np.asarray(shift, np.float64)[:, None]
    return pose.apply(faces)


def pinhole_matrix(focal_px: float, centre_px: tuple[float, float] = (128.0, 128.0)) -> Array:
    """Camera matrix with square pixels.

    Parameters
    ----------
    focal_px : float, positive
        Focal length; the smaller, the stronger the perspective.
    centre_px : (x, y), px
        Where the optical axis meets the crop.

    Returns
    -------
    (3, 3) float64
    """
    x, y = centre_px
    return np.array([[focal_px, 0, x], [0, focal_px, y], [0, 0, 1.0]])


def project(
    landmarks: npt.NDArray[np.floating],
    matrix: npt.NDArray[np.floating] | None = None,
    plane_z_px: float = 0.0,
) -> Array:
    """Project placed landmarks onto the crop.

    Parameters
    ----------
    landmarks : (..., 68, 3) floating, px
        From ``place``.
    matrix : (3, 3) floating, px, optional
        Pinhole camera, whose distance is its focal length, so that points in the plane
        ``z = plane_z_px`` stay where they are; weak perspective otherwise, which drops z.
    plane_z_px : float, px
        Depth that keeps its size, usually the pose's own.

    Returns
    -------
    (..., 68, 2) float64, px

    Raises
    ------
    InputError
        If points lie behind the camera.

    References
    ----------
    .. [1] Paper, section 3.3: landmarks with head motion, "projected to the image plane using the
       camera matrix".
    """
    points = np.asarray(landmarks, np.float64)
    if matrix is None:
        return points[..., :2].copy()
    camera = np.asarray(matrix, np.float64)
    focal, centre = np.array([camera[0, 0], camera[1, 1]]), camera[:2, 2]
    depth = points[..., 2:] - plane_z_px + focal[0]
    if (depth <= 0).any():
        raise InputError(
            f"expected a focal length beyond the face's depth, got {focal[0]:g} px; "
            "take at least a few hundred"
        )
    rays = np.concatenate([(points[..., :2] - centre) * (focal[0] / focal), depth], axis=-1)
    seen = rays @ camera.T
    flat: Array = seen[..., :2] / seen[..., 2:]
    return flat
