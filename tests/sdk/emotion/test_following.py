"""An emotion that follows the voice: chunks, switches, hysteresis, silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emohead.audio import Audio
from emohead.emotion import EMOTIONS
from emohead.emotion.following import (
    HOP_S,
    HYSTERESIS,
    LOOKAHEAD_S,
    EmotionFollower,
)
from emohead.emotion.hearing import read_emotion
from emohead.emotion.reader import SILENCE_NOTE
from emohead.emotion.track import EmotionTrack
from emohead.errors import InputError
from emohead.runner import Runner
from emohead.stages import EMOTION_ENCODER

CALM, ANGRY = EMOTIONS.index("calm"), EMOTIONS.index("angry")
RATE = 16_000


class ByLoudness(Runner):
    """The louder the window, the angrier; otherwise calm."""

    def __init__(self) -> None:
        super().__init__(EMOTION_ENCODER)
        self.calls = 0

    def _run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.calls += 1
        (log_mel,) = feed.values()
        power = (10 ** (log_mel / 10)).mean()
        loud = float(np.clip(power / self.loudest, 0, 1))
        scores = np.full((1, 8), 0.02, np.float32)
        scores[0, CALM], scores[0, ANGRY] = 0.9 * (1 - loud), 0.9 * loud
        return {self.spec.output_names[0]: scores}

    loudest = 1.0


class Wavering(ByLoudness):
    """Two emotions whose scores take turns by a little, as an unsure encoder's do."""

    def _run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.calls += 1
        scores = np.full((1, 8), 0.02, np.float32)
        scores[0, [CALM, ANGRY]] = (0.45, 0.5) if self.calls % 2 else (0.5, 0.45)
        return {self.spec.output_names[0]: scores}


def noise(seconds: float, loudness: float = 0.1, seed: int = 0) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (loudness * drawn).astype(np.float32)


def calibrated() -> ByLoudness:
    """The runner for which noise at 0.2 is loudest."""
    probe: list[float] = []

    class Probe(ByLoudness):
        def _run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            probe.append(float((10 ** (next(iter(feed.values())) / 10)).mean()))
            return super()._run(feed)

    follower = EmotionFollower(Probe(), lookahead_s=3.0)
    follower.push(noise(3, 0.2))
    runner = ByLoudness()
    runner.loudest = probe[0]
    return runner


def followed(sound: NDArray[np.float32], runner: Runner, **given: float) -> EmotionTrack:
    follower = EmotionFollower(runner, **given)
    follower.push(sound)
    return follower.close()


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.integers(0, 70_000), max_size=8),
    st.integers(1, 70_000),
    st.sampled_from([0.25, 1.5, 3.0]),
)
def test_following_does_not_depend_on_the_chunks(
    cuts: list[int], length: int, lookahead_s: float
) -> None:
    sound = noise(5)[:length]
    whole = followed(sound, ByLoudness(), lookahead_s=lookahead_s)
    pieces = EmotionFollower(ByLoudness(), lookahead_s=lookahead_s)
    for part in np.split(sound, sorted(c for c in cuts if c < length)):
        pieces.push(part)
    cut = pieces.close()
    assert (cut.times_s == whole.times_s).all()
    assert (cut.weights == whole.weights).all()
    assert (cut.confidence == whole.confidence).all()


def test_a_keyframe_is_decided_after_the_lookahead_and_stays() -> None:
    follower = EmotionFollower(calibrated())
    sound = np.concatenate([noise(3, 0.01), noise(3, 0.2)])
    assert follower.push(sound[: round(LOOKAHEAD_S * RATE) - 1]) < 0
    assert follower.push(sound[round(LOOKAHEAD_S * RATE) - 1 : round(LOOKAHEAD_S * RATE)]) == 0
    early: list[NDArray[np.float32]] = []
    for start in range(round(LOOKAHEAD_S * RATE), len(sound), 1_000):
        decided = follower.push(sound[start : start + 1_000])
        assert decided > (start + 1_000) / RATE - LOOKAHEAD_S - HOP_S - 1e-9
        early.append(follower.track.at(np.array([0.0, 0.5]))[0])
    final = follower.close().at(np.array([0.0]))[0]
    assert all((e == final).all() for e in early)


