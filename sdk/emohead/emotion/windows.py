"""Windows of sound and the emotion encoder's scores of them.

An accumulator whose windows lie on a fixed grid of samples, so chunking changes nothing.
Called by the readers of a clip's emotion (``reader.py``) and of an emotion over time
(``following.py``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion.values import EMOTIONS
from emohead.errors import InputError
from emohead.mel import log_mel_128
from emohead.runner import Runner

__all__ = ["WINDOW_SAMPLES", "WindowCutter", "WindowScorer"]

WINDOW_SAMPLES: Final = 3 * SAMPLE_RATE_HZ
"""Sound that one score hears."""

_BLOCK: Final = 512
_SILENCE_DB: Final = -60.0
"""A window none of whose blocks of 32 ms is louder holds no voice."""

Vector = NDArray[np.float32]


class WindowCutter:
    """Cuts sound into windows, and keeps what windows still need.

    Parameters
    ----------
    first_end : int
        Sample before which the first window ends; earlier than a whole window, it holds the sound
        so far and zeros.
    hop : int
        Samples from one window's end to the next one's.
    """

    def __init__(self, first_end: int, hop: int) -> None:
        self._kept = np.zeros(0, np.float32)
        self._first = 0
        self._covered = 0
        self._next_end, self._hop = first_end, hop

    def push(self, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Take sound.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        list of (48000,) float32
            The windows that it completes.

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
        self._kept = np.concatenate([self._kept, sound])
        end = self._first + len(self._kept)
        found = []
        while self._next_end <= end:
            found.append(self._window(self._next_end))
            self._covered = self._next_end
            self._next_end += self._hop
        keep_from = max(self._first, end - WINDOW_SAMPLES)
        self._kept, self._first = self._kept[keep_from - self._first :], keep_from
        return found

    def close(self) -> list[NDArray[np.float32]]:
        """Return a window that ends with the sound, unless the last one did or there is none."""
        end = self._first + len(self._kept)
        return [] if end <= self._covered else [self._window(end)]

    def _window(self, end: int) -> NDArray[np.float32]:
        start = max(end - WINDOW_SAMPLES, 0)
        sound = self._kept[start - self._first : end - self._first]
        return np.pad(sound, (0, WINDOW_SAMPLES - len(sound)))


class WindowScorer:
    """Accumulator from sound to the encoder's scores.

    Parameters
    ----------
    runner : Runner
        Of the stage ``emotion_encoder``.
    first_end, hop : int
        See ``WindowCutter``.
    """

    def __init__(self, runner: Runner, first_end: int, hop: int) -> None:
        self._runner = runner
        self._cutter = WindowCutter(first_end, hop)

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

    def close(self) -> Vector:
        """Score what is left, at most one window."""
        return self._scored(self._cutter.close())

    def _scored(self, windows: list[NDArray[np.float32]]) -> Vector:
        rows = np.full((len(windows), len(EMOTIONS)), np.nan, np.float32)
        for row, window in zip(rows, windows, strict=True):
            if _has_voice(window):
                # One window a call: the sums inside a batched product may depend on the batch.
                (scores,) = self._runner.run(log_mel_128(window)[None])
                row[:] = scores[0]
        return rows


def _has_voice(window: NDArray[np.float32]) -> bool:
    whole = window[: len(window) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    loudest = float((whole**2).mean(1).max())
    return loudest > 10 ** (_SILENCE_DB / 10)
