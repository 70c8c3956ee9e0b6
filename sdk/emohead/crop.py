"""Square crops of a photo: how a face is framed for the landmarker and for the renderer.

Pure geometry plus one resampling call; training cuts its crops with the same functions.
Not here: finding the face (``detector.py``) and the portrait that comes of it (``portrait.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import BROWS, OUTER_EYE_CORNERS
from emohead.stages import FRAME_SIZE_PX, LANDMARKER_SIZE_PX

__all__ = ["Crop", "aligned_crop", "box_crop", "render_crop", "square_crop"]

ALIGNED_MARGIN: Final = 1.4
"""Side of the landmarker's crop over the longer side of the levelled landmarks' box."""
BOX_MARGIN: Final = 1.2
"""Side of the first crop over the longer side of the face box, which reaches to the hairline."""
BOX_DROP: Final = 0.08
"""How far the first crop is moved down, in heights of the face box: landmarks end at the brows."""
FACE_HEIGHT: Final = 0.50
"""Brow to chin over the side of the render crop, as in the training clips."""
EYE_DISTANCE: Final = 0.32
"""Outer eye corners' distance over the side of the render crop, as in the training clips."""
FACE_CENTRE: Final = (0.50, 0.575)
"""Where the centre of the landmarks' box lies in the render crop, as in the training clips."""
SMALLEST_SHARE: Final = 0.72
"""How far the render crop may shrink for a photo that is filled by the face."""
LARGEST_SHIFT: Final = 0.12
"""How far, in sides, the render crop may move off the face's centre to stay inside the photo."""
_CHIN: Final = 8


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square window of a photo, possibly turned, resampled to a fixed size."""

    matrix: NDArray[np.float64]
    """(2, 3) affine map from photo px to crop px; a similarity."""
    size_px: int
    """Side of the resampled window."""

    @property
    def scale(self) -> float:
        """Crop pixels per photo pixel."""
        return float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    @property
    def inverse(self) -> NDArray[np.float64]:
        """(2, 3) affine map from crop px to photo px."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return np.concatenate([linear, -linear @ self.matrix[:, 2:]], axis=1)

    def cut(self, photo: NDArray[np.uint8], *, reflect: bool = False) -> NDArray[np.uint8]:
        """Resample the window.

        Parameters
        ----------
        photo : (height, width, 3) uint8, RGB
        reflect : bool
            Fill what lies outside the photo with its mirror image instead of its edge.

        Returns
        -------
        (size_px, size_px, 3) uint8, RGB
        """
        import cv2

        matrix, shrink = self.matrix, int(1 / max(self.scale, 1e-6))
        if shrink >= 2:
            height, width = (max(1, round(n / shrink)) for n in photo.shape[:2])
            factor = np.array([photo.shape[1] / width, photo.shape[0] / height])
            photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            offset = matrix[:, 2] + matrix[:, :2] @ (factor - 1) / 2
            matrix = np.concatenate([matrix[:, :2] * factor, offset[:, None]], axis=1)
        border = cv2.BORDER_REFLECT_101 if reflect else cv2.BORDER_REPLICATE
        kind = cv2.INTER_CUBIC if self.scale > 1 else cv2.INTER_LINEAR
        size = (self.size_px, self.size_px)
        cut = cv2.warpAffine(photo, matrix, size, flags=kind, borderMode=border)
        return np.asarray(cut, np.uint8)

    def to_crop(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map (..., 2 or 3) photo px to crop px; z is scaled only."""
        return _mapped(points, self.matrix, self.scale)

    def to_photo(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map (..., 2 or 3) crop px to photo px; z is scaled only."""
        return _mapped(points, self.inverse, 1 / self.scale)


def _mapped(
    points: NDArray[np.floating], matrix: NDArray[np.float64], scale: float
) -> NDArray[np.float64]:
    xy = points[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([xy, points[..., 2:] * scale], axis=-1)


def square_crop(
    centre: NDArray[np.floating], side: float, size_px: int, angle: float = 0.0
) -> Crop:
    """Crop around a centre.

    Parameters
    ----------
    centre : (2,) floating, photo px
    side : float, photo px
    size_px : int
        Side after resampling.
    angle : float, radians
        Direction in the photo that becomes the crop's x axis.

    Returns
    -------
    Crop
    """
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, sin], [-sin, cos]]) * (size_px / side)
    # Pixel centres sit at integers, so the window spans -0.5 .. size - 0.5.
    offset = (size_px - 1) / 2 - linear @ np.asarray(centre, np.float64)[:2]
    return Crop(matrix=np.concatenate([linear, offset[:, None]], axis=1), size_px=size_px)


def box_crop(box: NDArray[np.floating], size_px: int = LANDMARKER_SIZE_PX) -> Crop:
    """Upright landmarker crop around a face box (4,) x0, y0, x1, y1 in photo px."""
    x0, y0, x1, y1 = (float(v) for v in box)
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2 + BOX_DROP * (y1 - y0)])
    return square_crop(centre, BOX_MARGIN * max(x1 - x0, y1 - y0), size_px)


def aligned_crop(landmarks: NDArray[np.floating], size_px: int = LANDMARKER_SIZE_PX) -> Crop:
    """Landmarker crop with level eyes around landmarks (68, 2 or 3) in photo px."""
    xy = np.asarray(landmarks, np.float64)[:, :2]
    start, end = (xy[i] for i in OUTER_EYE_CORNERS)
    angle = float(np.arctan2(*(end - start)[::-1]))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    low, high = (xy @ turn.T).min(0), (xy @ turn.T).max(0)
    side = ALIGNED_MARGIN * max(1.0, float((high - low).max()))
    return square_crop((low + high) / 2 @ turn, side, size_px, angle)


def render_crop(landmarks: NDArray[np.floating], photo_size: tuple[int, int]) -> Crop:
    """Upright crop framed as the renderer's training clips are.

    Parameters
    ----------
    landmarks : (68, 3) floating, photo px
    photo_size : (height, width), px
        The crop stays inside as far as a somewhat larger or off-centre face allows.

    Returns
    -------
    Crop
        256 px; its scale averages brow-to-chin height, which a turned head keeps, and the eye
        distance in space, which an open mouth keeps.
    """
    points = np.asarray(landmarks, np.float64)
    start, end = (points[i] for i in OUTER_EYE_CORNERS)
    height = np.linalg.norm(points[_CHIN, :2] - points[list(BROWS), :2].mean(0))
    usual = 0.5 * (height / FACE_HEIGHT + np.linalg.norm(end - start) / EYE_DISTANCE)
    side = float(np.clip(min(photo_size), SMALLEST_SHARE * usual, usual))
    box_centre = (points[:, :2].min(0) + points[:, :2].max(0)) / 2
    centre = box_centre + (0.5 - np.array(FACE_CENTRE)) * side
    inside = _nearest_inside(centre, side, np.array(photo_size[::-1], np.float64))
    limit = LARGEST_SHIFT * side
    return square_crop(centre + np.clip(inside - centre, -limit, limit), side, FRAME_SIZE_PX)


def _nearest_inside(
    centre: NDArray[np.float64], side: float, size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Centre of the window nearest to `centre` that lies in a photo of `size` (width, height)."""
    low, high = side / 2 - 0.5, size - side / 2 - 0.5
    middle = (size - 1) / 2
    return np.where(low < high, np.clip(centre, low, np.maximum(low, high)), middle)
