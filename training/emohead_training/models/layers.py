"""Convolution blocks of the portrait networks: plain, dense residual, separable residual."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Dense", "Separable", "conv", "twice"]


def conv(inputs: int, outputs: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def twice(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, 2H, 2W), nearest neighbour."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Separable(nn.Module):
    """Depthwise 3x3 and two pointwise convolutions around a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depth = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.widen = conv(channels, 2 * channels, size=1)
        self.narrow = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        wide: Tensor = self.widen(self.depth(x))
        return x + self.narrow(wide)


class Dense(nn.Module):
    """One full 3x3 convolution with a residual: faster than `Separable` where channels are few."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return F.relu(x + self.body(x))
