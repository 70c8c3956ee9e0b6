"""Life of the eyes where the voice gives none: blinks and glances, seeded.

Pure functions of time and seed, so any chunking gives the same eyes; they move canonical landmarks
after stylisation. Called by ``liveliness.py``. Not here: emotion, and head motion (``motion.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.geometry.landmarks import EYELID_PAIRS
from emohead.motion import checked_seed
from emohead.stages import NUM_LANDMARKS

__all__ = [
    "BLINK_RATE",
    "GAZE",
    "MAX_BLINK_RATE",
    "apply_blink",
    "apply_gaze",
    "blinks",
    "check_life",
    "glances",
]

BLINK_RATE: Final = 17.0
"""Blinks a minute of people at rest [1]_; in conversation they blink more often."""
MAX_BLINK_RATE: Final = 40.0
"""Beyond this a face looks ill."""
GAZE: Final = 0.5
"""Default of how far the eyes wander, [0, 1]."""

_BLOCK_S: Final = 60.0
"""Each minute draws its own events, so that no time depends on how one came there."""
_BLINK_LENGTH_S: Final = (0.2, 0.4)
_PAUSE_SPREAD: Final = 0.6
"""Standard deviation of the pauses' logarithm: many short ones, a few long ones [2]_."""
_SHORTEST_PAUSE_S: Final = 0.4
_CLOSING_SHARE: Final = 0.35
"""The lid falls about twice as fast as it rises [3]_."""
_LID_TRAVEL: Final = (0.85, 0.1)
"""Shares of the eye's opening that the upper lid sinks and the lower lid rises in a full blink."""

_REST_S: Final = 1.6
"""Mean time that the eyes rest on the viewer."""
_AWAY_S: Final = 0.7
"""Mean time of a glance away."""
_FIXATION_SPREAD: Final = 0.5
_SHORTEST_FIXATION_S: Final = 0.25
_SACCADE_S: Final = 0.06
_REACH: Final = (0.034, 0.02)
"""Largest shift of the lids, sideways and vertically, canonical units."""
_LOWER_LID_FOLLOWS: Final = 0.6
"""Share of a vertical glance that the lower lid takes part in; the upper one follows fully [4]_."""

Array = NDArray[np.float64]


def check_life(blink_rate: float, gaze: float) -> None:
    """Raise InputError unless both amounts make sense."""
    if not 0 <= blink_rate <= MAX_BLINK_RATE:
        raise InputError(
            f"expected a blink rate from 0 to {MAX_BLINK_RATE:g} a minute, got {blink_rate}"
        )
    if not 0 <= gaze <= 1:
        raise InputError(f"expected a gaze from 0 (fixed) to 1, got {gaze}")


def blinks(times_s: NDArray[np.floating], seed: int = 0, rate: float = BLINK_RATE) -> Array:
    """How closed the eyes are.

    Parameters
    ----------
    times_s : (T,) floating, s, not negative
        Times to look at, in any order.
    seed : int, not negative
        Equal seeds blink at equal times.
    rate : float, [0, 40]
        Blinks a minute, on average; 0 for none.

    Returns
    -------
    (T,) float64, [0, 1]
        Mostly 0; blinks last 200 to 400 ms and close faster than they open.

    References
    ----------
    .. [1] Bentivoglio et al., Analysis of Blink Rate Patterns in Normal Subjects, Movement
       Disorders 12, 1997: 17 a minute at rest, 26 in conversation, 4.5 in reading.
    .. [2] Cruz et al., Spontaneous Eyeblink Activity, The Ocular Surface 9, 2011.
    .. [3] Trutoiu et al., Modeling and Animating Eye Blinks, ACM Transactions on Applied
       Perception 8, 2011.
    """
    check_life(rate, 0.0)

    def in_block(since: Array, block: int) -> Array:
        closed = np.zeros(len(since))
        for start, length in _blinks_of(block, seed, rate):
            phase = (since - start) / length
            inside = (phase > 0) & (phase < 1)
            closed[inside] = _one_blink(phase[inside])
        return closed

    return _by_block(times_s, in_block) if rate else np.zeros(len(times_s))


