"""Random light, colour, blur, noise, compression and occlusion, on uint8 pictures.

Everything takes (side, side, 3) uint8 RGB and a generator, so that a seed repeats a sample, and
gives the same shape. Landmarks are never moved here.
Not here: geometry, which must move landmarks too (``landmark_data.py``, ``scenes.py``).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead_training.portrait.backgrounds import texture

__all__ = ["degrade", "occlude", "tone"]

Image = NDArray[np.uint8]


def tone(image: Image, rng: Generator) -> Image:
    """Change gamma, contrast, white balance and saturation; sometimes light from one side."""
    levels = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.06, 3))
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.05, 3))
    curve = 0.5 + (levels**gamma - 0.5) * gain + rng.normal(0, 0.06)
    table = (np.clip(curve, 0, 1) * 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), np.uint8)
    if rng.random() < 0.5:
        image = _saturate(image, rng)
    if rng.random() < 0.35:
        image = _side_light(image, rng)
    return image


def _saturate(image: Image, rng: Generator) -> Image:
    """Towards grey, away from it, or with tinted grey."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    amount = 0.0 if rng.random() < 0.35 else rng.uniform(0.1, 1.8)
    mixed = cv2.addWeighted(image, amount, grey, 1 - amount, 0)
    if rng.random() < 0.3:
        return np.asarray(np.clip(mixed * rng.uniform(0.75, 1.1, 3), 0, 255), np.uint8)
    return np.asarray(mixed, np.uint8)


def _side_light(image: Image, rng: Generator) -> Image:
    """Multiply by a smooth random field."""
    low = np.exp(rng.normal(0, 0.45, (3, 3))).astype(np.float32)
    field = cv2.resize(low, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(image * np.clip(field, 0.15, 2.5)[..., None], 0, 255), np.uint8)


def degrade(image: Image, rng: Generator) -> Image:
    """Blur, shrink, paint over, add noise and compress, each now and then."""
    draw = rng.random(5)
    if draw[0] < 0.2:
        sigma = rng.uniform(0.3, image.shape[0] / 80)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    elif draw[0] < 0.27:
        image = _motion_blur(image, rng)
    elif draw[0] < 0.34:
        image = np.asarray(cv2.medianBlur(image, int(rng.choice([3, 5]))), np.uint8)
    if draw[1] < 0.2:
        image = _shrink(image, rng)
    if draw[2] < 0.05:
        step = int(rng.integers(16, 64))
        image = (image // step * step + step // 2).clip(0, 255).astype(np.uint8)
    if draw[3] < 0.3:
        image = _noise(image, rng)
    if draw[4] < 0.35:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))]
        image = np.asarray(
            cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR), np.uint8
        )
    return image


def _motion_blur(image: Image, rng: Generator) -> Image:
    length = int(rng.integers(3, 9))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, float(rng.uniform(0, 180)), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(cv2.filter2D(image, -1, kernel / max(float(kernel.sum()), 1e-3)), np.uint8)


def _shrink(image: Image, rng: Generator) -> Image:
    height, width = image.shape[:2]
    factor = rng.uniform(0.25, 0.8)
    small = cv2.resize(
        image, (int(width * factor), int(height * factor)), interpolation=cv2.INTER_AREA
    )
    kind = int(
        rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST], p=[0.5, 0.4, 0.1])
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=kind), np.uint8)


def _noise(image: Image, rng: Generator) -> Image:
    channels = int(rng.choice([1, 3]))
    noise = rng.standard_normal((*image.shape[:2], channels), np.float32) * rng.uniform(2, 16)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def occlude(image: Image, rng: Generator) -> Image:
    """Cover up to a third of the picture by a textured ellipse, box or bar."""
    side = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    centre = tuple(int(v) for v in rng.integers(0, side, 2))
    size = tuple(int(v) for v in rng.uniform(0.06, 0.3, 2) * side)
    if rng.random() < 0.5:
        cv2.ellipse(mask, centre, size, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    else:
        corners = cv2.boxPoints((centre, (2 * size[0], size[1]), float(rng.uniform(0, 180))))
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    if rng.random() < 0.5:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 3)), np.uint8)
    cover, alpha = (
        texture(side, rng),
        mask[..., None].astype(np.float32) / 255 * rng.uniform(0.7, 1),
    )
    return (image + (cover.astype(np.float32) - image) * alpha).astype(np.uint8)
