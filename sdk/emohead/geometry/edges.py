"""Landmarks as edge lengths and dihedral angles (paper eq. 1), with first derivatives.

Invariant to pose, so that networks reason about shape alone. The way back is in `inverse.py`.
Arrays inside are component-major, (3, T, points), which numpy walks fastest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from emohead.geometry.topology import TEMPLATE, TOPOLOGY

Array = npt.NDArray[np.float64]

EDGE_START: Final = np.ascontiguousarray(TOPOLOGY.edges[:, 0])
EDGE_END: Final = np.ascontiguousarray(TOPOLOGY.edges[:, 1])
HINGE_POINTS: Final = np.stack(
    [
        EDGE_START[TOPOLOGY.hinges],
        EDGE_END[TOPOLOGY.hinges],
        TOPOLOGY.opposite[TOPOLOGY.hinges, 0],
        TOPOLOGY.opposite[TOPOLOGY.hinges, 1],
    ]
)
"""(4, H) edge start, edge end, left third, right third of every interior edge."""

_TINY: Final = 1e-14


@dataclass(frozen=True, kw_only=True)
class EdgeDerivatives:
    """Edge values of T faces and how they move with the points."""

    lengths: Array
    """(T, E) canonical units."""
    angles: Array
    """(T, H) rad, interior edges only."""
    directions: Array
    """(3, T, E) derivative of each length by its end point; the start point's is its negative."""
    gradients: Array
    """(4, 3, T, H) derivative of each angle by the points of `HINGE_POINTS`."""


def wrapped(angle: Array) -> Array:
    """Bring angles into [-pi, pi).

    Parameters
    ----------
    angle : (...) float64, rad

    Returns
    -------
    (...) float64, rad, [-pi, pi)
    """
    turns: Array = np.floor((angle + np.pi) / (2 * np.pi))
    result: Array = angle - 2 * np.pi * turns
    return result


def edges_from_landmarks(landmarks: npt.NDArray[np.floating]) -> Array:
    """Edge lengths and signed dihedral angles of faces.

    Parameters
    ----------
    landmarks : (..., 68, 3) floating, canonical units

    Returns
    -------
    (..., E, 2) float64
        Length in canonical units, positive; angle in rad, [-pi, pi), zero where the surface is
        flat and at boundary edges, negative where it bulges towards the viewer.

    References
    ----------
    .. [1] Paper, section 3.2, equation 1.
    """
    points = _component_major(landmarks)
    difference = points[..., EDGE_END] - points[..., EDGE_START]
    edges = np.zeros((points.shape[1], len(EDGE_START), 2))
    edges[..., 0] = np.sqrt(_dot(difference, difference))
    edges[:, TOPOLOGY.hinges, 1] = _hinge_frame(points)[0]
    return edges.reshape(*landmarks.shape[:-2], *edges.shape[1:])


def edge_derivatives(points: Array) -> EdgeDerivatives:
    """Evaluate edges and their analytic derivatives.

    Parameters
    ----------
    points : (3, T, 68) float64, canonical units

    Returns
    -------
    EdgeDerivatives
    """
    difference = points[..., EDGE_END] - points[..., EDGE_START]
    lengths = np.sqrt(_dot(difference, difference))
    angles, left, right, along_left, along_right, length = _hinge_frame(points)
    by_left = left * (-length / (_dot(left, left) + _TINY))
    by_right = right * (-length / (_dot(right, right) + _TINY))
    by_end = -(along_left * by_left + along_right * by_right)
    by_start = -(by_left + by_right + by_end)
    return EdgeDerivatives(
        lengths=lengths,
        angles=angles,
        directions=difference / (lengths + _TINY),
        gradients=np.stack([by_start, by_end, by_left, by_right]),
    )


def _component_major(landmarks: npt.NDArray[np.floating]) -> Array:
    flat = np.asarray(landmarks, np.float64).reshape(-1, *landmarks.shape[-2:])
    return np.ascontiguousarray(np.moveaxis(flat, -1, 0))


def _hinge_frame(points: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Angles (T, H), both normals (3, T, H), both feet along the edge (T, H), edge length."""
    start, end, third, fourth = (points[..., index] for index in HINGE_POINTS)
    edge, to_left, to_right = end - start, third - start, fourth - start
    left, right = _cross(edge, to_left), _cross(to_right, edge)
    square = _dot(edge, edge)
    length = np.sqrt(square)
    angles = wrapped(np.arctan2(-length * _dot(left, to_right), _dot(left, right)))
    along_left = _dot(edge, to_left) / (square + _TINY)
    along_right = _dot(edge, to_right) / (square + _TINY)
    return angles, left, right, along_left, along_right, length


def _dot(a: Array, b: Array) -> Array:
    product: Array = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def _cross(a: Array, b: Array) -> Array:
    return np.stack(
        [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ]
    )


def _hinge_weights() -> Array:
    """Smaller altitude over each interior edge of the template, in canonical units."""
    points = _component_major(TEMPLATE)
    _, left, right, _, _, length = _hinge_frame(points)
    areas = np.minimum(np.sqrt(_dot(left, left)), np.sqrt(_dot(right, right)))
    weights: Array = np.clip((areas / length)[0], 0.02, 0.3)
    return weights


HINGE_WEIGHTS: Final = _hinge_weights()
"""(H,) canonical units per rad: turns an angle's error into the displacement it causes."""
