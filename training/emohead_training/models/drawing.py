"""Landmark geometry inside the graph: pixel grids, distances, the drawn landmark image ``i``.

Coordinates are "unit": -1 and 1 are the borders of the 256x256 frame, pixel centres at half pixels.
Distances come from one matrix product: a frame costs its 68 points and no image (paper 3.4).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from emohead.stages import FRAME_SIZE_PX

__all__ = [
    "Drawing",
    "full_precision",
    "pixel_axis",
    "pixel_grid",
    "squared_distances",
    "unit_from_px",
]


_Result = TypeVar("_Result")


def full_precision(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Run in float32 inside an autocast region: half a pixel is below bfloat16's resolution."""

    @functools.wraps(function)
    def wrapped(*args: object) -> _Result:
        exact = [a.float() if isinstance(a, Tensor) and a.is_floating_point() else a for a in args]
        device = next(a.device.type for a in exact if isinstance(a, Tensor))
        with torch.autocast(device, enabled=False):
            return function(*exact)

    return wrapped


def squared_distances(q_BP2: Tensor, x_BK2: Tensor) -> Tensor:
    """Squared distances (B, P, K) by one matrix product; exact enough for centred coordinates."""
    q2 = (q_BP2 * q_BP2).sum(-1, keepdim=True)
    x2 = (x_BK2 * x_BK2).sum(-1)[:, None]
    return q2 + x2 - 2.0 * (q_BP2 @ x_BK2.transpose(1, 2))


def unit_from_px(points: Tensor) -> Tensor:
    """Pixel coordinates to unit coordinates; pixel i covers [i - 0.5, i + 0.5]."""
    return (points + 0.5) * (2.0 / FRAME_SIZE_PX) - 1.0


def pixel_axis(size: int) -> Tensor:
    """Make unit coordinates of `size` pixel centres along an axis, (size,)."""
    return (torch.arange(size) + 0.5) * (2.0 / size) - 1.0


def pixel_grid(height: int, width: int) -> Tensor:
    """Make unit coordinates of the pixel centres, (height, width, 2) as x, y."""
    ys, xs = torch.meshgrid(pixel_axis(height), pixel_axis(width), indexing="ij")
    return torch.stack((xs, ys), -1)


Polyline = tuple[int, ...]


class Drawing(nn.Module):
    """Soft distance field to landmark polylines: 1 on a line, falling off as a Gaussian.

    Parameters
    ----------
    channels : tuple of tuple of polyline
        The chains of point indices that each channel draws.
    width : float
        Standard deviation of the fall-off in unit coordinates.
    """

    def __init__(self, channels: tuple[tuple[Polyline, ...], ...], width: float) -> None:
        super().__init__()
        per_channel = [[pair for line in lines for pair in pairwise(line)] for lines in channels]
        self.counts = [len(segments) for segments in per_channel]
        pairs = [pair for segments in per_channel for pair in segments]
        self.register_buffer("first", torch.tensor([a for a, _ in pairs]), persistent=False)
        self.register_buffer("last", torch.tensor([b for _, b in pairs]), persistent=False)
        self.sharpness = 0.5 / width**2

    @full_precision
    def forward(self, points_BK2: Tensor, x_BW: Tensor, y_BH: Tensor) -> Tensor:
        """Draw the points on an upright grid.

        Parameters
        ----------
        points_BK2 : (B, 68, 2) Tensor
            Landmarks, unit coordinates.
        x_BW, y_BH : (B or 1, W), (B or 1, H) Tensor
            Positions of the columns and the rows, unit coordinates.

        Returns
        -------
        (B, channels, H, W) Tensor
            The drawing, in (0, 1].
        """
        # Differences first: expanding the squares cancels to a few digits away from the origin.
        # What depends on one axis is computed on that axis (S segments), before the plane.
        a = points_BK2[:, self.first]
        e = points_BK2[:, self.last] - a
        slope = e / ((e * e).sum(-1, keepdim=True) + 1e-6)
        dx_BSW = x_BW[:, None] - a[:, :, :1]
        dy_BSH = y_BH[:, None] - a[:, :, 1:]
        along_x, along_y = dx_BSW * slope[:, :, :1], dy_BSH * slope[:, :, 1:]
        t = (along_x[:, :, None] + along_y[..., None]).clamp(0.0, 1.0)
        ex, ey = e[:, :, :1, None], e[:, :, 1:, None]
        distance2 = (dx_BSW[:, :, None] - t * ex).square() + (dy_BSH[..., None] - t * ey).square()
        nearest = [part.amin(1) for part in distance2.split(self.counts, 1)]
        return torch.exp(-self.sharpness * torch.stack(nearest, 1))
