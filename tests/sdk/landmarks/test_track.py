"""Landmarks over time: what is refused, resampling, another face's motion, files and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emohead import InputError, LandmarkTrack, TalkingHead
from emohead.camera import angles_from_rotations, rotations_from_angles
from emohead.geometry import TEMPLATE
from emohead.landmarks.files import SUFFIXES, read_landmarks, write_landmarks
from emohead.samples import SAMPLE_FACE

_RATE = 16_000


def _face(num_frames: int = 4, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    jitter = np.random.default_rng(seed).normal(0, 0.01, (num_frames, 68, 3))
    return np.asarray(100 * (TEMPLATE + jitter) + (128, 128, 0), np.float32)


def _full(num_frames: int = 4) -> LandmarkTrack:
    rng = np.random.default_rng(1)
    return LandmarkTrack(
        landmarks=_face(num_frames),
        fps=29.97,
        emotion=rng.random((num_frames, 8), np.float32),
        angles=rng.normal(0, 0.1, (num_frames, 3)),
        gaze=rng.uniform(-1, 1, (num_frames, 2)),
        neutral=TEMPLATE,
    )


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "one frame without its axis": ({"landmarks": TEMPLATE}, "(68, 68, 2 or 3)"),
    "another layout": ({"landmarks": np.zeros((5, 98, 2))}, "68 iBUG points"),
    "no frames": ({"landmarks": np.zeros((0, 68, 3))}, "(N, 68, 2 or 3)"),
    "a hole": ({"landmarks": np.full((2, 68, 3), np.nan)}, "no face was found"),
    "words": ({"landmarks": [["a"]]}, "text or ragged"),
    "no rate": ({"fps": 0}, "frames a second"),
    "rate not a number": ({"fps": float("nan")}, "frames a second"),
    "unknown unit": ({"unit": "mm"}, "'mm'"),
    "emotion of one frame": ({"emotion": np.zeros(8)}, "one row per frame"),
    "emotion too strong": ({"emotion": np.full((4, 8), 1.5)}, "in [0, 1]"),
    "wild gaze": ({"gaze": np.full((4, 2), -2)}, "in [-1, 1]"),
    "neutral over time": ({"neutral": _face()}, "neutral face"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_unusable_landmarks_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        LandmarkTrack(**{"landmarks": _face(), "fps": 30, **change})
    assert message in str(refusal.value)


def test_flat_landmarks_get_depth() -> None:
    track = LandmarkTrack(landmarks=_face()[..., :2], fps=30)
    assert track.landmarks.shape == (4, 68, 3)
    np.testing.assert_array_equal(track.landmarks[..., :2], _face()[..., :2])
    assert np.ptp(track.landmarks[..., 2]) > 10


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    values=hnp.arrays(np.float32, (2, 68, 3), elements=st.floats(-1e4, 1e4, width=32)),
    fps=st.sampled_from([24, 30, 23.976, 59.94]),
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_landmarks_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, values: np.ndarray, fps: float
) -> None:
    path = tmp_path_factory.mktemp("t") / f"a{suffix}"
    back = read_landmarks(write_landmarks(LandmarkTrack(landmarks=values, fps=fps), path))
    np.testing.assert_array_equal(back.landmarks, values)
    assert back.fps == fps


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything_that_belongs_to_them_comes_back(tmp_path: Path, suffix: str) -> None:
    track = _full()
    back = read_landmarks(write_landmarks(track, tmp_path / f"a{suffix}"))
    for name in ("landmarks", "emotion", "angles", "gaze", "neutral"):
        np.testing.assert_array_equal(getattr(back, name), getattr(track, name), name)
    assert (back.fps, back.unit) == (29.97, "crop_px")
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_openface_files_are_read(tmp_path: Path) -> None:
    names = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    rows = [", ".join(["frame", "face_id", "timestamp", *names])]
    flat = _face()[..., :2]
    for index, points in enumerate(flat):
        values = points.T.reshape(-1).astype(str)
        rows.append(", ".join([str(index + 1), "0", f"{index * 0.033:.3f}", *values]))
    (tmp_path / "a.csv").write_text("\n".join(rows))
    track = read_landmarks(tmp_path / "a.csv")
    np.testing.assert_array_equal(track.landmarks[..., :2], flat)
    assert track.unit == "photo_px"
    assert track.fps == pytest.approx(30.3, abs=0.01)


FILES: dict[str, tuple[str, str, str]] = {
    "another kind": ("a.txt", "", "must end in"),
    "no JSON": ("a.json", "[1", "landmarks"),
    "another JSON": ("a.json", '{"format": "emohead-emotion-track"}', "at format"),
    "no columns": ("a.csv", "a,b\n1,2\n", "x_0"),
    "no archive": ("a.npz", "PK", "landmarks"),
    "ragged": ("a.csv", ",".join(f"{a}_{i}" for a in "xy" for i in range(68)) + "\n1\n", "columns"),
}


@pytest.mark.parametrize(("name", "text", "message"), FILES.values(), ids=FILES)
def test_unusable_files_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as refusal:
        read_landmarks(tmp_path / name)
    assert message in str(refusal.value)
    assert name in str(refusal.value)


@pytest.mark.parametrize("fps", [15, 25, 60])
def test_resampled_landmarks_keep_their_time(fps: int) -> None:
    times = (np.arange(30) + 0.5) / 30
    moving = _face(1) + times[:, None, None]
    track = LandmarkTrack(landmarks=moving, fps=30).at_rate(fps, fps)
    later = (np.arange(fps) + 0.5) / fps
    inside = (later >= times[0]) & (later <= times[-1])
    expected = (_face(1) + later[:, None, None])[inside]
    np.testing.assert_allclose(track.landmarks[inside], expected, atol=1e-4)
    assert (len(track), track.fps) == (fps, fps)


@given(angles=hnp.arrays(np.float64, (3, 3), elements=st.floats(-1.4, 1.4)))
def test_angles_of_rotations_are_theirs(angles: np.ndarray) -> None:
    np.testing.assert_allclose(
        angles_from_rotations(rotations_from_angles(angles)), angles, atol=1e-9
    )


@pytest.fixture(scope="module")
def head(tiny_bundle: Path) -> TalkingHead:
    """Head of toy networks."""
    return TalkingHead.load(tiny_bundle)


def _hum(seconds: float = 0.5) -> tuple[np.ndarray[Any, np.dtype[np.float64]], int]:
    times = np.arange(int(seconds * _RATE)) / _RATE
    return 0.3 * np.sin(2 * np.pi * 180 * times), _RATE


def test_a_clip_is_the_same_from_its_own_landmarks(head: TalkingHead, tmp_path: Path) -> None:
    face = head.portrait(SAMPLE_FACE)
    clip = head.animate(face, _hum(), emotion="happy", seed=2)
    path = clip.save_landmarks(tmp_path / "a.csv")
    again = head.animate(face, _hum(), landmarks=path)
    np.testing.assert_array_equal(again.points, clip.points)
    np.testing.assert_array_equal(list(again), list(clip))
    assert again.emotion.name == clip.emotion.name
    for name in ("angles", "gaze", "emotion"):
        np.testing.assert_array_equal(
            getattr(again.landmark_track, name), getattr(clip.landmark_track, name)
        )


def test_landmarks_of_another_rate_and_length_are_fitted_in_time(head: TalkingHead) -> None:
    face = head.portrait(SAMPLE_FACE)
    still = LandmarkTrack(landmarks=np.repeat(face.landmarks[None], 6, axis=0), fps=12)
    clip = head.animate(face, _hum(), landmarks=still)
    assert len(clip) == 15
    assert not any("last" in note for note in clip.notes)
    np.testing.assert_allclose(clip.landmarks, np.repeat(face.landmarks[None], 15, axis=0))
    assert any(
        "as long as the speech" in n for n in head.animate(face, _hum(2), landmarks=still).notes
    )


UNITS: dict[str, Callable[[Any, Any], Any]] = {
    "crop_px": lambda face, shape: face.pose.apply(shape),
    "photo_px": lambda face, shape: face.transform.to_photo(face.pose.apply(shape)),
    "canonical": lambda face, shape: shape,
}


@pytest.mark.parametrize("unit", UNITS)
def test_units_mean_the_same_place(head: TalkingHead, unit: str) -> None:
    face = head.portrait(SAMPLE_FACE)
    given = UNITS[unit](face, face.canonical[None])
    track = LandmarkTrack(landmarks=given, fps=30, unit=unit)
    np.testing.assert_allclose(track.placed_on(face)[0], face.landmarks, atol=1e-3)


def test_landmarks_in_another_unit_than_they_say_are_refused(head: TalkingHead) -> None:
    face = head.portrait(SAMPLE_FACE)
    for landmarks in (face.canonical[None], 9 * face.landmarks[None], face.landmarks[None] + 300):
        with pytest.raises(InputError, match="where the portrait has its face"):
            head.animate(face, _hum(), landmarks=landmarks)
    with pytest.raises(InputError, match="landmarks or an emotion"):
        head.animate(face, _hum(), landmarks=face.landmarks[None], emotion="sad")


def test_another_face_takes_the_motion_and_keeps_its_shape(head: TalkingHead) -> None:
    face = head.portrait(SAMPLE_FACE)
    other = 1.2 * TEMPLATE
    opened = other.copy()
    opened[[66, 67, 65]] += (0, 0.1, 0)
    tracked = np.stack([other, opened])
    track = LandmarkTrack(landmarks=tracked, fps=30, unit="canonical", neutral=other)
    fitted = track.fitted_to(face)
    np.testing.assert_allclose(fitted.landmarks[0], face.canonical, atol=1e-6)
    np.testing.assert_allclose(fitted.landmarks[1] - fitted.landmarks[0], opened - other, atol=1e-6)
    with pytest.raises(InputError, match="at rest"):
        LandmarkTrack(landmarks=tracked, fps=30, unit="canonical").fitted_to(face)
