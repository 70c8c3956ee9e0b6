"""Dense backward flow from 68 displacements: the warp prior.

Successive correction after Barnes (1964): an affine fit, then normalised Gaussians of shrinking
width that interpolate what is left. No linear system to solve, so it lives in the graph. Against a
thin-plate spline it was as exact at the mouth and better elsewhere: the flow fades off the face.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emohead_training.models.drawing import full_precision, pixel_grid, squared_distances

__all__ = ["FLOW_SIZE", "WarpPrior", "sample_image"]

FLOW_SIZE = 64
WIDTH = 24.0 / 128.0
"""Standard deviation of the widest Gaussian, unit coordinates; each next one is half as wide."""
FADE_BEGIN, FADE_END = 0.35, 1.05
"""Distance to the nearest point over which the flow fades, in eye-corner distances."""
CROWN = ((-0.55, 1.5), (-0.28, 1.75), (0.0, 1.85), (0.28, 1.75), (0.55, 1.5))
"""Virtual points above the brows, across in eye distances and up in nose lengths: hair follows."""


@full_precision
def sample_image(image_BCHW: Tensor, grid_BHW2: Tensor) -> Tensor:
    """Sample a square image at unit coordinates, border colour outside."""
    # Clamped, then padded with zeros equals padded with the border; ONNX Runtime: twice as fast.
    edge = 1.0 - 1.0 / image_BCHW.shape[-1]
    inside = grid_BHW2.clamp(-edge, edge)
    return F.grid_sample(
        image_BCHW, inside, mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _with_crown(points_BK2: Tensor) -> Tensor:
    up = points_BK2[:, 27] - points_BK2[:, 33]
    across = points_BK2[:, 45] - points_BK2[:, 36]
    crown = [points_BK2[:, 27] + b * up + a * across for a, b in CROWN]
    return torch.cat((points_BK2, torch.stack(crown, 1)), 1)


def _affine(x_BK2: Tensor, y_BK2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Least-squares y ~ (x - mean_x) @ A + mean_y, the 2x2 inverse written out."""
    mean_x, mean_y = x_BK2.mean(1, keepdim=True), y_BK2.mean(1, keepdim=True)
    x, y = x_BK2 - mean_x, y_BK2 - mean_y
    xx = (x[..., 0] * x[..., 0]).sum(1)
    xy = (x[..., 0] * x[..., 1]).sum(1)
    yy = (x[..., 1] * x[..., 1]).sum(1)
    right = x.transpose(1, 2) @ y
    determinant = xx * yy - xy * xy + 1e-6
    inverse = torch.stack((yy, -xy, -xy, xx), -1).reshape(-1, 2, 2) / determinant[:, None, None]
    return inverse @ right, mean_x, mean_y


class WarpPrior(nn.Module):
    """Backward flow that carries the anchor's pixels to a frame's landmarks."""

    def __init__(self) -> None:
        super().__init__()
        grid = pixel_grid(FLOW_SIZE, FLOW_SIZE).reshape(1, -1, 2)
        self.register_buffer("grid", grid, persistent=False)

    @full_precision
    def forward(self, points_BK2: Tensor, anchor_BK2: Tensor) -> tuple[Tensor, Tensor]:
        """Interpolate the displacements.

        Parameters
        ----------
        points_BK2, anchor_BK2 : (B, 68, 2) Tensor
            Landmarks of the frame and of the anchor, unit coordinates.

        Returns
        -------
        flow : (B, 2, 64, 64) Tensor
            What to add to a position of the frame to find it in the anchor, unit coordinates.
        nearness : (B, 1, 64, 64) Tensor
            1 on the face, fading to 0 in the background.
        """
        x, y = _with_crown(points_BK2), _with_crown(anchor_BK2)
        matrix, mean_x, mean_y = _affine(x, y)
        nodes = torch.cat((x, self.grid.expand(x.shape[0], -1, -1)), 1)  # type: ignore[operator]
        base = (nodes - mean_x) @ matrix + mean_y - nodes
        num = x.shape[1]
        wanted = y - x - base[:, :num]
        centre = x.mean(1, keepdim=True)
        distance2 = squared_distances(nodes - centre, x - centre)
        nearest2 = distance2.amin(-1, keepdim=True)
        weight = torch.exp((nearest2 - distance2) * (0.5 / WIDTH**2))
        correction = torch.zeros_like(base)
        ones = torch.ones_like(wanted[..., :1])
        for _ in range(3):
            rest = wanted - correction[:, :num]
            sums = weight @ torch.cat((rest, ones), -1)
            correction = correction + sums[..., :2] / sums[..., 2:]
            weight = weight * weight
            weight = weight * weight
        eyes = (x[:, 36] - x[:, 45]).square().sum(-1).sqrt()[:, None, None] + 1e-3
        distance = (nearest2[:, num:].clamp_min(0.0) + 1e-8).sqrt() / eyes
        near = ((FADE_END - distance) / (FADE_END - FADE_BEGIN)).clamp(0.0, 1.0)
        flow = (base + correction)[:, num:] * near
        return _as_map(flow), _as_map(near)


def _as_map(values_BPC: Tensor) -> Tensor:
    batch, _, channels = values_BPC.shape
    return values_BPC.transpose(1, 2).reshape(batch, channels, FLOW_SIZE, FLOW_SIZE)
