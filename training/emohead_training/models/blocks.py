"""Small convolution blocks shared by the image networks.

Shape legend: B batch, C channels, H height, W width. No normalisation layers: exact in fp16.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "ConvBlock",
    "ConvGRUCell",
    "Modulated",
    "UpBlock",
    "doubling_kernel",
    "kernel_of_doubling",
]

SLOPE = 0.1


class ConvBlock(nn.Module):
    """3x3 convolution and leaky rectifier; a residual sum where the shape stays.

    Parameters
    ----------
    inputs : int or tuple of int
        Channels; several for as many maps, which stand for their concatenation but are never
        copied: each meets its share of the kernel. ONNX Runtime's fast path on CPUs takes shares
        of a multiple of 4 channels, or of fewer than 16.
    outputs : int
        Channels.
    stride : int
        Step of the kernel.
    """

    def __init__(self, inputs: int | tuple[int, ...], outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.shares = [inputs] if isinstance(inputs, int) else list(inputs)
        inputs = sum(self.shares)
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.residual = len(self.shares) == 1 and inputs == outputs and stride == 1
        nn.init.kaiming_normal_(self.conv.weight, SLOPE)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        if self.residual:
            with torch.no_grad():
                self.conv.weight.mul_(0.5)

    def forward(self, *maps_BCHW: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y = F.leaky_relu(self._convolved(maps_BCHW), SLOPE)
        return maps_BCHW[0] + y if self.residual else y

    def _convolved(self, maps: tuple[Tensor, ...]) -> Tensor:
        if len(self.shares) == 1:
            return self.conv(*maps)  # type: ignore[no-any-return]
        kernels = self.conv.weight.split(self.shares, 1)
        total = F.conv2d(maps[0], kernels[0], self.conv.bias, self.conv.stride, 1)
        for x, kernel in zip(maps[1:], kernels[1:], strict=True):
            total = total + F.conv2d(x, kernel, None, self.conv.stride, 1)
        return total


class UpBlock(ConvBlock):
    """A `ConvBlock` on a coarse map doubled by repetition, and a fine map.

    The doubled map is never made: under a 3x3 kernel each of its pixels sees but 2x2 coarse ones,
    so a transposed convolution gives the same sums with 4 products for 9.
    """

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__((coarse, fine), outputs)

    def _convolved(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Map (B, coarse, H, W) and (B, fine, 2H, 2W) to (B, outputs, 2H, 2W)."""
        coarse, fine = self.conv.weight.split(self.shares, 1)
        raised = F.conv_transpose2d(maps[0], doubling_kernel(coarse), None, 2, 1)
        return raised + F.conv2d(maps[1], fine, self.conv.bias, 1, 1)


def doubling_kernel(kernel_OI33: Tensor) -> Tensor:
    """Kernel (I, O, 4, 4) whose transposed convolution of stride 2 equals doubling, then `kernel`.

    Along an axis (a, b, c) becomes (c, b + c, a + b, a): what a coarse pixel gives to the four
    fine pixels that see it.
    """
    for axis in (2, 3):
        a, b, c = kernel_OI33.split(1, axis)
        kernel_OI33 = torch.cat((c, b + c, a + b, a), axis)
    return kernel_OI33.transpose(0, 1)


def kernel_of_doubling(kernel_IO44: Tensor) -> Tensor:
    """Undo `doubling_kernel`: (I, O, 4, 4) to (O, I, 3, 3)."""
    for axis in (2, 3):
        c, bc, _, a = kernel_IO44.split(1, axis)
        kernel_IO44 = torch.cat((a, bc - c, c), axis)
    return kernel_IO44.transpose(0, 1)


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
