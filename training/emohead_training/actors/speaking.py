"""Phoneme times to facial actions: targets blended by dominance, lips that truly close.

Every sound pulls the mouth towards its viseme with a strength that fades on both sides; closures
are then solved for the person's own lips. Not here: the poses (``visemes.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead_training.actors.actions import ACTION_INDEX, NUM_ACTIONS
from emohead_training.actors.faces import LipGap
from emohead_training.actors.visemes import CLOSED, POSES, STRENGTH, TEETH_ON_LIP
from emohead_training.voice.phonemes import SILENCE

__all__ = ["Articulation", "SpeechStyle", "articulate", "closure", "with_lips_closed"]

_REACH_S: Final = 0.055
"""How far a sound's pull reaches beyond its own edges before it has fallen to 1/e."""
_CLOSURE_RAMP_S: Final = 0.045
_TEETH_GAP_MM: Final = 1.0
_SILENCE_AFTER_S: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class SpeechStyle:
    """How an actor articulates."""

    amplitude: float = 1.0
    """Size of all movements; mumbling 0.7, theatre 1.7."""
    rounding: float = 1.0
    """Extra share of pucker and funnel."""
    spread: float = 1.0
    """Extra share of stretch and smile."""
    sharpness: float = 1.0
    """How fast the mouth moves between sounds; larger is crisper."""


@dataclass(frozen=True, kw_only=True)
class Articulation:
    """What speech asks of a face, before the person's lips are closed."""

    actions: NDArray[np.float32]
    """(N, 52) blended viseme targets."""
    touch: NDArray[np.float64]
    """(N,) 1 where the lips must meet: on p, b, m and in silence."""
    teeth: NDArray[np.float64]
    """(N,) 1 where the lower lip must reach the upper teeth: on f, v."""


def _ends(starts_s: NDArray[np.floating], seconds: float) -> NDArray[np.float64]:
    following = np.append(np.asarray(starts_s[1:], np.float64), seconds)
    return np.maximum(following, starts_s)


def _distance(
    times_s: NDArray[np.float64], starts_s: NDArray[np.floating], ends_s: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Seconds from each time (N, 1) to each sound (P,), zero inside."""
    return np.maximum(np.maximum(starts_s - times_s[:, None], times_s[:, None] - ends_s), 0.0)


def closure(
    times_s: NDArray[np.float64],
    starts_s: NDArray[np.floating],
    ends_s: NDArray[np.floating],
    chosen: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """How firmly some sounds hold their contact.

    Parameters
    ----------
    times_s : (N,) float64
    starts_s, ends_s : (P,) floating, s
    chosen : (P,) bool
        Sounds that make the contact.

    Returns
    -------
    (N,) float64, [0, 1]
        One while such a sound lasts, falling smoothly to zero around it.
    """
    if not chosen.any():
        return np.zeros(len(times_s))
    far = _distance(times_s, starts_s[chosen], ends_s[chosen]).min(1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.minimum(far / _CLOSURE_RAMP_S, 1.0)))


def articulate(
    starts_s: NDArray[np.floating],
    phonemes: NDArray[np.integer],
    seconds: float,
    fps: float,
    style: SpeechStyle | None = None,
) -> Articulation:
    """Move a neutral face to the sounds of speech.

    Parameters
    ----------
    starts_s : (P,) floating
        Ascending start times of the sounds.
    phonemes : (P,) integer
        Indices into ``PHONEMES``.
    seconds : float
        Length of the sound.
    fps : float
        Frames a second; frame n shows time ``n / fps``.
    style : SpeechStyle, optional

    Returns
    -------
    Articulation
        Of ``round(seconds * fps)`` frames.

    References
    ----------
    .. [1] Cohen and Massaro, Modeling coarticulation in synthetic visual speech, 1993: the pose is
       the mean of all targets, each weighted by a dominance that falls exponentially with time.
    """
    style = style or SpeechStyle()
    times = np.arange(round(seconds * fps)) / fps
    starts, sounds = np.asarray(starts_s, np.float64), np.asarray(phonemes)
    if not len(starts) or starts[0] > 0:
        starts, sounds = np.append(0.0, starts), np.append(SILENCE, sounds)
    ends = _ends(starts, seconds)
    pull = STRENGTH[sounds] * np.exp(-_distance(times, starts, ends) * style.sharpness / _REACH_S)
    targets = POSES[sounds] * _style_gains(style)
    resting = (sounds == SILENCE) & (ends - starts > _SILENCE_AFTER_S)
    inner = np.where(resting & (starts > 0), starts + _SILENCE_AFTER_S / 2, starts)
    touch = closure(times, starts, ends, CLOSED[sounds])
    return Articulation(
        actions=np.asarray(pull @ targets / pull.sum(1, keepdims=True), np.float32),
        touch=np.maximum(touch, closure(times, inner, ends, resting)),
        teeth=closure(times, starts, ends, TEETH_ON_LIP[sounds]),
    )


def _style_gains(style: SpeechStyle) -> NDArray[np.float32]:
    gains = np.full(NUM_ACTIONS, style.amplitude, np.float32)
    for names, gain in (
        (("mouthPucker", "mouthFunnel"), style.rounding),
        (("mouthStretchLeft", "mouthStretchRight"), style.spread),
        (("mouthSmileLeft", "mouthSmileRight"), style.spread),
    ):
        gains[[ACTION_INDEX[n] for n in names]] *= gain
    return gains


def with_lips_closed(
    actions: NDArray[np.float32],
    gap: LipGap,
    touch: NDArray[np.floating],
    teeth: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Correct mouthClose so that lips meet where they must and never overlap.

    Parameters
    ----------
    actions : (N, 52) float32
    gap : LipGap
        The actor's lips.
    touch : (N,) floating, [0, 1]
        1 where the lips must meet.
    teeth : (N,) floating, [0, 1]
        1 where the lower lip must come within a millimetre of the upper teeth.

    Returns
    -------
    (N, 52) float32 ndarray
        Linear, so exact: a gap of zero at `touch` 1, and nowhere below zero.
    """
    corrected = actions.copy()
    distance = gap.of(actions)
    apart = np.maximum(distance, 0.0)
    wanted = apart + teeth * (np.minimum(apart, _TEETH_GAP_MM) - apart)
    wanted = wanted * (1.0 - touch)
    close = ACTION_INDEX["mouthClose"]
    corrected[:, close] += np.asarray((wanted - distance) / gap.slopes[close], np.float32)
    return corrected
