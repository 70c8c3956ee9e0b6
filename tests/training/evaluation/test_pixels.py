"""The pixel protocol: which frames are measured, and the baselines that need no learning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emohead_training.corpus import VideoClip
from emohead_training.evaluation.baselines import copy_anchor, warp_anchor, with_mean_mouth
from emohead_training.evaluation.pixels import (
    PixelCase,
    _read_case,
    _shortened,
    mouth_box,
    mouth_opening,
    pixel_errors,
    read_cases,
    synthesise,
    synthesise_at,
)
from emohead_training.evaluation.protocol import PROTOCOL


def face(shift: float = 0.0, opening: float = 0.0) -> Any:
    """Landmarks on a grid with eyes 100 px apart and lips `opening` px apart."""
    points = np.stack(
        np.meshgrid(np.arange(60, 60 + 10 * 10, 10), np.arange(80, 80 + 7 * 10, 10)), -1
    )
    points = points.reshape(-1, 2)[:68].astype(np.float32)
    points[36], points[45] = (70, 100), (170, 100)
    points[62], points[66] = (120, 180 - opening / 2), (120, 180 + opening / 2)
    return points + np.float32(shift)


def picture() -> Any:
    y, x = np.mgrid[:256, :256]
    ramp = np.stack((x, y, (x + y) / 2), -1)
    return ramp.astype(np.uint8)


@pytest.fixture
def clip(tmp_path: Path) -> VideoClip:
    return VideoClip(
        path=tmp_path / "a.mp4",
        source="s",
        identity="i",
        split="test",
        emotion="",
        fps=25.0,
        num_frames=30,
        has_speech=False,
        lag_frames=None,
    )


@pytest.fixture
def case(clip: VideoClip, monkeypatch: pytest.MonkeyPatch) -> PixelCase:
    """A clip whose frame n is painted in the level n and whose mouth is most closed in frame 7."""
    from emohead_training.corpus import Labels
    from emohead_training.evaluation import pixels

    frames = [np.full((256, 256, 3), n, np.uint8) for n in range(30)]
    faces = [face(opening=3.0 * abs(n - 7) + 1) for n in range(30)]
    valid = np.ones(30, bool)
    valid[20] = False
    labels = Labels(
        landmarks=np.stack([np.c_[f, np.zeros(68)] for f in faces]).astype(np.float32),
        iris=np.zeros((30, 2, 3), np.float32),
        valid=valid,
        fps=25.0,
        outline=None,
    )
    monkeypatch.setattr(pixels, "read_frames", lambda path: iter(frames))
    monkeypatch.setattr(pixels, "read_labels", lambda path: labels)
    made = _read_case(clip)
    assert made is not None
    return made


def test_anchor_is_the_most_closed_mouth(case: PixelCase) -> None:
    assert case.anchor[0, 0, 0] == 7


def test_measured_frames_are_spread_valid_and_never_the_anchor(case: PixelCase) -> None:
    levels = case.frames[:, 0, 0, 0].tolist()
    assert len(levels) == PROTOCOL.frames_per_clip == len(set(levels))
    assert not {7, 20} & set(levels)
    assert np.ptp(levels) > 20
    assert np.allclose(
        mouth_opening(case.landmarks[list(case.measured)]),
        [(3.0 * abs(n - 7) + 1) / 100 for n in levels],
        atol=1e-3,
    )


def test_synthesis_sees_every_valid_frame_in_order(case: PixelCase) -> None:
    def count(anchor: Any, anchor_landmarks: Any, landmarks: Any) -> Iterator[Any]:
        for n in range(len(landmarks)):
            yield np.full((256, 256, 3), n, np.uint8)

    assert tuple(synthesise(case, count)[:, 0, 0, 0]) == case.measured
    assert len(case.landmarks) == case.measured[-1] + 1
    assert tuple(synthesise(case, count, stateless=True)[:, 0, 0, 0]) == tuple(range(8))


def test_warm_frames_shorten_the_run_but_keep_the_measured(case: PixelCase) -> None:
    short = list(_shortened(case, warm_frames=2))
    assert [len(s.landmarks) for s in short] == [min(i, 2) + 1 for i in case.measured]
    assert [s.frames[0, 0, 0, 0] for s in short] == case.frames[:, 0, 0, 0].tolist()
    assert all(
        (s.landmarks[s.measured[0]] == case.landmarks[i]).all()
        for s, i in zip(short, case.measured, strict=True)
    )


def test_errors_are_mean_absolute_levels(case: PixelCase) -> None:
    errors = pixel_errors(case, synthesise(case, copy_anchor))
    expected = np.abs(case.frames[:, 0, 0, 0].astype(float) - 7)
    assert np.allclose(errors.frame, expected)
    assert np.allclose(errors.mouth_box, expected)


def test_mouth_error_sees_the_mouth_only(case: PixelCase) -> None:
    made = case.frames.copy()
    rows, columns = mouth_box(case.landmarks[case.measured[0]])
    made[0, rows, columns] += 10
    made[1, :5] += 10
    errors = pixel_errors(case, made)
    assert errors.mouth_box[0] == pytest.approx(10)
    assert errors.frame[0] < 10
    assert errors.mouth_box[1] == 0
    assert errors.frame[1] > 0


def test_mouth_box_is_the_points_box_with_margin_inside_the_frame() -> None:
    points = face()
    points[48:68] = [[100, 150]] * 20
    points[50] = (140, 170)
    rows, columns = mouth_box(points)
    assert (rows.start, rows.stop) == (
        150 - PROTOCOL.mouth_margin_px,
        170 + PROTOCOL.mouth_margin_px + 1,
    )
    assert (columns.start, columns.stop) == (
        100 - PROTOCOL.mouth_margin_px,
        140 + PROTOCOL.mouth_margin_px + 1,
    )
    rows, columns = mouth_box(points + 120)
    assert rows.stop == columns.stop == 256


def test_warp_to_the_same_landmarks_is_the_anchor() -> None:
    (made,) = warp_anchor(picture(), face(), face()[None])
    assert np.abs(made.astype(int) - picture()).max() <= 1


def test_warp_carries_pixels_to_the_new_landmarks() -> None:
    target = face()
    target[30] += (4, -3)
    (made,) = warp_anchor(picture(), face(), target[None])
    x, y = target[30].round().astype(int)
    assert made[y, x, 0] == pytest.approx(face()[30, 0], abs=1)
    assert made[y, x, 1] == pytest.approx(face()[30, 1], abs=1)


def test_triples_are_consecutive_frames_up_to_a_measured_one(case: PixelCase) -> None:
    assert case.recent is not None
    levels = case.recent[:, :, 0, 0, 0]
    assert (np.diff(levels, axis=1) == 1).all()
    assert levels[:, 2].tolist() == [
        int(case.frames[case.measured.index(i), 0, 0, 0]) for i in case.recent_at
    ]
    assert not np.isin(levels, 20).any()


def test_chosen_frames_are_kept_in_order(case: PixelCase) -> None:
    def count(anchor: Any, anchor_landmarks: Any, landmarks: Any) -> Iterator[Any]:
        for n in range(len(landmarks)):
            yield np.full((256, 256, 3), n, np.uint8)

    assert synthesise_at(case, count, (2, 5))[:, 0, 0, 0].tolist() == [2, 5]


def test_mean_mouth_follows_the_head_and_does_not_speak(case: PixelCase) -> None:
    still = with_mean_mouth(case)
    assert np.ptp(mouth_opening(still.landmarks)) < 1e-4
    assert mouth_opening(still.landmarks).mean() == pytest.approx(
        mouth_opening(case.landmarks).mean(), rel=1e-3
    )
    assert (still.landmarks[:, :48] == case.landmarks[:, :48]).all()
    moved = PixelCase(**(vars(case) | {"landmarks": case.landmarks + np.float32(9)}))
    shifted = with_mean_mouth(moved).landmarks[:, 48:] - still.landmarks[:, 48:]
    assert shifted == pytest.approx(9, abs=1e-3)


def test_baselines_of_one_test_clip_are_those_of_record(shared_data: Path) -> None:
    """Pins the protocol: anchor, measured frames, box and spline of the corpus' first test clip."""
    case = next(read_cases(shared_data))
    copied = pixel_errors(case, synthesise(case, copy_anchor, stateless=True))
    warped = pixel_errors(case, synthesise(case, warp_anchor, stateless=True))
    assert case.clip.split == "test"
    assert copied.frame.mean() == pytest.approx(5.40, abs=0.05)
    assert copied.mouth_box.mean() == pytest.approx(15.32, abs=0.1)
    assert warped.frame.mean() == pytest.approx(4.55, abs=0.05)
    assert warped.mouth_box.mean() == pytest.approx(11.27, abs=0.1)
