"""Hair as geometry: shells over the scalp that are cut into strands, curtains and buns.

Everything is built once on an actor's resting head and then moves with it. Not here: its colour
(``looks.py``) and light (``shading.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead_training.actors.looks import Hair, Look
from emohead_training.actors.painting import AXIS_Z_MM, hairline, plane_from_points

__all__ = ["HairMesh", "grow_hair", "strand_grain"]

_SHELLS: Final = ((0.45, 1.0), (0.75, 0.8), (1.0, 0.45))
"""Share of the thickness and of the strands of each shell."""
_CURTAINS: Final = ((0.7, 1.6), (0.85, 0.95), (1.0, 0.55))
"""The same of the layers of hanging hair."""
_CROWN_MM: Final = np.array((0.0, -914.0, 6.0))
_STRAND_TILES: Final = 5.0
_STRAND_MM: Final = 130.0
_EDGE_MM: Final = 20.0
_BUN_MM: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class HairMesh:
    """Hair of one actor; possibly empty."""

    points: NDArray[np.float32]
    """(H, 3) mm on the resting head."""
    reference: NDArray[np.float32]
    """(H, 3) mm, where it would be on the average head."""
    triangles: NDArray[np.int32]
    """(T, 3) into its own points."""
    cover: NDArray[np.float32]
    """(H,) share of strands that are there."""
    place: NDArray[np.float32]
    """(H, 2) in tiles of the strand pattern: across and along the strands."""


def strand_grain(size: int, rng: Generator) -> NDArray[np.float32]:
    """Tiling pattern of strands that run down, (size, size) float32, evenly spread in [0, 1)."""
    noise = rng.normal(0, 1, (size, size)).astype(np.float32)
    tall = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), sigmaX=0.6, sigmaY=size / 7)
    wide = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), sigmaX=4.0, sigmaY=size / 4)
    inner = slice(size, 2 * size)
    pattern = tall[inner, inner] / tall.std() + 0.6 * wide[inner, inner] / wide.std()
    ranks = np.argsort(np.argsort(pattern, axis=None)).reshape(size, size)
    return (ranks / ranks.size).astype(np.float32)


def grow_hair(
    look: Look,
    reference: NDArray[np.float32],
    rest: NDArray[np.float32],
    normals: NDArray[np.float32],
    skin: NDArray[np.int32],
) -> HairMesh:
    """Grow an actor's hair.

    Parameters
    ----------
    look : Look
    reference : (V, 3) float32, mm
        Average head.
    rest : (V, 3) float32, mm
        The actor at rest.
    normals : (V, 3) float32
        Outward, of the actor at rest.
    skin : (T, 3) int32
        Triangles of the head's skin.

    Returns
    -------
    HairMesh
    """
    rng = np.random.default_rng((look.seed, 1))
    parts = []
    if look.hair not in (Hair.BALD, Hair.BUZZ):
        parts += _shells(look, reference, rest, normals, skin, rng)
    fit = _fit(reference, rest)
    if look.hair is Hair.LONG:
        parts += [_curtain(look, fit, rng, grow, cover) for grow, cover in _CURTAINS]
    if look.hair is Hair.TIED:
        parts.append(_bun(fit))
    return _merged(parts)


def _polar(reference: NDArray[np.floating]) -> NDArray[np.float32]:
    """Strand coordinates of hair that falls from the crown."""
    away = reference - _CROWN_MM
    turn = np.arctan2(away[:, 0], -away[:, 2])
    across = turn / (2 * np.pi) * _STRAND_TILES
    return np.stack([across, np.linalg.norm(away, axis=1) / _STRAND_MM], 1).astype(np.float32)


def _shells(
    look: Look,
    reference: NDArray[np.float32],
    rest: NDArray[np.float32],
    normals: NDArray[np.float32],
    skin: NDArray[np.int32],
    rng: Generator,
) -> list[HairMesh]:
    plane = plane_from_points(reference)
    recede = rng.uniform(0, 10) if look.hair is Hair.SHORT else rng.uniform(-4, 4)
    inside_mm = hairline(plane[:, 0], recede) - plane[:, 1]
    beside = (reference[:, 2] > -68) & (reference[:, 2] < -20) & (reference[:, 1] > -858)
    ear = (np.abs(reference[:, 0]) > 71) & beside
    inside_mm[ear] = -20
    kept = skin[(inside_mm[skin] > -3).any(1)]
    used, triangles = np.unique(kept, return_inverse=True)
    depth = np.clip((inside_mm[used] + 3) / _EDGE_MM, 0, 1)
    top = np.clip((-reference[used, 1] - 810) / 110, 0, 1)
    waves = sum(
        np.sin(reference[used] @ rng.normal(0, 0.05, 3) + rng.uniform(0, 6)) for _ in range(4)
    )
    thick = 5.0 if look.hair is Hair.TIED else look.hair_mm
    part = rng.uniform(-0.5, 0.5) * np.clip(reference[used, 0] / 60, -1, 1)
    height = thick * (0.45 + 0.55 * top) * depth**0.7
    height *= (1 + part) * (1 + 0.13 * np.asarray(waves))
    ragged = 0.3 * rng.normal(0, 1, len(used))
    built = []
    for share, cover in _SHELLS:
        built.append(
            HairMesh(
                points=(rest[used] + normals[used] * (height * share - 0.6)[:, None]).astype(
                    np.float32
                ),
                reference=reference[used],
                triangles=triangles.reshape(-1, 3).astype(np.int32),
                cover=np.clip(cover * (depth * 2.2 + ragged * (1 - depth)), 0, 1.01 * cover).astype(
                    np.float32
                ),
                place=_polar(reference[used]) + np.float32(share),
            )
        )
    return built


def _fit(reference: NDArray[np.float32], rest: NDArray[np.float32]) -> NDArray[np.float64]:
    """Stretch and shift, (2, 3), that carries the average skull onto the actor's."""
    skull = reference[:, 1] < -829
    mean, own = reference[skull].mean(0), rest[skull].mean(0)
    stretch = rest[skull].std(0) / reference[skull].std(0)
    return np.stack([stretch, own - mean * stretch]).astype(np.float64)


