"""An emotion over time and what a director does with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emohead.emotion import EMOTIONS, NEUTRAL, Emotion, parse_emotion
from emohead.emotion.shaping import Shaping, contrasted, limited
from emohead.emotion.track import EmotionTrack, track_from
from emohead.emotion.valence_arousal import VA
from emohead.errors import InputError

HAPPY, SAD, ANGRY = (EMOTIONS.index(n) for n in ("happy", "sad", "angry"))
RATE = 60.0

vectors = st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8)


@st.composite
def tracks(draw: st.DrawFn) -> EmotionTrack:
    times = draw(st.lists(st.integers(0, 40), min_size=1, max_size=6, unique=True).map(sorted))
    rows = [draw(vectors) for _ in times]
    return EmotionTrack(times_s=np.array(times) / 10, weights=np.array(rows, np.float32))


def sampled(track: EmotionTrack, until_s: float = 8.0) -> NDArray[np.float32]:
    return track.at(np.arange(-0.5, until_s, 1 / RATE))


def fastest(track: EmotionTrack) -> float:
    """Largest change of a weight in a second."""
    return float(np.abs(np.diff(sampled(track), axis=0)).max() * RATE)


def test_emotions_follow_one_another_linearly() -> None:
    happy, sad = parse_emotion("happy"), parse_emotion("sad")
    track = EmotionTrack.from_changes([(0.0, happy), (2.0, sad)], transition_s=1.0)
    weights = track.at(np.array([-1.0, 1.9, 2.5, 3.0, 9.0]))
    assert weights[:, SAD] == pytest.approx([0, 0, 0.5, 1, 1])
    assert weights[:, HAPPY] == pytest.approx([1, 1, 0.5, 0, 0])
    constant = EmotionTrack.constant(sad).at(np.array([0.0, 100.0]))
    assert (constant == sad.weights).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 1), st.sampled_from(EMOTIONS)), min_size=1, max_size=6))
def test_changes_are_never_faster_than_the_transition(steps: list[tuple[float, str]]) -> None:
    """Also where the next change comes before the last one is through."""
    times = np.cumsum([gap for gap, _ in steps])
    changes = [(float(t), parse_emotion(name)) for t, (_, name) in zip(times, steps, strict=True)]
    track = EmotionTrack.from_changes(changes, transition_s=0.4)
    assert fastest(track) <= 1 / 0.4 + 1e-3
    assert track.at(np.array([99.0]))[0] == pytest.approx(changes[-1][1].weights, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(tracks(), st.floats(0.1, 2))
def test_easing_bounds_the_speed_and_arrives(track: EmotionTrack, transition_s: float) -> None:
    eased = track.eased(transition_s)
    assert fastest(eased) <= 1 / transition_s + 1e-3
    assert eased.at(np.array([99.0])) == pytest.approx(track.at(np.array([99.0])), abs=1e-5)
    assert eased.at(np.array([-1.0])) == pytest.approx(track.at(np.array([-1.0])), abs=1e-6)


def test_easing_leaves_slow_changes_alone() -> None:
    slow = EmotionTrack.from_changes(
        [(0.0, parse_emotion("happy")), (1.0, parse_emotion("sad"))], transition_s=2.0
    )
    np.testing.assert_allclose(sampled(slow.eased(0.5)), sampled(slow), atol=1e-5)
    assert len(slow.eased(0.5)) < 10


@settings(max_examples=40, deadline=None)
@given(tracks(), st.floats(0, 1), st.floats(0, 1))
def test_strength_is_monotone_and_zero_is_exactly_neutral(
    track: EmotionTrack, first: float, second: float
) -> None:
    weak, strong = sorted((first, second))
    low, high = sampled(track.scaled(weak)), sampled(track.scaled(strong))
    assert (low[:, 1:] <= high[:, 1:] + 1e-6).all()
    still = sampled(track.scaled(0))
    assert (still[:, NEUTRAL] == 1).all()
    assert not np.delete(still, NEUTRAL, axis=1).any()


def test_too_much_strength_is_clipped_and_said() -> None:
    strong = track_from("sad").scaled(2.0)
    assert (strong.weights == parse_emotion("sad").weights).all()
    assert "beyond 1" in strong.notes[0]


@settings(max_examples=40, deadline=None)
@given(tracks(), tracks(), st.floats(0, 1))
def test_blending_is_linear_at_every_time(
    one: EmotionTrack, other: EmotionTrack, share: float
) -> None:
    mixed = (1 - share) * sampled(one) + share * sampled(other)
    np.testing.assert_allclose(sampled(one.blended(other, share)), mixed, atol=1e-5)


def test_keyframes_are_added_replaced_and_removed() -> None:
    track = track_from("happy").with_keyframe(2.0, "sad").with_keyframe(1.0, VA(0, 0))
    assert track.times_s.tolist() == [0, 1, 2]
    assert track.at(np.array([1.0]))[0, NEUTRAL] == 1
    again = track.with_keyframe(1.0, {"angry": 0.5})
    assert len(again) == 3
    assert again.at(np.array([1.0]))[0, ANGRY] == pytest.approx(0.5)
    assert again.without_keyframes(0.5, 1.5).times_s.tolist() == [0, 2]
    with pytest.raises(InputError, match="at least one"):
        again.without_keyframes(0, 5)


def test_a_track_cannot_be_changed_in_place() -> None:
    weights = np.eye(8, dtype=np.float32)[:1].copy()
    track = EmotionTrack(times_s=np.zeros(1), weights=weights)
    weights[:] = 0.5
    assert track.weights[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        track.weights[0, 0] = 0.3
    with pytest.raises(dataclasses.FrozenInstanceError):
        track.weights = weights  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"times_s": np.array([1.0, 0.5]), "weights": np.zeros((2, 8))}, "increasing"),
        ({"times_s": np.array([0.0, np.nan]), "weights": np.zeros((2, 8))}, "increasing"),
        ({"times_s": np.zeros(1), "weights": np.full((1, 8), 1.2)}, "emotion weights in"),
        ({"times_s": np.zeros(0), "weights": np.zeros((0, 8))}, "one vector per time"),
        (
            {"times_s": np.zeros(1), "weights": np.zeros((1, 8)), "confidence": np.ones(2)},
            "per keyframe",
        ),
        (
            {"times_s": np.zeros(1), "weights": np.zeros((1, 8)), "confidence": np.full(1, 2.0)},
            "confidences",
        ),
    ],
)
def test_impossible_tracks_are_refused(fields: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        EmotionTrack(**fields)


@settings(max_examples=40, deadline=None)
@given(vectors, st.floats(0, 5))
def test_contrast_keeps_the_sum_and_the_order(weights: list[float], contrast: float) -> None:
    given = np.array(weights, np.float32)
    result = contrasted(given, contrast)
    assert result[NEUTRAL] == given[NEUTRAL]
    if given[1:].sum() <= 1:
        assert result[1:].sum() == pytest.approx(given[1:].sum(), abs=1e-5)
    leader = 1 + int(given[1:].argmax())
    if contrast > 1:
        assert result[leader] >= given[leader] - 1e-6 or result[leader] == pytest.approx(1)
    assert result[leader] == result[1:].max()


def test_contrast_of_one_changes_nothing_and_more_lets_the_strongest_win() -> None:
    mixed = parse_emotion("happy=0.5,sad=0.3").weights
    assert (contrasted(mixed, 1.0) == mixed).all()
    assert contrasted(mixed, 10)[HAPPY] == pytest.approx(0.8, abs=0.01)
    assert contrasted(mixed, 0)[[HAPPY, SAD]] == pytest.approx([0.4, 0.4])


@settings(max_examples=40, deadline=None)
@given(vectors, st.integers(1, 7))
def test_no_more_emotions_than_allowed(weights: list[float], most: int) -> None:
    given = np.array(weights, np.float32)
    result = limited(given, most)
    assert (result[1:] > 0).sum() <= most
    assert sorted(result[1:])[-1] == given[1:].max()
    if given.sum() <= 1:
        assert result.sum() == pytest.approx(given.sum(), abs=1e-5)


def test_a_preferred_emotion_is_mixed_in_at_all_times() -> None:
    track = EmotionTrack.from_changes([(0.0, parse_emotion("sad")), (2.0, parse_emotion("happy"))])
    asked = Shaping(preferred_emotion="joy", preferred_emotion_strength=0.25)
    weights = sampled(track.directed(asked))
    np.testing.assert_allclose(weights[:, SAD], 0.75 * sampled(track)[:, SAD], atol=1e-6)
    assert weights[0, HAPPY] == pytest.approx(0.25)


def test_directing_by_default_changes_nothing_and_by_all_means_does() -> None:
    track = EmotionTrack.from_changes(
        [(0.0, parse_emotion("sad=0.5,fear=0.4")), (1.0, parse_emotion("happy"))], 0.1
    )
    same = track.directed(Shaping())
    assert (same.weights == track.weights).all()
    calmer = track.directed(Shaping(max_emotions=1, emotion_strength=0.5, live_transition_time=1.0))
    assert fastest(calmer) <= 1.001
    assert (calmer.at(np.array([0.0]))[0, 1:] > 0).sum() == 1
    assert calmer.at(np.array([9.0]))[0, HAPPY] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    "asked",
    [
        {"emotion_contrast": -1},
        {"emotion_contrast": float("nan")},
        {"max_emotions": 0},
        {"max_emotions": 8},
        {"preferred_emotion_strength": 1.5},
    ],
)
def test_impossible_shaping_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        Shaping(**asked)  # type: ignore[arg-type]


def test_mean_and_segments_tell_what_shows() -> None:
    track = EmotionTrack.from_changes(
        [(0.0, parse_emotion("calm")), (2.0, parse_emotion("angry"))], transition_s=0.5
    )
    assert [name for _, name in track.segments(5.0)] == ["calm", "angry"]
    assert track.segments(5.0)[1][0] == pytest.approx(2.25, abs=0.05)
    assert track.mean(5.0).as_dict()["angry"] == pytest.approx((0.25 + 2.5) / 5, abs=1e-5)
    sad = parse_emotion("sad=0.3")
    assert (EmotionTrack.constant(sad).mean(3.0).weights == sad.weights).all()


def test_stretching_moves_every_key() -> None:
    track = EmotionTrack.from_changes([(0.0, parse_emotion("sad")), (2.0, parse_emotion("happy"))])
    assert track.stretched(2).times_s.tolist() == [0, 4, 5]
    with pytest.raises(InputError, match="positive factor"):
        track.stretched(0)


def test_every_form_of_an_emotion_is_taken() -> None:
    track = track_from("joy")
    assert track_from(track) is track
    forms = ("joy", {"happy": 1.0}, parse_emotion("happy"))
    assert all((track_from(form).weights == track.weights).all() for form in forms)
    assert track_from(VA(0.6, 0.3)).weights[0, HAPPY] > 0.5
    assert track_from(Emotion(weights=np.eye(8)[SAD], source="voice")).source == "voice"


def test_a_pause_of_years_takes_no_memory() -> None:
    years = EmotionTrack.from_changes([(0.0, parse_emotion("sad")), (1e9, parse_emotion("happy"))])
    eased = years.eased(2.0)
    assert len(eased) < 100
    for away in (-1.0, 0.0, 1e9, 1e9 + 1, 1e9 + 2, 2e9):
        want = 0 if away <= 1e9 else min(1.0, (away - 1e9) / 2)
        assert eased.at(np.array([away]))[0, EMOTIONS.index("happy")] == pytest.approx(
            want, abs=0.02
        )
