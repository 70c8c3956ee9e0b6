"""A z-buffer on the CPU: triangles to the nearest triangle and weights at every pixel.

numba compiles it once per machine. Not here: colour (``shading.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Coverage", "rasterise"]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What each pixel shows."""

    triangle: NDArray[np.int32]
    """(H, W) index of the nearest triangle, -1 where there is none."""
    weights: NDArray[np.float32]
    """(H, W, 2) perspective-correct weights of the triangle's second and third corner."""
    nearness: NDArray[np.float32]
    """(H, W) one over depth, zero where there is nothing."""


def rasterise(
    points: NDArray[np.float32],
    triangles: NDArray[np.int32],
    size: int,
    *,
    two_sided: NDArray[np.bool_] | None = None,
    cover: NDArray[np.float32] | None = None,
    grain: NDArray[np.float32] | None = None,
    grain_place: NDArray[np.float32] | None = None,
) -> Coverage:
    """Find what each pixel of a square picture shows.

    Parameters
    ----------
    points : (V, 3) float32
        x and y in px, the first pixel's centre at zero, and one over depth.
    triangles : (T, 3) int32
        Counter-clockwise on the picture as seen from the front.
    size : int, px
    two_sided : (T,) bool, optional
        Triangles that show their back too; all where None.
    cover : (V,) float32, optional
        Share of the surface that is there; below 1 it is cut along `grain`.
    grain : (G, G) float32, [0, 1], optional
        Tiling pattern that decides what is cut first; needed with `cover`.
    grain_place : (V, 2) float32, optional
        Place of each vertex in the pattern, in tiles; needed with `cover`.

    Returns
    -------
    Coverage
    """
    coverage = Coverage(
        triangle=np.full((size, size), -1, np.int32),
        weights=np.zeros((size, size, 2), np.float32),
        nearness=np.zeros((size, size), np.float32),
    )
    sides = np.ones(len(triangles), np.bool_) if two_sided is None else two_sided
    full = np.ones(len(points), np.float32) if cover is None else cover
    pattern = np.zeros((1, 1), np.float32) if grain is None else grain
    place = np.zeros((len(points), 2), np.float32) if grain_place is None else grain_place
    written = (coverage.triangle, coverage.weights, coverage.nearness)
    _fill(points, triangles, sides, full, pattern, place, *written)
    return coverage


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _fill(
    points: Any,
    triangles: Any,
    two_sided: Any,
    cover: Any,
    grain: Any,
    place: Any,
    ids: Any,
    weights: Any,
    nearness: Any,
) -> None:
    height, width = ids.shape
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        ax, ay, bx, by = points[a, 0], points[a, 1], points[b, 0], points[b, 1]
        cx, cy = points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0 or (area > 0 and not two_sided[t]):
            continue
        left, right = max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(max(ax, bx, cx)))
        top, low = max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(max(ay, by, cy)))
        cut = min(cover[a], cover[b], cover[c]) < 1
        for y in range(top, low + 1):
            for x in range(left, right + 1):
                u = ((cx - bx) * (y - by) - (cy - by) * (x - bx)) / area
                v = ((ax - cx) * (y - cy) - (ay - cy) * (x - cx)) / area
                w = 1 - u - v
                if u < 0 or v < 0 or w < 0:
                    continue
                near = u * points[a, 2] + v * points[b, 2] + w * points[c, 2]
                if near <= nearness[y, x]:
                    continue
                second, third = v * points[b, 2] / near, w * points[c, 2] / near
                if cut and _is_cut(cover, grain, place, a, b, c, second, third):
                    continue
                nearness[y, x], ids[y, x] = near, t
                weights[y, x, 0], weights[y, x, 1] = second, third


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _is_cut(
    cover: Any, grain: Any, place: Any, a: int, b: int, c: int, second: float, third: float
) -> bool:
    first = 1 - second - third
    there = first * cover[a] + second * cover[b] + third * cover[c]
    size = grain.shape[0]
    x = first * place[a, 0] + second * place[b, 0] + third * place[c, 0]
    y = first * place[a, 1] + second * place[b, 1] + third * place[c, 1]
    column, row = int(np.floor(x * size)) % size, int(np.floor(y * size)) % size
    return bool(grain[row, column] >= there)
