"""Talking-face clips as pairs of content mel and canonical lip motion at 30 frames a second.

The anchor of a clip is its frame with the most closed mouth. Not here: content codes and batches.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import num_frames_of
from emohead.errors import InputError
from emohead.geometry import canonicalise
from emohead.geometry.landmarks import JAW, MOUTH, NOSE_BASE
from emohead.mel import content_mel
from emohead.stages import MOTION_FPS
from emohead_training.corpus import VideoClip, read_labels, read_sound, read_video_index
from emohead_training.mouth import mouth_opening
from emohead_training.stored import read_content_mel, read_num_samples

__all__ = ["CLOSED_QUANTILE", "MIN_FRAMES", "MOVING", "SpokenClip", "read_spoken_clips"]

log = logging.getLogger(__name__)

MOVING: Final = (*JAW, *NOSE_BASE, *MOUTH)
"""Points that speech moves; brows and eyes, blinks with them, stay with the anchor."""
MIN_FRAMES: Final = 20
"""Of a clip that is used."""
CLOSED_QUANTILE: Final = 0.12
"""Share of a clip's frames, of the most closed mouths, that may be its anchor in training."""


@dataclass(frozen=True, kw_only=True)
class SpokenClip:
    """One clip with speech."""

    name: str
    """Source and file name."""
    source: str
    """Collection that it comes from."""
    identity: str
    """Person shown."""
    split: str
    """Side of the split by person."""
    samples: NDArray[np.float32]
    """(n,) sound, mono, [-1, 1], 16 kHz; empty in a data pack, which keeps the mel alone."""
    mel: NDArray[np.float32]
    """(T, 80) content mel."""
    landmarks: NDArray[np.float32]
    """(N, 68, 3) canonical, at 30 frames a second."""
    valid: NDArray[np.bool_]
    """(N,) whether the frame's landmarks were measured."""

    @property
    def anchor(self) -> NDArray[np.float32]:
        """Canonical landmarks (68, 3) of the most closed mouth."""
        opening = np.where(self.valid, mouth_opening(self.landmarks), np.inf)
        anchor: NDArray[np.float32] = self.landmarks[int(opening.argmin())]
        return anchor


def _resampled(
    landmarks: NDArray[np.float64], valid: NDArray[np.bool_], fps: float, num_frames: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Interpolate valid frames linearly to 30 frames a second."""
    known = np.flatnonzero(valid)
    times = np.arange(num_frames) / MOTION_FPS * fps
    flat = landmarks[known].reshape(len(known), -1)
    right = np.clip(np.searchsorted(known, times), 1, len(known) - 1)
    before, after = known[right - 1], known[right]
    share = np.clip((times - before) / (after - before), 0, 1)[:, None]
    points = (1 - share) * flat[right - 1] + share * flat[right]
    near = (after - before <= 2) & (times <= known[-1] + 0.5) & (times >= known[0] - 0.5)
    return points.reshape(num_frames, *landmarks.shape[1:]).astype(np.float32), near


def _read(clip: VideoClip) -> SpokenClip | None:
    labels = read_labels(clip.path)
    if labels.valid.sum() < MIN_FRAMES:
        return None
    length = read_num_samples(clip.path)
    samples = read_sound(clip.path) if length is None else np.zeros(0, np.float32)
    landmarks = np.zeros(labels.landmarks.shape)
    landmarks[labels.valid] = canonicalise(labels.landmarks[labels.valid])[0]
    num_frames = min(
        num_frames_of(length or len(samples), MOTION_FPS),
        int(len(landmarks) * MOTION_FPS / labels.fps),
    )
    points, near = _resampled(landmarks, labels.valid, labels.fps, num_frames)
    return SpokenClip(
        name=f"{clip.source}/{clip.path.name}",
        source=clip.source,
        identity=clip.identity,
        split=clip.split,
        samples=samples,
        mel=read_content_mel(clip.path) if length else content_mel(samples).mel,
        landmarks=points,
        valid=near,
    )


def read_spoken_clips(data: Path, splits: tuple[str, ...] = ("train",)) -> list[SpokenClip]:
    """Read all clips with speech of some sides of the split.

    Parameters
    ----------
    data : Path
        Corpus root.
    splits : tuple of str
        Any of ``train``, ``val``, ``test``.

    Returns
    -------
    list of SpokenClip
    """
    wanted = [c for c in read_video_index(data) if c.has_speech and c.split in splits]
    if not wanted:
        raise InputError(
            f"expected talking-face clips with speech of the {'/'.join(splits)} people in "
            f"{data / 'video.csv'}, found none; prepare a corpus with sound into the same folder"
        )
    clips = [clip for c in wanted if (clip := _read(c)) is not None]
    log.info("%d of %d spoken clips of %s", len(clips), len(wanted), "/".join(splits))
    return clips
