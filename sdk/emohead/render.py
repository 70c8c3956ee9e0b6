"""From 2-D landmarks to frames: one portrait, one recurrent state, one frame a call (paper 3.4).

Called by ``clip.py``, ``online.py`` and ``executor``.
Not here: where the landmarks come from, and pasting into the photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.contract import StageSpec
from emohead.runner import Runner
from emohead.steps import Steps

__all__ = [
    "FrameRenderer",
    "PortraitFeatures",
    "encode_portrait",
    "held_inputs",
    "render_step",
]

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

    References
    ----------
    .. [1] Paper, section 3.4: equation 7 for each component, then ConvGRU and decoder.
    """

    def __init__(self, renderer: Runner, portrait: PortraitFeatures) -> None:
        self._steps = renderer.steps([held_inputs(renderer.spec, portrait)])

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
        return render_step(self._steps, points[None])[0]

    def frames(self, points: Iterable[NDArray[np.floating]]) -> Iterator[NDArray[np.uint8]]:
        """Render frames whose landmarks are known; the next ones are begun where that is faster.

        Parameters
        ----------
        points : iterable of (68, 2) floating, crop px
            Landmarks, frame by frame.

        Yields
        ------
        (256, 256, 3) uint8
            RGB, the same as ``render`` returns.
        """
        feeds = (_fed(self._steps, p[None]) for p in points)
        for given in self._steps.run_through(feeds):
            yield _images(self._steps, given)[0]

    def close(self) -> None:
        """Release what the stream holds on its device."""
        self._steps.close()


def held_inputs(spec: StageSpec, portrait: PortraitFeatures) -> dict[str, NDArray[np.float32]]:
    """Name a portrait's features as the inputs that the renderer holds through a clip."""
    return dict(zip(spec.input_names[1 : 1 + len(portrait)], portrait, strict=True))


def render_step(steps: Steps, points: NDArray[np.floating]) -> list[NDArray[np.uint8]]:
    """Render the next frame of every stream of a batch.

    Parameters
    ----------
    steps : Steps
        Of the stage ``renderer``.
    points : (B, 68, 2) floating, crop px
        Landmarks, one frame per stream.

    Returns
    -------
    list of (256, 256, 3) uint8
        RGB, in the order of the streams.
    """
    return _images(steps, steps.step(**_fed(steps, points)))


def _fed(steps: Steps, points: NDArray[np.floating]) -> dict[str, NDArray[np.float32]]:
    return {steps.fed[0]: np.ascontiguousarray(points, np.float32)}


def _images(steps: Steps, given: dict[str, NDArray[Any]]) -> list[NDArray[np.uint8]]:
    return [_bytes_from_unit(planes) for planes in given[steps.given[0]]]


def _bytes_from_unit(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(3, H, W) in [0, 1] to (H, W, 3) in 0..255, rounded."""
    import cv2

    # Saturates and rounds in one pass each: a fifth of numpy's time.
    scaled = cv2.convertScaleAbs(planes.reshape(planes.shape[0], -1), alpha=255.0)
    return np.asarray(cv2.merge(list(scaled.reshape(planes.shape))), np.uint8)
