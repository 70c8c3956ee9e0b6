"""Mel spectrograms: the streaming 80-band one of the content encoder, the 128-band one of emotion.

numpy only, and equal to librosa's (the tests prove it) without the seconds that librosa's first
use costs. Called by ``lips.py``, ``onset.py``, ``emotion/windows.py`` and the training corpora.
Not here: decoding of sound (``audio.py``) and what the networks make of the bands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.errors import InputError
from emohead.stages import NUM_LOG_MEL_BANDS, NUM_MEL_BANDS

__all__ = [
    "CONTENT_HOP",
    "MelFrames",
    "MelSettings",
    "MelStream",
    "content_mel",
    "decibels",
    "hann",
    "log_mel_128",
    "mel_filters",
    "mel_power",
]


CONTENT_HOP: Final = 256
"""Samples between two frames of the content mel: 62.5 frames a second."""
BLOCK_FRAMES: Final = 8
"""Frames computed at a time; fixed, so that no sum depends on how the sound was cut."""
MIN_POWER: Final = 1e-10

RANGE_DB: Final = 80.0
"""Span of band power that the unit interval covers."""
HEADROOM_DB: Final = 30.0
"""How far a band of loud speech stands above the frame level that is followed."""
START_LEVEL_DB: Final = -30.0
"""Level that a stream is taken to have before anything louder was heard."""
RELEASE_DB_PER_S: Final = 2.0
SPEECH_RANGE_DB: Final = 30.0
"""Frames further below the reference are pauses and do not lower it."""
START_FLOOR_DB: Final = -65.0
FLOOR_RISE_DB_PER_S: Final = 12.0
"""Steady noise is known as such once the floor has risen to it; speech keeps dipping below."""


@dataclass(frozen=True, kw_only=True)
class MelSettings:
    """Analysis parameters of a mel spectrogram at 16 kHz."""

    num_bands: int
    """Mel bands."""
    n_fft: int
    """Window and transform length in samples."""
    hop: int
    """Samples between frames."""
    fmin_hz: float = 0.0
    """Lower edge of the lowest band."""
    fmax_hz: float = SAMPLE_RATE_HZ / 2
    """Upper edge of the highest band."""


CONTENT_SETTINGS: Final = MelSettings(
    num_bands=NUM_MEL_BANDS, n_fft=1024, hop=CONTENT_HOP, fmin_hz=90.0, fmax_hz=7600.0
)
EMOTION_SETTINGS: Final = MelSettings(num_bands=NUM_LOG_MEL_BANDS, n_fft=2048, hop=512)


def _mel_from_hz(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: linear to 1 kHz, logarithmic above."""
    linear = hz * 3 / 200
    above = 15 + np.log(np.maximum(hz, 1000.0) / 1000.0) * 27 / np.log(6.4)
    return np.where(hz < 1000.0, linear, above)


def _hz_from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000.0 * np.exp((mel - 15) * np.log(6.4) / 27))


@cache
def mel_filters(settings: MelSettings) -> NDArray[np.float32]:
    """Triangular filters of equal area on Slaney's mel scale.

    Parameters
    ----------
    settings : MelSettings
        Bands, transform length and edges.

    Returns
    -------
    (num_bands, n_fft // 2 + 1) float32 ndarray, read-only
        Equal to ``librosa.filters.mel`` with its defaults.
    """
    edges = _mel_from_hz(np.array([settings.fmin_hz, settings.fmax_hz]))
    hz = _hz_from_mel(np.linspace(edges[0], edges[1], settings.num_bands + 2))
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, settings.n_fft // 2 + 1)
    rising = (bins - hz[:-2, None]) / np.diff(hz)[:-1, None]
    falling = (hz[2:, None] - bins) / np.diff(hz)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (hz[2:] - hz[:-2]))[:, None]
    result = filters.astype(np.float32)
    result.setflags(write=False)
    return result


@cache
def hann(length: int) -> NDArray[np.float64]:
    """Periodic Hann window (length,) float64, read-only."""
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    window.setflags(write=False)
    return window


@cache
def _window(length: int) -> NDArray[np.float32]:
    return hann(length).astype(np.float32)


def decibels(power: NDArray[np.floating]) -> NDArray[np.floating]:
    """Level of power.

    Parameters
    ----------
    power : (...) floating, re full scale

    Returns
    -------
    (...) floating, dB re full scale, at least -100
        Of the same type.
    """
    return np.asarray(10 * np.log10(np.maximum(power, MIN_POWER)))


def _block_power(frames: NDArray[np.float32], settings: MelSettings) -> NDArray[np.float32]:
    """Mel power of exactly ``BLOCK_FRAMES`` windows of sound."""
    spectrum = np.fft.rfft(frames * _window(settings.n_fft))
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(power @ mel_filters(settings).T, np.float32)


def mel_power(samples: NDArray[np.float32], settings: MelSettings) -> NDArray[np.float32]:
    """Mel power spectrogram of a whole clip.

    Parameters
    ----------
    samples : (n,) float32, mono, [-1, 1], 16 kHz
    settings : MelSettings

    Returns
    -------
    (1 + n // hop, num_bands) float32 ndarray
        Frame m is centred on sample ``hop * m``; beyond the ends the sound is zero.
    """
    stream = _PowerStream(settings)
    return np.concatenate([stream.push(samples)[0], stream.close()[0]])


