"""Losses and error of the landmarker.

Points count by what the renderer needs: lids and lips most, the approximate jaw least.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from emohead.geometry.landmarks import (
    BROWS,
    EYELID_PAIRS,
    EYES,
    JAW,
    LIP_PAIRS,
    MOUTH,
    NUM_LANDMARKS,
    OUTER_EYE_CORNERS,
)
from emohead.stages import LANDMARKER_SIZE_PX

__all__ = ["landmark_loss", "point_error", "quality"]

_DEPTH_WEIGHT = 0.5
_WING_PX = 6.0
_WING_CURVE_PX = 1.5
_PAIRS = torch.tensor(LIP_PAIRS + EYELID_PAIRS)


def _point_weights() -> Tensor:
    weights = torch.ones(NUM_LANDMARKS)
    for group, weight in ((JAW, 0.5), (BROWS, 1.2), (EYES, 1.5), (MOUTH, 1.3)):
        weights[list(group)] = weight
    return weights / weights.mean()


_WEIGHTS = _point_weights()


def wing(difference_px: Tensor) -> Tensor:
    """Wing loss: steep near zero, linear far away.

    Parameters
    ----------
    difference_px : tensor, px

    Returns
    -------
    tensor
        Same shape.

    References
    ----------
    .. [1] Feng et al., Wing Loss for Robust Facial Landmark Localisation, 2018, eq. 5.
    """
    size = difference_px.abs()
    constant = _WING_PX - _WING_PX * math.log1p(_WING_PX / _WING_CURVE_PX)
    return torch.where(
        size < _WING_PX, _WING_PX * torch.log1p(size / _WING_CURVE_PX), size - constant
    )


def point_error(found: Tensor, truth: Tensor, dims: int = 2) -> Tensor:
    """Mean distance over the outer eye corners' distance in space, (B,) from two (B, 68, 3)."""
    start, end = OUTER_EYE_CORNERS
    unit = (truth[:, end] - truth[:, start]).norm(dim=-1).clamp_min(1e-6)
    distance: Tensor = (found - truth)[..., :dims].norm(dim=-1).mean(-1)
    share: Tensor = distance / unit
    return share


def quality(found: Tensor, truth: Tensor, face: Tensor) -> Tensor:
    """Target of the confidence, (B,): falls with the error, zero where there is no face."""
    return torch.exp(-8 * point_error(found.detach(), truth)) * face


def landmark_loss(
    found: Tensor, logit: Tensor, truth: Tensor, face: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Sum the losses of a batch.

    Parameters
    ----------
    found : (B, 68, 3) tensor, share of the side
    logit : (B, 1) tensor
        Confidence before its sigmoid.
    truth : (B, 68, 3) tensor, share of the side
    face : (B,) tensor, zero or one

    Returns
    -------
    loss : tensor
    figures : dict of str to tensor
        Its parts.
    """
    weights = _WEIGHTS.to(found)[None, :, None] * face[:, None, None]
    weights = weights * torch.tensor([1.0, 1.0, _DEPTH_WEIGHT]).to(found)
    count = face.sum().clamp_min(1)
    points = (weights * wing((found - truth) * LANDMARKER_SIZE_PX)).sum() / (
        count * NUM_LANDMARKS * 3
    )
    openings = _opening_loss(found, truth, face) / count
    target = quality(found, truth, face)
    confidence = F.binary_cross_entropy_with_logits(logit[:, 0], target)
    error = (point_error(found, truth) * face).sum().detach() / count
    parts = {"points": points, "openings": openings, "confidence": confidence}
    loss = points + 0.5 * openings + confidence
    return loss, {**{k: v.detach() for k, v in parts.items()}, "error": error}


def _opening_loss(found: Tensor, truth: Tensor, face: Tensor) -> Tensor:
    """How far lids and lips are apart, px."""
    upper, lower = _PAIRS[:, 0], _PAIRS[:, 1]
    gap = (found - truth)[:, upper, :2] - (found - truth)[:, lower, :2]
    return (gap.abs() * LANDMARKER_SIZE_PX).mean((1, 2)).mul(face).sum()
