"""Pictures without a face: procedural textures, free photographs of other packages, clip borders.

They become backgrounds, occluders and counter-examples. Not here: anything with a face in it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["background", "still_pictures", "texture"]

log = logging.getLogger(__name__)

Image = NDArray[np.uint8]

_FACELESS = (
    "brick.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "horse.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "logo.png",
    "microaneurysms.png",
    "moon.png",
    "page.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
"""Pictures shipped inside scikit-image that show no human face; astronaut and camera do."""


@cache
def still_pictures() -> tuple[Image, ...]:
    """Photographs shipped inside scikit-image and scikit-learn, RGB; none where those are not."""
    try:
        import skimage
        import sklearn  # type: ignore[import-untyped]
    except ImportError as error:
        log.warning("%s: backgrounds are procedural textures alone", error)
        return ()
    folder = Path(skimage.__file__).parent / "data"
    extra = Path(sklearn.__file__).parent / "datasets" / "images"
    paths = [folder / n for n in _FACELESS] + [extra / n for n in ("china.jpg", "flower.jpg")]
    read = [cv2.imread(str(p)) for p in paths if p.is_file()]
    return tuple(cv2.cvtColor(p, cv2.COLOR_BGR2RGB) for p in read if p is not None)  # type: ignore[misc]


def texture(side: int, rng: Generator) -> Image:
    """Draw a flat, graded, cloudy or striped picture, or shapes, (side, side, 3) uint8."""
    kind = int(rng.integers(5))
    first, second = rng.uniform(0, 255, (2, 3))
    if kind == 0:
        return np.full((side, side, 3), first, np.uint8)
    if kind == 1:
        return _shapes(side, rng)
    if kind == 2:
        return _clouds(side, rng, 3)
    field = _stripes(side, rng) if kind == 3 else np.float32(_clouds(side, rng, 1)) / 255
    return np.asarray(first + (second - first) * field, np.uint8)


def _clouds(side: int, rng: Generator, channels: int) -> Image:
    total = np.zeros((side, side, channels), np.float32)
    for cells in (2, 5, 12, 40)[: int(rng.integers(1, 5))]:
        coarse = rng.random((cells, cells, channels), np.float32)
        fine = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        total += fine.reshape(total.shape) / cells**0.5
    low, high = float(total.min()), float(total.max())
    return ((total - low) / max(high - low, 1e-3) * 255).astype(np.uint8)


def _stripes(side: int, rng: Generator) -> NDArray[np.float32]:
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, side / 2)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = np.sign(wave)
    return np.asarray(0.5 + 0.5 * wave, np.float32)[..., None]


def _shapes(side: int, rng: Generator) -> Image:
    image = np.full((side, side, 3), rng.uniform(0, 255, 3), np.uint8)
    for _ in range(int(rng.integers(2, 20))):
        colour = tuple(float(v) for v in rng.uniform(0, 255, 3))
        centre = tuple(int(v) for v in rng.integers(0, side, 2))
        size = tuple(int(v) + 1 for v in rng.uniform(0.01, 0.3, 2) * side)
        if rng.random() < 0.6:
            cv2.ellipse(
                image, centre, size, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA
            )
        else:
            corners = cv2.boxPoints((centre, size, float(rng.uniform(0, 180)))).astype(np.int32)
            cv2.fillConvexPoly(image, corners, colour, cv2.LINE_AA)
    return image


def background(side: int, rng: Generator, pictures: Sequence[Image]) -> Image:
    """Draw a face-free picture.

    Parameters
    ----------
    side : int, px
    rng : numpy.random.Generator
    pictures : sequence of (height, width, 3) uint8, RGB
        Photographs, of which half the time a random window is taken; else a texture.

    Returns
    -------
    (side, side, 3) uint8 ndarray
        RGB.
    """
    if not pictures or rng.random() < 0.45:
        return texture(side, rng)
    picture = pictures[int(rng.integers(len(pictures)))]
    height, width = picture.shape[:2]
    window = int(rng.uniform(0.25, 1) * min(height, width))
    top, left = int(rng.integers(height - window + 1)), int(rng.integers(width - window + 1))
    cut = picture[top : top + window, left : left + window]
    if rng.random() < 0.5:
        cut = np.ascontiguousarray(cut[:, ::-1])
    kind = cv2.INTER_AREA if window > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, (side, side), interpolation=kind), np.uint8)
