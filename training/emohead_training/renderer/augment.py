"""Augmentation shared by a sample's anchor and frames: mirror, light, framing, landmark noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emohead.geometry.landmarks import MIRROR
from emohead.stages import FRAME_SIZE_PX
from emohead_training.renderer.dataset import Sample

__all__ = ["FrameBatch", "batch_of", "mirrored_batch"]


class FrameBatch(NamedTuple):
    """B samples of T frames."""

    anchor: Tensor
    """(B, 3, 256, 256) RGB in [0, 1]."""
    anchor_points: Tensor
    """(B, 68, 2) px."""
    frames: Tensor
    """(B, T, 3, 256, 256) RGB in [0, 1]."""
    points: Tensor
    """(B, T, 68, 2) px."""

    def to(self, device: torch.device) -> FrameBatch:
        """Move every tensor."""
        return FrameBatch(*(t.to(device) for t in self))


def batch_of(samples: Sequence[Sample], rng: np.random.Generator | None) -> FrameBatch:
    """Stack samples; with a generator also augment them."""
    images = [np.concatenate((s.anchor[None], s.frames)) for s in samples]
    points = [np.concatenate((s.anchor_landmarks[None], s.landmarks)) for s in samples]
    x = torch.from_numpy(np.stack(images)).permute(0, 1, 4, 2, 3).float() / 255.0
    p = torch.from_numpy(np.stack(points)).float()
    if rng is not None:
        pairs = [_augment(image, point, rng) for image, point in zip(x, p, strict=True)]
        x, p = torch.stack([a for a, _ in pairs]), torch.stack([b for _, b in pairs])
    return FrameBatch(x[:, 0], p[:, 0], x[:, 1:], p[:, 1:])


def mirrored_batch(images: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Flip images (..., W) left to right and rename the landmarks (..., 68, 2) accordingly."""
    flipped = points[..., torch.as_tensor(MIRROR.copy()), :].clone()
    flipped[..., 0] = FRAME_SIZE_PX - 1 - flipped[..., 0]
    return images.flip(-1), flipped


def _augment(images: Tensor, points: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    if rng.random() < 0.5:
        images, points = mirrored_batch(images, points)
    if rng.random() < 0.5:
        images, points = _reframed(images, points, rng)
    gain = torch.as_tensor(
        rng.uniform(0.8, 1.2, (1, 1, 1, 1)) * rng.uniform(0.93, 1.07, (1, 3, 1, 1))
    )
    images = (images.clamp(1e-4, 1.0) ** rng.uniform(0.8, 1.25) * gain.float()).clamp(0.0, 1.0)
    noise = torch.as_tensor(rng.normal(0.0, 0.25, points.shape), dtype=points.dtype)
    return images, points + noise


def _reframed(images: Tensor, points: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Rotate, scale and shift the whole sample by one random similarity."""
    angle, scale = rng.uniform(-0.15, 0.15), np.exp(rng.uniform(-0.2, 0.2))
    shift = rng.uniform(-0.12, 0.12, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    theta = torch.tensor(np.concatenate((turn, shift[:, None]), 1), dtype=torch.float32)
    grid = F.affine_grid(
        theta[None].expand(len(images), -1, -1), list(images.shape), align_corners=False
    )
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    half = FRAME_SIZE_PX / 2
    unit = (points + 0.5) / half - 1.0
    back = (unit - theta[:, 2]) @ torch.linalg.inv(theta[:, :2]).T
    return moved, (back + 1.0) * half - 0.5
