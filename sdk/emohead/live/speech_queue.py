"""Sound that was pushed and not yet heard by the face, utterance by utterance.

Holds samples only, and not many: ``stream.py`` waits where it is full. Not safe for two threads.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emohead.live.pcm import Resampler

__all__ = ["Piece", "SpeechQueue"]

Samples = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Consecutive sound of one utterance."""

    samples: Samples
    """(n,) float32 at the stream's rate."""
    ends: bool
    """Whether the utterance ends here."""
    arrived_s: float
    """When the last of it came, on the clock of ``time.perf_counter``."""


class SpeechQueue:
    """Queue of sound at one rate, filled at any.

    Parameters
    ----------
    sample_rate : int
        Samples a second of what comes out.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._pieces: deque[Piece] = deque()
        self._converter: Resampler | None = None
        self._is_open = self.is_begun = False
        """Whether some of an utterance was taken, but not its end."""
        self.num_samples = 0
        """Samples that wait."""

    def __len__(self) -> int:
        return len(self._pieces)

    def put(self, samples: Samples, rate: int, last: bool, now_s: float) -> int:
        """Take sound.

        Parameters
        ----------
        samples : (n,) float32, mono
        rate : int
            Samples a second of these.
        last : bool
            Whether the utterance ends with them.
        now_s : float, s
            On the clock of ``time.perf_counter``.

        Returns
        -------
        int
            Samples at the queue's own rate that it became, those held back before included.

        Raises
        ------
        InputError
            For a rate that no sound has; the queue stays as it was.
        """
        before = self.num_samples
        if len(samples):
            if self._converter is None or self._converter.from_rate != rate:
                converter = Resampler(rate, self._rate)
                self._finish_run(now_s)
                self._converter = converter
            self._is_open = True
            self._add(self._converter.push(samples), False, now_s)
        if last and self._is_open:
            self._finish_run(now_s)
            self._add(np.zeros(0, np.float32), True, now_s)
            self._is_open = False
        return self.num_samples - before

    def take(self, max_samples: int) -> Piece | None:
        """Return up to `max_samples` of the oldest sound, of one utterance; None without any."""
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        if len(piece.samples) > max_samples:
            rest = Piece(
                samples=piece.samples[max_samples:], ends=piece.ends, arrived_s=piece.arrived_s
            )
            self._pieces.appendleft(rest)
            piece = Piece(
                samples=piece.samples[:max_samples], ends=False, arrived_s=piece.arrived_s
            )
        self.num_samples -= len(piece.samples)
        self.is_begun = not piece.ends
        return piece

    def clear(self, now_s: float, ends: bool) -> int:
        """Forget all sound; return how much.

        With `ends`, an utterance of which some was taken ends there; otherwise whoever took it
        forgets it too.
        """
        dropped, self.num_samples = self.num_samples, 0
        self._pieces.clear()
        self._converter, self._is_open = None, False
        if ends and self.is_begun:
            self._add(np.zeros(0, np.float32), True, now_s)
        self.is_begun = ends and self.is_begun  # until that end is taken
        return dropped

    def _finish_run(self, now_s: float) -> None:
        """Take what the resampler of the rate before still holds."""
        if self._converter is not None:
            self._add(self._converter.close(), False, now_s)
        self._converter = None

    def _add(self, samples: Samples, ends: bool, now_s: float) -> None:
        if len(samples) or ends:
            self._pieces.append(Piece(samples=samples, ends=ends, arrived_s=now_s))
            self.num_samples += len(samples)
