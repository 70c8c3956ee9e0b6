from __future__ import annotations

import numpy as np
import pytest

from emohead.camera import PIVOT, pinhole_matrix, place, project, rotations_from_angles
from emohead.errors import InputError
from emohead.geometry import TEMPLATE, Pose

POSE = Pose(
    rotation=rotations_from_angles(np.array([0.2, -0.1, 0.05])),
    translation=np.array([120.0, 110.0, 40.0]),
    scale=np.array(90.0),
)
UPRIGHT = Pose(rotation=np.eye(3), translation=np.array([128.0, 128.0, 0.0]), scale=np.array(90.0))
FACES = np.repeat(TEMPLATE[None].astype(np.float64), 3, axis=0)
NOSE_TIP, CHIN, LEFT_EYE, RIGHT_EYE = 30, 8, 36, 45


def test_without_motion_the_pose_is_kept_exactly() -> None:
    zeros = np.zeros((3, 3))
    assert (place(FACES, POSE, zeros, zeros) == POSE.apply(FACES)).all()
    assert (project(place(FACES, POSE)) == POSE.apply(FACES)[..., :2]).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rotations_are_proper_and_invert(axis: int) -> None:
    angles = np.zeros(3)
    angles[axis] = 0.3
    turn = rotations_from_angles(angles)
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    assert turn @ rotations_from_angles(-angles) == pytest.approx(np.eye(3), abs=1e-12)


def test_signs_are_as_documented() -> None:
    def moved(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
        placed = place(FACES[:1], UPRIGHT, np.array([[yaw, pitch, roll]]))
        return (project(placed) - project(place(FACES[:1], UPRIGHT)))[0]

    assert moved(yaw=0.1)[NOSE_TIP, 0] > 1
    assert moved(pitch=0.1)[NOSE_TIP, 1] > 1
    tilted = moved(roll=0.1)
    assert tilted[RIGHT_EYE, 1] > tilted[LEFT_EYE, 1]
    assert tilted[LEFT_EYE, 0] > 1


def test_the_neck_stays_in_place() -> None:
    neck = np.array(PIVOT)[None, None].repeat(68, axis=1)
    turned = place(neck, POSE, np.array([[0.1, 0.1, -0.1]]))
    assert turned == pytest.approx(POSE.apply(neck))


def test_shift_is_in_canonical_units() -> None:
    shift = np.array([[0.1, 0.0, 0.0]]).repeat(3, axis=0)
    moved = place(FACES, UPRIGHT, shift=shift) - place(FACES, UPRIGHT)
    assert moved[..., 0] == pytest.approx(9.0)


def test_a_long_lens_is_nearly_weak_perspective() -> None:
    placed = place(FACES, UPRIGHT)
    weak = project(placed)
    far = np.abs(project(placed, pinhole_matrix(1e6)) - weak).max()
    near = np.abs(project(placed, pinhole_matrix(600.0)) - weak).max()
    assert far < 0.02
    assert near > 1


def test_the_reference_plane_keeps_its_size() -> None:
    flat = place(FACES, UPRIGHT)
    flat[..., 2] = 25.0
    matrix = pinhole_matrix(500.0)
    assert project(flat, matrix, plane_z_px=25.0) == pytest.approx(flat[..., :2])
    nearer = flat.copy()
    nearer[..., 2] = 5.0
    spread = np.abs(project(nearer, matrix, plane_z_px=25.0) - 128).sum()
    assert spread > np.abs(flat[..., :2] - 128).sum()


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="one row per frame"):
        place(FACES, POSE, np.zeros((2, 3)))
    with pytest.raises(InputError, match="focal"):
        project(place(FACES, UPRIGHT) - [0, 0, 100], pinhole_matrix(20.0))
