"""How much of the sky each vertex of a head sees, and normals; both per vertex.

Not here: light itself (``shading.py``).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from emohead_training.actors.rasteriser import rasterise

__all__ = ["sky_seen", "vertex_normals"]

_DIRECTIONS: Final = 48
_SIZE_PX: Final = 160
_BIAS_MM: Final = 2.5


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def vertex_normals(points: Any, triangles: Any) -> Any:
    """Area-weighted normals.

    Parameters
    ----------
    points : (V, 3) float32
    triangles : (T, 3) int32

    Returns
    -------
    (V, 3) float32
        Unit length; zero where a vertex has no triangle.
    """
    normals = np.zeros_like(points)
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        ux, uy, uz = points[b] - points[a]
        vx, vy, vz = points[c] - points[a]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for i in range(len(normals)):
        x, y, z = normals[i]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0:
            normals[i] /= length
    return normals


def sky_seen(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """Ambient visibility of every vertex, cosine-weighted over directions.

    Parameters
    ----------
    points : (V, 3) float32, mm
    triangles : (T, 3) int32

    Returns
    -------
    (V,) float32 ndarray, [0, 1]
        1 in the open, 0 inside a closed mouth.
    """
    normals = vertex_normals(points, triangles)
    total = np.zeros(len(points), np.float32)
    weight = np.full(len(points), 1e-6, np.float32)
    for direction in _sphere(_DIRECTIONS):
        cosine = np.maximum(normals @ direction, 0)
        total += cosine * _lit(points, triangles, direction)
        weight += cosine
    return np.asarray(total / weight, np.float32)


def _sphere(count: int) -> NDArray[np.float32]:
    """Evenly spread unit vectors: a Fibonacci spiral."""
    steps = np.arange(count) + 0.5
    height, turn = 1 - 2 * steps / count, np.pi * (1 + 5**0.5) * steps
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], 1).astype(np.float32)


def _lit(
    points: NDArray[np.float32], triangles: NDArray[np.int32], direction: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Which vertices a far light in `direction` reaches."""
    flat, nearness = along(points, direction, _SIZE_PX)
    seen = rasterise(
        np.concatenate([flat, nearness[:, None]], 1).astype(np.float32), triangles, _SIZE_PX
    )
    column, row = np.clip(np.round(flat).astype(int), 0, _SIZE_PX - 1).T
    span = np.ptp(points @ direction) + 1
    return np.asarray(nearness + _BIAS_MM / span > seen.nearness[row, column], np.float32)


def along(
    points: NDArray[np.float32],
    direction: NDArray[np.float32],
    size: int,
    shown: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Orthographic view from `direction`: px (V, 2) and nearness (V,) in (0, 1].

    The points `shown` (all where None) fill the picture.
    """
    helper = np.array([0, 1, 0]) if abs(direction[1]) < 0.9 else np.array([1, 0, 0])
    right = np.cross(direction, helper)
    right = (right / np.linalg.norm(right)).astype(np.float32)
    down = np.cross(direction, right).astype(np.float32)
    flat = np.stack([points @ right, points @ down], 1)
    inner = flat if shown is None else np.stack([shown @ right, shown @ down], 1)
    low = inner.min(0)
    scale = (size - 2) / max(float(np.ptp(inner, axis=0).max()), 1e-3)
    far = points @ direction
    nearness = (far - far.min() + 1) / (np.ptp(far) + 1)
    return ((flat - low) * scale + 0.5).astype(np.float32), nearness.astype(np.float32)
