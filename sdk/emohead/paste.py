"""Rendered frames go back into the photo that their portrait was cropped from.

Called for every frame with ``--full-frame``. Not here: cropping (``crop.py``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.crop import Crop
from emohead.stages import FRAME_SIZE_PX

__all__ = ["paste_back"]

_FEATHER_PX: Final = 22.0
"""Width of the soft border, crop px."""


def paste_back(
    photo: NDArray[np.uint8], frame: NDArray[np.uint8], transform: Crop
) -> NDArray[np.uint8]:
    """Blend a rendered frame into the photo that it was cropped from.

    Parameters
    ----------
    photo : (height, width, 3) uint8, RGB
    frame : (256, 256, 3) uint8, RGB
    transform : Crop
        The portrait's map from photo to crop.

    Returns
    -------
    (height, width, 3) uint8, RGB
        The frame inside a feathered square, the photo around it.
    """
    import cv2

    height, width = photo.shape[:2]
    corners = np.array(
        [[0.0, 0.0], [0, FRAME_SIZE_PX - 1], [FRAME_SIZE_PX - 1, 0], [FRAME_SIZE_PX - 1] * 2]
    )
    placed = transform.to_photo(corners)
    low = np.clip(np.floor(placed.min(0)), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(placed.max(0)) + 1, 0, (width, height)).astype(int)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    pasted = photo.copy()
    if min(size) <= 0:
        return pasted
    matrix = transform.inverse - np.outer(low, [0, 0, 1])
    kind = cv2.INTER_CUBIC if transform.scale < 1 else cv2.INTER_AREA
    patch = cv2.warpAffine(frame, matrix, size, flags=kind, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(_feather(), matrix, size, flags=cv2.INTER_LINEAR)[..., None]
    window = pasted[low[1] : high[1], low[0] : high[0]]
    window[:] = np.rint(window + (patch.astype(np.float32) - window) * alpha)
    return pasted


def _feather() -> NDArray[np.float32]:
    """(256, 256) opacity: one inside, falling smoothly to zero at the border."""
    edge = np.minimum(np.arange(FRAME_SIZE_PX), np.arange(FRAME_SIZE_PX)[::-1])
    ramp = np.clip(edge / _FEATHER_PX, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.minimum.outer(ramp, ramp), np.float32)
