"""Lips against sound: lag, closure on p, b and m, quiver in silence.

Pure functions of signals at 30 frames a second. Called by ``lips.py`` and ``from_audio.py``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.geometry.landmarks import MOUTH
from emohead.stages import MOTION_FPS
from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.voice.lip_scores import correlation
from emohead_training.voice.phonemes import PHONEMES

__all__ = ["BILABIALS", "VOWELS", "closures", "envelope", "lag_frames", "quiver", "room_noise"]

BILABIALS: Final = frozenset(PHONEMES.index(name) for name in ("p", "b", "m"))
"""Sounds that need closed lips, as indices into ``PHONEMES``."""
VOWELS: Final = frozenset(i for i, name in enumerate(PHONEMES) if name[0] in "aeiou")
"""Sounds that need open lips."""

_FLOOR: Final = 1e-4
"""Amplitude that counts as silence, -80 dB."""

Signal = NDArray[np.floating]


def lag_frames(
    signal: Signal, reference: Signal, reach: int = PROTOCOL.max_lag_frames
) -> int | None:
    """Find by how many frames a signal is late.

    Parameters
    ----------
    signal, reference : (N,) floating
    reach : int
        Largest lag tried, to both sides.

    Returns
    -------
    int or None
        The lag with the largest correlation; positive where `signal` follows `reference`. None
        for signals that do not move or are shorter than three times `reach`.
    """
    count = min(len(signal), len(reference))
    a, b = (np.asarray(x[:count], np.float64) for x in (signal, reference))
    if count < 3 * reach or a.std() < 1e-9 or b.std() < 1e-9:
        return None
    lags = range(-reach, reach + 1)
    found = [
        correlation(a[max(lag, 0) : count + min(lag, 0)], b[max(-lag, 0) : count - max(lag, 0)])
        for lag in lags
    ]
    return lags[int(np.argmax(found))]


def envelope(samples: Signal, num_frames: int) -> NDArray[np.float64]:
    """Loudness at video rate.

    Parameters
    ----------
    samples : (n,) floating, mono, 16 kHz
    num_frames : int

    Returns
    -------
    (num_frames,) float64, dB
        Root mean square of each frame's stretch of sound; -80 beyond its end.
    """
    edges = np.arange(num_frames + 1) * SAMPLE_RATE_HZ // MOTION_FPS
    squares = np.concatenate(([0.0], np.cumsum(np.square(np.asarray(samples, np.float64)))))
    ends = np.minimum(edges, len(samples))
    power = np.diff(squares[ends]) / np.maximum(np.diff(ends), 1)
    return np.asarray(20 * np.log10(np.maximum(np.sqrt(power), _FLOOR)), np.float64)


def closures(
    gaps: Signal, phonemes: NDArray[np.int64], starts_s: Signal, kinds: frozenset[int]
) -> list[bool]:
    """Tell for each sound of some kinds whether the lips close during it.

    Parameters
    ----------
    gaps : (N,) floating, canonical units
        Inner-lip gap above that of the portrait's closed mouth.
    phonemes : (P,) int64, indices into ``PHONEMES``
    starts_s : (P,) floating, seconds
        A sound lasts until the next begins, the last one until the end.
    kinds : frozenset of int

    Returns
    -------
    list of bool
        Whether the smallest gap within the sound, and ``closure_reach_frames`` around it, is at
        most ``closed_gap``.
    """
    ends_s = np.append(starts_s[1:], len(gaps) / MOTION_FPS)
    reach = PROTOCOL.closure_reach_frames
    closed = []
    for phoneme, start, end in zip(phonemes, starts_s, ends_s, strict=True):
        first = max(0, int(np.floor(start * MOTION_FPS)) - reach)
        span = gaps[first : int(np.ceil(end * MOTION_FPS)) + reach]
        if int(phoneme) in kinds and len(span):
            closed.append(bool(span.min() <= PROTOCOL.closed_gap))
    return closed


def quiver(landmarks: Signal) -> float:
    """Measure how much a mouth trembles: its points' deviation in time, mean over the points.

    Parameters
    ----------
    landmarks : (N, 68, 3) floating, canonical units

    Returns
    -------
    float, canonical units
    """
    mouth = np.asarray(landmarks, np.float64)[:, list(MOUTH)]
    return float(np.sqrt(mouth.var(0).sum(-1)).mean())


def room_noise(seconds: float, dbfs: float, seed: int) -> NDArray[np.float32]:
    """White noise (n,) float32 at 16 kHz with the given root mean square."""
    count = round(seconds * SAMPLE_RATE_HZ)
    noise = np.random.default_rng(seed).normal(scale=10 ** (dbfs / 20), size=count)
    return noise.astype(np.float32)
