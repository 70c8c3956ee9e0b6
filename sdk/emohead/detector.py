"""Find faces in a photo of any size with the ``face_detector`` stage.

Letterbox, run, suppress overlaps; where the whole photo shows none, look again in tiles.
Called by ``portrait.py`` and by training's validation. Not here: landmarks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from emohead.stages import DETECTOR_SIZE_PX

if TYPE_CHECKING:
    from emohead.runner import Runner

__all__ = ["FaceBox", "faces_from_cells", "find_faces", "letterbox", "looks"]

SCORE: Final = 0.5
"""Score from which a cell counts as a face."""
_OVERLAP: Final = 0.4
"""Boxes that overlap more show the same face."""
_BATCH: Final = 16
_TILE_SHARES: Final = (2, 4, 8)
"""Tiles are this many times smaller than the photo's longer side, tried in turn."""
_MIN_TILE_PX: Final = 160


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceBox:
    """A face that the detector found."""

    box: NDArray[np.float64]
    """(4,) x0, y0, x1, y1 in photo px, from the hairline to the chin."""
    score: float
    """Confidence in [0, 1]."""

    @property
    def area(self) -> float:
        """Area of the box, px squared."""
        return float(np.prod(self.box[2:] - self.box[:2]))


def letterbox(photo: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """Fit a photo into the detector's square, at its top left.

    Parameters
    ----------
    photo : (height, width, 3) uint8, RGB

    Returns
    -------
    image : (3, 256, 256) float32, RGB in [0, 1]
        Grey where the photo does not reach.
    scale : float
        Photo pixels per side of the square.
    """
    import cv2

    height, width = photo.shape[:2]
    longer = max(height, width)
    size = tuple(max(1, round(n * DETECTOR_SIZE_PX / longer)) for n in (width, height))
    kind = cv2.INTER_AREA if longer > DETECTOR_SIZE_PX else cv2.INTER_LINEAR
    square = np.full((DETECTOR_SIZE_PX, DETECTOR_SIZE_PX, 3), 127, np.uint8)
    square[: size[1], : size[0]] = cv2.resize(photo, size, interpolation=kind)
    return square.transpose(2, 0, 1).astype(np.float32) / np.float32(255), float(longer)


def faces_from_cells(
    boxes: NDArray[np.floating], scores: NDArray[np.floating], threshold: float = SCORE
) -> list[FaceBox]:
    """Non-maximum suppression of one picture's cells.

    Parameters
    ----------
    boxes : (N, 4) floating
    scores : (N,) floating in [0, 1]
    threshold : float
        Lowest score of a face.

    Returns
    -------
    list of FaceBox
        The most certain first, in the boxes' unit.
    """
    candidates = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] >= threshold]
    kept: list[FaceBox] = []
    for index in candidates:
        box = np.asarray(boxes[index], np.float64)
        if all(_overlap(box, other.box) <= _OVERLAP for other in kept):
            kept.append(FaceBox(box=box, score=float(scores[index])))
    return kept


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Larger of intersection over union and half the share of the smaller box that is covered."""
    inter = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    area_a, area_b = (a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod()
    union = inter / max(area_a + area_b - inter, 1e-12)
    inside = 0.5 * inter / max(min(area_a, area_b), 1e-12)
    return float(max(union, inside))


def find_faces(
    photo: NDArray[np.uint8], detector: Runner, threshold: float = SCORE
) -> list[FaceBox]:
    """Find every face.

    Parameters
    ----------
    photo : (height, width, 3) uint8, RGB
    detector : Runner
        Runner of the ``face_detector`` stage.
    threshold : float
        Lowest score of a face.

    Returns
    -------
    list of FaceBox
        The largest first, in photo px; empty where there is none.
    """
    faces = next((found for found in looks(photo, detector, threshold) if found), [])
    return sorted(faces, key=lambda f: -f.area)


def looks(
    photo: NDArray[np.uint8], detector: Runner, threshold: float = SCORE
) -> Iterator[list[FaceBox]]:
    """Look at the whole photo, then at ever smaller tiles, as long as the caller asks for more.

    Parameters
    ----------
    photo : (height, width, 3) uint8, RGB
    detector : Runner
        Runner of the ``face_detector`` stage.
    threshold : float
        Lowest score of a face.

    Yields
    ------
    list of FaceBox
        The most certain first, in photo px.
    """
    height, width = photo.shape[:2]
    yield _in_windows(photo, np.array([[0, 0, width, height]]), detector, threshold)
    for share in _TILE_SHARES:
        side = max(height, width) // share
        if side < _MIN_TILE_PX:
            return
        tiles = np.array(list(_tiles(height, width, side)))
        yield _in_windows(photo, tiles, detector, threshold)


def _tiles(height: int, width: int, side: int) -> Iterator[tuple[int, int, int, int]]:
    """Windows x0, y0, x1, y1 of about `side` px that overlap by half."""
    for y in _starts(height, side):
        for x in _starts(width, side):
            yield x, y, min(x + side, width), min(y + side, height)


def _starts(length: int, side: int) -> list[int]:
    steps = max(1, -(-2 * (length - side) // side) + 1) if length > side else 1
    return [round(v) for v in np.linspace(0, max(0, length - side), steps)]


def _in_windows(
    photo: NDArray[np.uint8],
    windows: NDArray[np.int_],
    detector: Runner,
    threshold: float,
) -> list[FaceBox]:
    """Faces of all windows, overlaps between windows suppressed."""
    all_boxes, all_scores = [], []
    for first in range(0, len(windows), _BATCH):
        part = windows[first : first + _BATCH]
        fitted = [letterbox(photo[y0:y1, x0:x1]) for x0, y0, x1, y1 in part]
        boxes, scores = detector.run(np.stack([image for image, _ in fitted]))
        scale = np.array([s for _, s in fitted])[:, None, None]
        corner = np.tile(part[:, None, :2], 2)
        all_boxes.append((boxes * scale + corner).reshape(-1, 4))
        all_scores.append(scores.reshape(-1))
    return faces_from_cells(np.concatenate(all_boxes), np.concatenate(all_scores), threshold)
