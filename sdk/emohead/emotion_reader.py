"""From a voice to its emotion: windows of sound, the encoder's scores, what the face shows.

An accumulator whose windows lie on a fixed grid of samples, so chunking changes nothing.
Not here: the log-mel (``mel.py``) and the emotion as a value (``emotion.py``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion import EMOTIONS, NEUTRAL, Emotion
from emohead.errors import InputError
from emohead.mel import log_mel_128
from emohead.runner import Runner

__all__ = [
    "HOP_SAMPLES",
    "SILENCE_NOTE",
    "WINDOW_SAMPLES",
    "EmotionReader",
    "expression_from_scores",
    "windows_from_speech",
]

WINDOW_SAMPLES: Final = 3 * SAMPLE_RATE_HZ
"""Sound that one score hears."""
HOP_SAMPLES: Final = SAMPLE_RATE_HZ
"""Sound between two windows."""
SILENCE_NOTE: Final = "no voice was heard, so no emotion was read: the face rests"

_BLOCK: Final = 512
_SILENCE_DB: Final = -60.0
"""A window none of whose blocks of 32 ms is louder holds no voice."""
_SHARPNESS: Final = 3.0
_GATE: Final = (0.4, 0.85)
"""Share of emotion in the scores below which the face is neutral, above which it is full."""

Vector = NDArray[np.float32]


def windows_from_speech(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut a whole clip as the reader does.

    Parameters
    ----------
    samples : (n,) float32, mono, [-1, 1], 16 kHz

    Returns
    -------
    list of (48000,) float32
        One window a second, then one that ends with the clip where the last did not; a clip
        shorter than a window gives one, padded with zeros.
    """
    cutter = _WindowCutter()
    return [*cutter.push(samples), *cutter.close()]


class _WindowCutter:
    """Keeps the sound that windows still need."""

    def __init__(self) -> None:
        self._kept = np.zeros(0, np.float32)
        self._first = 0
        self._next = 0

    def push(self, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        sound = np.asarray(samples, np.float32)
        if sound.ndim != 1:
            raise InputError(
                f"expected mono sound of shape (n,), got {sound.shape}; mix the channels down first"
            )
        self._kept = np.concatenate([self._kept, sound])
        end = self._first + len(self._kept)
        found = []
        while self._next + WINDOW_SAMPLES <= end:
            start = self._next - self._first
            found.append(self._kept[start : start + WINDOW_SAMPLES].copy())
            self._next += HOP_SAMPLES
        keep_from = max(self._first, end - WINDOW_SAMPLES)
        self._kept, self._first = self._kept[keep_from - self._first :], keep_from
        return found

    def close(self) -> list[NDArray[np.float32]]:
        end = self._first + len(self._kept)
        covered = self._next - HOP_SAMPLES + WINDOW_SAMPLES if self._next else 0
        if end <= covered or not end:
            return []
        return [np.pad(self._kept, (0, WINDOW_SAMPLES - len(self._kept)))]


class EmotionReader:
    """Accumulator from sound to the emotion of the whole clip.

    Parameters
    ----------
    runner : Runner
        Of the stage ``emotion_encoder``.

    References
    ----------
    .. [1] Paper, section 3.2.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._cutter = _WindowCutter()
        self._sum = np.zeros(len(EMOTIONS), np.float64)
        self._num_scored = 0

    def push(self, samples: NDArray[np.float32]) -> Vector:
        """Take sound and score the windows that it completes.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        (W, 8) float32, [0, 1]
            Calibrated scores; NaN for a window without voice.
        """
        return self._scored(self._cutter.push(samples))

    def close(self) -> Emotion:
        """Score what is left, at most one window, and tell what the face should express."""
        self._scored(self._cutter.close())
        return self.emotion

    @property
    def scores(self) -> Vector | None:
        """(8,) float32, mean over the windows with voice so far; None before the first."""
        if not self._num_scored:
            return None
        return (self._sum / self._num_scored).astype(np.float32)

    @property
    def emotion(self) -> Emotion:
        """What the face should express for all sound so far."""
        scores = self.scores
        if scores is None:
            rest = np.eye(len(EMOTIONS), dtype=np.float32)[NEUTRAL]
            return Emotion(weights=rest, source="voice", notes=(SILENCE_NOTE,))
        return Emotion(weights=expression_from_scores(scores), source="voice", scores=scores)

    def _scored(self, windows: list[NDArray[np.float32]]) -> Vector:
        rows = np.full((len(windows), len(EMOTIONS)), np.nan, np.float32)
        for row, window in zip(rows, windows, strict=True):
            if not _has_voice(window):
                continue
            # One window a call: the sums inside a batched product may depend on the batch.
            (scores,) = self._runner.run(log_mel_128(window)[None])
            row[:] = scores[0]
            self._sum += scores[0]
            self._num_scored += 1
        return rows


def expression_from_scores(scores: NDArray[np.floating]) -> Vector:
    """Turn calibrated scores into what the face shows.

    Scores are chances, rarely near one even for a clear voice; a face that mixed them as they are
    would show a little of everything. So the emotions, neutral aside, compete (their scores are
    cubed and shared out), and together they are as strong as the voice is emotional: the share
    of the scores that is neither neutral nor, by half, calm, stretched from 40 % (nothing) to
    85 % (everything).

    Parameters
    ----------
    scores : (8,) floating, [0, 1]

    Returns
    -------
    (8,) float32, [0, 1], sum 1
        The emotion vector s.
    """
    chances = np.asarray(scores, np.float64) + 1e-9
    calm = EMOTIONS.index("calm")
    still = chances[NEUTRAL] + 0.5 * chances[calm]
    low, high = _GATE
    full = np.clip((1 - still / chances.sum() - low) / (high - low), 0, 1)
    strength = full * full * (3 - 2 * full)
    rivals = chances**_SHARPNESS
    rivals[NEUTRAL] = 0
    weights = strength * rivals / rivals.sum()
    weights[NEUTRAL] = 1 - weights.sum()
    return np.asarray(np.clip(weights, 0, 1), np.float32)


def _has_voice(window: NDArray[np.float32]) -> bool:
    whole = window[: len(window) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    loudest = float((whole**2).mean(1).max())
    return loudest > 10 ** (_SILENCE_DB / 10)
