"""Flicker: steady motion is none, alternation is; and where it is looked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emohead.geometry import TEMPLATE
from emohead_training.evaluation.flicker import flicker_pairs, regions, second_difference

FACE: Any = (TEMPLATE[:, :2] * 90 + 128).astype(np.float32)


def levels(*values: int) -> Any:
    return np.stack([np.full((256, 256, 3), v, np.uint8) for v in values])


def test_steady_change_is_no_flicker_but_alternation_is() -> None:
    mask = (np.ones((256, 256), bool),)
    assert second_difference(levels(10, 20, 30), mask) == (0,)
    assert second_difference(levels(10, 20, 10), mask) == (20,)


def test_only_the_region_counts_and_an_empty_one_gives_nothing() -> None:
    frames = levels(10, 10, 10)
    frames[1, :100] += 5
    upper, lower = np.zeros((256, 256), bool), np.zeros((256, 256), bool)
    upper[:50], lower[150:] = True, True
    assert second_difference(frames, (upper, lower)) == (10, 0)
    assert second_difference(frames, (np.zeros((256, 256), bool),)) == (None,)


def test_skin_is_in_the_face_without_lips_eyes_and_brows() -> None:
    face, background = regions(FACE)
    assert face.any()
    assert not (face & background).any()
    columns, rows = FACE.round().astype(int).T
    moving = slice(17, 27), slice(36, 68)
    assert not any(face[rows[part], columns[part]].any() for part in moving)
    assert not background[rows, columns].any()
    assert background[0, 0]
    cheek = ((FACE[3] + FACE[31]) / 2).round().astype(int)
    assert face[cheek[1], cheek[0]]


def test_pairs_compare_made_with_true() -> None:
    found = {
        r: (a, b)
        for r, a, b in flicker_pairs(levels(0, 9, 0)[None], levels(0, 3, 0)[None], FACE[None])
    }
    assert found == {"face": pytest.approx((18, 6)), "background": pytest.approx((18, 6))}
