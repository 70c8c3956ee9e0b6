"""Targets, losses and scores of the detector.

Cells near a face's centre are positive by a Gaussian whose width follows the face's size.

References
----------
.. [1] Zhou et al., Objects as Points, 2019: penalty-reduced focal loss.
.. [2] Rezatofighi et al., Generalized Intersection over Union, 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["cell_targets", "detector_loss", "overlap"]

_MIN_SPREAD_CELLS = 0.6
_SPREAD_SHARE = 0.12
"""Width of the Gaussian over the face's side."""
_BOX_FLOOR = 0.4
"""Cells whose Gaussian is above this learn the box."""


def cell_targets(boxes: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Score and box that every cell should give.

    Parameters
    ----------
    boxes : (B, M, 4) tensor, share of the side
        Zeros where there are fewer faces than M.
    cells : (N, 2) tensor, share of the side
        Centres of the cells.

    Returns
    -------
    heat : (B, N) tensor in [0, 1]
        One at the cell nearest to a face's centre.
    nearest : (B, N, 4) tensor
        Box of the face with the highest Gaussian at the cell.
    """
    size = boxes[..., 2:] - boxes[..., :2]
    real = (size > 0).all(-1)
    centre = (boxes[..., :2] + boxes[..., 2:]).div(2).clamp(0, 1)
    pitch = 1 / cells.shape[0] ** 0.5
    spread = (size.amax(-1) * _SPREAD_SHARE).clamp_min(_MIN_SPREAD_CELLS * pitch)
    squared = (cells[None, None] - centre[:, :, None]).square().sum(-1)
    heat = torch.exp(-squared / (2 * spread.square())[..., None])
    peak = squared == squared.amin(-1, keepdim=True)
    heat = torch.where(peak, torch.ones_like(heat), heat) * real[..., None]
    best, which = heat.max(1)
    nearest = boxes.gather(1, which[..., None].expand(-1, -1, 4))
    return best, nearest


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, plain and generalised, of boxes (..., 4)."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (high - low).clamp_min(0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inter
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    area = hull.prod(-1).clamp_min(1e-8)
    plain = inter / union.clamp_min(1e-8)
    return plain, plain - (area - union) / area


def _focal(logits: Tensor, heat: Tensor) -> Tensor:
    """Penalty-reduced focal loss, summed over cells."""
    score = torch.sigmoid(logits)
    hit = -F.logsigmoid(logits) * (1 - score).square()
    miss = -F.logsigmoid(-logits) * score.square() * (1 - heat).pow(4)
    return torch.where(heat >= 1, hit, miss).sum()


def detector_loss(
    boxes: Tensor, logits: Tensor, truth: Tensor, cells: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Sum the losses of a batch.

    Parameters
    ----------
    boxes : (B, N, 4) tensor
    logits : (B, N) tensor
    truth : (B, M, 4) tensor
        Zeros where there are fewer faces than M.
    cells : (N, 2) tensor

    Returns
    -------
    loss : tensor
    figures : dict of str to tensor
        Its parts.
    """
    heat, nearest = cell_targets(truth, cells)
    faces = (truth[..., 2] > truth[..., 0]).sum().clamp_min(1)
    score = _focal(logits, heat) / faces
    weight = heat * (heat > _BOX_FLOOR)
    plain, generalised = overlap(boxes, nearest)
    size, true_size = boxes[..., 2:] - boxes[..., :2], nearest[..., 2:] - nearest[..., :2]
    shift = (boxes[..., :2] + boxes[..., 2:] - nearest[..., :2] - nearest[..., 2:]).abs() / 2
    detail = (shift / true_size.clamp_min(1e-3)).sum(-1)
    detail = detail + (size / true_size.clamp_min(1e-3)).clamp_min(1e-6).log().abs().sum(-1)
    total = weight.sum().clamp_min(1e-6)
    box = (weight * (1 - generalised + 0.5 * detail)).sum() / total
    figures = {"score": score, "box": box, "overlap": (weight * plain).sum() / total}
    return score + 2 * box, {k: v.detach() for k, v in figures.items()}
