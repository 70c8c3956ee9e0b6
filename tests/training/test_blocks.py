"""Blocks that never copy a map compute what the plain convolution of the copies does."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from emohead_training.models.blocks import (  # noqa: E402
    SLOPE,
    ConvBlock,
    UpBlock,
    doubling_kernel,
    kernel_of_doubling,
)
from emohead_training.models.warp import sample_image  # noqa: E402


def test_shared_kernel_equals_concatenation():
    torch.manual_seed(0)
    maps = [torch.randn(2, c, 6, 8) for c in (5, 16, 3)]
    block = ConvBlock((5, 16, 3), 24, 2)
    torch.nn.init.normal_(block.conv.bias)
    plain = F.leaky_relu(block.conv(torch.cat(maps, 1)), SLOPE)
    torch.testing.assert_close(block(*maps), plain, atol=1e-5, rtol=0)


def test_shares_make_no_residual_of_one_map():
    block = ConvBlock((4, 4), 8)
    maps = torch.zeros(1, 4, 2, 2), torch.ones(1, 4, 2, 2)
    torch.testing.assert_close(block(*maps), F.leaky_relu(block.conv(torch.cat(maps, 1)), SLOPE))


def test_up_block_equals_doubling_then_convolving():
    torch.manual_seed(0)
    coarse, fine = torch.randn(2, 7, 5, 4), torch.randn(2, 3, 10, 8)
    block = UpBlock(7, 3, 6)
    doubled = F.interpolate(coarse, scale_factor=2.0, mode="nearest")
    plain = F.leaky_relu(block.conv(torch.cat((doubled, fine), 1)), SLOPE)
    torch.testing.assert_close(block(coarse, fine), plain, atol=1e-5, rtol=0)


def test_kernel_comes_back_from_its_doubling():
    kernel = torch.randn(6, 7, 3, 3)
    back = kernel_of_doubling(doubling_kernel(kernel))
    torch.testing.assert_close(back, kernel, atol=1e-6, rtol=0)


def test_sampling_outside_repeats_the_border():
    torch.manual_seed(0)
    image, at = torch.rand(1, 3, 16, 16), 3.0 * torch.rand(1, 32, 32, 2) - 1.5
    wanted = F.grid_sample(image, at, mode="bilinear", padding_mode="border", align_corners=False)
    torch.testing.assert_close(sample_image(image, at), wanted, atol=1e-5, rtol=0)
