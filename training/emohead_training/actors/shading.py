"""Light on an actor: skin that light enters, wet eyes and lips, strands, teeth, cloth.

One compiled loop over covered pixels; each part has a small function. Linear RGB throughout.
Not here: what is visible (``rasteriser.py``) and where lights are (``scene.py``).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from emohead_training.actors.body import Part

__all__ = ["PALETTE_ROWS", "Lights", "Surface", "shade"]

PALETTE_ROWS: Final = ("skin", "hair", "iris", "teeth", "cloth", "eye")
"""Rows of the palette: colours of the look; the last holds pupil, iris radius and cloth pattern."""
_HAIR, _IRIS, _TEETH, _CLOTH, _EYE = range(1, len(PALETTE_ROWS))

# numba takes plain numbers of a module for constants, not an enumeration.
_SKIN_PART, _MOUTH_PART, _TONGUE_PART = int(Part.SKIN), int(Part.MOUTH), int(Part.TONGUE)
_UPPER_TEETH_PART, _LOWER_TEETH_PART = int(Part.UPPER_TEETH), int(Part.LOWER_TEETH)
_EYE_PART, _BODY_PART, _HAIR_PART = int(Part.EYE), int(Part.BODY), int(Part.HAIR)

_SOFT: Final = (0.42, 0.2, 0.14)
"""How far light creeps around an edge of flesh, by colour: blood lets red through."""
_NORMAL_OFFSET_MM: Final = 3.5
"""How far outside its surface a point asks for shadow: slopes must not shade themselves."""

_jit = njit(cache=True, fastmath=True)
_part = njit(cache=True, fastmath=True, inline="always")
"""Into the loop: passing arrays to a function counts references, more work than a pixel's light."""


@_part  # type: ignore[untyped-decorator]
def _blend(triangle: Any, weights: Any, table: Any, out: Any) -> None:
    second, third = weights
    first = 1 - second - third
    a, b, c = triangle
    for k in range(table.shape[1]):
        out[k] = first * table[a, k] + second * table[b, k] + third * table[c, k]


@_part  # type: ignore[untyped-decorator]
def _unit(v: Any) -> None:
    length = np.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) + 1e-12
    for k in range(3):
        v[k] /= length


@_part  # type: ignore[untyped-decorator]
def _dot(a: Any, b: Any) -> float:
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


@_part  # type: ignore[untyped-decorator]
def _sample(picture: Any, x: float, y: float, out: Any) -> None:
    """Bilinear look-up, clamped."""
    height, width = picture.shape[0], picture.shape[1]
    x, y = min(max(x, 0.0), width - 1.001), min(max(y, 0.0), height - 1.001)
    column, row = int(x), int(y)
    u, v = x - column, y - row
    for k in range(picture.shape[2]):
        top = picture[row, column, k] * (1 - u) + picture[row, column + 1, k] * u
        low = picture[row + 1, column, k] * (1 - u) + picture[row + 1, column + 1, k] * u
        out[k] = top * (1 - v) + low * v


@_part  # type: ignore[untyped-decorator]
def _shine(normal: Any, view: Any, light: Any) -> float:
    """Cosine between the normal and the half vector of light and viewer (Blinn, 1977)."""
    x, y, z = light[0] + view[0], light[1] + view[1], light[2] + view[2]
    facing = normal[0] * x + normal[1] * y + normal[2] * z
    return float(max(facing, 0.0) / (np.sqrt(x * x + y * y + z * z) + 1e-6))


@_part  # type: ignore[untyped-decorator]
def _lit_fraction(shadow: Any, frame: Any, place: Any, bias: float) -> float:
    """Share of nine shadow-map texels that the key light reaches."""
    size = shadow.shape[0]
    x, y = _dot(frame[0], place) + frame[0, 3], _dot(frame[1], place) + frame[1, 3]
    near = _dot(frame[2], place) + frame[2, 3] + bias
    column, row = int(x + 0.5), int(y + 0.5)
    if min(column, row) < 2 or max(column, row) > size - 3:
        return 1.0
    seen = 0.0
    for i in range(-1, 2):
        for j in range(-1, 2):
            seen += near > shadow[row + i, column + j]
    return seen / 9


@_part  # type: ignore[untyped-decorator]
def _diffuse(normal: Any, lights: Any, seen: float, lit: float, soft: Any, out: Any) -> None:
    """Light that leaves a matt surface; `soft` lets each colour creep around the edge of light."""
    up = 0.5 - 0.5 * normal[1]
    sky, key, fill = lights.sky, lights.key, lights.fill
    toward_key, toward_fill = _dot(normal, key[0]), _dot(normal, fill[0])
    bounce = 0.35 + 0.65 * seen
    for k in range(3):
        wrap = soft[k]
        a = max((toward_key + wrap) / (1 + wrap), 0.0) * (lit + wrap * 0.5 * (1 - lit))
        b = max((toward_fill + wrap) / (1 + wrap), 0.0)
        ambient = (sky[1, k] + (sky[0, k] - sky[1, k]) * up) * (seen + wrap * 0.3 * (1 - seen))
        out[k] = ambient + (key[1, k] * a + fill[1, k] * b) * bounce


