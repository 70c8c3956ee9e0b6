"""Discriminators of the video synthesis stage: one per component and ``D_global`` (paper 3.4)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["PatchCritic"]


class PatchCritic(nn.Module):
    """Convolutional critic that judges overlapping patches, conditioned on the drawn landmarks.

    Parameters
    ----------
    inputs : int
        Channels of image and condition together.
    width : int
        Channels of the first level.
    levels : int
        Number of halvings.
    """

    def __init__(self, inputs: int, width: int = 32, levels: int = 3) -> None:
        super().__init__()
        channels = [inputs, *(width * min(2**i, 4) for i in range(levels))]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(channels[-1], 1, 3, 1, 1)))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Score map (B, 1, h, w); larger is more real."""
        scores: Tensor = self.layers(x_BCHW)
        return scores