def _grid(rows: int, columns: int) -> NDArray[np.int32]:
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    return np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    ).astype(np.int32)


def _curtain(
    look: Look, fit: NDArray[np.float64], rng: Generator, grow: float, cover: float
) -> HairMesh:
    """Hair that hangs from temple to temple around the back, down to the shoulders."""
    rows, columns = 14, 64
    front = np.radians(rng.uniform(62, 72))
    turn = np.linspace(front, 2 * np.pi - front, columns)[None]
    down = np.linspace(0, 1, rows)[:, None]
    length = rng.uniform(170, 270)
    thick = look.hair_mm * grow
    bulge = thick * (0.55 + 0.45 * np.sin(np.pi * np.minimum(down * 1.1, 1))) + 6 * down
    wave = 2.5 * np.sin(turn * 9 + down * rng.uniform(4, 12)) * down
    ear = 9 * np.minimum(down * 6, 1)
    across, deep = 75 + ear + bulge + wave, 92 + bulge + wave
    x = across * np.sin(turn)
    y = -857 + length * down + 0 * turn
    z = AXIS_Z_MM - deep * np.cos(turn) * np.where(np.cos(turn) > 0, 0.8, 1.0)
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    edge = np.minimum(turn - front, 2 * np.pi - front - turn) / 0.25
    there = np.clip(0.65 + edge, 0, 1) * np.clip((1 - down) * 4 + 0.3, 0, 1)
    return HairMesh(
        points=(points * fit[0] + fit[1]).astype(np.float32),
        reference=points.astype(np.float32),
        triangles=_grid(rows, columns),
        cover=np.clip(there * cover, 0, 1.01).reshape(-1).astype(np.float32),
        place=np.stack([(turn + 0 * down) / 1.2, length * (down + 0 * turn) / _STRAND_MM], -1)
        .reshape(-1, 2)
        .astype(np.float32),
    )


def _bun(fit: NDArray[np.float64]) -> HairMesh:
    rows, columns = 12, 20
    tilt = np.linspace(0, np.pi, rows)[:, None]
    turn = np.linspace(0, 2 * np.pi, columns)[None]
    ball = np.stack(
        [np.sin(tilt) * np.cos(turn), -np.cos(tilt) + 0 * turn, np.sin(tilt) * np.sin(turn)], -1
    )
    points = ball.reshape(-1, 3) * _BUN_MM + (0, -937, 28)
    return HairMesh(
        points=(points * fit[0] + fit[1]).astype(np.float32),
        reference=points.astype(np.float32),
        triangles=_grid(rows, columns),
        cover=np.ones(len(points), np.float32),
        place=np.stack([turn + 0 * tilt, tilt + 0 * turn], -1).reshape(-1, 2).astype(np.float32),
    )


def _merged(parts: list[HairMesh]) -> HairMesh:
    shift = np.cumsum([0, *(len(p.points) for p in parts)])
    empty = HairMesh(
        points=np.zeros((0, 3), np.float32),
        reference=np.zeros((0, 3), np.float32),
        triangles=np.zeros((0, 3), np.int32),
        cover=np.zeros(0, np.float32),
        place=np.zeros((0, 2), np.float32),
    )
    if not parts:
        return empty
    return HairMesh(
        points=np.concatenate([p.points for p in parts]),
        reference=np.concatenate([p.reference for p in parts]),
        triangles=np.concatenate(
            [p.triangles + np.int32(s) for p, s in zip(parts, shift[:-1], strict=True)]
        ),
        cover=np.concatenate([p.cover for p in parts]),
        place=np.concatenate([p.place for p in parts]),
    )
