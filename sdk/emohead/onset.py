"""Onset strength at video rate: how much louder the bands become from frame to frame.

librosa's definition on an incremental log-mel: nothing looks at the whole clip, so streams and
files give the same numbers. Called by ``motion.py``. Not here: what the head makes of it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, num_frames_of
from emohead.errors import InputError
from emohead.mel import EMOTION_SETTINGS, decibels, hann, mel_filters
from emohead.stages import MOTION_FPS

__all__ = ["FPS", "LOOK_AHEAD_SAMPLES", "OnsetStream", "onset_strength"]

FPS: Final = MOTION_FPS
"""Rate of onsets and motion, frames a second."""
START_LEVEL_DB: Final = 0.0
"""Power of the loudest band that a stream is taken to have before anything was heard."""
RANGE_DB: Final = 40.0
"""Bands further below the level are noise: their flutter is no onset."""
RELEASE_DB_PER_S: Final = 3.0
LEAST_LEVEL_DB: Final = -20.0

_N_FFT: Final = EMOTION_SETTINGS.n_fft
LOOK_AHEAD_SAMPLES: Final = _N_FFT // 2
"""Sound after a frame's own time that its window covers."""
Array = NDArray[np.float32]


def onset_strength(log_mel: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over the bands of how much each rises.

    Parameters
    ----------
    log_mel : (T, bands) floating, dB

    Returns
    -------
    (T - 1,) float64, dB
        Equal to ``librosa.onset.onset_strength(S=log_mel.T, center=False)[1:]``.
    """
    rise = np.maximum(np.diff(np.asarray(log_mel, np.float64), axis=0), 0)
    strength: NDArray[np.float64] = rise.mean(axis=1)
    return strength


class OnsetStream:
    """Accumulator from sound to onset strength and loudness, one of each per video frame."""

    def __init__(self) -> None:
        half = np.zeros(_N_FFT // 2, np.float32)
        self._kept, self._first = half, -len(half)
        self._num_samples = 0
        self._num_frames = 0
        self._level_db = START_LEVEL_DB
        self._previous: NDArray[np.float64] | None = None

    def push(self, samples: Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Take sound and return the frames that it completes.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        strength : (T,) float64, dB
            0 where nothing begins.
        voiced : (T,) bool
            Whether any band is within reach of the level followed.

        Raises
        ------
        InputError
            For sound of another shape.
        """
        sound = np.asarray(samples, np.float32)
        if sound.ndim != 1:
            raise InputError(
                f"expected mono sound of shape (n,), got {sound.shape}; mix the channels down first"
            )
        self._num_samples += len(sound)
        self._kept = np.concatenate([self._kept, sound])
        return self._advance(None)

    def close(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the rest: ``ceil(num_samples * 30 / 16000)`` frames were given in all."""
        self._kept = np.concatenate([self._kept, np.zeros(2 * _N_FFT, np.float32)])
        return self._advance(num_frames_of(self._num_samples, FPS))

    def _advance(self, num_frames: int | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        end = self._first + len(self._kept)
        strengths, voiced = [], []
        while num_frames is None or self._num_frames < num_frames:
            start = self._num_frames * SAMPLE_RATE_HZ // FPS - _N_FFT // 2
            if start + _N_FFT > end:
                break
            offset = start - self._first
            strength, loud = self._frame(self._kept[offset : offset + _N_FFT])
            strengths.append(strength)
            voiced.append(loud)
            self._num_frames += 1
        start = self._num_frames * SAMPLE_RATE_HZ // FPS - _N_FFT // 2
        drop = min(len(self._kept), max(0, start - self._first))
        self._kept, self._first = self._kept[drop:], self._first + drop
        return np.array(strengths, np.float64), np.array(voiced, np.bool_)

    def _frame(self, window: Array) -> tuple[float, bool]:
        """Analyse one frame alone, so that no sum depends on how the sound was cut."""
        spectrum = np.fft.rfft(window * hann(_N_FFT))
        power = mel_filters(EMOTION_SETTINGS) @ (np.abs(spectrum) ** 2)
        bands = decibels(power)
        peak = float(bands.max())
        voiced = peak > self._level_db - RANGE_DB / 2
        if peak > self._level_db:
            self._level_db = peak
        elif voiced:
            self._level_db = max(LEAST_LEVEL_DB, self._level_db - RELEASE_DB_PER_S / FPS)
        floored = np.maximum(bands, self._level_db - RANGE_DB)
        before = floored if self._previous is None else self._previous
        self._previous = floored
        return float(onset_strength(np.stack([before, floored]))[0]), voiced
