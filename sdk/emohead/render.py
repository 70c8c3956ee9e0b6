"""From 2-D landmarks to frames: one portrait, one recurrent state, one frame a call (paper 3.4).

Called by ``clip.py``. Not here: where the landmarks come from, and pasting into the photo.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emohead.contract import zero_state
from emohead.runner import Runner

__all__ = ["FrameRenderer", "PortraitFeatures", "encode_portrait"]

PortraitFeatures = tuple[NDArray[np.float32], ...]
"""Image, landmarks and encoded features of a portrait, in the order of the renderer's inputs."""


def encode_portrait(
    encoder: Runner, image: NDArray[np.uint8], landmarks: NDArray[np.floating]
) -> PortraitFeatures:
    """Compute what every frame of a portrait shares.

    Parameters
    ----------
    encoder : Runner
        Of the stage ``portrait_encoder``.
    image : (256, 256, 3) uint8
        Face crop, RGB.
    landmarks : (68, 2) or (68, 3) floating, crop px
        Its landmarks.

    Returns
    -------
    tuple of float32 ndarray
        What ``FrameRenderer`` takes.
    """
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    points = np.ascontiguousarray(landmarks[None, :, :2], np.float32)
    return (planes, points, *encoder.run(planes, points))


class FrameRenderer:
    """Renders the frames of one clip, in order.

    Parameters
    ----------
    renderer : Runner
        Of the stage ``renderer``.
    portrait : PortraitFeatures
        From ``encode_portrait``.
    """

    def __init__(self, renderer: Runner, portrait: PortraitFeatures) -> None:
        self._renderer = renderer
        self._portrait = portrait
        self._states = tuple(zero_state(renderer.spec).values())

    def render(self, points: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Render the next frame.

        Parameters
        ----------
        points : (68, 2) floating, crop px
            Landmarks of the frame.

        Returns
        -------
        (256, 256, 3) uint8
            RGB.
        """
        given = np.ascontiguousarray(points[None], np.float32)
        frame, *states = self._renderer.run(given, *self._portrait, *self._states)
        self._states = tuple(states)
        return _bytes_from_unit(frame[0])


def _bytes_from_unit(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(3, H, W) in [0, 1] to (H, W, 3) in 0..255, rounded."""
    scaled = planes * np.float32(255) + np.float32(0.5)
    return np.ascontiguousarray(scaled.astype(np.uint8).transpose(1, 2, 0))
