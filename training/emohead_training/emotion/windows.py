"""Cached clips cut into the windows that the runtime scores.

The runtime cuts sound; here the cached spectrogram is cut at the nearest frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emohead.emotion.reader import HOP_SAMPLES, WINDOW_SAMPLES
from emohead.mel import EMOTION_SETTINGS
from emohead_training.emotion.acted_voices import ActedVoices
from emohead_training.emotion.augment import SILENCE_DB

__all__ = ["Windows", "window_frames_of", "windows_of"]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of some clips."""

    log_mel: NDArray[np.float32]
    """(W, 128, M) dB."""
    owner: NDArray[np.int64]
    """(W,) which of the clips each window is cut from, counted from 0."""

    def clip_means(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Average (W, 8) window scores within each clip: (clips, 8)."""
        sums = np.zeros((int(self.owner.max()) + 1, scores.shape[1]))
        np.add.at(sums, self.owner, scores)
        return sums / np.bincount(self.owner)[:, None]


def window_frames_of(num_samples: int = WINDOW_SAMPLES) -> int:
    """Count the log-mel frames of `num_samples` samples."""
    return 1 + num_samples // EMOTION_SETTINGS.hop


def windows_of(clips: ActedVoices, chosen: NDArray[np.int64]) -> Windows:
    """Cut the chosen clips as ``emohead.emotion.reader`` cuts sound.

    Parameters
    ----------
    clips : ActedVoices
    chosen : (C,) int
        Indices of clips.

    Returns
    -------
    Windows
    """
    cut = [_cut(clips.clip(int(i))) for i in chosen]
    owner = np.repeat(np.arange(len(cut)), [len(c) for c in cut])
    return Windows(log_mel=np.concatenate(cut), owner=owner)


def _cut(log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
    frames, hop = window_frames_of(), HOP_SAMPLES / EMOTION_SETTINGS.hop
    missing = frames - len(log_mel)
    if missing > 0:
        padded = np.pad(log_mel, ((0, missing), (0, 0)), constant_values=SILENCE_DB)
        return np.ascontiguousarray(padded.T)[None]
    starts = [round(i * hop) for i in range(1 + int(-missing / hop))]
    if starts[-1] < -missing:
        starts.append(-missing)
    return np.stack([np.ascontiguousarray(log_mel[s : s + frames].T) for s in starts])
