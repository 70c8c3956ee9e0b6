"""Landmark distances: known shifts give known pixels, and LMD sees the lips' shape only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emohead.geometry.landmarks import MOUTH
from emohead_training.evaluation.lip_distance import landmark_distance, lmd, mouth_width


def faces() -> Any:
    return np.random.default_rng(0).uniform(50, 200, (3, 68, 2))


def test_distance_is_euclidean_and_in_pixels() -> None:
    assert landmark_distance(faces() + np.array((3, 4)), faces()) == pytest.approx([5] * 3)


def test_distance_counts_the_chosen_points_only() -> None:
    moved = faces()
    moved[:, list(MOUTH)] += (0, 2)
    assert landmark_distance(moved, faces(), MOUTH) == pytest.approx([2] * 3)
    assert landmark_distance(moved, faces()) == pytest.approx([2 * 20 / 68] * 3)


def test_lmd_ignores_where_the_lips_are_but_not_their_shape() -> None:
    assert lmd(faces() + np.array((10, -7)), faces()) == pytest.approx([0] * 3)
    opened = faces()
    opened[:, 57, 1] += 10
    expected = (9.5 + 19 * 0.5) / 20
    assert lmd(opened, faces()) == pytest.approx([expected] * 3)


def test_lmd_ignores_the_rest_of_the_face() -> None:
    moved = faces()
    moved[:, :48] += 30
    assert lmd(moved, faces()) == pytest.approx([0] * 3)


def test_mouth_width_is_between_the_corners() -> None:
    points = faces()
    points[:, 48], points[:, 54] = (100, 100), (130, 140)
    assert mouth_width(points) == pytest.approx([50] * 3)