@_part  # type: ignore[untyped-decorator]
def _eye(place: Any, palette: Any, out: Any) -> float:
    """White, iris and pupil at an angle from the eye's axis; returns the gloss."""
    away = np.sqrt(place[0] ** 2 + place[1] ** 2)
    rim, pupil = palette[_EYE, 1], palette[_EYE, 0] * palette[_EYE, 1]
    around = np.arctan2(place[1], place[0])
    streak = 0.5 * np.sin(23 * around + 9 * away) + 0.5 * np.sin(41 * around - 14 * away)
    white = (0.68, 0.62, 0.59)
    inside = min(max((rim - away) / 0.035 + 0.5, 0.0), 1.0)
    deep = min(max((pupil - away) / 0.03 + 0.5, 0.0), 1.0)
    ring = np.exp(-(((away - rim) / 0.05) ** 2))
    inner = np.exp(-(((away - pupil) / 0.07) ** 2))
    for k in range(3):
        vein = 1 - (0.0, 0.28, 0.3)[k] * min(max(away - 0.75, 0.0) * 1.6, 1.0)
        iris = palette[_IRIS, k] * (1 + 0.35 * streak + 0.5 * inner) * (1 - 0.75 * ring)
        colour = white[k] * vein + (iris - white[k] * vein) * inside
        out[k] = colour * (1 - deep) + 0.006 * deep
    return 1.0


@_part  # type: ignore[untyped-decorator]
def _tooth(place: Any, palette: Any, upper: bool, out: Any) -> float:
    """Enamel between gaps at each tooth's edge, gum at its root."""
    along = abs(place[0])
    widths = (8.4, 6.6, 7.6, 7.0, 6.8, 9.5, 9.5) if upper else (5.4, 5.9, 6.8, 7.0, 7.1, 10.5, 10.5)
    edge, gap, bulge = 0.0, along, 0.0
    for width in widths:
        middle = edge + width / 2
        if edge <= along < edge + width:
            bulge = 1 - (2 * (along - middle) / width) ** 2
        edge += width
        gap = min(gap, abs(along - edge))
    dark = 1 - 0.45 * np.exp(-((gap / 0.35) ** 2))
    length = 9.5 if upper else 8.5
    gum = min(max((place[1] - length - 1.6 * bulge + 1.0) / 0.8, 0.0), 1.0)
    deep = 0.6 + 0.4 * np.exp(-((along / 26) ** 2))
    pink = (0.5, 0.17, 0.16)
    for k in range(3):
        enamel = palette[_TEETH, k] * dark * (0.86 + 0.14 * bulge)
        out[k] = (enamel + (pink[k] - enamel) * gum) * deep
    return 0.6


@_part  # type: ignore[untyped-decorator]
def _strand(place: Any, grain: Any, palette: Any, out: Any) -> float:
    size = grain.shape[0]
    column, row = int(np.floor(place[0] * size)) % size, int(np.floor(place[1] * size)) % size
    tint = grain[row, column]
    for k in range(3):
        out[k] = palette[_HAIR, k] * (0.45 + 1.0 * tint)
    return float(tint)


@_part  # type: ignore[untyped-decorator]
def _sheen(normal: Any, view: Any, light: Any) -> float:
    """Square of the sine between strands that run down the head and the half vector."""
    fx, fy, fz = -normal[0] * normal[1], 1 - normal[1] * normal[1], -normal[2] * normal[1]
    x, y, z = light[0] + view[0], light[1] + view[1], light[2] + view[2]
    along = fx * x + fy * y + fz * z
    lengths = (fx * fx + fy * fy + fz * fz) * (x * x + y * y + z * z) + 1e-6
    return float(max(1 - along * along / lengths, 0.0))


@_part  # type: ignore[untyped-decorator]
def _albedo(
    part: int, texel: Any, place: Any, skin: Any, grain: Any, palette: Any, out: Any
) -> float:
    """Colour of a part into `out` (4,); returns its gloss."""
    if part == _SKIN_PART:
        _sample(skin, texel[0], texel[1], out)
        return float(out[3])
    if part == _EYE_PART:
        return _eye(place, palette, out)
    if part == _TONGUE_PART:
        out[0], out[1], out[2] = 0.42, 0.13, 0.12
        return 0.5
    if part in (_UPPER_TEETH_PART, _LOWER_TEETH_PART):
        return _tooth(place, palette, part == _UPPER_TEETH_PART, out)
    if part == _BODY_PART:
        _sample(skin, texel[0], texel[1], out)
        if out[3] >= 0:
            return float(out[3])
        size = grain.shape[0]
        weave = grain[int(texel[1] * 2) % size, int(texel[0] * 2) % size] - 0.5
        stripe = palette[_EYE, 2] * (int(texel[1] / 9) % 2)
        for k in range(3):
            out[k] = palette[_CLOTH, k] * (1 + 0.25 * weave) * (1 - 0.55 * stripe)
        return 0.0
    if part == _HAIR_PART:
        return _strand(place, grain, palette, out)
    out[0], out[1], out[2] = 0.26, 0.07, 0.065
    return 0.25 if part == _MOUTH_PART else 0.1


