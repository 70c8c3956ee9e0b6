"""An actor's skin as one picture around the head: tone, pores, blush, freckles, lips, brows, beard.

The picture is a cylinder unrolled: columns are the angle about the head's axis, rows the height,
of the average head, so that it fits everybody. Not here: light (``shading.py``) and hair.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.geometry.landmarks import LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from emohead_training.actors.looks import Hair, Look

__all__ = ["HEIGHT_PX", "WIDTH_PX", "hairline", "paint_skin", "plane_from_points", "texels"]

WIDTH_PX: Final = 896
HEIGHT_PX: Final = 640
AXIS_Z_MM: Final = -50.0
"""Depth of the head's axis."""
TOP_MM, BOTTOM_MM = -950.0, -530.0
RADIUS_MM: Final = 85.0
"""Radius at which angles become mm."""

Plane = NDArray[np.float32]


def plane_from_points(reference: NDArray[np.floating]) -> NDArray[np.float32]:
    """Unroll points of the average head: (..., 3) mm to (..., 2) mm along and down the cylinder."""
    angle = np.arctan2(reference[..., 0], AXIS_Z_MM - reference[..., 2])
    return np.stack([angle * RADIUS_MM, reference[..., 1]], -1).astype(np.float32)


def texels(plane: NDArray[np.floating]) -> NDArray[np.float32]:
    """Place on the picture, (..., 2) px, of places on the unrolled cylinder, mm."""
    across = (plane[..., 0] / (2 * np.pi * RADIUS_MM) + 0.5) * (WIDTH_PX - 1)
    down = (plane[..., 1] - TOP_MM) / (BOTTOM_MM - TOP_MM) * (HEIGHT_PX - 1)
    return np.stack([across, down], -1).astype(np.float32)


def hairline(across_mm: NDArray[np.floating], receding_mm: float = 0.0) -> NDArray[np.float32]:
    """Height (mm, y down) of the hair's edge: forehead, temple, before and behind the ear, nape."""
    at = np.abs(across_mm)
    edges = (0, 25, 45, 58, 66, 76, 88, 104, 118, 128, 150, 270)
    front = np.array((-882, -886, -885)) - np.array((0.4, 1.0, 1.2)) * receding_mm
    heights = (*front, -876, -860, -838, -812, -800, -830, -832, -775, -741)
    return np.interp(at, edges, heights).astype(np.float32)


