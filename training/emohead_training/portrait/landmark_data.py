"""Training crops for the landmarker: geometric augmentation that moves landmarks with the picture.

Half of the crops are jittered as little as the pipeline's second pass is, half as its first.
Not here: light and noise (``augment.py``); the framing, which is the runtime's (``emohead.crop``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.crop import Crop, aligned_crop, square_crop
from emohead.geometry.landmarks import MIRROR
from emohead.stages import LANDMARKER_SIZE_PX as SIZE
from emohead_training.portrait.augment import degrade, occlude, tone
from emohead_training.portrait.backgrounds import background, still_pictures
from emohead_training.portrait.frames import FaceFrames

__all__ = ["CropBatch", "draw_batch", "mirror_pair", "plain_crop"]

Image = NDArray[np.uint8]
_BORDERS = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)
_ELASTIC_CELLS = 5


@dataclass(frozen=True, kw_only=True)
class CropBatch:
    """Landmarker crops with targets."""

    image: NDArray[np.uint8]
    """(B, 128, 128, 3) RGB."""
    landmarks: NDArray[np.float32]
    """(B, 68, 3) share of the side; zeros where there is no face."""
    face: NDArray[np.float32]
    """(B,) one where the crop shows a face."""


def mirror_pair(image: Image, landmarks: NDArray[np.floating]) -> tuple[Image, NDArray[np.float32]]:
    """Mirror a picture (H, W, 3) and its landmarks (68, 3) px, renaming left and right."""
    points = np.asarray(landmarks, np.float32)[MIRROR].copy()
    points[:, 0] = image.shape[1] - 1 - points[:, 0]
    return np.asarray(cv2.flip(image, 1), np.uint8), points


def plain_crop(image: Image, landmarks: NDArray[np.floating]) -> tuple[Image, NDArray[np.float32]]:
    """Crop without augmentation, as the second pass frames it; landmarks as share of the side."""
    crop = aligned_crop(landmarks)
    return crop.cut(image), _shares(crop.to_crop(landmarks))


def _shares(points_px: NDArray[np.floating]) -> NDArray[np.float32]:
    """Crop px to share of the side; the first pixel's centre is half a pixel in."""
    shares = np.asarray(points_px / SIZE, np.float32)
    shares[..., :2] += 0.5 / SIZE
    return shares


def draw_batch(frames: FaceFrames, size: int, rng: Generator, negatives: float = 0.12) -> CropBatch:
    """Draw an augmented batch.

    Parameters
    ----------
    frames : FaceFrames
    size : int
        Number of crops.
    rng : numpy.random.Generator
    negatives : float
        Share of crops without a usable face.

    Returns
    -------
    CropBatch
    """
    chosen = rng.choice(len(frames.weight), size, p=frames.weight)
    drawn = [_draw(frames, int(i), rng, rng.random() >= negatives) for i in chosen]
    return CropBatch(
        image=np.stack([d[0] for d in drawn]),
        landmarks=np.stack([d[1] for d in drawn]),
        face=np.array([d[2] for d in drawn], np.float32),
    )


def _draw(
    frames: FaceFrames, index: int, rng: Generator, face: bool
) -> tuple[Image, NDArray[np.float32], float]:
    image, landmarks = np.asarray(frames.images[index]), frames.landmarks[index]
    if rng.random() < 0.5:
        image, landmarks = mirror_pair(image, landmarks)
    if face:
        cut, points = _jittered(image, landmarks, rng)
    else:
        cut, points = _counter_example(image, landmarks, rng), np.zeros((68, 3), np.float32)
    if rng.random() < 0.85:
        cut = tone(cut, rng)
    if rng.random() < 0.25:
        cut = occlude(cut, rng)
    return degrade(cut, rng), points, float(face)


