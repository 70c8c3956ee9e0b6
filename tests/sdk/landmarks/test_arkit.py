"""ARKit's curves on faces whose motion is known, and the CSV of Live Link Face."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from typer.testing import CliRunner

from emohead import InputError, LandmarkTrack
from emohead.camera import rotations_from_angles
from emohead.cli import app
from emohead.geometry import TEMPLATE
from emohead.landmarks.arkit import BLENDSHAPES, UNTOLD, blendshapes_from, blendshapes_of
from emohead.landmarks.files import write_landmarks
from emohead.landmarks.live_link import COLUMNS, timecode, write_live_link
from emohead.life import apply_blink

Array = np.ndarray[Any, np.dtype[np.float64]]

LOWER = [*range(4, 13), *range(55, 60), 65, 66, 67]
"""What an opening jaw carries along, corners of the mouth excepted."""


def _curves(faces: Array, gaze: Array | None = None) -> dict[str, Array]:
    return dict(zip(BLENDSHAPES, blendshapes_from(faces, TEMPLATE, gaze).T, strict=True))


def _moved(*moves: tuple[list[int], tuple[float, float, float]]) -> Array:
    face = np.array(TEMPLATE, np.float64)
    for points, way in moves:
        face[points] += way
    return face[None]


def test_the_face_at_rest_has_no_curve() -> None:
    assert not blendshapes_from(TEMPLATE[None], TEMPLATE).any()


def test_names_are_those_of_arkit_once_each() -> None:
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert set(UNTOLD) < set(BLENDSHAPES)


def test_the_jaw_opens_monotonically() -> None:
    ways = np.linspace(0, 0.4, 9)
    opened = np.concatenate([_moved((LOWER, (0, way, 0))) for way in ways])
    curves = _curves(opened)
    assert (np.diff(curves["jawOpen"][:7]) > 0).all()
    assert curves["jawOpen"][-1] == 1
    assert curves["mouthClose"].max() < 0.05
    assert curves["mouthLowerDownLeft"].max() < 0.05


def test_a_dropped_jaw_behind_closed_lips_closes_the_mouth() -> None:
    curves = _curves(_moved((list(range(4, 13)), (0, 0.15, 0))))
    assert curves["jawOpen"][0] == pytest.approx(0.5, abs=0.05)
    assert curves["mouthClose"][0] == pytest.approx(curves["jawOpen"][0])


def test_shut_eyes_blink_and_open_ones_do_not() -> None:
    closed = np.linspace(0, 1, 6)
    curves = _curves(apply_blink(np.repeat(TEMPLATE[None], 6, axis=0), closed))
    for side in ("Left", "Right"):
        blink = curves[f"eyeBlink{side}"]
        assert (np.diff(blink[blink > 0]) >= 0).all()
        assert blink[-1] > 0.95
        assert curves[f"eyeWide{side}"].max() == 0


SIDES = {"Right": -1.0, "Left": 1.0}
"""The person's right is the viewer's left."""


@pytest.mark.parametrize("side", SIDES)
def test_each_corner_of_the_mouth_smiles_frowns_and_stretches_alone(side: str) -> None:
    other = "Left" if side == "Right" else "Right"
    corner = [48, 60] if side == "Right" else [54, 64]
    for name, way in {
        "mouthSmile": (0, -0.08, 0),
        "mouthFrown": (0, 0.1, 0),
        "mouthStretch": (SIDES[side] * 0.15, 0, 0),
    }.items():
        curves = _curves(_moved((corner, way)))
        assert curves[name + side][0] > 0.4, name
        assert curves[name + other][0] < 0.1, name


@pytest.mark.parametrize("side", SIDES)
def test_each_brow_rises_and_sinks_alone(side: str) -> None:
    brow = list(range(17, 22)) if side == "Right" else list(range(22, 27))
    other = "Left" if side == "Right" else "Right"
    raised, lowered = _curves(_moved((brow, (0, -0.1, 0)))), _curves(_moved((brow, (0, 0.1, 0))))
    assert raised[f"browOuterUp{side}"][0] > 0.5
    assert raised["browInnerUp"][0] > 0.2
    assert lowered[f"browDown{side}"][0] > 0.5
    for curves in (raised, lowered):
        assert curves[f"browOuterUp{other}"][0] == curves[f"browDown{other}"][0] == 0


def test_pursed_lips_pucker_when_closed_and_funnel_when_open() -> None:
    middle = TEMPLATE[48:68, 0].mean()
    pursed = np.array(TEMPLATE, np.float64)
    pursed[48:68, 0] = middle + 0.8 * (pursed[48:68, 0] - middle)
    open_too = pursed.copy()
    open_too[LOWER, 1] += 0.2
    closed, opened = _curves(pursed[None]), _curves(open_too[None])
    assert closed["mouthPucker"][0] > 0.8
    assert closed["mouthFunnel"][0] < 0.05
    assert opened["mouthFunnel"][0] > 0.8
    assert opened["mouthPucker"][0] < 0.05


def test_eyes_look_where_the_gaze_is() -> None:
    curves = _curves(np.repeat(TEMPLATE[None], 2, axis=0), np.array([[1.0, 0.0], [0.0, -1.0]]))
    assert curves["eyeLookOutLeft"][0] == curves["eyeLookInRight"][0] > 0.3
    assert curves["eyeLookInLeft"][0] == curves["eyeLookOutRight"][0] == 0
    assert curves["eyeLookUpLeft"][1] == curves["eyeLookUpRight"][1] > 0.2


@settings(max_examples=40, deadline=None)
@given(
    moved=hnp.arrays(np.float64, (3, 68, 3), elements=st.floats(-2, 2)),
    gaze=hnp.arrays(np.float64, (3, 2), elements=st.floats(-1, 1)),
)
def test_any_face_gives_shares(moved: Array, gaze: Array) -> None:
    curves = blendshapes_from(TEMPLATE + moved, TEMPLATE, gaze)
    assert curves.shape == (3, 52)
    assert np.isfinite(curves).all()
    assert curves.min() >= 0
    assert curves.max() <= 1
    assert not curves[:, [BLENDSHAPES.index(name) for name in UNTOLD]].any()


def test_where_the_head_is_changes_no_curve() -> None:
    smiling = _moved(([48, 54, 60, 64], (0, -0.06, 0)))
    turned = 90 * smiling @ rotations_from_angles(np.array([[0.3, -0.2, 0.1]])).swapaxes(1, 2) + 128
    neutral = LandmarkTrack(landmarks=TEMPLATE[None], fps=30).shapes[0]
    track = LandmarkTrack(landmarks=turned, fps=30, neutral=neutral)
    np.testing.assert_allclose(
        blendshapes_of(track), blendshapes_from(smiling, TEMPLATE), atol=1e-3
    )


@pytest.mark.parametrize(
    ("index", "fps", "text"),
    [
        (0, 30, "00:00:00:00.000"),
        (29, 30, "00:00:00:29.000"),
        (30, 30, "00:00:01:00.000"),
        (60 * 60 * 25 + 24, 25, "01:00:00:24.000"),
        (30, 29.97, "00:00:01:00.000"),
    ],
)
def test_time_codes_count_frames(index: int, fps: float, text: str) -> None:
    assert timecode(index, fps) == text


def test_the_csv_is_that_of_live_link_face(tmp_path: Path) -> None:
    opened = np.concatenate([TEMPLATE[None], _moved((LOWER, (0, 0.15, 0)))])
    track = LandmarkTrack(
        landmarks=opened,
        fps=60,
        unit="canonical",
        neutral=TEMPLATE,
        angles=np.array([[0.0, 0.0, 0.0], [0.1, -0.2, 0.3]]),
        gaze=np.array([[0.0, 0.0], [0.5, 1.0]]),
    )
    write_landmarks(track, tmp_path / "a.json")
    out = tmp_path / "a.csv"
    given = ["arkit", str(tmp_path / "a.json"), "-o", str(out), "--json"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["frames"] == 2
    with out.open(newline="") as file:
        rest, row = csv.DictReader(file)
    assert tuple(rest) == COLUMNS
    assert COLUMNS[:3] == ("Timecode", "BlendShapeCount", "EyeBlinkLeft")
    assert COLUMNS[-10:-8] == ("TongueOut", "HeadYaw")
    assert COLUMNS[-1] == "RightEyeRoll"
    assert (row["Timecode"], row["BlendShapeCount"]) == ("00:00:00:01.000", "61")
    assert float(row["JawOpen"]) == pytest.approx(0.5, abs=0.01)
    turns = [float(row[f"Head{turn}"]) for turn in ("Yaw", "Pitch", "Roll")]
    assert turns == pytest.approx([-0.1, 0.2, -0.3], abs=1e-6)
    assert float(row["LeftEyeYaw"]) == float(row["RightEyeYaw"]) < 0
    assert float(row["LeftEyePitch"]) < 0
    assert not any(float(v) for k, v in rest.items() if k not in COLUMNS[:2])


def test_landmarks_without_rest_and_other_names_are_refused(tmp_path: Path) -> None:
    track = LandmarkTrack(landmarks=TEMPLATE[None], fps=30)
    with pytest.raises(InputError, match="at rest"):
        write_live_link(track, tmp_path / "a.csv")
    with pytest.raises(InputError, match="must end in .csv"):
        write_live_link(track, tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
