"""Valence and arousal to emotions and back, through one table.

A direction on the circle is a mix of its two neighbours in the table, the distance from the centre
is how much of it shows. Not here: emotions as values (``values.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from emohead.emotion.values import EMOTIONS, NEUTRAL, Emotion
from emohead.errors import InputError

__all__ = ["PUBLISHED", "VA", "circle_angles", "va_from_emotion"]

PUBLISHED: Final[dict[str, tuple[tuple[float, float] | None, float | None]]] = {
    "happy": ((0.81, 0.51), 7.8),
    "surprised": ((0.40, 0.67), 69.8),
    "angry": ((-0.51, 0.59), 99.0),
    "fearful": ((-0.64, 0.60), 116.0),
    "disgust": ((-0.60, 0.35), None),
    "sad": ((-0.63, -0.27), 207.5),
    "calm": (None, 316.2),
}
"""Published places of the categories, by growing angle: mean pleasure and arousal of the word [1]_
(*happy, surprised, angry, fearful, disgusted, sad*), and degrees on the circle [2]_ (*happy,
astonished, angry, afraid, sad, calm*); None where that source has no such word. [1]_ was compared
with secondary listings, [2]_ with nothing: look both up before quoting.

References
----------
.. [1] Russell and Mehrabian, Evidence for a three-factor theory of emotions, Journal of Research
   in Personality 11, 1977, 273-294.
.. [2] Russell, A circumplex model of affect, Journal of Personality and Social Psychology 39, 1980,
   1161-1178, circular scaling of 28 words.
"""

_ROUNDING: Final = 0.1
"""Radius within which the intensity begins gently, so that it is smooth through the centre too."""


def circle_angles() -> dict[str, float]:
    """Angle of every category but neutral, rad, growing.

    Returns
    -------
    dict of str to float
        The circular mean of the angles that ``PUBLISHED`` holds; pleasant is 0, aroused a right
        angle.
    """
    return dict(zip(_NAMES, _ANGLES.tolist(), strict=True))


def _mean_angle(place: tuple[float, float] | None, degrees: float | None) -> float:
    found = [] if place is None else [math.atan2(place[1], place[0])]
    found += [] if degrees is None else [math.radians(degrees)]
    x, y = (sum(f(angle) for angle in found) for f in (math.cos, math.sin))
    return math.atan2(y, x) % math.tau


_NAMES: Final = tuple(PUBLISHED)
_ANGLES: Final = np.array([_mean_angle(*PUBLISHED[name]) for name in _NAMES])
_INDICES: Final = np.array([EMOTIONS.index(name) for name in _NAMES])
_POINTS: Final = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


@dataclass(frozen=True)
class VA:
    """A feeling by its two dimensions.

    Parameters
    ----------
    valence : float, [-1, 1]
        Unpleasant to pleasant.
    arousal : float, [-1, 1]
        Drowsy to excited. What lies outside the unit circle is taken for the circle's point in
        that direction, and a note says so.

    Examples
    --------
    >>> VA(0, 0).emotion().name
    'neutral'
    >>> VA(0.6, -0.6).emotion().name
    'calm'
    """

    valence: float
    arousal: float

    def __post_init__(self) -> None:
        for name, value in (("valence", self.valence), ("arousal", self.arousal)):
            if not -1 <= value <= 1:
                raise InputError(f"expected {name} in [-1, 1], got {value}: write VA(0.6, -0.2)")

    @property
    def radius(self) -> float:
        """Distance from the centre; 1 at the circle."""
        return math.hypot(self.valence, self.arousal)

    def emotion(self) -> Emotion:
        """Emotion at this place.

        Returns
        -------
        Emotion
            The mix of the direction's two neighbours, neutral taking the rest. Continuous, with
            continuous slopes, over the whole circle; the part that is not neutral grows with the
            radius, from exactly none at the centre to everything at the circle.
        """
        first, share = _place_of(math.atan2(self.arousal, self.valence))
        shown = _intensity(min(self.radius, 1.0))
        weights = np.zeros(len(EMOTIONS))
        eased = share * share * (3 - 2 * share)
        weights[_INDICES[first]] = shown * (1 - eased)
        weights[_INDICES[(first + 1) % len(_NAMES)]] = shown * eased
        weights[NEUTRAL] = 1 - shown
        notes = () if self.radius <= 1 + 1e-9 else (_outside(self),)
        return Emotion(weights=weights.astype(np.float32), notes=notes)


def va_from_emotion(emotion: Emotion) -> VA:
    """Place of an emotion on the circle: the inverse of ``VA.emotion``.

    Parameters
    ----------
    emotion : Emotion
        Any; weights that no place of the circle gives are taken for the nearest mix, so that joy
        and sorrow in equal parts come out near the centre.

    Returns
    -------
    VA
        Within the unit circle, continuous in the weights; neutral is exactly the centre.
    """
    x, y = emotion.weights[_INDICES].astype(np.float64) @ _POINTS
    length = math.hypot(x, y)
    if length == 0:
        return VA(0.0, 0.0)
    first, _ = _place_of(math.atan2(y, x))
    start, end = _neighbours(first)
    towards = (math.atan2(y, x) - start) % math.tau
    shares = math.sin(end - start - towards), math.sin(towards)
    eased = min(max(shares[1] / sum(shares), 0.0), 1.0)
    share = 0.5 - math.sin(math.asin(1 - 2 * eased) / 3)
    whole = math.hypot(*((1 - eased) * _POINTS[first] + eased * _POINTS[(first + 1) % len(_NAMES)]))
    radius = _radius(min(length / whole, 1.0))
    angle = start + share * (end - start)
    return VA(radius * math.cos(angle), radius * math.sin(angle))


def _place_of(angle: float) -> tuple[int, float]:
    """Category before an angle, and how far it is towards the next one, [0, 1]."""
    turned = angle % math.tau
    first = int(np.searchsorted(_ANGLES, turned, side="right")) - 1
    first %= len(_NAMES)
    start, end = _neighbours(first)
    return first, min(((turned - start) % math.tau) / (end - start), 1.0)


def _neighbours(first: int) -> tuple[float, float]:
    """Angles of a category and of the next one, which is the larger."""
    start, end = float(_ANGLES[first]), float(_ANGLES[(first + 1) % len(_NAMES)])
    return start, end if end > start else end + math.tau


def _intensity(radius: float) -> float:
    """Turn a radius into the part that is not neutral: linear but for the very centre."""
    return (math.hypot(radius, _ROUNDING) - _ROUNDING) / (math.hypot(1.0, _ROUNDING) - _ROUNDING)


def _radius(intensity: float) -> float:
    grown = intensity * (math.hypot(1.0, _ROUNDING) - _ROUNDING) + _ROUNDING
    return math.sqrt(max(grown * grown - _ROUNDING * _ROUNDING, 0.0))


def _outside(va: VA) -> str:
    return (
        f"valence {va.valence:g} and arousal {va.arousal:g} lie outside the unit circle "
        "and were taken for its point in that direction"
    )
