"""The five component nets T_c and the patches they work on (paper 3.4, equation 7).

Each net sees the landmark patch u_t, the anchor patch warped to the frame, and the encoded anchor
patch v_a. It returns a refinement of the flow, a colour and a mask: texture is moved, and only what
was hidden is painted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emohead.geometry import landmarks as ibug
from emohead.stages import MOUTH_PATCH_PX, PART_PATCH_PX, STYLE_SIZE
from emohead_training.models.blocks import ConvBlock, Modulated, UpBlock
from emohead_training.models.drawing import Drawing, Polyline, full_precision, pixel_axis

__all__ = ["PARTS", "ComponentNet", "Part", "PatchBox", "drawing_of", "split_layer"]

LAYER_CHANNELS = 6
"""Flow refinement (2), colour (3), mask (1)."""
FEATHER = 0.3
"""Share of a patch's half side over which it blends into the rest."""
_LEFT_EYE = (*ibug.LEFT_EYE, ibug.LEFT_EYE[0])
_RIGHT_EYE = (*ibug.RIGHT_EYE, ibug.RIGHT_EYE[0])
_OUTER = (*ibug.OUTER_LIPS, ibug.OUTER_LIPS[0])
_INNER = (*ibug.INNER_LIPS, ibug.INNER_LIPS[0])


@dataclass(frozen=True, kw_only=True)
class Part:
    """A facial component that has its own patch."""

    name: str
    """Component of the paper."""
    centre: tuple[int, ...]
    """Landmarks whose mean is the centre of the patch."""
    reach: float
    """Half side of the patch in outer-eye-corner distances."""
    size_px: int
    """Side of the patch in samples."""
    lines: tuple[tuple[Polyline, ...], ...]
    """Polylines drawn into each channel of u_t."""
    features: int
    """Channels of the encoded anchor patch."""
    width: int
    """Channels of the net's first level."""


PARTS = (
    Part(
        name="mouth",
        centre=ibug.MOUTH,
        reach=0.62,
        size_px=MOUTH_PATCH_PX,
        lines=((_OUTER,), (_INNER,)),
        features=16,
        width=32,
    ),
    Part(
        name="left_eye",
        centre=ibug.LEFT_EYE,
        reach=0.32,
        size_px=PART_PATCH_PX,
        lines=((_LEFT_EYE,), (ibug.LEFT_BROW,)),
        features=12,
        width=24,
    ),
    Part(
        name="right_eye",
        centre=ibug.RIGHT_EYE,
        reach=0.32,
        size_px=PART_PATCH_PX,
        lines=((_RIGHT_EYE,), (ibug.RIGHT_BROW,)),
        features=12,
        width=24,
    ),
    Part(
        name="nose",
        centre=ibug.NOSE_BASE,
        reach=0.36,
        size_px=PART_PATCH_PX,
        lines=((ibug.NOSE_BRIDGE,), (ibug.NOSE_BASE,)),
        features=12,
        width=16,
    ),
)
"""Mouth, left eye, right eye, nose; what remains is the renderer's fifth component."""


class PatchBox:
    """A square patch that follows its component: centre and half side, unit coordinates."""

    def __init__(self, part: Part, points_BK2: Tensor) -> None:
        self.size = part.size_px
        eyes = points_BK2[:, 36] - points_BK2[:, 45]
        self.half = part.reach * (eyes.square().sum(-1, keepdim=True) + 1e-4).sqrt()[:, None]
        self.centre = points_BK2[:, list(part.centre)].mean(1, keepdim=True)

    def positions(self, patch_1P2: Tensor) -> Tensor:
        """Frame positions of patch positions, (B, P, 2)."""
        return self.centre + self.half * patch_1P2

    def axes(self) -> tuple[Tensor, Tensor]:
        """Frame positions of the patch's columns and rows, (B, size) each."""
        return self._frame_position(0)[:, 0, :, 0], self._frame_position(1)[:, 0, :, 0]

    @full_precision
    def cut(self, map_BCHW: Tensor, frame: int) -> Tensor:
        """Resample a square map of the whole frame, of side `frame`, to the patch."""
        rows, columns = (_hat(self._frame_position(axis), frame) for axis in (1, 0))
        return rows @ map_BCHW @ columns.transpose(2, 3)

    @full_precision
    def paste(self, patch_BCHW: Tensor, under_BCHW: Tensor, frame: int) -> Tensor:
        """Blend a patch over a square map of the whole frame, feathered at the patch's border."""
        inside = [self._patch_position(axis, frame) for axis in (1, 0)]
        windows = [((1.0 - i.abs()) * (1.0 / FEATHER)).clamp(0.0, 1.0) for i in inside]
        rows, columns = (_hat(i, self.size) * w for i, w in zip(inside, windows, strict=True))
        window = windows[0] @ windows[1].transpose(2, 3)
        return under_BCHW * (1.0 - window) + rows @ patch_BCHW @ columns.transpose(2, 3)

    def _frame_position(self, axis: int) -> Tensor:
        """Frame coordinate of the patch's sample centres along an axis, (B, 1, size, 1)."""
        centres = _centres(self.size, self.half)
        return self.centre[:, :, None, axis : axis + 1] + self.half[:, None] * centres

    def _patch_position(self, axis: int, frame: int) -> Tensor:
        """Patch coordinate of the frame's pixel centres along an axis, (B, 1, frame, 1)."""
        centres = _centres(frame, self.half)
        return (centres - self.centre[:, :, None, axis : axis + 1]) / self.half[:, None]


