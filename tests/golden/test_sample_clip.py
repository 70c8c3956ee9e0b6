"""The sample portrait speaks the sample voice, through the default bundle, end to end."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from emohead import Audio, Clip, InputError, Portrait, TalkingHead, read_audio
from emohead.geometry.landmarks import EYELID_PAIRS, EYES, LIP_PAIRS, MOUTH
from emohead.life import blinks
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def head() -> TalkingHead:
    return TalkingHead.load(backend="cpu")


@pytest.fixture(scope="module")
def face(head: TalkingHead) -> Portrait:
    return head.portrait(SAMPLE_FACE)


@pytest.fixture(scope="module")
def speech() -> Audio:
    return read_audio(SAMPLE_SPEECH)


def _still(head: TalkingHead, face: Portrait, speech: Audio, emotion: str) -> Clip:
    return head.animate(face, speech, emotion=emotion, still=True)


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(a.astype(float) - b).mean()))


def test_the_clip_has_a_frame_for_every_thirtieth_of_a_second(head, face, speech) -> None:
    for fps in (24, 25, 30, 50):
        clip = head.animate(face, speech, fps=fps)
        assert len(clip) == -(-len(speech.samples) * fps // 16_000)
        assert clip.landmarks.shape == (len(clip), 68, 3)
        assert clip.fps == fps


def test_a_resting_face_is_the_photo(head, face) -> None:
    silence = Audio(np.zeros(8_000, np.float32))
    clip = head.animate(face, silence, still=True)
    assert clip.emotion.name == "neutral"
    assert any("no voice" in note for note in clip.notes)
    np.testing.assert_allclose(
        clip.landmarks, np.broadcast_to(face.landmarks, clip.landmarks.shape), atol=1e-3
    )
    frames = list(clip)
    assert min(_psnr(frame, face.image) for frame in frames) > 30


def test_the_mouth_moves_with_the_voice_and_the_picture_with_the_mouth(head, face, speech) -> None:
    clip = _still(head, face, speech, "neutral")
    upper, lower = (list(side) for side in zip(*LIP_PAIRS, strict=True))
    gap = (clip.landmarks[:, lower, 1] - clip.landmarks[:, upper, 1]).mean(1)
    assert np.ptp(gap) > 3
    wide, narrow = int(gap.argmax()), int(gap.argmin())
    frames = dict(enumerate(clip))
    mouth = clip.points[wide, 48:].round().astype(int)
    (x0, y0), (x1, y1) = mouth.min(0), mouth.max(0)
    box = (slice(y0, y1), slice(x0, x1))
    changed = np.abs(frames[wide].astype(int) - frames[narrow])
    assert changed[box].mean() > 3 * changed[:40].mean()


def test_the_mouth_does_not_quiver_in_the_silence_of_a_room(head, face, speech) -> None:
    rng = np.random.default_rng(0)
    room = rng.normal(0, 10 ** (-55 / 20), 48_000).astype(np.float32)
    spoken = speech.samples[:32_000] + room[:32_000]
    clip = head.animate(
        face, Audio(np.concatenate((spoken, room, spoken))), emotion="neutral", still=True
    )
    mouth = clip.landmarks[:, list(MOUTH)]
    quiet = mouth[60 + 30 : 60 + 80]
    assert np.ptp(mouth[:60], axis=0).max() > 2
    assert np.ptp(mouth[150:], axis=0).max() > 2
    np.testing.assert_allclose(quiet, np.broadcast_to(quiet[0], quiet.shape), atol=1e-3)
    np.testing.assert_allclose(quiet[0], face.landmarks[list(MOUTH)], atol=1e-2)


def test_eyes_blink_and_glance_unless_told_not_to(head, face, speech) -> None:
    resting, blinking, glancing = (
        head.animate(face, speech, emotion="neutral", seed=5, blink_rate=rate, gaze=gaze)
        for rate, gaze in ((0, 0), (17, 0), (0, 1))
    )
    upper, lower = (list(side) for side in zip(*EYELID_PAIRS, strict=True))
    opening = [(c.points[:, lower, 1] - c.points[:, upper, 1]).mean(1) for c in (resting, blinking)]
    shut = int(np.argmin(opening[1] / opening[0]))
    assert opening[1][shut] < 0.25 * opening[0][shut]
    assert blinks(np.array([(shut + 0.5) / 30]), 5)[0] > 0.8
    others = [i for i in range(68) if i not in EYES]
    for clip in (blinking, glancing):
        np.testing.assert_array_equal(clip.points[:, others], resting.points[:, others])
    assert np.abs(glancing.points - resting.points).max() > 1
    frames = [next(islice(c, shut, None)) for c in (resting, blinking)]
    eyes = resting.points[shut, list(EYES)].round().astype(int)
    (x0, y0), (x1, y1) = eyes.min(0), eyes.max(0)
    changed = np.abs(frames[0].astype(int) - frames[1])
    assert changed[y0:y1, x0:x1].mean() > 5 * changed[-60:].mean()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_motion(
    head, face, speech
) -> None:
    first, again, other = (head.animate(face, speech, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.points, again.points)
    assert np.abs(first.points - other.points).max() > 0.5
    for a, b in islice(zip(first, again, strict=True), 5):
        np.testing.assert_array_equal(a, b)


def test_emotions_shape_the_face_in_proportion_to_strength(head, face, speech) -> None:
    neutral = _still(head, face, speech, "neutral").points
    half, full = (
        head.animate(face, speech, emotion="angry", strength=s, still=True).points
        for s in (0.5, 1.0)
    )
    none = head.animate(face, speech, emotion="angry", strength=0.0, still=True).points
    np.testing.assert_array_equal(none, neutral)
    moved = [np.linalg.norm(p - neutral, axis=-1).mean() for p in (half, full)]
    assert 0.1 < moved[0] < moved[1]
    brows = slice(17, 27)
    assert (full[:, brows, 1] - neutral[:, brows, 1]).mean() > 0.5


def test_full_frames_are_the_photo_outside_the_face(head, face, speech) -> None:
    clip = head.animate(face, speech, full_frame=True)
    frame = next(iter(clip))
    assert frame.shape == face.photo.shape
    np.testing.assert_array_equal(frame[-5:, :5], face.photo[-5:, :5])


def test_a_frame_rate_out_of_range_is_refused(head, face, speech) -> None:
    with pytest.raises(InputError, match="from 1 to 120, got 0"):
        head.animate(face, speech, fps=0)


def test_impossible_eyes_are_refused(head, face, speech) -> None:
    with pytest.raises(InputError, match="blink rate"):
        head.animate(face, speech, blink_rate=-1)
    with pytest.raises(InputError, match="gaze"):
        head.animate(face, speech, gaze=2)


def test_an_interrupted_save_leaves_nothing(head, face, speech, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        head.animate(face, speech).save(tmp_path / "a.mp4", progress=stop)
    assert list(tmp_path.iterdir()) == []