def _by_block(times_s: NDArray[np.floating], in_block: Callable[[Array, int], Array]) -> Array:
    """Evaluate times minute by minute: `in_block` takes seconds since its minute began."""
    times = np.asarray(times_s, np.float64)
    if times.ndim != 1 or (len(times) and not times.min() >= 0):
        raise InputError("expected a row of times of 0 s or more")
    blocks = (times // _BLOCK_S).astype(int)
    parts = [(blocks == b, int(b)) for b in np.unique(blocks)]
    found = [(here, in_block(times[here] - b * _BLOCK_S, b)) for here, b in parts]
    shape = found[0][1].shape[1:] if found else in_block(times, 0).shape[1:]
    values = np.zeros((len(times), *shape))
    for here, part in found:
        values[here] = part
    return values


@lru_cache(maxsize=64)
def _blinks_of(block: int, seed: int, rate: float) -> tuple[tuple[float, float], ...]:
    """Draw starts and lengths, in seconds, of a minute's blinks; none crosses its end."""
    rng = np.random.default_rng([checked_seed(seed), 0xB11, block])
    pause = max(_SHORTEST_PAUSE_S, 60.0 / rate - sum(_BLINK_LENGTH_S) / 2)
    middle = np.log(pause) - _PAUSE_SPREAD**2 / 2
    found = []
    # A minute begins within a pause, and never with a very long one: clips are short.
    start = rng.uniform(0.1, 1.0) * 60.0 / rate
    length = rng.uniform(*_BLINK_LENGTH_S)
    while start + length < _BLOCK_S:
        found.append((start, length))
        start += length + max(_SHORTEST_PAUSE_S, rng.lognormal(middle, _PAUSE_SPREAD))
        length = rng.uniform(*_BLINK_LENGTH_S)
    return tuple(found)


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

    Raises
    ------
    InputError
        Shapes that do not fit.
    """
    faces = _faces(canonical, closed, ())
    upper, lower = _lids()
    amount = np.clip(np.asarray(closed, np.float64), 0, 1)[:, None, None]
    opening = faces[:, lower] - faces[:, upper]
    sinks, rises = _LID_TRAVEL
    faces[:, upper] += amount * sinks * opening
    faces[:, lower] -= amount * rises * opening
    return faces


def glances(times_s: NDArray[np.floating], seed: int = 0, amount: float = GAZE) -> Array:
    """Where the eyes look: mostly at the viewer, now and then aside, in quick steps.

    Parameters
    ----------
    times_s : (T,) floating, s, not negative
        Times to look at, in any order.
    seed : int, not negative
        Equal seeds glance alike.
    amount : float, [0, 1]
        How far; 0 for never.

    Returns
    -------
    (T, 2) float64, [-amount, amount]
        Share of the largest shift: right positive, down positive.

    References
    ----------
    .. [1] Lee, Badler and Badler, Eyes Alive, ACM Transactions on Graphics 21, 2002: glances away
       while talking are shorter than looks at the listener.
    """
    check_life(0.0, amount)

    def in_block(since: Array, block: int) -> Array:
        starts, targets = _fixations_of(block, seed)
        at = np.searchsorted(starts, since, side="right") - 1
        done = np.clip((since - starts[at]) / _SACCADE_S, 0, 1)[:, None]
        eased = 0.5 - 0.5 * np.cos(np.pi * done)
        before = targets[np.maximum(at - 1, 0)]
        return np.asarray(amount * (before + eased * (targets[at] - before)))

    return _by_block(times_s, in_block) if amount else np.zeros((len(times_s), 2))


@lru_cache(maxsize=64)
def _fixations_of(block: int, seed: int) -> tuple[Array, Array]:
    """Draw starts (F,) in s and targets (F, 2) of a minute that begins and ends at the centre."""
    rng = np.random.default_rng([checked_seed(seed), 0x6A2E, block])
    starts, targets, now, away = [0.0], [(0.0, 0.0)], 0.0, False
    while True:
        mean = _AWAY_S if away else _REST_S
        drawn = rng.lognormal(np.log(mean) - _FIXATION_SPREAD**2 / 2, _FIXATION_SPREAD)
        now += max(_SHORTEST_FIXATION_S, drawn)
        aside, low = rng.uniform(0.4, 1.0) * rng.choice((-1.0, 1.0)), rng.uniform(-1.0, 1.0)
        near = rng.normal(0.0, 0.08, 2).clip(-0.25, 0.25)
        if now > _BLOCK_S - 1.0:
            return np.array([*starts, _BLOCK_S - 1.0]), np.array([*targets, (0.0, 0.0)])
        away = not away and bool(rng.random() < 0.6)
        starts.append(now)
        targets.append((aside, low) if away else (near[0], near[1]))


def apply_gaze(canonical: NDArray[np.floating], shares: NDArray[np.floating]) -> Array:
    """Turn the eyes: lids carry iris and eyelashes along, corners stay.

    The contract has no iris points; the renderer moves what lies between the lids with them.

    Parameters
    ----------
    canonical : (N, 68, 3) floating, canonical units
    shares : (N, 2) floating, [-1, 1]
        From ``glances``.

    Returns
    -------
    (N, 68, 3) float64, canonical units

    Raises
    ------
    InputError
        Shapes that do not fit.

    References
    ----------
    .. [4] Evinger, Manning and Sibony, Eyelid Movements, Investigative Ophthalmology & Visual
       Science 32, 1991: the upper lid follows vertical eye movements.
    """
    faces = _faces(canonical, shares, (2,))
    upper, lower = _lids()
    shift = np.clip(np.asarray(shares, np.float64), -1, 1)[:, None] * _REACH
    faces[:, upper, :2] += shift
    faces[:, lower, :2] += shift * (1.0, _LOWER_LID_FOLLOWS)
    return faces


def _lids() -> tuple[list[int], list[int]]:
    upper, lower = zip(*EYELID_PAIRS, strict=True)
    return list(upper), list(lower)


def _faces(
    canonical: NDArray[np.floating], values: NDArray[np.floating], width: tuple[int, ...]
) -> Array:
    """Copy of the faces, once their shape and that of the values are right."""
    faces = np.array(canonical, np.float64)
    fits = faces.ndim == 3 and faces.shape[1:] == (NUM_LANDMARKS, 3)
    if not fits or np.shape(values) != (len(faces), *width):
        raise InputError(
            f"expected (N, {NUM_LANDMARKS}, 3) faces and (N{''.join(f', {w}' for w in width)}) "
            f"values, got {faces.shape} and {np.shape(values)}; give one value per frame"
        )
    return faces
