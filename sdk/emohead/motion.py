"""Head motion from the voice's onsets, and blinks: seeded, smooth, the same however sound is cut.

Each phrase draws a direction; onsets push the head along it; a critically damped spring brings it
back (paper 3.3). Not here: onset strength (``onset.py``) and turning points (``camera.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.geometry.landmarks import EYELID_PAIRS
from emohead.onset import FPS, OnsetStream
from emohead.stages import NUM_LANDMARKS

__all__ = ["AMPLITUDES", "FPS", "HeadMotion", "Motion", "apply_blink", "blinks", "still_motion"]

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
_GAIN: Final = 4.0
"""Acceleration, rad/s^2 and dB, at amplitude 1."""
_PUSH_SHAPE: Final = np.array([1.0, 3.0, 4.0, 3.0, 1.0]) / 12
"""An onset pushes for five video frames, softly."""
_DELAY: Final = len(_PUSH_SHAPE) // 2
_AXES: Final = np.array([0.9, 1.0, 0.5])
"""Relative reach in yaw, pitch and roll."""
_LEAN: Final = np.array([[0.0, 0.0, 0.12], [0.0, 0.0, 0.0], [0.0, -0.1, 0.0]])
"""Shift in canonical units per radian: the head leans sideways with roll, forwards with pitch."""

_BLINK_PAUSE_S: Final = (2.6, 5.4)
_BLINK_LENGTH_S: Final = (0.15, 0.25)
_FIRST_BLINK_S: Final = (0.7, 2.5)
_CLOSING_SHARE: Final = 0.4
_LID_TRAVEL: Final = (0.85, 0.1)
"""Shares of the eye's opening that the upper lid sinks and the lower lid rises in a full blink."""

Array = NDArray[np.float64]


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
    """No motion at all."""
    return Motion(angles=np.zeros((num_frames, 3)), shift=np.zeros((num_frames, 3)))


class HeadMotion:
    """Accumulator from sound to head motion at 30 frames a second.

    Parameters
    ----------
    emotion : (8,) floating, [0, 1]
        Emotion vector s; sets how far the head moves.
    seed : int, not negative
        Equal seeds, emotions and voices give equal motion.

    References
    ----------
    .. [1] Paper, section 3.3.
    """

    def __init__(self, emotion: NDArray[np.floating], seed: int = 0) -> None:
        self._amplitude = amplitude_of(emotion)
        self._seed = _checked_seed(seed)
        self._onsets = OnsetStream()
        self._pushes = np.zeros((2 * _DELAY, 3))
        self._angles, self._speed = np.zeros(3), np.zeros(3)
        self._num_phrases = 0
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
        frames = [self._frame(float(s), bool(v)) for s, v in zip(strength, voiced, strict=True)]
        skipped = min(self._waiting, len(frames))
        self._waiting -= skipped
        angles = np.array(frames[skipped:]).reshape(-1, 3)
        bounded = LARGEST_ANGLE * np.tanh(angles / LARGEST_ANGLE)
        return Motion(angles=bounded, shift=bounded @ _LEAN.T)

    def _frame(self, strength: float, voiced: bool) -> Array:
        """Push and swing for one frame; the result lags by the look-ahead of the push's shape."""
        self._follow_phrases(voiced)
        force = min(strength, CEILING_DB) if strength > THRESHOLD_DB else 0.0
        self._pushes = np.concatenate([self._pushes[1:], (force * self._direction)[None]])
        padded = self._pushes[-len(_PUSH_SHAPE) + 1 :]
        smooth = _PUSH_SHAPE[: len(padded)] @ padded
        self._swing(self._amplitude * _GAIN * _AXES * smooth)
        return self._angles.copy()

    def _follow_phrases(self, voiced: bool) -> None:
        """Draw a new direction where a phrase begins."""
        begins = voiced and (
            self._silent_frames >= PHRASE_GAP_FRAMES or self._phrase_frames >= PHRASE_MAX_FRAMES
        )
        if begins:
            drawn = np.random.default_rng([self._seed, self._num_phrases]).normal(size=3)
            self._direction = drawn / np.linalg.norm(drawn)
            self._num_phrases += 1
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


