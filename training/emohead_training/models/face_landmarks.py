"""Landmarker network: an upright face crop in, 68x3 iBUG points and a confidence out.

A small U-shaped net; every point is the attention-weighted mean of positions, offsets and depths,
so that it moves with the picture and needs few people to learn from. Not here: cropping.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emohead.stages import LANDMARKER_SIZE_PX, NUM_LANDMARKS
from emohead_training.models.layers import Dense, Separable, conv, twice

__all__ = ["FaceLandmarks"]

_STRIDE = 4
_GRID = LANDMARKER_SIZE_PX // _STRIDE


class FaceLandmarks(nn.Module):
    """Regress 68 points from a crop.

    Parameters
    ----------
    width : int
        Channels at a quarter of the resolution; deeper levels scale with it.
    """

    grid: Tensor

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        w2, w3, w4 = width * 2, width * 3, width * 4
        self.stem = nn.Sequential(conv(3, 16, 2), conv(16, width, 2), Dense(width))
        self.down2 = nn.Sequential(conv(width, w2, 2), Separable(w2))
        self.down3 = nn.Sequential(conv(w2, w3, 2), Separable(w3), Separable(w3))
        self.down4 = nn.Sequential(conv(w3, w4, 2), Separable(w4), Separable(w4))
        self.lateral3 = conv(w4, w3, size=1)
        self.lateral2 = conv(w3, w2, size=1)
        self.lateral1 = conv(w2, width, size=1)
        self.up3 = Separable(w3)
        self.up2 = Separable(w2)
        self.up1 = nn.Sequential(Dense(width), conv(width, 64, size=1))
        self.attend = nn.Conv2d(64, NUM_LANDMARKS, 1)
        self.refine = nn.Parameter(torch.zeros(NUM_LANDMARKS, 64, 3))
        self.rest = nn.Parameter(torch.zeros(NUM_LANDMARKS, 3))
        self.judge = nn.Sequential(
            conv(w4, 64, size=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1)
        )
        steps = (torch.arange(_GRID, dtype=torch.float32) + 0.5) / _GRID
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        self.register_buffer(
            "grid", torch.stack([x, y, 0 * x], -1).reshape(1, -1, 3), persistent=False
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Regress the points.

        Parameters
        ----------
        image : (B, 3, 128, 128) tensor, RGB in [0, 1]

        Returns
        -------
        landmarks : (B, 68, 3) tensor, share of the crop's side
        confidence : (B, 1) tensor in [0, 1]
        """
        points, logit = self.points_and_logit(image)
        return points, torch.sigmoid(logit)

    def points_and_logit(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Like `forward`, with the confidence before its sigmoid, as the loss wants it."""
        x1 = self.stem(image * 2 - 1)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        x4 = self.down4(x3)
        y3 = self.up3(x3 + twice(self.lateral3(x4)))
        y2 = self.up2(x2 + twice(self.lateral2(y3)))
        y1 = self.up1(x1 + twice(self.lateral1(y2)))
        return self._read(y1), self.judge(x4).float()

    def _read(self, features: Tensor) -> Tensor:
        """(B, C, 32, 32) features to (B, 68, 3) points."""
        attention = torch.softmax(self.attend(features).float().flatten(2), -1)
        where = attention @ self.grid.expand(attention.shape[0], -1, -1)
        seen = attention @ features.float().flatten(2).transpose(1, 2)
        return where + (seen.unsqueeze(2) @ self.refine).squeeze(2) + self.rest