def paint_skin(look: Look, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Paint a skin.

    Parameters
    ----------
    look : Look
    points : (79, 3) floating, mm
        Landmarks and hairline points of the average head.

    Returns
    -------
    (HEIGHT_PX, WIDTH_PX, 4) float32 ndarray, [0, 1]
        Linear RGB and gloss; gloss below zero where clothes are.
    """
    rng = np.random.default_rng(look.seed)
    marks = plane_from_points(points)
    across = np.linspace(-np.pi, np.pi, WIDTH_PX, dtype=np.float32) * RADIUS_MM
    down = np.linspace(TOP_MM, BOTTOM_MM, HEIGHT_PX, dtype=np.float32)
    x, y = np.meshgrid(across, down)
    skin = np.empty((HEIGHT_PX, WIDTH_PX, 4), np.float32)
    skin[..., :3] = look.skin
    skin[..., 3] = 0.35
    _tint(skin, look, x, y, marks)
    _roughen(skin, look, rng)
    _freckle(skin, look, marks, rng)
    _line(skin, look, x, y, marks)
    _beard(skin, look, x, y, marks, rng)
    _lips(skin, look, marks, rng)
    _lashes(skin, marks)
    _brows(skin, look, marks, rng)
    _scalp(skin, look, x, y, rng)
    collar = -665 + (look.neckline_mm + 665) * np.exp(-((x / 75) ** 2))
    painted = np.clip(skin, 0, 1)
    painted[y > collar, 3] = -1
    return painted


def _blob(
    x: Plane, y: Plane, centre: NDArray[np.floating], width_mm: float, height_mm: float
) -> Plane:
    return np.exp(-(((x - centre[0]) / width_mm) ** 2 + ((y - centre[1]) / height_mm) ** 2))


def _moved(place: NDArray[np.floating], right: float, down: float) -> NDArray[np.floating]:
    return place + np.array((right, down), np.float32)


def _noise(cells: int, rng: Generator) -> Plane:
    shape = (max(2, cells * HEIGHT_PX // WIDTH_PX), cells)
    coarse = rng.normal(0, 1, shape).astype(np.float32)
    return np.asarray(
        cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC), np.float32
    )


def _multiply(skin: Plane, mask: Plane, factors: tuple[float, float, float]) -> None:
    skin[..., :3] *= 1 + mask[..., None] * (np.array(factors, np.float32) - 1)


def _mix(skin: Plane, mask: Plane, colour: NDArray[np.floating]) -> None:
    skin[..., :3] += mask[..., None] * (colour - skin[..., :3])


def _tint(skin: Plane, look: Look, x: Plane, y: Plane, marks: Plane) -> None:
    """Blood under cheeks, nose, chin and ears; darker lids and rings; shine on the T zone."""
    eyes = [marks[36:42].mean(0), marks[42:48].mean(0)]
    warm = np.zeros_like(x)
    for side, eye in zip((-1, 1), eyes, strict=True):
        warm += 0.8 * _blob(x, y, _moved(eye, side * 12, 36), 22, 18)
        warm += 0.5 * _blob(x, y, np.array((side * 125.0, eye[1] + 20)), 14, 30)
        ring = _blob(x, y, _moved(eye, 0, 11), 17, 7)
        _multiply(skin, ring * (0.35 + 0.5 * look.age), (0.82, 0.74, 0.78))
        lids = _blob(x, y, _moved(eye, 0, -7), 18, 7)
        _multiply(skin, lids * 0.6, (0.88, 0.78, 0.76))
        _multiply(skin, _blob(x, y, eye, 15.5, 6.5) * 0.75, (0.55, 0.42, 0.4))
    warm += 0.7 * _blob(x, y, marks[30], 13, 14) + 0.3 * _blob(
        x, y, _moved(marks[8], 0, -12), 15, 10
    )
    _multiply(skin, np.minimum(warm, 1) * look.redness, (1.02, 0.72, 0.72))
    skin[..., 3] += 0.35 * _blob(x, y, marks[30], 12, 18) + 0.3 * _blob(
        x, y, _moved(marks[27], 0, -38), 40, 22
    )


def _roughen(skin: Plane, look: Look, rng: Generator) -> None:
    blotches = 0.6 * _noise(14, rng) + 0.5 * _noise(40, rng)
    pores = 0.6 * _noise(WIDTH_PX // 3, rng) + 0.4 * _noise(WIDTH_PX, rng)
    shade = look.unevenness * (0.05 * blotches + 0.022 * pores)
    skin[..., :3] *= (1 + shade[..., None] * (0.8, 1.1, 1.15)).astype(np.float32)
    skin[..., 3] *= 1 + 0.25 * pores


def _freckle(skin: Plane, look: Look, marks: Plane, rng: Generator) -> None:
    moles = int(rng.integers(0, 5))
    mask = np.zeros(skin.shape[:2], np.float32)
    for i in range(look.freckles + moles):
        spot = marks[29] + rng.normal(0, (32, 16)) if i >= moles else rng.normal(0, (60, 40))
        if i < moles:
            spot = _moved(spot, 0, -780)
        place = tuple(int(v) for v in texels(np.asarray(spot)))
        size, depth = (1, rng.uniform(0.2, 0.6)) if i >= moles else (int(rng.integers(1, 3)), 0.9)
        cv2.circle(mask, place, size, float(depth), -1, cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (3, 3), 0.8)
    _multiply(skin, np.asarray(mask, np.float32), (0.62, 0.45, 0.4))


def _line(skin: Plane, look: Look, x: Plane, y: Plane, marks: Plane) -> None:
    """Folds of age: forehead, crow's feet, from nose to mouth."""
    depth = 0.12 + 0.5 * look.age
    mask = np.zeros(skin.shape[:2], np.float32)
    for row in range(3):
        height = marks[19, 1] - 16 - 11 * row
        wave = height + 2.2 * np.cos(x / 17 + row) - 2.0 * np.exp(-((x / 18) ** 2))
        mask += 0.7 * np.exp(-(((y - wave) / 1.1) ** 2)) * np.exp(-((x / 42) ** 4)) * look.age
    for side, wing, corner in ((-1, 31, 48), (1, 35, 54)):
        start, end = _moved(marks[wing], side * 3, -3), _moved(marks[corner], side * 8, 4)
        along = np.clip((y - start[1]) / (end[1] - start[1]), 0, 1)
        bent = start[0] + (end[0] - start[0]) * along**0.8
        inside = np.exp(-((np.maximum(start[1] - y, y - end[1]).clip(0) / 4) ** 2))
        mask += 0.8 * np.exp(-(((x - bent) / 2.2) ** 2)) * inside
    _multiply(skin, np.asarray(np.minimum(mask, 1) * depth, np.float32), (0.72, 0.6, 0.58))


def _beard(skin: Plane, look: Look, x: Plane, y: Plane, marks: Plane, rng: Generator) -> None:
    if look.beard == 0:
        return
    mouth, chin, nose = marks[[48, 54]].mean(0), marks[8], marks[33]
    cheeks = np.interp(
        np.abs(x),
        (0, 30, 60, 95, 112),
        (mouth[1], mouth[1] + 6, mouth[1] + 4, nose[1] - 8, nose[1] - 40),
    )
    area = (0.5 + 0.5 * np.tanh((y - cheeks) / 7)) * (np.abs(x) < 118)
    area *= 0.5 - 0.5 * np.tanh((y - chin[1] - 12 + 0.12 * np.abs(x)) / 9)
    moustache = _blob(x, y, _moved((mouth + nose) / 2, 0, 2), 27, 6.5)
    mask = np.clip(np.maximum(area, moustache), 0, 1)
    strands = 0.5 + 0.5 * np.tanh(1.2 * _noise(WIDTH_PX // 2, rng) + 0.5 * _noise(WIDTH_PX, rng))
    mask = cv2.GaussianBlur(np.asarray(mask, np.float32), (0, 0), 3.0)
    dense = mask * (0.25 + 0.75 * strands) * (0.35 + 0.6 * look.beard if look.beard > 0.1 else 0.2)
    shade = 0.7 * look.hair_colour + 0.3 * look.skin * (0.6, 0.62, 0.7)
    _mix(skin, np.asarray(np.clip(dense, 0, 0.95), np.float32), shade)
    skin[..., 3] *= 1 - 0.7 * mask * look.beard


def _lips(skin: Plane, look: Look, marks: Plane, rng: Generator) -> None:
    contour = _smooth_ring(texels(marks[list(OUTER_LIPS)]))
    mask = np.zeros(skin.shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(contour * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.5), np.float32)
    creases = 1 + 0.05 * _noise(WIDTH_PX // 3, rng)
    _mix(skin, mask * 0.85, look.lips * creases[..., None])
    skin[..., 3] += mask * (0.25 + 0.6 * look.lip_gloss)


def _lashes(skin: Plane, marks: Plane) -> None:
    """Dark rims of the lids, the upper one stronger, which meet when the eye closes."""
    mask = np.zeros(skin.shape[:2], np.float32)
    rims = ((LEFT_EYE[:4], 0.95, 3), (RIGHT_EYE[:4], 0.95, 3))
    lower = (((*LEFT_EYE[3:], LEFT_EYE[0]), 0.5, 1), ((*RIGHT_EYE[3:], RIGHT_EYE[0]), 0.5, 1))
    for chain, depth, thick in (*lower, *rims):
        line = np.round(texels(marks[list(chain)]) * 16).astype(np.int32)
        cv2.polylines(mask, [line], False, depth, thick, cv2.LINE_AA, 4)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.7), np.float32)
    _mix(skin, np.minimum(soft, 0.92), np.array((0.02, 0.014, 0.012), np.float32))


def _smooth_ring(points: NDArray[np.floating], per_side: int = 8) -> NDArray[np.float64]:
    """Catmull-Rom spline through a closed ring of points, (K, 2) to (K * per_side, 2)."""
    before, after, beyond = (np.roll(points, s, 0) for s in (1, -1, -2))
    t = np.linspace(0, 1, per_side, endpoint=False)[:, None, None]
    spline = 0.5 * (
        2 * points
        + t * (after - before)
        + t**2 * (2 * before - 5 * points + 4 * after - beyond)
        + t**3 * (3 * points - before - 3 * after + beyond)
    )
    return np.asarray(spline.swapaxes(0, 1).reshape(-1, 2))


def _brows(skin: Plane, look: Look, marks: Plane, rng: Generator) -> None:
    """Strokes from the upper edge, which the landmarks mark, downwards and outwards."""
    mask = np.zeros(skin.shape[:2], np.float32)
    for brow, side in ((LEFT_BROW[::-1], -1), (RIGHT_BROW, 1)):
        line = marks[list(brow)]
        for _ in range(420):
            at = rng.uniform(0, 1)
            edge = np.array([np.interp(at * 4, np.arange(5), c) for c in line.T])
            height = look.brow_mm * np.interp(at, (0, 0.15, 0.6, 1), (0.75, 1, 0.75, 0.3))
            root = _moved(edge, 0, rng.uniform(0, 1) * height + 0.6)
            lean = np.interp(at, (0, 0.3, 1), (0.5, 2.6, 3.2))
            rise = np.interp(at, (0, 0.3, 1), (-3.4, -1.4, 0.8))
            tip = _moved(root, side * lean, rise * rng.uniform(0.4, 1))
            ends = np.round(texels(np.stack([root, tip])) * 16).astype(np.int32)
            depth = float(rng.uniform(0.45, 0.8))
            cv2.line(mask, ends[0].tolist(), ends[1].tolist(), depth, 1, cv2.LINE_AA, 4)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.8), np.float32)
    halo = np.asarray(cv2.GaussianBlur(mask, (0, 0), 3.0), np.float32)
    cover = np.clip(soft * 1.05 + 0.12 * halo, 0, 0.92)
    _mix(skin, cover, look.hair_colour * 0.75)
    skin[..., 3] *= 1 - 0.7 * cover


def _scalp(skin: Plane, look: Look, x: Plane, y: Plane, rng: Generator) -> None:
    """Hair too short to stand out, and the shade of roots under longer hair."""
    if look.hair is Hair.BALD:
        return
    fuzz = _noise(WIDTH_PX // 2, rng)
    inside = 0.5 + 0.5 * np.tanh((hairline(x) - y + 2.5 * fuzz) / 5)
    dense = 0.8 if look.hair is Hair.BUZZ else 0.9
    grain = np.clip(1 + 0.25 * _noise(WIDTH_PX, rng), 0.3, 1.6)
    _mix(skin, np.asarray(inside * dense, np.float32), look.hair_colour * grain[..., None] * 0.9)
    skin[..., 3] *= 1 - 0.8 * inside
