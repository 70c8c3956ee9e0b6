"""One utterance: its sound on the way to looks, and kept until its frames are given.

Called by ``director.py``. Not here: the queue of sound before it (``speech_queue.py``).
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.live.pcm import Resampler
from emohead.performance import Looks

__all__ = ["Performing", "Utterance"]

Samples = NDArray[np.float32]


class Performing(Protocol):
    """What an utterance needs of a ``Performance``."""

    def push(self, samples: Samples) -> Looks:
        """Take sound at 16 kHz, return looks."""

    def close(self) -> Looks:
        """Return the rest."""

    @property
    def num_phrases(self) -> int:
        """Phrases that have begun."""


class Utterance:
    """Accumulator from sound at the stream's rate to looks, one at a time.

    Parameters
    ----------
    performance : Performing
    sample_rate : int
        Samples a second.
    """

    def __init__(self, performance: Performing, sample_rate: int) -> None:
        self._performance = performance
        self._resampler = Resampler(sample_rate, SAMPLE_RATE_HZ)
        self._looks: deque[Looks] = deque()
        self._sound = np.zeros(0, np.float32)
        self._is_closed = False
        self.num_heard = 0
        """Samples at 16 kHz that have been taken."""
        self.num_given = 0
        """Looks that were left behind."""

    @property
    def num_phrases(self) -> int:
        """Phrases that have begun, the earlier ones included."""
        return self._performance.num_phrases

    @property
    def num_waiting(self) -> int:
        """Samples that have been taken but not given."""
        return len(self._sound)

    @property
    def is_last(self) -> bool:
        """Whether the next look is the last one."""
        return self._is_closed and len(self._looks) == 1

    def hear(self, samples: Samples, ends: bool) -> None:
        """Take sound (n,) at the stream's rate; `ends` tells that there is no more."""
        self._sound = np.concatenate([self._sound, samples])
        self._perform(self._resampler.push(samples))
        if ends:
            self._perform(self._resampler.close())
            self._queue(self._performance.close())
            self._is_closed = True

    def look(self) -> Looks | None:
        """Next look, if the sound so far completes it; it stays until ``advance``."""
        return self._looks[0] if self._looks else None

    def advance(self, num_samples: int) -> Samples:
        """Leave the look behind, and return its sound (num_samples,), silence beyond the end."""
        self._looks.popleft()
        self.num_given += 1
        sound, self._sound = self._sound[:num_samples], self._sound[num_samples:]
        return np.pad(sound, (0, num_samples - len(sound)))

    def _perform(self, samples: Samples) -> None:
        self.num_heard += len(samples)
        self._queue(self._performance.push(np.clip(samples, -1.0, 1.0)))

    def _queue(self, looks: Looks) -> None:
        rows = looks.rows
        self._looks.extend(Looks.from_rows(rows[i : i + 1]) for i in range(len(rows)))
