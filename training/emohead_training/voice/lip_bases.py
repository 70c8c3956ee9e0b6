"""Principal mouth movements and principal mouth shapes of the training people.

They fill the fixed bases of ``models/neutral_landmarks.py``. Not here: anything that is trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from emohead.geometry.landmarks import JAW, MOUTH, NUM_LANDMARKS, mirrored
from emohead_training.models.neutral_landmarks import (
    NUM_ANCHOR_TRAITS,
    NUM_MOVEMENTS,
    NeutralLandmarks,
)
from emohead_training.voice.posture import PostureMap
from emohead_training.voice.spoken_clips import MOVING, SpokenClip

__all__ = ["fill_bases", "fill_posture"]

MOUTH_WEIGHT, JAW_WEIGHT, JAW_TRAIT_WEIGHT = 2.0, 0.5, 0.3


def fill_bases(
    model: NeutralLandmarks, clips: Sequence[SpokenClip], weights: NDArray[np.float64]
) -> None:
    """Set the model's movements, traits and mean anchor from training clips.

    Parameters
    ----------
    model : NeutralLandmarks
    clips : sequence of SpokenClip
    weights : (clips,) float64
        Odds of each clip.
    """
    shares = weights / weights.sum()
    _fill(model.movements, _movements(clips, shares))
    mean, traits = _traits(clips, shares)
    _fill(model.anchor_mean, mean)
    _fill(model.traits, traits)


def fill_posture(model: NeutralLandmarks, posture: PostureMap) -> None:
    """Set the model's typical displacement, in amounts of its movements; after ``fill_bases``.

    Parameters
    ----------
    model : NeutralLandmarks
    posture : PostureMap
    """
    importance = _per_point({MOUTH: MOUTH_WEIGHT, JAW: JAW_WEIGHT}, 1.0)
    movements = model.movements.numpy().astype(np.float64) * importance
    amounts = importance[:, None] * np.linalg.pinv(movements, rcond=1e-6)
    mean = model.anchor_mean.numpy().astype(np.float64)
    _fill(model.posture, posture.matrix @ amounts)
    _fill(model.posture_mean, (posture.constant + mean @ posture.matrix) @ amounts)


def _fill(buffer: torch.Tensor, values: NDArray[np.float64]) -> None:
    """Copy; where fewer people were seen than the basis has columns, the rest stays zero."""
    buffer.zero_()
    buffer[..., : values.shape[-1]] = torch.from_numpy(np.ascontiguousarray(values))


def _per_point(values: dict[tuple[int, ...], float], default: float) -> NDArray[np.float64]:
    """Weight per coordinate, (204,)."""
    weights = np.full((NUM_LANDMARKS, 3), default)
    for points, value in values.items():
        weights[list(points)] = value
    return weights.ravel()


def _movements(clips: Sequence[SpokenClip], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions (20, 204) of displacement from the anchor, one standard deviation long each."""
    importance = _per_point({MOUTH: MOUTH_WEIGHT, JAW: JAW_WEIGHT}, 1.0)
    still = np.ones(NUM_LANDMARKS, bool)
    still[list(MOVING)] = False
    scatter = np.zeros((NUM_LANDMARKS * 3,) * 2)
    for clip, share in zip(clips, shares, strict=True):
        moved = clip.landmarks[clip.valid].astype(np.float64) - clip.anchor
        moved[:, still] = 0
        for motion in (moved, mirrored(moved)):
            rows = motion.reshape(len(motion), -1) * importance
            scatter += share / 2 * (rows.T @ rows) / len(rows)
    variance, directions = np.linalg.eigh(scatter)
    order = np.argsort(variance)[::-1][:NUM_MOVEMENTS]
    spread = np.sqrt(np.maximum(variance[order], 0))
    basis: NDArray[np.float64] = (directions[:, order] * spread).T / importance
    return basis


def _traits(
    clips: Sequence[SpokenClip], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean anchor (204,) and the map (204, 12) to traits of unit variance."""
    anchors = np.stack([c.anchor for c in clips]).astype(np.float64)
    both = np.concatenate([anchors, mirrored(anchors)]).reshape(2 * len(anchors), -1)
    weights = np.concatenate([shares, shares]) / 2
    mean = weights @ both
    seen = _per_point({MOUTH: 1.0, JAW: JAW_TRAIT_WEIGHT}, 0.0)
    rows = (both - mean) * seen * np.sqrt(weights)[:, None]
    _, spread, directions = np.linalg.svd(rows, full_matrices=False)
    scaled = directions[:NUM_ANCHOR_TRAITS] / np.maximum(spread[:NUM_ANCHOR_TRAITS, None], 1e-3)
    return mean, (scaled * seen).T
