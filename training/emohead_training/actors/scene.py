"""Where the camera stands, how the light falls and what lies behind: drawn per clip.

Not here: the actor (``stage.py``) and pixels (``rendering.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.stages import FRAME_SIZE_PX
from emohead_training.actors.looks import linear
from emohead_training.portrait.backgrounds import background, still_pictures

__all__ = ["Scene", "draw_scene"]

_FACE_MM: Final = 140.0
"""From chin to brows, what fills the wanted share of the frame."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Camera, light and background of a clip."""

    distance_mm: float
    """From the camera to the face."""
    focal_px: float
    """Focal length in px of the frame."""
    centre_px: NDArray[np.float32]
    """(2,) where the face's middle is seen."""
    angles: NDArray[np.float64]
    """(3,) rad: yaw, pitch and roll of the head's rest."""
    body_yaw: float
    """rad, of the shoulders."""
    key: NDArray[np.float32]
    """(2, 3) unit vector towards the key light, and its colour."""
    fill: NDArray[np.float32]
    """(2, 3) the same of the fill light, which casts no shadow."""
    sky: NDArray[np.float32]
    """(2, 3) ambient colour from above and from below."""
    exposure: float
    """Factor on all light."""
    grain: float
    """Noise of the sensor, 8-bit levels."""
    background: NDArray[np.float32]
    """(256, 256, 3) linear RGB."""


def _towards(yaw: float, height: float) -> NDArray[np.float32]:
    """Point from the face: yaw to the viewer's right, height above the horizon, rad."""
    return np.array(
        [
            np.sin(yaw) * np.cos(height),
            -np.sin(height),
            -np.cos(yaw) * np.cos(height),
        ],
        np.float32,
    )


def _warmth(rng: Generator, strength: float) -> NDArray[np.float32]:
    tint = rng.normal(0, strength)
    return np.array([1 + tint, 1.0, 1 - tint], np.float32) * np.float32(1)


def draw_scene(rng: Generator) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Scene
    """
    distance = float(rng.uniform(500, 1400))
    share = float(rng.uniform(0.5, 0.7))
    side = float(rng.choice((-1, 1)))
    ambient = float(rng.uniform(0.25, 0.6))
    key = 1.9 * (1 - 0.75 * ambient)
    upper = _warmth(rng, 0.08) * ambient
    turn = rng.normal(0, (0.16, 0.07, 0.045)).clip(-0.45, 0.45)
    return Scene(
        distance_mm=distance,
        focal_px=share * FRAME_SIZE_PX / _FACE_MM * distance,
        centre_px=(FRAME_SIZE_PX / 2 + rng.normal(0, 6, 2) + (0, 4)).astype(np.float32),
        angles=turn,
        body_yaw=float(turn[0] * rng.uniform(0.1, 0.8) + rng.normal(0, 0.12)),
        key=np.stack(
            [
                _towards(side * rng.uniform(0.15, 1.2), rng.uniform(0.15, 0.9)),
                _warmth(rng, 0.1) * key,
            ]
        ),
        fill=np.stack(
            [
                _towards(-side * rng.uniform(0.4, 1.6), rng.uniform(-0.1, 0.5)),
                _warmth(rng, 0.12) * key * rng.uniform(0.1, 0.45),
            ]
        ),
        sky=np.stack([upper, upper * rng.uniform(0.45, 0.9, 3).astype(np.float32)]),
        exposure=float(rng.uniform(0.62, 1.0)),
        grain=float(rng.uniform(0, 2.5)),
        background=_backdrop(rng),
    )


def _backdrop(rng: Generator) -> NDArray[np.float32]:
    picture = background(FRAME_SIZE_PX, rng, still_pictures())
    if rng.random() < 0.75:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(1.5, 9)), np.uint8)
    colour = picture.astype(np.float32)
    grey = colour.mean(2, keepdims=True)
    muted = grey + (colour - grey) * rng.uniform(0.05, 0.8)
    return linear(muted) * np.float32(rng.uniform(0.3, 0.9))
