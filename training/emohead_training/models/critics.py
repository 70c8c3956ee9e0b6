"""Discriminators of the video synthesis stage: one per component and ``D_global`` (paper 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["FeatureCritic", "PatchCritic"]


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


class FeatureCritic(nn.Module):
    """Critic that judges the feature maps of a frozen net, so that it learns within minutes.

    Each map is scored by a head of its own.

    Parameters
    ----------
    channels : sequence of int
        Channels of each map.
    width : int
        Channels inside a head.

    References
    ----------
    Sauer et al., "Projected GANs Converge Faster", 2021.
    """

    def __init__(self, channels: Sequence[int], width: int = 48) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(count, width, 1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(width, width, 4, 2, 1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(width, 1, 3, 1, 1)),
            )
            for count in channels
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Score maps, one per feature map; larger is more real.

        Parameters
        ----------
        maps : sequence of (B, C, h, w) Tensor
            Feature maps; each is brought to a mean level of 1.
        """
        return [
            head(x / (x.abs().mean((1, 2, 3), keepdim=True) + 1e-3))
            for head, x in zip(self.heads, maps, strict=True)
        ]
