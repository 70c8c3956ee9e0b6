"""Reading the training corpora: the indices, decoded frames and landmark labels.

A corpus root holds ``video.csv``, ``audio.csv`` and the files that they name.
Not here: augmentation and features, which belong to the stage that needs them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError

__all__ = [
    "Labels",
    "VideoClip",
    "VoiceClip",
    "read_frames",
    "read_labels",
    "read_video_index",
    "read_voice_index",
]

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class VideoClip:
    """One talking-face clip."""

    path: Path
    """The mp4."""
    source: str
    """Collection that it comes from."""
    identity: str
    """Person shown."""
    split: Split
    """Side of the split by person."""
    emotion: str
    """Acted emotion as labelled, or empty."""
    fps: float
    """Frames a second."""
    num_frames: int
    """Number of frames."""
    has_speech: bool
    """Whether the sound track holds speech."""
    lag_frames: float | None
    """Measured lag of the sound, where known."""


@dataclass(frozen=True, kw_only=True)
class VoiceClip:
    """One acted sentence."""

    path: Path
    """The sound file."""
    dataset: str
    """``ravdess`` or ``crema-d``."""
    speaker: str
    """Speaker within the data set."""
    split: Split
    """Side of the split by person."""
    emotion: str
    """Acted emotion as the data set names it."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Landmark labels of a clip."""

    landmarks: NDArray[np.float32]
    """(N, 68, 3) in crop pixels."""
    iris: NDArray[np.float32]
    """(N, 2, 3) in crop pixels."""
    valid: NDArray[np.bool_]
    """(N,) whether the frame shows a face that was found."""
    fps: float
    """Frames a second."""


def _rows(index: Path) -> list[dict[str, str]]:
    if not index.is_file():
        raise InputError(
            f"expected an index at {index}, found none; give the corpus folder as --data"
        )
    with index.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read_video_index(root: Path, split: Split | None = None) -> list[VideoClip]:
    """Clips of ``video.csv``, of one side of the split or all."""
    clips = [
        VideoClip(
            path=root / "video" / row["file"],
            source=row["source"],
            identity=row["identity"],
            split=row["split"],  # type: ignore[arg-type]
            emotion="" if row["emotion"] == "-" else row["emotion"],
            fps=float(row["fps"]),
            num_frames=int(row["frames"]),
            has_speech=row["has_speech"] == "1",
            lag_frames=_number(row["lag_frames"]),
        )
        for row in _rows(root / "video.csv")
    ]
    return [c for c in clips if split in (None, c.split)]


def read_voice_index(root: Path, split: Split | None = None) -> list[VoiceClip]:
    """Clips of ``audio.csv``, of one side of the split or all."""
    clips = [
        VoiceClip(
            path=root / "audio" / row["file"],
            dataset=row["dataset"],
            speaker=f"{row['dataset']}-{row['speaker']}",
            split=row["split"],  # type: ignore[arg-type]
            emotion=row["emotion"],
        )
        for row in _rows(root / "audio.csv")
    ]
    return [c for c in clips if split in (None, c.split)]


def read_frames(path: Path, every: int = 1) -> Iterator[NDArray[np.uint8]]:
    """Decode a clip.

    Parameters
    ----------
    path : Path
        The video file.
    every : int
        Yield only each so-manieth frame, beginning with the first.

    Yields
    ------
    (height, width, 3) uint8 ndarray
        RGB.
    """
    import av

    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i % every == 0:
                yield frame.to_ndarray(format="rgb24")


def read_labels(video: Path) -> Labels:
    """Landmark labels that lie beside a clip."""
    with np.load(video.with_suffix(".npz"), allow_pickle=False) as stored:
        return Labels(
            landmarks=stored["landmarks"].astype(np.float32),
            iris=stored["iris"].astype(np.float32),
            valid=stored["valid"].astype(bool),
            fps=float(stored["fps"]),
        )