def _centres(size: int, like: Tensor) -> Tensor:
    """Make unit coordinates of `size` sample centres, (size, 1)."""
    return pixel_axis(size).to(like.device)[:, None]


def _hat(position_B1S1: Tensor, samples: int) -> Tensor:
    """Matrix (B, 1, S, samples) of linear interpolation at unit positions, border repeated.

    Boxes are axis-aligned, so resampling is separable: two matrix products instead of a GridSample.
    """
    edge = 1.0 - 1.0 / samples
    index = (position_B1S1.clamp(-edge, edge) + 1.0) * (samples / 2.0) - 0.5
    distance = index - torch.arange(samples, device=index.device)
    return (1.0 - distance.abs()).clamp_min(0.0)


def split_layer(layer_BCHW: Tensor, flow_scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Activate a raw output: flow refinement (unit coordinates), colour and mask in [0, 1]."""
    layer = layer_BCHW.float()
    flow = torch.tanh(layer[:, :2]) * flow_scale
    return flow, torch.sigmoid(layer[:, 2:5]), torch.sigmoid(layer[:, 5:] - 3.0)


class ComponentNet(nn.Module):
    """T_c: a small U-Net on a patch.

    Parameters
    ----------
    inputs : tuple of int
        Channels of the maps that are the patch's input, after folding.
    width : int
        Channels of the finest level.
    fold : int
        The patch is folded (pixel unshuffle) by this factor and unfolded at the end; 1 keeps it.
    """

    def __init__(self, inputs: tuple[int, ...], width: int, fold: int) -> None:
        super().__init__()
        middle, deep = width * 3 // 2, width * 2
        self.fold = fold
        self.enter = ConvBlock(inputs, width)
        self.level1 = ConvBlock(width, width)
        self.down1 = ConvBlock(width, middle, 2)
        self.level2 = ConvBlock(middle, middle)
        self.down2 = ConvBlock(middle, deep, 2)
        self.style = Modulated(STYLE_SIZE, deep)
        self.level3 = ConvBlock(deep, deep)
        self.up2 = UpBlock(deep, middle, middle)
        self.up1 = UpBlock(middle, width, width)
        self.head = nn.Conv2d(width, LAYER_CHANNELS * fold * fold, 3, 1, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, style_BS: Tensor, *maps_BCHW: Tensor) -> Tensor:
        """Raw layer (B, 6, H * fold, W * fold) from the portrait's style and the folded maps."""
        fine = self.level1(self.enter(*maps_BCHW))
        middle = self.level2(self.down1(fine))
        deep = self.level3(self.style(self.down2(middle), style_BS))
        middle = self.up2(deep, middle)
        fine = self.up1(middle, fine)
        layer = self.head(fine)
        return _without_checkerboard(F.pixel_shuffle(layer, self.fold)) if self.fold > 1 else layer


def _without_checkerboard(x_BCHW: Tensor) -> Tensor:
    """Binomial smoothing (1, 2, 1): removes the alternating pattern that unfolding can leave."""
    wider = F.pad(x_BCHW, (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(wider, 2, 1), 2, 1)


def drawing_of(part: Part) -> Drawing:
    """Make the drawing of a component's landmark patch u_t."""
    return Drawing(part.lines, width=0.02)