@_part  # type: ignore[untyped-decorator]
def _highlight(
    part: int, gloss: float, normal: Any, view: Any, lights: Any, lit: float, out: Any
) -> None:
    """Mirrored light: glints of eyes, sheen of hair (Kajiya and Kay, 1989), shine of skin."""
    key, fill = lights.key, lights.fill
    first, second = 0.0, 0.0
    if part == _EYE_PART:
        first = 2.2 * _shine(normal, view, key[0]) ** 260 * (0.3 + 0.7 * lit)
        second = 0.35 * _shine(normal, view, fill[0]) ** 200
    elif part == _HAIR_PART:
        facing = min(max(_dot(normal, key[0]) * 2 + 0.4, 0.0), 1.0)
        first = 0.16 * (0.4 + gloss) * lit * facing * _sheen(normal, view, key[0]) ** 30
        second = 0.06 * (0.4 + gloss) * _sheen(normal, view, fill[0]) ** 16
    elif part != _BODY_PART:
        cosine = _shine(normal, view, key[0])
        rim = (1 - max(_dot(normal, view), 0.0)) ** 4
        first = (0.10 * gloss * cosine**12 + 0.3 * gloss * gloss * cosine**56) * lit
        first += 0.06 * rim * gloss
        second = 0.06 * gloss * _shine(normal, view, fill[0]) ** 14
    for k in range(3):
        out[k] = first * key[1, k] + second * fill[1, k]


class Surface(NamedTuple):
    """What is lit: V vertices before the camera, T triangles."""

    triangles: Any
    """(T, 3) int32."""
    parts: Any
    """(T,) uint8, ``Part``."""
    position: Any
    """(V, 3) float32, mm, the camera at the origin."""
    normals: Any
    """(V, 3) float32, unit."""
    texel: Any
    """(V, 2) float32, px in `skin`."""
    local: Any
    """(V, 2) float32, place in an eye, a row of teeth or the strands."""
    sky: Any
    """(V, 1) float32, share of the sky that is seen."""
    skin: Any
    """(h, w, 4) float32, linear RGB and gloss."""
    grain: Any
    """(G, G) float32, strands."""
    palette: Any
    """(6, 3) float32, rows as in `PALETTE_ROWS`."""


class Lights(NamedTuple):
    """What lights it."""

    key: Any
    """(2, 3) float32, direction and colour."""
    fill: Any
    """(2, 3) float32, the same of a light without shadow."""
    sky: Any
    """(2, 3) float32, ambient colour from above and below."""
    shadow: Any
    """(S, S) float32, nearness of what the key light sees."""
    frame: Any
    """(3, 4) float32, from mm to px and nearness in `shadow`."""
    bias: float
    """Nearness within which a surface counts as seen."""


@_jit  # type: ignore[untyped-decorator]
def shade(image: Any, triangle: Any, weights: Any, surface: Surface, lights: Lights) -> None:
    """Colour the covered pixels.

    Parameters
    ----------
    image : (H, W, 3) float32
        Linear RGB; written where something covers the background.
    triangle : (H, W) int32
        As in ``Coverage``.
    weights : (H, W, 2) float32
    surface : Surface
    lights : Lights
    """
    work = np.zeros((10, 4), np.float32)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if triangle[y, x] >= 0:
                _pixel(image[y, x], triangle[y, x], weights[y, x], surface, lights, work)


@_part  # type: ignore[untyped-decorator]
def _pixel(out: Any, t: int, share: Any, surface: Surface, lights: Lights, work: Any) -> None:
    place, normal, view = work[0, :3], work[1, :3], work[2, :3]
    spot, own, seen = work[3, :2], work[4, :2], work[5, :1]
    colour, light, bright, soft = work[6], work[7, :3], work[8, :3], work[9, :3]
    part, corners = surface.parts[t], surface.triangles[t]
    _blend(corners, share, surface.position, place)
    _blend(corners, share, surface.normals, normal)
    _blend(corners, share, surface.texel, spot)
    _blend(corners, share, surface.local, own)
    _blend(corners, share, surface.sky, seen)
    _unit(normal)
    for k in range(3):
        view[k] = -place[k]
    _unit(view)
    if _dot(normal, view) < 0 and part != _SKIN_PART:
        for k in range(3):
            normal[k] = -normal[k]
    for k in range(3):
        place[k] += _NORMAL_OFFSET_MM * normal[k]
        soft[k] = _SOFT[k] if part < _BODY_PART else 0.1
    gloss = _albedo(part, spot, own, surface.skin, surface.grain, surface.palette, colour)
    lit = _lit_fraction(lights.shadow, lights.frame, place, lights.bias)
    if part in (_MOUTH_PART, _TONGUE_PART, _UPPER_TEETH_PART, _LOWER_TEETH_PART):
        lit *= min(seen[0] * 1.6, 1.0)
    _diffuse(normal, lights, seen[0], lit, soft, light)
    _highlight(part, gloss, normal, view, lights, lit, bright)
    for k in range(3):
        out[k] = colour[k] * light[k] + bright[k] * (0.3 + 0.7 * seen[0])
