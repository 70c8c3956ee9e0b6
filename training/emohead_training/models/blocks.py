"""Small convolution blocks shared by the image networks.

Shape legend: B batch, C channels, H height, W width. No normalisation layers: exact in fp16.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ConvBlock", "ConvGRUCell", "Modulated", "upsample"]

SLOPE = 0.1


class ConvBlock(nn.Module):
    """3x3 convolution and leaky rectifier; a residual sum where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.residual = inputs == outputs and stride == 1
        nn.init.kaiming_normal_(self.conv.weight, SLOPE)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        if self.residual:
            with torch.no_grad():
                self.conv.weight.mul_(0.5)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y = F.leaky_relu(self.conv(x_BCHW), SLOPE)
        return x_BCHW + y if self.residual else y


class Modulated(nn.Module):
    """Scale and shift of a feature map by a style vector (FiLM)."""

    def __init__(self, style: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(style, 2 * channels)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x_BCHW: Tensor, style_BS: Tensor) -> Tensor:
        """Modulate a feature map; the shape stays."""
        scale, shift = self.linear(style_BS)[:, :, None, None].chunk(2, 1)
        return x_BCHW * (1 + scale) + shift


class ConvGRUCell(nn.Module):
    """Convolutional gated recurrent unit (Ballas et al. 2016), explicit state."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(inputs + hidden, 2 * hidden, 3, 1, 1)
        self.candidate = nn.Conv2d(inputs + hidden, hidden, 3, 1, 1)

    def forward(self, x_BCHW: Tensor, h_BCHW: Tensor) -> Tensor:
        """Return the next hidden map, (B, hidden, H, W)."""
        update, reset = torch.sigmoid(self.gates(torch.cat((x_BCHW, h_BCHW), 1))).chunk(2, 1)
        candidate = torch.tanh(self.candidate(torch.cat((x_BCHW, reset * h_BCHW), 1)))
        return h_BCHW + update * (candidate - h_BCHW)


def upsample(x_BCHW: Tensor) -> Tensor:
    """Double the height and width by repetition."""
    return F.interpolate(x_BCHW, scale_factor=2.0, mode="nearest")
