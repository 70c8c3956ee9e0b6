"""By how many frames the sound of a training clip is late, judged by lips predicted from it.

A ridge regression from content codes to the mouth's opening, fitted to other people, is slid over
each clip. Only training uses this; clips that judge are taken as they are. Not here: codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.lips import LEAD_FRAMES
from emohead_training.mouth import mouth_opening
from emohead_training.voice.content_codes import codes_at
from emohead_training.voice.lip_scores import correlation
from emohead_training.voice.spoken_clips import SpokenClip

__all__ = ["sound_shifts"]

MAX_SHIFT: Final = 6
"""Video frames."""
MIN_CORRELATION: Final = 0.3
"""A shift counts only where the lips then fit this well ..."""
MIN_GAIN: Final = 0.05
"""... and so much better than without it."""
NUM_FOLDS: Final = 4
PENALTY: Final = 2.0
_OFFSETS: Final = np.array([-4, -2, -1, 0, 1, 2, 3, 4, 6]) - LEAD_FRAMES
"""Frames around the one being predicted, less the lead that codes are read with."""

Matrix = NDArray[np.float64]


def sound_shifts(
    clips: Sequence[SpokenClip], codes: Sequence[NDArray[np.float16]], weights: Matrix
) -> NDArray[np.int64]:
    """Find how much later than its frame each clip's sound must be read.

    Parameters
    ----------
    clips : sequence of SpokenClip
    codes : sequence of (T, 64) float16
        Codes of the clean sound of each clip.
    weights : (clips,) float64
        Odds of each clip.

    Returns
    -------
    (clips,) int64
        Video frames to add to the time at which codes are read; 0 where nothing is certain.
    """
    features = [_features(c, k) for c, k in zip(clips, codes, strict=True)]
    openings = [_standardised(c) for c in clips]
    people = sorted({c.identity for c in clips})
    fold = np.array([people.index(c.identity) % NUM_FOLDS for c in clips])
    shifts = np.zeros(len(clips), np.int64)
    for held in range(NUM_FOLDS):
        seen = np.flatnonzero(fold != held)
        if len(seen) == 0:
            continue
        slopes = _fit([features[i] for i in seen], [openings[i] for i in seen], weights[seen])
        for i in np.flatnonzero(fold == held):
            shifts[i] = _best_shift(features[i] @ slopes, openings[i], clips[i].valid)
    return shifts


def _features(clip: SpokenClip, codes: NDArray[np.float16]) -> Matrix:
    times = np.arange(len(clip.landmarks))[:, None] + LEAD_FRAMES + _OFFSETS
    rows = codes_at(codes, times.ravel()).reshape(len(times), -1)
    return np.c_[rows, np.ones(len(rows))].astype(np.float64)


def _standardised(clip: SpokenClip) -> Matrix:
    """Express the opening in the clip's own standard deviations from its mean."""
    opening = mouth_opening(clip.landmarks)
    known = opening[clip.valid]
    scaled: Matrix = (opening - known.mean()) / (known.std() + 1e-6)
    return scaled


def _fit(features: list[Matrix], openings: list[Matrix], weights: Matrix) -> Matrix:
    size = features[0].shape[1]
    gram, moment = np.zeros((size, size)), np.zeros(size)
    for rows, goal, weight in zip(features, openings, weights / weights.sum(), strict=True):
        gram += weight / len(rows) * (rows.T @ rows)
        moment += weight / len(rows) * (rows.T @ goal)
    spread = np.diag(gram).mean()
    slopes: Matrix = np.linalg.solve(gram + PENALTY * spread * np.eye(size), moment)
    return slopes


def _best_shift(guess: Matrix, opening: Matrix, valid: NDArray[np.bool_]) -> int:
    """Shift of the sound that makes the guess fit best."""
    candidates = list(range(-MAX_SHIFT, MAX_SHIFT + 1))
    fits = np.array([_fit_at(guess, opening, valid, s) for s in candidates])
    best = int(fits.argmax())
    certain = fits[best] > max(MIN_CORRELATION, fits[MAX_SHIFT] + MIN_GAIN)
    return candidates[best] if certain else 0


def _fit_at(guess: Matrix, opening: Matrix, valid: NDArray[np.bool_], shift: int) -> float:
    frames = np.arange(max(0, -shift), min(len(guess), len(guess) - shift))
    frames = frames[valid[frames]]
    return correlation(guess[frames + shift], opening[frames]) if len(frames) > 2 else 0.0
