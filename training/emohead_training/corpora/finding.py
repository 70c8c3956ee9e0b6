"""Landmarks of a talking face, frame by frame: the default bundle's networks, or MediaPipe's.

Called by ``footage.py``; opened once a process. Not here: cropping.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from emohead.bundle import Bundle
from emohead.errors import InputError
from emohead.footage import follow_face
from emohead.portrait import make_portrait
from emohead.stages import FACE_DETECTOR, FACE_LANDMARKS
from emohead_training.portrait.teachers import Teacher

__all__ = ["FaceFinder", "FoundFace", "open_finder"]

_LEAST_PRESENCE: Final = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundFace:
    """A face in one frame, in its px."""

    landmarks: NDArray[np.float64]
    """(68, 3), iBUG-68 order."""
    iris: NDArray[np.float64] | None = None
    """(2, 3) where measured."""
    outline: NDArray[np.float64] | None = None
    """(11, 3) along the hairline, where measured."""


class FaceFinder(Protocol):
    """Finds the main face of a frame."""

    def locate(self, frame: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Landmarks (68, 3) of the largest face in a frame (height, width, 3) of any size."""
        ...

    def follow(self, frame: NDArray[np.uint8], before: NDArray[np.float64]) -> FoundFace | None:
        """Find a face in a frame, near its landmarks (68, 3) in the frame before."""
        ...


@cache
def open_finder(teachers: Path | None) -> FaceFinder:
    """Open a finder, once a process.

    Parameters
    ----------
    teachers : Path or None
        Folder of MediaPipe's networks; None takes those of the default bundle.

    Returns
    -------
    FaceFinder
    """
    return BundleFinder() if teachers is None else TeacherFinder(teachers)


class BundleFinder:
    """The networks that portraits go through at run time."""

    def __init__(self) -> None:
        names = (FACE_DETECTOR.name, FACE_LANDMARKS.name)
        bundle = Bundle.open(None, stages=names)
        self._runners = {name: bundle.runner(name, "cpu", threads=1) for name in names}

    def locate(self, frame: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Landmarks of the largest face."""
        try:
            portrait = make_portrait(frame, self._runners)
        except InputError:
            return None
        return portrait.transform.to_photo(portrait.landmarks)

    def follow(self, frame: NDArray[np.uint8], before: NDArray[np.float64]) -> FoundFace | None:
        """Refine the landmarks of the frame before; look for the face anew where that fails."""
        points = follow_face(frame, before, self._runners[FACE_LANDMARKS.name])
        return None if points is None else FoundFace(landmarks=points)


class TeacherFinder:
    """BlazeFace and FaceMesh, which know irises and hairline too.

    Parameters
    ----------
    folder : Path
        Where their ONNX files lie.
    """

    def __init__(self, folder: Path) -> None:
        self._teacher = Teacher(folder)

    def locate(self, frame: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Landmarks of the most certain face."""
        label = self._teacher.label(frame)
        known = label is not None and label.presence >= _LEAST_PRESENCE
        return label.landmarks.astype(np.float64) if label is not None and known else None

    def follow(self, frame: NDArray[np.uint8], before: NDArray[np.float64]) -> FoundFace | None:
        """Label the frame by itself; FaceMesh needs no frame before."""
        label = self._teacher.label(frame)
        if label is None or label.presence < _LEAST_PRESENCE:
            return None
        return FoundFace(
            landmarks=label.landmarks.astype(np.float64),
            iris=label.iris.astype(np.float64),
            outline=label.outline.astype(np.float64),
        )
