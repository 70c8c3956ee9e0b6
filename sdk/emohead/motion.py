"""Head motion from the voice's onsets: seeded, smooth, the same however the sound is cut.

Each phrase draws a direction; onsets push the head along it; a critically damped spring brings it
back (paper 3.3). Not here: onset strength (``onset.py``), blinks (``life.py``), ``camera.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.onset import FPS, OnsetStream
from emohead.onset import LOOK_AHEAD_SAMPLES as ONSET_LOOK_AHEAD_SAMPLES

__all__ = [
    "AMPLITUDES",
    "FPS",
    "LOOK_AHEAD_SAMPLES",
    "HeadMotion",
    "Motion",
    "amplitude_of",
    "checked_seed",
    "frame_times",
    "still_motion",
]

AMPLITUDES: Final = {
    "neutral": 0.12,
    "calm": 0.18,
    "happy": 0.5,
    "sad": 0.35,
    "angry": 1.0,
    "fearful": 0.6,
    "disgust": 0.9,
    "surprised": 0.7,
}
"""How far each emotion moves the head, relative to the strongest."""
LARGEST_ANGLE: Final = math.radians(8.0)
"""Bound of each angle."""
THRESHOLD_DB: Final = 1.2
"""Onset strength below which the head is not pushed."""
CEILING_DB: Final = 6.0
"""Onset strength that pushes hardest: a start out of silence counts as a stressed word."""
PHRASE_GAP_FRAMES: Final = 8
"""Pause after which speech begins a new phrase."""
PHRASE_MAX_FRAMES: Final = 66
"""Longest phrase; a sentence without pauses changes direction too."""

_STIFFNESS: Final = 5.0
"""Natural frequency of the spring, rad/s: about a second back to rest."""
_GAIN: Final = 11 / 3
"""Acceleration, rad/s^2 and dB, at amplitude 1."""
_PUSH_SHAPE: Final = np.array([1.0, 3.0, 4.0, 3.0, 1.0]) / 12
"""An onset pushes for five video frames, softly."""
_DELAY: Final = len(_PUSH_SHAPE) // 2
LOOK_AHEAD_SAMPLES: Final = ONSET_LOOK_AHEAD_SAMPLES + _DELAY * SAMPLE_RATE_HZ // FPS
"""At most this much sound after a frame's own time is needed before the frame is given."""
_AXES: Final = np.array([0.9, 1.0, 0.5])
"""Relative reach in yaw, pitch and roll."""
_LEAN: Final = np.array([[0.0, 0.0, 0.12], [0.0, 0.0, 0.0], [0.0, -0.1, 0.0]])
"""Shift in canonical units per radian: the head leans sideways with roll, forwards with pitch."""

Array = NDArray[np.float64]
EmotionAt = Callable[[Array], NDArray[np.floating]]
"""Emotion vectors (N, 8) at times (N,), s."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Where the head is, frame by frame."""

    angles: Array
    """(T, 3) rad: yaw, pitch, roll relative to the portrait's pose."""
    shift: Array
    """(T, 3) canonical units."""

    def __len__(self) -> int:
        return len(self.angles)


def still_motion(num_frames: int) -> Motion:
    """No motion at all, for `num_frames` frames."""
    return Motion(angles=np.zeros((num_frames, 3)), shift=np.zeros((num_frames, 3)))


