"""The circle of valence and arousal: smooth, monotone, invertible, neutral in the middle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emohead.emotion import EMOTIONS, NEUTRAL, Emotion, parse_emotion
from emohead.emotion.valence_arousal import PUBLISHED, VA, circle_angles, va_from_emotion
from emohead.errors import InputError

angles = st.floats(0, math.tau)
radii = st.floats(0, 1)


def at(radius: float, angle: float) -> VA:
    return VA(radius * math.cos(angle), radius * math.sin(angle))


def shown(place: VA) -> NDArray[np.float64]:
    """Weights but neutral's."""
    return np.delete(place.emotion().weights.astype(np.float64), NEUTRAL)


def test_the_centre_is_exactly_neutral() -> None:
    assert VA(0, 0).emotion().weights.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert va_from_emotion(parse_emotion("neutral")) == VA(0, 0)


@pytest.mark.parametrize("name", [n for n in EMOTIONS if n != "neutral"])
def test_every_category_is_whole_at_its_own_place(name: str) -> None:
    place = at(1, circle_angles()[name])
    assert place.emotion().as_dict()[name] == pytest.approx(1, abs=1e-6)
    back = va_from_emotion(parse_emotion(name))
    assert (back.valence, back.arousal) == pytest.approx((place.valence, place.arousal), abs=1e-6)


def test_categories_lie_between_their_published_places() -> None:
    for name, (place, degrees) in PUBLISHED.items():
        published = [] if place is None else [math.atan2(place[1], place[0])]
        published += [] if degrees is None else [math.radians(degrees)]
        away = [abs(math.remainder(circle_angles()[name] - p, math.tau)) for p in published]
        assert max(away) < math.radians(16.1), name
    assert list(circle_angles().values()) == sorted(circle_angles().values())


@settings(deadline=None)
@given(angles, radii, radii)
def test_what_shows_grows_with_the_radius(angle: float, first: float, second: float) -> None:
    near, far = sorted((first, second))
    assert (shown(at(near, angle)) <= shown(at(far, angle)) + 1e-6).all()
    total = shown(at(far, angle)).sum()
    assert total == pytest.approx(1 - at(far, angle).emotion().weights[NEUTRAL], abs=1e-6)
    if far - near > 0.01:
        assert shown(at(near, angle)).sum() < total


@settings(deadline=None)
@given(angles, radii)
def test_every_place_is_found_again(angle: float, radius: float) -> None:
    place = at(radius, angle)
    back = va_from_emotion(place.emotion())
    assert math.hypot(back.valence - place.valence, back.arousal - place.arousal) < 2e-5


@settings(deadline=None)
@given(angles, radii, angles)
def test_a_small_step_changes_little(angle: float, radius: float, direction: float) -> None:
    here, step = at(0.99 * radius, angle), at(1e-3, direction)
    there = VA(here.valence + step.valence, here.arousal + step.arousal)
    change = np.abs(there.emotion().weights - here.emotion().weights).max()
    # The narrowest gap of the table, from angry to fearful, is 0.2 rad; its slope is 1.5 / 0.2.
    assert change < 8.5e-3


@settings(deadline=None)
@given(angles, st.floats(0.05, 0.9), angles)
def test_slopes_are_continuous(angle: float, radius: float, direction: float) -> None:
    """The second difference of a smooth function shrinks with the square of the step."""
    middle, step = at(radius, angle), at(2e-3, direction)
    places = [
        VA(middle.valence + k * step.valence, middle.arousal + k * step.arousal) for k in (-1, 0, 1)
    ]
    before, here, after = (shown(p) for p in places)
    assert np.abs(before - 2 * here + after).max() < 2e-3 * (1 + 1 / radius)


def test_the_centre_has_no_kink() -> None:
    for angle in np.linspace(0, math.tau, 16):
        assert shown(at(1e-3, angle)).sum() < 1e-5


def test_opposite_feelings_cancel_on_the_circle() -> None:
    mixed = va_from_emotion(parse_emotion("happy=0.5,sad=0.5"))
    assert mixed.radius < 0.2


@settings(deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8))
def test_every_emotion_has_a_place_in_the_circle(weights: list[float]) -> None:
    assert va_from_emotion(Emotion(weights=np.array(weights, np.float32))).radius <= 1 + 1e-9


def test_outside_the_circle_is_clipped_and_said() -> None:
    far, edge = VA(0.9, 0.9).emotion(), at(1, math.pi / 4).emotion()
    assert far.weights == pytest.approx(edge.weights, abs=1e-6)
    assert "outside the unit circle" in far.notes[0]
    assert not edge.notes


@pytest.mark.parametrize("given", [(1.2, 0.0), (0.0, -1.01), (float("nan"), 0.0)])
def test_impossible_numbers_are_refused(given: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"\[-1, 1\]"):
        VA(*given)
