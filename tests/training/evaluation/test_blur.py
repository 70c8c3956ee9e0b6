"""CPBD: sharp pictures score high, and every blur lowers the score."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from emohead_training.evaluation.blur import _run_lengths, cpbd


def checks(contrast: int = 150) -> Any:
    """Checkerboard of 16 px squares with sharp upright edges."""
    y, x = np.mgrid[:256, :256] // 16
    grey = (60 + contrast * ((x + y) % 2)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def blurred(image: Any, sigma: float) -> Any:
    return cv2.GaussianBlur(image, (0, 0), sigma)


def test_blur_lowers_the_score_step_by_step() -> None:
    scores = cpbd([checks(), *(blurred(checks(), s) for s in (0.6, 0.8, 1.2))])
    assert scores[0] == 1
    assert (np.diff(scores) <= 0).all()
    assert scores[3] < 0.1


def test_blur_of_a_textured_picture_is_seen_too() -> None:
    rng = np.random.default_rng(0)
    texture = cv2.resize(
        rng.integers(0, 256, (16, 16, 3), np.uint8), (256, 256), interpolation=cv2.INTER_NEAREST
    )
    scores = cpbd([texture, *(blurred(texture, s) for s in (0.6, 0.7, 1.0))])
    assert (np.diff(scores) < 0).all()


def test_an_edge_of_just_noticeable_width_does_not_count_as_blurred() -> None:
    x = np.arange(256) % 64
    three = np.interp(x, [0, 30, 33, 63], [0, 0, 150, 150]).astype(np.uint8)
    image = np.repeat(np.repeat(three[None, :, None], 256, 0), 3, 2)
    wider = np.interp(x, [0, 30, 34, 63], [0, 0, 150, 150]).astype(np.uint8)
    assert cpbd([image[:, :256]])[0] > 0.9
    assert cpbd([np.repeat(np.repeat(wider[None, :, None], 256, 0), 3, 2)])[0] < 0.6


def test_width_counts_the_monotone_steps_at_both_sides() -> None:
    steps = np.array([[False, True, True, True, False, True]])
    assert _run_lengths(steps).tolist() == [[0, 3, 3, 3, 3, 1, 1]]


@pytest.mark.parametrize(("contrast", "sharp"), [(40, True), (150, False)])
def test_a_low_contrast_edge_may_be_wider(contrast: int, sharp: bool) -> None:
    """Four pixels lie between the just noticeable widths; the falling edges are sharp."""
    ramp = np.interp(np.arange(256) % 64, [0, 30, 34, 63], [0, 0, 1, 1])
    grey = (60 + contrast * ramp).astype(np.uint8)
    score = cpbd([np.repeat(np.repeat(grey[None, :, None], 256, 0), 3, 2)])[0]
    assert (score > 0.9) if sharp else (0.2 < score < 0.6)


def test_a_flat_picture_has_no_edges() -> None:
    assert cpbd([np.full((128, 128, 3), 90, np.uint8)])[0] == 0