class HeadMotion:
    """Accumulator from sound to head motion at 30 frames a second.

    Parameters
    ----------
    emotion : (8,) floating, [0, 1], or callable
        Emotion vector s, which sets how far the head moves; or vectors (N, 8) at times (N,), s, as
        ``EmotionTrack.at`` gives them, asked frame by frame in order.
    seed : int, not negative
        Equal seeds, emotions and voices give equal motion.
    amount : float, not negative
        Factor on the pushes; 1 is the paper's rule, 0 holds the head still.
    first_phrase : int
        Number of the first phrase, for speech that goes on after a break.

    References
    ----------
    .. [1] Paper, section 3.3: onset strengths above a threshold, a random direction, velocity in
       step with the onsets.
    """

    def __init__(
        self,
        emotion: NDArray[np.floating] | EmotionAt,
        seed: int = 0,
        *,
        amount: float = 1.0,
        first_phrase: int = 0,
    ) -> None:
        self._emotion: EmotionAt | None = emotion if callable(emotion) else None
        self._amplitude = 1.0 if callable(emotion) else float(amplitude_of(emotion))
        self._num_frames = 0
        self._seed = checked_seed(seed)
        self._onsets = OnsetStream()
        self._pushes = np.zeros((len(_PUSH_SHAPE), 3))
        self._angles, self._speed = np.zeros(3), np.zeros(3)
        self._amount = amount
        self.num_phrases = first_phrase
        """Phrases that have begun, the earlier ones included."""
        self._phrase_frames = self._silent_frames = PHRASE_MAX_FRAMES
        self._direction = np.zeros(3)
        self._waiting = _DELAY

    def push(self, samples: NDArray[np.float32]) -> Motion:
        """Take sound and return the frames that it completes.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        Motion
        """
        return self._move(*self._onsets.push(samples))

    def close(self) -> Motion:
        """Return the rest: ``ceil(num_samples * 30 / 16000)`` frames were given in all."""
        strength, voiced = self._onsets.close()
        tail = np.zeros(_DELAY)
        return self._move(np.r_[strength, tail], np.r_[voiced, tail > 0])

    def _move(self, strength: Array, voiced: NDArray[np.bool_]) -> Motion:
        amplitudes = self._amplitudes(len(strength))
        given = zip(strength.tolist(), voiced.tolist(), amplitudes.tolist(), strict=True)
        frames = [self._frame(*frame) for frame in given]
        skipped = min(self._waiting, len(frames))
        self._waiting -= skipped
        angles = np.array(frames[skipped:]).reshape(-1, 3)
        bounded = LARGEST_ANGLE * np.tanh(angles / LARGEST_ANGLE)
        return Motion(angles=bounded, shift=bounded @ _LEAN.T)

    def _amplitudes(self, count: int) -> Array:
        """How far the next frames move; a frame is swung by as many frames late as it looks on."""
        first, self._num_frames = self._num_frames, self._num_frames + count
        if self._emotion is None:
            return np.full(count, self._amplitude)
        times = frame_times(count, first - _DELAY)
        return np.asarray(amplitude_of(self._emotion(np.maximum(times, 0.0))))

    def _frame(self, strength: float, voiced: bool, amplitude: float) -> Array:
        """Push and swing for one frame; the result lags by the look-ahead of the push's shape."""
        self._follow_phrases(voiced)
        force = min(strength, CEILING_DB) if strength > THRESHOLD_DB else 0.0
        self._pushes = np.concatenate([self._pushes[1:], (force * self._direction)[None]])
        self._swing(self._amount * amplitude * _GAIN * _AXES * (_PUSH_SHAPE @ self._pushes))
        return self._angles.copy()

    def _follow_phrases(self, voiced: bool) -> None:
        """Draw a new direction where a phrase begins."""
        begins = voiced and (
            self._silent_frames >= PHRASE_GAP_FRAMES or self._phrase_frames >= PHRASE_MAX_FRAMES
        )
        if begins:
            drawn = np.random.default_rng([self._seed, self.num_phrases]).normal(size=3)
            self._direction = drawn / np.linalg.norm(drawn)
            self.num_phrases += 1
            self._phrase_frames = 0
        self._phrase_frames += 1
        self._silent_frames = 0 if voiced else self._silent_frames + 1

    def _swing(self, acceleration: Array) -> None:
        """Move the critically damped spring by one frame, exactly for a constant push."""
        rest = acceleration / _STIFFNESS**2
        away = self._angles - rest
        drift = self._speed + _STIFFNESS * away
        decay = math.exp(-_STIFFNESS / FPS)
        self._angles = rest + decay * (away + drift / FPS)
        self._speed = decay * (drift - _STIFFNESS * (away + drift / FPS))


def amplitude_of(emotion: NDArray[np.floating]) -> Array:
    """Blend ``AMPLITUDES`` by emotion vectors.

    Parameters
    ----------
    emotion : (..., 8) floating, [0, 1]

    Returns
    -------
    (...) float64, [0, 1]
        Neutral takes what the others leave of one.

    Raises
    ------
    InputError
        Vectors of another length, or values that are not finite or outside [0, 1].
    """
    weights = np.asarray(emotion, np.float64)
    fits = weights.shape[-1:] == (len(EMOTIONS),)
    if not (fits and bool(((weights >= 0) & (weights <= 1)).all())):
        raise InputError(
            f"expected an emotion of {len(EMOTIONS)} weights in [0, 1], got {weights!r}; "
            "pass Emotion.weights"
        )
    moving = weights[..., 1:] / np.maximum(1.0, weights[..., 1:].sum(-1, keepdims=True))
    rest = AMPLITUDES[EMOTIONS[0]]
    extra = np.array([AMPLITUDES[name] - rest for name in EMOTIONS[1:]])
    # Row by row, because the sums inside a product of matrices may depend on their height.
    return np.asarray(rest + (moving * extra).sum(-1))


def frame_times(count: int, first: int = 0) -> Array:
    """Give the middles (count,), s, of frames at 30 a second, from frame `first` on."""
    return (np.arange(first, first + count) + 0.5) / FPS


def checked_seed(seed: int) -> int:
    """Return `seed`; raises InputError for a negative one."""
    if seed < 0:
        raise InputError(f"expected a seed of 0 or more, got {seed}")
    return int(seed)
