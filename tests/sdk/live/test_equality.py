"""The whole path over toy networks: a stream, however it is cut, gives the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emohead.audio import audio_from_array
from emohead.emotion.feeling import LAG_S
from emohead.errors import InputError
from emohead.stream import VideoFrame

SLOW = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
PIXEL = np.zeros((1, 1, 3), np.uint8)


class _Drawer:
    """Keeps the landmarks it is given, in a renderer's place."""

    def __init__(self, renderer, features) -> None:
        self.points: list[np.ndarray] = []

    def render(self, points: np.ndarray) -> np.ndarray:
        self.points.append(np.asarray(points, np.float32))
        return PIXEL

    def close(self) -> None:
        pass


@contextmanager
def stream_of(head, face, **how) -> Iterator[tuple]:
    """Open a stream and the list of landmarks that it draws."""
    drawer = _Drawer(None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emohead.online.FrameRenderer", lambda *_: drawer)
        live = head.stream(face, **how)
    with live:
        yield live, drawer.points


def streamed(head, face, sound, cuts, **how) -> np.ndarray:
    """Landmarks of every frame of an utterance that is pushed in pieces."""
    pieces = np.split(sound, sorted(c % (len(sound) + 1) for c in cuts))
    with stream_of(head, face, **how) as (live, points):
        for number, piece in enumerate(pieces):
            live.push_audio(piece, last=number == len(pieces) - 1)
            list(live)
    return np.array(points)


@SLOW
@given(st.lists(st.integers(0, 10**6), max_size=30), st.sampled_from((24, 25, 30, 48)))
def test_any_chunking_gives_the_landmarks_of_the_clip(
    tiny_head, tiny_face, voice, cuts: list[int], fps: int
) -> None:
    how = {"emotion": "happy", "seed": 3, "fps": fps}
    clip = tiny_head.animate(tiny_face, audio_from_array(voice, 16_000), **how)
    points = streamed(tiny_head, tiny_face, voice, cuts, **how)
    np.testing.assert_array_equal(points, clip.points)


@SLOW
@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_another_rate_and_a_followed_emotion_do_not_depend_on_the_chunks(
    tiny_head, tiny_face, voice, cuts: list[int]
) -> None:
    sound = np.tile(voice, 2)
    once, cut = (streamed(tiny_head, tiny_face, sound, c, sample_rate=24_000) for c in ([], cuts))
    np.testing.assert_array_equal(once, cut)


def test_the_frames_of_a_clip_are_those_of_a_stream_at_its_rate(
    tiny_head, tiny_face, voice
) -> None:
    clip = tiny_head.animate(tiny_face, (voice, 24_000), emotion="sad", full_frame=True)
    with tiny_head.stream(tiny_face, emotion="sad", sample_rate=24_000, full_frame=True) as live:
        live.push_audio(voice, last=True)
        images = [frame.image for frame in live if isinstance(frame, VideoFrame)]
    np.testing.assert_array_equal(np.array(images), np.array(list(clip)))


def test_a_followed_emotion_shows_after_its_lag(tiny_head, tiny_face, voice) -> None:
    sound = np.tile(voice, 2)
    told, heard = (
        streamed(tiny_head, tiny_face, sound, [], still=True, emotion=e) for e in ("neutral", None)
    )
    changed = np.abs(told - heard).max((1, 2))
    assert not changed[: int(LAG_S * 30)].any()
    assert changed[int(LAG_S * 30) + 2 :].all()


def test_the_latency_is_the_slowest_stages_and_frames_keep_to_it(
    tiny_head, tiny_face, voice
) -> None:
    how = {"fps": 25, "sample_rate": 24_000, "emotion": "neutral"}
    with stream_of(tiny_head, tiny_face, **how) as (live, points):
        assert set(live.latency.stages) == {"resampling", "lips", "head motion", "frame rate"}
        assert 0.5 < live.latency.total_s < 0.65
        for end in range(240, len(voice), 240):
            live.push_audio(voice[end - 240 : end])
            list(live)
            assert len(points) >= (end / 24_000 - live.latency.total_s) * 25


def test_pauses_are_lively_and_seeded(tiny_head, tiny_face) -> None:
    def idle(**how: float) -> np.ndarray:
        with stream_of(tiny_head, tiny_face, emotion="neutral", fps=10, **how) as (live, points):
            for _ in range(60):
                live.take(idle=True)
        return np.array(points)

    one, same, other = (idle(seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1
    nose = np.ptp(one[:, 30], axis=0)
    assert 0.1 < nose.max() < 5
    still = idle(head_motion=0, blink_rate=0, gaze=0)
    assert not np.diff(still, axis=0).any()


def test_an_utterance_leaves_and_finds_the_face_without_a_jump(tiny_head, tiny_face, voice) -> None:
    how = {"emotion": "angry", "head_motion": 2.0, "blink_rate": 0, "gaze": 0}
    with stream_of(tiny_head, tiny_face, **how) as (live, points):
        for stop in (False, True):
            live.push_audio(np.tile(voice, 2))
            list(live)
            if stop:
                live.interrupt()
            live.flush()
            list(live)
            for _ in range(30):
                live.take(idle=True)
    steps = np.abs(np.diff(points, axis=0)).max((1, 2))
    assert steps.max() < 4
    assert np.ptp(np.array(points)[:, 30], axis=0).max() > 3


def test_head_motion_is_an_amount(tiny_head, tiny_face, voice) -> None:
    speech = audio_from_array(voice, 16_000)
    how = {"emotion": "angry", "blink_rate": 0, "gaze": 0, "seed": 5}
    amounts = (0.0, 0.5, 1.0, 2.0)
    clips = [tiny_head.animate(tiny_face, speech, head_motion=a, **how) for a in amounts]
    still = tiny_head.animate(tiny_face, speech, still=True, **how)
    moved = [np.abs(c.landmarks - still.landmarks).max() for c in clips]
    assert moved[0] == 0
    assert moved == sorted(moved)
    assert moved[2] > 1.5 * moved[1]


@pytest.mark.parametrize(
    "how", [{"head_motion": -1}, {"head_motion": 5}, {"fps": 0}, {"seed": -1}, {"buffer_s": 0}]
)
def test_impossible_parameters_are_refused(tiny_head, tiny_face, how) -> None:
    with pytest.raises(InputError, match="expected"):
        tiny_head.stream(tiny_face, **how)
