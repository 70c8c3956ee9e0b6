"""A take: one finished video with what belongs to it, and views made from it.

Called by ``workshop.py`` and the tabs. Not here: rendering it (``rendering.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import Audio
from emohead.geometry.landmarks import POLYLINES
from emohead.landmarks.files import write_landmarks
from emohead.landmarks.track import LandmarkTrack
from emohead.studio.settings import Settings
from emohead.video import VideoWriter

__all__ = ["LANDMARK_KINDS", "Take", "drawn", "landmark_file", "overlaid", "side_by_side"]

LANDMARK_KINDS: Final = ("npz", "json", "csv")
"""Kinds of files that hold landmarks."""

Frame = NDArray[np.uint8]
_LINE = (64, 224, 208)
_GAP_PX = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Take:
    """A finished video."""

    video: Path
    """The mp4; the other files lie beside it."""
    landmarks: LandmarkTrack
    """Its landmarks, in px of the crop."""
    track: Path
    """Its emotion over time, .json."""
    points: NDArray[np.float32]
    """(N, 68, 2) float32, px of the video."""
    speech: Audio
    """The voice."""
    settings: Settings
    """How it was directed."""
    emotion: str
    """What the face expresses on average."""
    notes: tuple[str, ...]
    """What the user should know."""
    seconds: float
    """What rendering took, s."""


def landmark_file(take: Take, kind: str) -> Path:
    """Write the landmarks of every frame, once.

    Parameters
    ----------
    take : Take
    kind : str
        One of ``LANDMARK_KINDS``.

    Returns
    -------
    Path
        Beside the take's video.
    """
    path = take.video.with_name(f"{take.video.stem}-landmarks.{kind}")
    return path if path.exists() else write_landmarks(take.landmarks, path)


def drawn(frame: Frame, points: NDArray[np.floating]) -> Frame:
    """Draw landmarks on a copy of a frame.

    Parameters
    ----------
    frame : (height, width, 3) uint8, RGB
    points : (68, 2) floating, px

    Returns
    -------
    (height, width, 3) uint8
    """
    import cv2

    copy = np.ascontiguousarray(frame.copy())
    thickness = max(1, round(float(np.ptp(points, axis=0).max()) / 200))
    for chain in POLYLINES:
        line = np.round(points[list(chain)] * 8).astype(np.int32)
        cv2.polylines(copy, [line], False, _LINE, thickness, cv2.LINE_AA, 3)
    return copy


def overlaid(take: Take) -> Path:
    """Write the take's video with its landmarks drawn on it, once.

    Parameters
    ----------
    take : Take

    Returns
    -------
    Path
        A video of the same length beside the take's.
    """
    path = take.video.with_name("overlay.mp4")
    if not path.exists():
        with VideoWriter(path, fps=take.settings.fps, audio=take.speech) as writer:
            for frame, points in zip(_frames(take.video), take.points, strict=False):
                writer.write(drawn(frame, points))
    return path


def side_by_side(left: Take, right: Take, path: Path) -> Path:
    """Write two takes as one video, with the left one's rate and voice.

    Parameters
    ----------
    left, right : Take
        The right one's frames are taken by time, its last one stays; it is scaled to the left
        one's height.
    path : Path
        Video to write.

    Returns
    -------
    Path
    """
    import cv2

    fps = left.settings.fps
    with VideoWriter(path, fps=fps, audio=left.speech) as writer:
        others = _at_rate(_frames(right.video), right.settings.fps, fps)
        other: Frame | None = None
        for frame in _frames(left.video):
            other = next(others, other)
            assert other is not None  # every video has a frame
            height = frame.shape[0]
            width = max(2, round(other.shape[1] * height / other.shape[0]))
            scaled = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)
            gap = np.full((height, _GAP_PX, 3), 255, np.uint8)
            writer.write(np.concatenate([frame, gap, scaled.astype(np.uint8)], axis=1))
    return path


def _frames(path: Path) -> Iterator[Frame]:
    """Decode a video of ours."""
    import av

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def _at_rate(frames: Iterator[Frame], fps: int, wanted: int) -> Iterator[Frame]:
    """Repeat or drop frames so that they play as fast at another rate."""
    given = 0
    for number, frame in enumerate(frames, start=1):
        while given * fps < number * wanted:
            given += 1
            yield frame