@pytest.mark.parametrize("switch_s", [3.0, 4.3, 5.75])
def test_a_voice_that_turns_from_calm_to_angry_shows_it_within_a_second(switch_s: float) -> None:
    sound = np.concatenate([noise(switch_s, 0.01), noise(5, 0.2, seed=1)])
    track = followed(sound, calibrated())
    segments = track.segments(len(sound) / RATE)
    *before, (start_s, name) = segments
    assert {earlier for _, earlier in before} <= {"neutral", "calm"}
    assert name == "angry"
    assert abs(start_s - switch_s) < 1.0


def test_an_unsure_voice_does_not_flicker() -> None:
    track = followed(noise(12), Wavering())
    assert len(track.segments(12.0)) == 1
    assert np.abs(np.diff(track.weights, axis=0)).max() < 0.1
    assert 1 + HYSTERESIS > 0.5 / 0.45


@pytest.mark.parametrize("transition_s", [0.5, 1.0, 2.0])
def test_no_weight_changes_faster_than_the_transition(transition_s: float) -> None:
    sound = np.concatenate([noise(4, 0.01), noise(4, 0.2, seed=1)])
    track = followed(sound, calibrated(), live_transition_time=transition_s)
    weights = track.at(np.arange(0, 8, 1 / 120))
    assert np.abs(np.diff(weights, axis=0)).max() * 120 <= 1 / transition_s + 1e-3


def test_a_long_pause_lets_the_face_rest_and_a_short_one_does_not() -> None:
    runner = calibrated()
    pause = np.zeros(2 * RATE, np.float32)
    short = followed(np.concatenate([noise(4, 0.2), pause, noise(4, 0.2)]), runner)
    assert not (short.confidence == 0).any()
    long = followed(np.concatenate([noise(4, 0.2), pause, pause, pause, noise(4, 0.2)]), runner)
    resting = long.at(np.array([7.0]))[0]
    assert resting.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert long.confidence_at(np.array([7.0]))[0] == 0
    assert not long.notes


def test_silence_is_neutral_and_says_so() -> None:
    runner = ByLoudness()
    for per_clip in (False, True):
        track = read_emotion(Audio(np.zeros(5 * RATE, np.float32)), runner, per_clip=per_clip)
        assert (track.at(np.arange(5.0))[:, 0] == 1).all()
        assert track.notes == (SILENCE_NOTE,)
        assert (track.confidence == 0).all()
    assert runner.calls == 0


@pytest.mark.parametrize("length", [0, 1, 4_000])
def test_short_sounds_give_one_keyframe(length: int) -> None:
    assert len(followed(noise(1)[:length], ByLoudness())) == 1


def test_forgetting_keeps_what_later_times_need() -> None:
    sound = np.concatenate([noise(4, 0.01), noise(4, 0.2, seed=1)])
    follower = EmotionFollower(calibrated())
    follower.push(sound)
    times = np.arange(3.2, 8, 0.1)
    before = follower.track.at(times)
    follower.forget(3.2)
    assert len(follower.track) < 10
    assert (follower.track.at(times) == before).all()
    assert follower.decided_s == 6.5


def test_one_emotion_per_clip_stays_an_option() -> None:
    sound = Audio(np.concatenate([noise(4, 0.01), noise(4, 0.2, seed=1)]))
    assert len(read_emotion(sound, calibrated(), per_clip=True)) == 1
    assert len(read_emotion(sound, calibrated())) > 10


@pytest.mark.parametrize(
    "given", [{"lookahead_s": 0.0}, {"lookahead_s": 3.5}, {"live_transition_time": 0.0}]
)
def test_impossible_settings_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        EmotionFollower(ByLoudness(), **given)
