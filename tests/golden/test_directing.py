"""Directed emotions on the landmarks of the sample portrait, through the default bundle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from emohead import VA, Audio, EmotionTrack, Portrait, TalkingHead
from emohead.emotion import EMOTIONS, parse_emotion
from emohead.emotion.track import track_from
from emohead.samples import SAMPLE_FACE

FPS = 30


@pytest.fixture(scope="module")
def head() -> TalkingHead:
    return TalkingHead.load(backend="cpu")


@pytest.fixture(scope="module")
def face(head: TalkingHead) -> Portrait:
    return head.portrait(SAMPLE_FACE)


def _frames(head: TalkingHead, face: Portrait, emotion: object, count: int) -> NDArray[np.float32]:
    """Landmarks (count, 68, 3), px, of a silent face that only the emotion moves."""
    silence = Audio(np.zeros(math.ceil(count * 16_000 / FPS), np.float32))
    return head.animate(face, silence, emotion=emotion, still=True).landmarks[:count]


def _ramp(emotion: object, count: int) -> EmotionTrack:
    """From neutral to an emotion, evenly over `count` frames."""
    end_s = (count - 0.5) / FPS
    return EmotionTrack(
        times_s=np.array([0.5 / FPS, end_s]),
        weights=np.stack([track_from("neutral").weights[0], track_from(emotion).weights[0]]),
    )


def _moved(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far each frame is from the first, px, root mean square over the points."""
    return np.sqrt(np.square(frames - frames[0], dtype=np.float64).sum(-1).mean(-1))


@pytest.mark.parametrize("name", [n for n in EMOTIONS if n != "neutral"])
def test_a_face_moves_further_with_more_of_an_emotion(head, face, name: str) -> None:
    frames = _frames(head, face, _ramp(name, 7), 7)
    assert (np.diff(_moved(frames)) > 0).all()


@pytest.mark.parametrize("degrees", range(0, 360, 45))
def test_a_face_moves_further_from_the_centre_of_the_circle(head, face, degrees: int) -> None:
    angle = math.radians(degrees)
    rim = VA(0.999 * math.cos(angle), 0.999 * math.sin(angle))
    frames = _frames(head, face, _ramp(rim, 6), 6)
    assert (np.diff(_moved(frames)) > 0).all()


def test_neutral_is_exactly_neutral_in_every_form(head, face) -> None:
    plain = _frames(head, face, "neutral", 3)
    track = EmotionTrack.from_changes([(0.0, parse_emotion("angry"))]).scaled(0)
    for given in (VA(0, 0), track, {"neutral": 1.0}):
        np.testing.assert_array_equal(_frames(head, face, given, 3), plain)


def test_a_track_shows_each_emotion_in_its_time(head, face) -> None:
    changes = [(0.0, parse_emotion("happy")), (0.2, parse_emotion("angry"))]
    frames = _frames(head, face, EmotionTrack.from_changes(changes, transition_s=0.2), 18)
    for at, name in ((2, "happy"), (17, "angry")):
        # Motion is computed at 30 frames a second whatever the clip's own rate.
        alone = _frames(head, face, name, 1)
        np.testing.assert_allclose(frames[at], alone[0], atol=1e-3)


@pytest.mark.parametrize("transition_s", [0.2, 0.5])
def test_a_transition_has_no_jump(head, face, transition_s: float) -> None:
    """A frame moves no point much further than its even share of the whole way."""
    changes = [(0.0, parse_emotion("happy")), (0.1, parse_emotion("surprised"))]
    count = math.ceil((0.2 + transition_s) * FPS)
    frames = _frames(head, face, EmotionTrack.from_changes(changes, transition_s), count)
    whole = np.linalg.norm(frames[-1] - frames[0], axis=-1).max()
    steps = np.linalg.norm(np.diff(frames, axis=0), axis=-1).max(axis=-1)
    assert whole > 2
    assert steps.max() < 2.0 * whole / (transition_s * FPS)
