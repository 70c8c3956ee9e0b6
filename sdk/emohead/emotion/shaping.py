"""Pure functions that shape emotion vectors, under the names that Audio2Emotion's users know.

Order as in Audio2Emotion's post-processing: contrast, number of emotions, preferred emotion,
strength; then the speed of changes. Called by ``track.py``; nothing here knows of time but
``rate_limited``.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.emotion.values import EMOTIONS, NEUTRAL, Emotion, emotion_from, weakened
from emohead.errors import InputError

__all__ = ["Shaping", "contrasted", "limited", "preferring", "rate_limited", "shaped"]

Vector = NDArray[np.float32]

_RATE_HZ: Final = 30.0
_LARGEST_CONTRAST: Final = 10.0
_LONGEST_TRANSITION_S: Final = 3600.0
_PIECE: Final = 32
"""Steps whose emotions are asked for at once."""


@dataclass(frozen=True, kw_only=True)
class Shaping:
    """What a director asks of an emotion; the defaults change nothing."""

    emotion_contrast: float = 1.0
    """[0, 10]: above 1 the strongest emotion takes from the others, below 1 they even out."""
    max_emotions: int = len(EMOTIONS) - 1
    """1 to 7: how many emotions show at once, the strongest ones; neutral does not count."""
    preferred_emotion: str | Mapping[str, float] | Emotion | None = None
    """Emotion that is mixed in at all times."""
    preferred_emotion_strength: float = 0.5
    """[0, 1]: how much of the preferred emotion, if there is one."""
    emotion_strength: float = 1.0
    """[0, 1]: how strongly the result shows; 0 is exactly neutral."""
    live_transition_time: float | None = None
    """s, at most 3,600: no weight changes faster than by 1 in this time; None for any speed."""

    def __post_init__(self) -> None:
        if not 0 <= self.emotion_contrast <= _LARGEST_CONTRAST:
            raise InputError(
                f"expected an emotion contrast from 0 to {_LARGEST_CONTRAST:g}, got "
                f"{self.emotion_contrast}: 1 changes nothing"
            )
        if not 1 <= self.max_emotions < len(EMOTIONS):
            raise InputError(
                f"expected 1 to {len(EMOTIONS) - 1} emotions at once, got {self.max_emotions}: "
                "for a neutral face set the strength to 0"
            )
        if not 0 <= self.preferred_emotion_strength <= 1:
            raise InputError(
                "expected a preferred emotion's strength in [0, 1], got "
                f"{self.preferred_emotion_strength}"
            )


def shaped(weights: NDArray[np.floating], shaping: Shaping) -> tuple[Vector, tuple[str, ...]]:
    """Shape emotion vectors.

    Parameters
    ----------
    weights : (..., 8) floating, [0, 1]
    shaping : Shaping
        All but ``live_transition_time``.

    Returns
    -------
    weights : (..., 8) float32, [0, 1]
    notes : tuple of str
        Says so where the strength was beyond 1.
    """
    result = contrasted(weights, shaping.emotion_contrast)
    result = limited(result, shaping.max_emotions)
    if shaping.preferred_emotion is not None:
        preferred = emotion_from(shaping.preferred_emotion).weights
        result = preferring(result, preferred, shaping.preferred_emotion_strength)
    return weakened(result, shaping.emotion_strength)


def contrasted(weights: NDArray[np.floating], contrast: float) -> Vector:
    """Spread or even out the emotions, which together keep their size.

    Parameters
    ----------
    weights : (..., 8) floating, [0, 1]
    contrast : float, not negative
        Power to which the emotions are raised before they share out their sum; 1 changes nothing.

    Returns
    -------
    (..., 8) float32, [0, 1]
        Neutral stays.
    """
    result = np.array(weights, np.float32)
    if contrast == 1:
        return result
    parts = np.delete(result, NEUTRAL, axis=-1).astype(np.float64)
    total, largest = parts.sum(-1, keepdims=True), parts.max(-1, keepdims=True)
    relative = np.divide(parts, largest, out=np.zeros_like(parts), where=largest > 0)
    powers = np.where(parts > 0, relative**contrast, 0.0)
    sums = powers.sum(-1, keepdims=True)
    shares = np.divide(powers, sums, out=np.zeros_like(powers), where=sums > 0)
    rivals = np.arange(len(EMOTIONS)) != NEUTRAL
    result[..., rivals] = np.clip(total * shares, 0, 1)
    return result


def limited(weights: NDArray[np.floating], max_emotions: int) -> Vector:
    """Keep the strongest emotions; neutral takes what the others lose.

    Parameters
    ----------
    weights : (..., 8) floating, [0, 1]
    max_emotions : int
        How many of the seven; of equal ones, the first in the order of ``EMOTIONS`` is kept.

    Returns
    -------
    (..., 8) float32, [0, 1]
    """
    result = np.array(weights, np.float32)
    ranking = result.copy()
    ranking[..., NEUTRAL] = -1
    order = np.argsort(-ranking, axis=-1, kind="stable")
    dropped = np.zeros(result.shape, bool)
    np.put_along_axis(dropped, order[..., max_emotions:-1], True, axis=-1)
    lost = np.where(dropped, result, 0).sum(-1)
    result[dropped] = 0
    result[..., NEUTRAL] = np.clip(result[..., NEUTRAL] + lost, 0, 1)
    return result


def preferring(
    weights: NDArray[np.floating], preferred: NDArray[np.floating], strength: float
) -> Vector:
    """Mix an emotion in: (..., 8) of the given ones, `strength` of the preferred (8,)."""
    share = np.float32(strength)
    return np.asarray((1 - share) * np.asarray(weights, np.float32) + share * preferred, np.float32)


def rate_limited(
    times_s: NDArray[np.float64],
    at: Callable[[NDArray[np.float64]], Vector],
    transition_s: float,
) -> tuple[NDArray[np.float64], Vector]:
    """Follow an emotion without ever changing faster than allowed.

    Parameters
    ----------
    times_s : (K,) float64, s
        Keyframes of the emotion to follow; the first is where both begin.
    at : callable from times (N,) to vectors (N, 8)
    transition_s : float, s, above 0, at most 3,600
        Time that a weight takes from 0 to 1 at least.

    Returns
    -------
    times : (M,) float64, s
        Keyframes, at most 30 a second, and none in the middle of a straight stretch.
    weights : (M, 8) float32, [0, 1]
        A step goes straight towards the emotion followed, all weights alike.

    Raises
    ------
    InputError
        For another transition time.
    """
    if not 0 < transition_s <= _LONGEST_TRANSITION_S:
        raise InputError(
            f"expected a transition time above 0 and at most {_LONGEST_TRANSITION_S:g} s, got "
            f"{transition_s} s; 0.5 is usual"
        )
    first = float(times_s[0])
    steps = list(_followed(times_s - first, lambda s: at(first + s), 1 / transition_s))
    times = np.array([time for time, _ in steps])
    weights = np.stack([reached for _, reached in steps])
    kept = _corners(times, weights)
    return first + times[kept], np.clip(weights[kept], 0, 1).astype(np.float32)


def _followed(
    times_s: NDArray[np.float64], at: Callable[[NDArray[np.float64]], Vector], most_per_s: float
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Follow from keyframe to keyframe, the first at 0 s, on a grid; pass over what is slow."""
    ends = [math.ceil(time * _RATE_HZ) for time in times_s.tolist()]
    most = most_per_s / _RATE_HZ

    def wanted_at(indices: Sequence[int]) -> NDArray[np.float64]:
        return at(np.array(indices) / _RATE_HZ).astype(np.float64)

    index, wanted = 0, wanted_at([0])[0]
    reached = wanted
    yield 0.0, reached
    while index < ends[-1] or (reached != wanted).any():
        later = bisect_right(ends, index)
        end = ends[later] if later < len(ends) else index + _PIECE
        if end - 1 > index and (reached == wanted).all():
            before = wanted_at([end - 1])[0]
            if np.abs(before - wanted).max() <= most * (end - 1 - index):
                index, reached = end - 1, before
                yield index / _RATE_HZ, reached
        for wanted in wanted_at(range(index + 1, min(end, index + _PIECE) + 1)):
            away = wanted - reached
            largest = float(np.abs(away).max())
            reached = wanted if largest <= most else reached + away * (most / largest)
            index += 1
            yield index / _RATE_HZ, reached


def _corners(times: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """First and last row, and every row that does not lie between its neighbours."""
    kept = np.ones(len(values), bool)
    if len(values) > 2:
        share = ((times[1:-1] - times[:-2]) / (times[2:] - times[:-2]))[:, None]
        between = (1 - share) * values[:-2] + share * values[2:]
        kept[1:-1] = np.abs(values[1:-1] - between).max(1) > 5e-8
    return kept