def amplitude_of(emotion: NDArray[np.floating]) -> float:
    """Blend ``AMPLITUDES`` by an emotion vector.

    Parameters
    ----------
    emotion : (8,) floating, [0, 1]

    Returns
    -------
    float, [0, 1]
        Neutral takes what the others leave of one.

    Raises
    ------
    InputError
        A vector of another shape, or values that are not finite or outside [0, 1].
    """
    weights = np.asarray(emotion, np.float64)
    inside = weights.shape == (len(EMOTIONS),) and bool(((weights >= 0) & (weights <= 1)).all())
    if not inside:
        raise InputError(
            f"expected an emotion of {len(EMOTIONS)} weights in [0, 1], got {weights!r}; "
            "pass Emotion.weights"
        )
    moving = weights[1:] / max(1.0, float(weights[1:].sum()))
    rest = AMPLITUDES[EMOTIONS[0]]
    extra = np.array([AMPLITUDES[name] - rest for name in EMOTIONS[1:]])
    return rest + float(moving @ extra)


def blinks(num_frames: int, seed: int = 0, fps: float = FPS) -> Array:
    """How closed the eyes are, frame by frame.

    Parameters
    ----------
    num_frames : int
    seed : int, not negative
        Equal seeds blink at equal times; a longer signal begins like a shorter one.
    fps : float, positive

    Returns
    -------
    (num_frames,) float64, [0, 1]
        Mostly 0; a blink of 150 to 250 ms about every four seconds.
    """
    rng = np.random.default_rng([_checked_seed(seed), 0xB11])
    times: Array = (np.arange(num_frames, dtype=np.float64) + 0.5) / fps
    closed = np.zeros(num_frames)
    start = rng.uniform(*_FIRST_BLINK_S)
    while num_frames and start < times[-1]:
        length = rng.uniform(*_BLINK_LENGTH_S)
        closed = np.maximum(closed, _one_blink(np.asarray((times - start) / length)))
        start += length + rng.uniform(*_BLINK_PAUSE_S)
    return closed


def _one_blink(phase: Array) -> Array:
    """Evaluate a raised cosine over [0, 1] that closes faster than it opens."""
    closing = phase / _CLOSING_SHARE
    opening = (1 - phase) / (1 - _CLOSING_SHARE)
    inside = np.clip(np.minimum(closing, opening), 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * inside)


def apply_blink(canonical: NDArray[np.floating], closed: NDArray[np.floating]) -> Array:
    """Close the eyes.

    Parameters
    ----------
    canonical : (N, 68, 3) floating, canonical units
    closed : (N,) floating, [0, 1]
        0 leaves the eyes as they are, 1 closes them.

    Returns
    -------
    (N, 68, 3) float64, canonical units
        Upper lids sink towards the lower ones, which rise a little; lids never cross.
    """
    faces = np.array(canonical, np.float64)
    if (
        faces.ndim != 3
        or faces.shape[1:] != (NUM_LANDMARKS, 3)
        or np.shape(closed) != faces.shape[:1]
    ):
        raise InputError(
            f"expected (N, {NUM_LANDMARKS}, 3) faces and (N,) blinks, got {faces.shape} and "
            f"{np.shape(closed)}; give one value per frame"
        )
    upper, lower = (list(side) for side in zip(*EYELID_PAIRS, strict=True))
    amount = np.clip(np.asarray(closed, np.float64), 0, 1)[:, None, None]
    opening = faces[:, lower] - faces[:, upper]
    sinks, rises = _LID_TRAVEL
    faces[:, upper] += amount * sinks * opening
    faces[:, lower] -= amount * rises * opening
    return faces


def _checked_seed(seed: int) -> int:
    if seed < 0:
        raise InputError(f"expected a seed of 0 or more, got {seed}")
    return int(seed)
