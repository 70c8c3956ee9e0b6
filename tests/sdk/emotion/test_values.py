from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emohead.emotion import (
    EMOTIONS,
    Emotion,
    emotion_from,
    emotion_index,
    parse_emotion,
)
from emohead.emotion.reader import (
    HOP_SAMPLES,
    SILENCE_NOTE,
    WINDOW_SAMPLES,
    EmotionReader,
    expression_from_scores,
)
from emohead.emotion.windows import WindowCutter
from emohead.errors import InputError
from emohead.runner import Runner
from emohead.stages import EMOTION_ENCODER

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


class LevelRunner(Runner):
    """Scores that depend on every value of the window."""

    def __init__(self) -> None:
        super().__init__(EMOTION_ENCODER)
        self.calls = 0

    def _run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.calls += 1
        (log_mel,) = feed.values()
        bands = log_mel.reshape(8, -1).mean(1)
        (name,) = self.spec.output_names
        return {name: (1 / (1 + np.exp(-(bands + 60) / 20))).astype(np.float32)[None]}


def noise(num_samples: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(num_samples)).astype(np.float32)


@pytest.mark.parametrize(
    ("word", "name"),
    [("joy", "happy"), ("Disgusted", "disgust"), (" fear ", "fearful"), ("surprise", "surprised")],
)
def test_aliases_name_the_classes(word: str, name: str) -> None:
    assert EMOTIONS[emotion_index(word)] == name


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="'hapy'.*'happy'.*neutral, calm"):
        parse_emotion("hapy")


@pytest.mark.parametrize(
    "text", ["", "happy=2", "happy=x", "happy=-0.1", "happy,joy", "=1", "sad="]
)
def test_unusable_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected"):
        parse_emotion(text)


def test_weights_leave_the_rest_to_neutral() -> None:
    weights = parse_emotion("happy=0.5, surprise=0.25").weights
    assert weights[[HAPPY, 7, 0]] == pytest.approx([0.5, 0.25, 0.25])
    assert emotion_from({"joy": 0.5, "surprised": 0.25}).weights == pytest.approx(weights)


@given(st.floats(0, 1), st.floats(0, 1))
def test_strength_is_monotone_and_zero_is_exactly_neutral(first: float, second: float) -> None:
    weak, strong = sorted((first, second))
    emotion = parse_emotion("angry=0.6,disgust=0.3")
    low, high = emotion.scaled(weak).weights, emotion.scaled(strong).weights
    assert (low[1:] <= high[1:]).all()
    assert low[0] >= high[0]
    assert emotion.scaled(0).weights.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert emotion.scaled(1).weights == pytest.approx(emotion.weights)


def test_too_much_strength_is_clipped_and_said() -> None:
    strong = parse_emotion("sad", strength=1.7)
    assert strong.weights.tolist() == parse_emotion("sad").weights.tolist()
    assert "1.7" in strong.notes[0]


@pytest.mark.parametrize("strength", [-0.1, float("nan")])
def test_impossible_strength_is_refused(strength: float) -> None:
    with pytest.raises(InputError, match="strength"):
        parse_emotion("sad", strength)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_emotion_refuses_weights_outside_the_unit_interval(value: float) -> None:
    with pytest.raises(InputError, match="weights"):
        Emotion(weights=np.full(8, value, np.float32))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 60_000), max_size=8), st.integers(1, 110_000))
def test_reading_does_not_depend_on_the_chunks(cuts: list[int], length: int) -> None:
    speech = noise(length)
    whole, pieces = EmotionReader(LevelRunner()), EmotionReader(LevelRunner())
    whole.push(speech)
    for part in np.split(speech, sorted(c for c in cuts if c < length)):
        pieces.push(part)
    assert whole.close().weights.tolist() == pieces.close().weights.tolist()


@pytest.mark.parametrize("length", [1, WINDOW_SAMPLES - 1, WINDOW_SAMPLES, 100_000, 96_000])
def test_windows_cover_every_sample_once_a_second(length: int) -> None:
    speech = noise(length)
    cutter = WindowCutter(WINDOW_SAMPLES, HOP_SAMPLES)
    windows = [*cutter.push(speech), *cutter.close()]
    assert all(len(w) == WINDOW_SAMPLES for w in windows)
    assert len(windows) == 1 + max(0, -(-(length - WINDOW_SAMPLES) // HOP_SAMPLES))
    last = speech[-WINDOW_SAMPLES:]
    assert (windows[-1][: len(last)] == last).all()
    for i, window in enumerate(windows[:-1]):
        assert (window == speech[i * HOP_SAMPLES :][:WINDOW_SAMPLES]).all()


def test_silence_reads_no_emotion_and_says_so() -> None:
    runner = LevelRunner()
    reader = EmotionReader(runner)
    reader.push(np.zeros(80_000, np.float32))
    emotion = reader.close()
    assert runner.calls == 0
    assert emotion.weights.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert emotion.notes == (SILENCE_NOTE,)
    assert emotion.source == "voice"


def test_silent_windows_do_not_count() -> None:
    voice = EmotionReader(LevelRunner())
    voice.push(noise(WINDOW_SAMPLES))
    padded = EmotionReader(LevelRunner())
    scores = padded.push(np.concatenate([noise(WINDOW_SAMPLES), np.zeros(6 * 16_000, np.float32)]))
    assert np.isnan(scores[-1]).all()
    assert not np.isnan(scores[0]).any()
    assert padded.scores is not None


def test_clear_voices_give_clear_faces_and_neutral_ones_almost_none() -> None:
    clear = np.full(8, 0.05, np.float32)
    clear[HAPPY] = 0.6
    face = expression_from_scores(clear)
    assert face[HAPPY] > 0.8
    assert face.sum() == pytest.approx(1)
    plain = np.full(8, 0.03, np.float32)
    plain[0], plain[1] = 0.7, 0.2
    assert expression_from_scores(plain)[0] > 0.95


@given(st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8))
def test_every_score_makes_a_valid_emotion(scores: list[float]) -> None:
    weights = expression_from_scores(np.array(scores, np.float32))
    assert Emotion(weights=weights).weights.sum() == pytest.approx(1, abs=1e-5)


@given(st.floats(0, 0.9), st.floats(0, 0.1))
def test_more_neutral_voices_give_weaker_faces(neutral: float, more: float) -> None:
    scores = np.full(8, 0.1)
    scores[SAD] = 0.5
    faces = []
    for share in (neutral, neutral + more):
        scores[0] = share
        faces.append(1 - expression_from_scores(scores)[0])
    assert faces[0] >= faces[1] - 1e-6
