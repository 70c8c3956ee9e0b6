"""Canonical faces of `video.csv` by person, clip and acted emotion.

Read once, kept in memory (a few MB). Who calls: styles, training and measuring of the stylisation.
Not here: edges (`emohead.geometry`) and batches (`batches.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from emohead.emotion import EMOTIONS, NEUTRAL
from emohead.geometry import canonicalise
from emohead_training.corpus import (
    Split,
    VideoClip,
    acted_emotion,
    read_labels,
    read_video_index,
)

__all__ = ["FaceClip", "read_faces"]

Array = npt.NDArray[np.float64]

_MAX_CLIPS: Final = 25
_MAX_FRAMES: Final = 120
_LEAST_FRAMES: Final = 20


@dataclass(frozen=True, kw_only=True)
class FaceClip:
    """The faces of one clip."""

    identity: str
    """Person."""
    emotion: int | None
    """Index into EMOTIONS; None where the clip is unlabelled."""
    doubtful: bool
    """Whether the label is another emotion than ours, or marked as a guess."""
    landmarks: Array
    """(N, 68, 3) canonical units."""
    pitch: Array
    """(N,) rad."""
    yaw: Array
    """(N,) rad."""
    digital: bool = False
    """Whether the person is a parametric head."""

    @property
    def is_speech(self) -> bool:
        """Whether the clip may stand for neutral speech: labelled so, or not labelled at all."""
        return not self.doubtful and self.emotion in (None, NEUTRAL)


def read_faces(data_root: Path, split: Split) -> list[FaceClip]:
    """Read the faces of one side of the split.

    Parameters
    ----------
    data_root : Path
        Folder that holds `video.csv`.
    split : {"train", "val", "test"}

    Returns
    -------
    list of FaceClip
        At most 25 clips a person and 120 frames a clip.
    """
    seen: Counter[str] = Counter()
    faces = []
    for clip in read_video_index(data_root, split):
        if seen[clip.identity] >= _MAX_CLIPS:
            continue
        face = _read(clip)
        if face is not None:
            seen[clip.identity] += 1
            faces.append(face)
    return faces


def _read(clip: VideoClip) -> FaceClip | None:
    labels = read_labels(clip.path)
    measured = labels.landmarks[labels.valid].astype(np.float64)
    if len(measured) < _LEAST_FRAMES:
        return None
    picked = np.linspace(0, len(measured) - 1, min(len(measured), _MAX_FRAMES)).astype(int)
    canonical, pose = canonicalise(measured[picked])
    name = acted_emotion(clip.emotion)
    emotion = None if name is None else EMOTIONS.index(name)
    return FaceClip(
        identity=clip.identity,
        emotion=emotion,
        doubtful=bool(clip.emotion) and emotion is None,
        landmarks=canonical,
        pitch=np.arctan2(pose.rotation[:, 2, 1], pose.rotation[:, 2, 2]),
        yaw=np.arcsin(np.clip(-pose.rotation[:, 2, 0], -1, 1)),
    )