def _jittered(
    image: Image, landmarks: NDArray[np.floating], rng: Generator
) -> tuple[Image, NDArray[np.float32]]:
    strong = rng.random() < 0.5
    turn, zoom, shift = (40.0, 0.25, 0.10) if strong else (6.0, 0.07, 0.03)
    crop = aligned_crop(landmarks)
    side = SIZE / crop.scale
    centre = crop.to_photo(np.full(2, (SIZE - 1) / 2)) + rng.normal(0, shift, 2) * side
    roll = np.arctan2(crop.matrix[0, 1], crop.matrix[0, 0])
    angle = roll + np.radians(rng.uniform(-turn, turn))
    crop = square_crop(centre, side * np.exp(rng.uniform(-0.7, 1) * zoom), SIZE, angle)
    amplitude = rng.uniform(0, 0.025) * side if rng.random() < 0.6 else 0.0
    return _warp(image, landmarks, _stretched(crop, rng), amplitude, rng)


def _stretched(crop: Crop, rng: Generator) -> Crop:
    """Widen or narrow the face a little, and shear it: other people's proportions."""
    bend = np.eye(2) + rng.normal(0, 0.05, (2, 2)) * [[1, 0.6], [0.6, 1]]
    middle = (SIZE - 1) / 2
    matrix = bend @ (crop.matrix - [[0, 0, middle]] * 2) + [[0, 0, middle]] * 2
    return Crop(matrix=matrix, size_px=SIZE)


def _warp(
    image: Image,
    landmarks: NDArray[np.floating],
    crop: Crop,
    amplitude: float,
    rng: Generator,
) -> tuple[Image, NDArray[np.float32]]:
    """Cut the crop through a smooth random displacement of up to about `amplitude` photo px."""
    coarse = rng.normal(0, amplitude, (_ELASTIC_CELLS, _ELASTIC_CELLS, 2)).astype(np.float32)
    bend = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    grid = np.stack([x, y], -1) @ crop.inverse[:, :2].T + crop.inverse[:, 2]
    source = (grid + bend).astype(np.float32)
    border = int(rng.choice(_BORDERS, p=(0.5, 0.3, 0.2)))
    fill = tuple(float(v) for v in rng.uniform(0, 255, 3))
    linear = cv2.INTER_LINEAR
    cut = cv2.remap(  # type: ignore[call-overload]
        image, source, None, linear, borderMode=border, borderValue=fill
    )
    points = np.asarray(landmarks, np.float64)
    for _ in range(4 if amplitude else 0):
        # The warp maps crop to photo; landmarks need its inverse, by fixed point.
        moved = points.copy()
        moved[:, :2] = landmarks[:, :2] - _sample(bend, crop.to_crop(points)[:, :2])
        points = moved
    return np.asarray(cut, np.uint8), _shares(crop.to_crop(points))


def _sample(field: Any, xy: NDArray[np.floating]) -> NDArray[np.float32]:
    """Bilinear values (K, 2) of a field at crop positions."""
    where = np.asarray(xy, np.float32)[None]
    edge = cv2.BORDER_REPLICATE
    values = cv2.remap(  # type: ignore[call-overload]
        field, where, None, cv2.INTER_LINEAR, borderMode=edge
    )
    return np.asarray(values[0], np.float32)


def _counter_example(image: Image, landmarks: NDArray[np.floating], rng: Generator) -> Image:
    """Cut a crop that shows no face, a fragment of one, or one far too small."""
    if rng.random() < 0.5:
        return background(SIZE, rng, still_pictures())
    crop = aligned_crop(landmarks)
    side = SIZE / crop.scale
    centre = crop.to_photo(np.full(2, (SIZE - 1) / 2))
    kind = int(rng.integers(3))
    if kind == 0:
        side *= rng.uniform(0.15, 0.35)
        centre = centre + rng.uniform(-1, 1, 2) * side
    elif kind == 1:
        angle = rng.uniform(0, 2 * np.pi)
        centre = centre + np.array([np.cos(angle), np.sin(angle)]) * side * rng.uniform(0.6, 0.9)
    else:
        side *= rng.uniform(3.5, 6)
    return square_crop(centre, side, SIZE, rng.uniform(-0.5, 0.5)).cut(image)
