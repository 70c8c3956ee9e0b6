"""Sound as callers have it: any rate, bytes or arrays, integers or floats.

Called by ``stream.py``, ``speech_queue.py`` and ``utterance.py``. Not here: files (``audio.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emohead.audio import check_samples, mono_from_array, new_resampler
from emohead.errors import InputError

__all__ = ["Resampler", "resampling_s", "samples_from_pcm"]

Samples = NDArray[np.float32]
_WHAT = "the sound pushed"


def samples_from_pcm(pcm: ArrayLike | bytes | bytearray | memoryview) -> Samples:
    """Take a chunk of sound.

    Parameters
    ----------
    pcm : (n,) or (n, channels) array_like, or bytes
        Floating point in [-1, 1], or integers over the full range of their type; bytes are mono
        int16 in little-endian order.

    Returns
    -------
    (n,) float32
        Channels averaged.

    Raises
    ------
    InputError
        For another shape or type, half a sample, or values that are not finite.
    """
    if isinstance(pcm, bytes | bytearray | memoryview):
        raw = bytes(pcm)
        if len(raw) % 2:
            raise InputError(f"expected whole int16 samples, got {len(raw)} bytes: send two each")
        pcm = np.frombuffer(raw, "<i2")
    mono = mono_from_array(pcm)
    check_samples(mono, _WHAT)
    return mono


class Resampler:
    """Accumulator from one rate to another; results do not depend on the chunking.

    Parameters
    ----------
    from_rate, to_rate : int
        Samples a second, 1,000 to 768,000.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self.from_rate, self.to_rate = from_rate, to_rate
        stream = new_resampler(from_rate, _WHAT, to_rate)
        self._stream = None if from_rate == to_rate else stream
        self._taken = self._given = 0

    def push(self, samples: Samples) -> Samples:
        """Take sound (n,) and return what it completes at the other rate."""
        self._taken += len(samples)
        made = samples if self._stream is None else self._stream.resample_chunk(samples)
        self._given += len(made)
        return np.asarray(made, np.float32)

    def close(self) -> Samples:
        """Return the rest: ``ceil(n * to_rate / from_rate)`` samples were given in all."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        wanted = -(-self._taken * self.to_rate // self.from_rate) - self._given
        made = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)[:wanted]
        return np.pad(made, (0, wanted - len(made)))


def resampling_s(from_rate: int, to_rate: int) -> float:
    """Longest time, s, that the resampler holds sound back, found by trying."""
    resampler, step = Resampler(from_rate, to_rate), max(1, from_rate // 100)
    longest, given = 0.0, 0
    for end in range(step, from_rate + 1, step):
        # Just before the chunk came, its first sample had been waiting for all of it.
        longest = max(longest, end / from_rate - given / to_rate)
        given += len(resampler.push(np.zeros(step, np.float32)))
    return 0.0 if from_rate == to_rate else longest
