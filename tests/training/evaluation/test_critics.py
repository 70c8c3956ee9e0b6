"""Judging networks: equal is zero, worse is larger, identity survives what faces survive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from emohead.errors import InputError
from emohead_training.evaluation.critics import (
    ARCFACE_POINTS,
    FaceIdentity,
    PerceptualDistance,
    cut,
    sharpness,
    similarity,
)
from emohead_training.evaluation.pixels import PixelCase, read_cases


@pytest.fixture(scope="module")
def case(shared_data: Path) -> PixelCase:
    return next(read_cases(shared_data))


def noise() -> Any:
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def test_similarity_recovers_rotation_scale_and_shift() -> None:
    angle, scale = 0.4, 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (ARCFACE_POINTS @ turn.T + [5, -3]).astype(np.float32)
    assert np.allclose(similarity(ARCFACE_POINTS, moved), np.c_[turn, [5, -3]], atol=1e-3)


def test_blur_lowers_sharpness() -> None:
    sharp, soft = sharpness([noise(), cv2.GaussianBlur(noise(), (5, 5), 2)])
    assert soft < 0.5 * sharp
    assert sharpness([np.full((8, 8, 3), 9, np.uint8)])[0] == 0


def test_cut_takes_rows_then_columns() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 30:50] = 200
    (patch,) = cut(image[None], [(slice(10, 20), slice(30, 50))])
    assert patch.shape == (64, 64, 3)
    assert (patch == 200).all()


def test_distance_grows_with_distortion(shared_data: Path, case: PixelCase) -> None:
    distance = PerceptualDistance(shared_data / "teachers")
    true = case.frames[:1]
    soft = cv2.GaussianBlur(true[0], (0, 0), 1.5)[None]
    softer = cv2.GaussianBlur(true[0], (0, 0), 5)[None]
    equal, little, much = (distance(x, true)[0] for x in (true, soft, softer))
    assert equal == pytest.approx(0, abs=1e-6)
    assert 0.01 < little < much


def test_identity_is_of_the_person(shared_data: Path, case: PixelCase) -> None:
    identity = FaceIdentity(shared_data / "teachers")
    other = next(c for c in read_cases(shared_data) if c.clip.identity != case.clip.identity)
    one = identity(case.frames[:2], case.landmarks[list(case.measured[:2])])
    two = identity(other.frames[:1], other.landmarks[list(other.measured[:1])])
    assert np.linalg.norm(one, axis=1) == pytest.approx(1)
    assert one[0] @ one[1] > 0.6 > one[0] @ two[0] + 0.2


def test_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mobilefacenet_112.onnx, found none; give the folder"):
        FaceIdentity(tmp_path)