def log_mel_128(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel spectrogram that the emotion encoder reads.

    Parameters
    ----------
    samples : (n,) float32, mono, [-1, 1], 16 kHz

    Returns
    -------
    (128, 1 + n // 512) float32 ndarray, dB re full scale, at least -100
        Not normalised to any level.

    References
    ----------
    .. [1] Paper, section 3.2.
    """
    power = mel_power(samples, EMOTION_SETTINGS)
    return np.ascontiguousarray(decibels(power).T, np.float32)


class _PowerStream:
    """Cuts sound into windows on a fixed grid and turns full blocks of them into mel power."""

    def __init__(self, settings: MelSettings) -> None:
        self.settings = settings
        self._pending = np.zeros(settings.n_fft // 2, np.float32)
        self._num_samples = 0
        self._num_frames = 0

    def push(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Take sound; return the new frames' (T, bands) power and (T,) mean square."""
        sound = np.asarray(samples, np.float32)
        if sound.ndim != 1:
            raise InputError(
                f"expected mono sound of shape (n,), got {sound.shape}; mix the channels down first"
            )
        self._num_samples += len(sound)
        self._pending = np.concatenate([self._pending, sound])
        return self._drain()

    def close(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the frames that were waiting for sound, with zeros in its place."""
        total = 1 + self._num_samples // self.settings.hop
        missing = total - self._num_frames
        tail = BLOCK_FRAMES * self.settings.hop + self.settings.n_fft
        self._pending = np.concatenate([self._pending, np.zeros(tail, np.float32)])
        power, square = self._drain()
        return power[:missing], square[:missing]

    def _drain(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        hop, n_fft = self.settings.hop, self.settings.n_fft
        step = BLOCK_FRAMES * hop
        num_blocks = max(0, (len(self._pending) - n_fft + hop) // step)
        if not num_blocks:
            return np.zeros((0, self.settings.num_bands), np.float32), np.zeros(0, np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(self._pending, n_fft)[::hop]
        blocks = [
            windows[i : i + BLOCK_FRAMES] for i in range(0, num_blocks * BLOCK_FRAMES, BLOCK_FRAMES)
        ]
        power = np.concatenate([_block_power(b, self.settings) for b in blocks])
        square = np.concatenate([_mean_square(b) for b in blocks])
        self._pending = self._pending[num_blocks * step :].copy()
        self._num_frames += len(power)
        return power, square


def _mean_square(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean square of windowed sound, in full-scale units."""
    window = _window(frames.shape[1])
    return np.asarray(((frames * window) ** 2).sum(1) / (window**2).sum(), np.float32)


@dataclass(frozen=True, kw_only=True)
class MelFrames:
    """Consecutive frames of the content mel and how loud they are."""

    mel: NDArray[np.float32]
    """(T, 80) log power relative to the speaker's level, in [0, 1]."""
    level_db: NDArray[np.float32]
    """(T,) loudness re full scale, at least -100."""
    reference_db: NDArray[np.float32]
    """(T,) level of the loudest speech heard lately, re full scale."""
    floor_db: NDArray[np.float32]
    """(T,) level of the background, re full scale."""


@dataclass(kw_only=True)
class MelStream:
    """Accumulator from sound to the content mel; results do not depend on the chunking.

    The level is followed causally: it rises at once with louder sound and sinks slowly while
    somebody speaks, so quiet and loud recordings look alike without hearing the clip first.
    """

    reference_db: float = START_LEVEL_DB
    """Level reference after the last frame, dB re full scale."""
    floor_db: float = START_FLOOR_DB
    """Background level after the last frame, dB re full scale."""
    _power: _PowerStream = field(default_factory=lambda: _PowerStream(CONTENT_SETTINGS))

    def push(self, samples: NDArray[np.float32]) -> MelFrames:
        """Take sound and return the frames that it completes.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        MelFrames
        """
        return self._frames(*self._power.push(samples))

    def close(self) -> MelFrames:
        """Return the remaining frames; in all ``1 + num_samples // 256`` were given."""
        return self._frames(*self._power.close())

    def _frames(self, power: NDArray[np.float32], square: NDArray[np.float32]) -> MelFrames:
        level = np.asarray(decibels(square), np.float32)
        reference = self._follow(level)
        mel = (decibels(power) - reference[:, None] - HEADROOM_DB) / RANGE_DB + 1
        return MelFrames(
            mel=np.clip(mel, 0, 1).astype(np.float32),
            level_db=level,
            reference_db=reference,
            floor_db=self._follow_floor(level),
        )

    def _follow(self, level_db: NDArray[np.float32]) -> NDArray[np.float32]:
        """Peak follower with instant attack, slow release, and hold in pauses."""
        release = RELEASE_DB_PER_S * CONTENT_HOP / SAMPLE_RATE_HZ
        reference = np.empty(len(level_db), np.float32)
        current = self.reference_db
        for i, level in enumerate(level_db.tolist()):
            if level > current:
                current = level
            elif level > current - SPEECH_RANGE_DB:
                current -= release
            reference[i] = current
        self.reference_db = current
        return reference

    def _follow_floor(self, level_db: NDArray[np.float32]) -> NDArray[np.float32]:
        """Minimum follower that drops at once and rises slowly."""
        rise = FLOOR_RISE_DB_PER_S * CONTENT_HOP / SAMPLE_RATE_HZ
        floor = np.empty(len(level_db), np.float32)
        current = self.floor_db
        for i, level in enumerate(level_db.tolist()):
            current = min(level, current + rise)
            floor[i] = current
        self.floor_db = current
        return floor


def content_mel(samples: NDArray[np.float32]) -> MelFrames:
    """Content mel of a whole clip: one push and close.

    Parameters
    ----------
    samples : (n,) float32, mono, [-1, 1], 16 kHz

    Returns
    -------
    MelFrames
        ``1 + n // 256`` frames.
    """
    stream = MelStream()
    first, rest = stream.push(samples), stream.close()
    both = {f.name: [getattr(x, f.name) for x in (first, rest)] for f in fields(MelFrames)}
    return MelFrames(**{name: np.concatenate(parts) for name, parts in both.items()})
