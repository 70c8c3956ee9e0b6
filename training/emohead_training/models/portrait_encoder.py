"""Portrait encoder: what a frame needs to know of the anchor, once per face (paper 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emohead.geometry import landmarks as ibug
from emohead.stages import FRAME_SIZE_PX, STYLE_SIZE
from emohead_training.models.blocks import ConvBlock
from emohead_training.models.components import PARTS, Part, PatchBox, drawing_of
from emohead_training.models.drawing import Drawing, pixel_axis, pixel_grid, unit_from_px
from emohead_training.models.warp import FLOW_SIZE, sample_image

__all__ = ["FACE_LINES", "PortraitEncoder"]

FACE_LINES = (
    (ibug.JAW,),
    (ibug.LEFT_BROW, ibug.RIGHT_BROW),
    (ibug.NOSE_BRIDGE, ibug.NOSE_BASE),
    (
        (*ibug.LEFT_EYE, ibug.LEFT_EYE[0]),
        (*ibug.RIGHT_EYE, ibug.RIGHT_EYE[0]),
        (*ibug.OUTER_LIPS, ibug.OUTER_LIPS[0]),
        (*ibug.INNER_LIPS, ibug.INNER_LIPS[0]),
    ),
)
"""Channels of the whole-face landmark image ``i``."""
FOLD = FRAME_SIZE_PX // FLOW_SIZE


class _PartEncoder(nn.Module):
    """Encodes the anchor patch v_a of one component together with its landmark patch."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.box = part
        self.drawing = drawing_of(part)
        side = part.size_px
        self.register_buffer("grid", pixel_grid(side, side).reshape(1, -1, 2), persistent=False)
        self.layers = nn.Sequential(
            ConvBlock((3 + len(part.lines)) * 4, 24),
            ConvBlock(24, 24),
            nn.Conv2d(24, part.features, 3, 1, 1),
            nn.Tanh(),
        )

    def forward(self, image_BCHW: Tensor, points_BK2: Tensor) -> Tensor:
        side = self.box.size_px
        box = PatchBox(self.box, points_BK2)
        at = box.positions(self.grid)  # type: ignore[arg-type]
        drawn = self.drawing(points_BK2, *box.axes())
        patch = sample_image(image_BCHW, at.reshape(-1, side, side, 2))
        features: Tensor = self.layers(F.pixel_unshuffle(torch.cat((patch, drawn), 1), 2))
        return features


class PortraitEncoder(nn.Module):
    """Anchor crop and landmarks to per-portrait features, in the order of the stage's spec."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(_PartEncoder(part) for part in PARTS)
        self.drawing = Drawing(FACE_LINES, width=0.03)
        self.enter = nn.Sequential(
            ConvBlock(3 * FOLD * FOLD + len(FACE_LINES), 32), ConvBlock(32, 32)
        )
        self.remaining = nn.Sequential(nn.Conv2d(32, 16, 3, 1, 1), nn.Tanh())
        self.trunk = nn.Sequential(
            ConvBlock(32, 48, 2), ConvBlock(48, 64, 2), ConvBlock(64, 64), ConvBlock(64, 96, 2)
        )
        self.style = nn.Sequential(nn.Linear(96, STYLE_SIZE), nn.Tanh())

    def forward(self, image_BCHW: Tensor, anchor_px_BK2: Tensor) -> tuple[Tensor, ...]:
        """Encode a portrait.

        Parameters
        ----------
        image_BCHW : (B, 3, 256, 256) Tensor
            Anchor crop, RGB in [0, 1].
        anchor_px_BK2 : (B, 68, 2) Tensor
            Its landmarks, px.

        Returns
        -------
        tuple of Tensor
            Features of mouth, left eye, right eye, nose and the rest, and the style vector.
        """
        points = unit_from_px(anchor_px_BK2)
        parts = [part(image_BCHW, points) for part in self.parts]
        axis = pixel_axis(FLOW_SIZE).to(points.device)[None]
        drawn = self.drawing(points, axis, axis)
        coarse = self.enter(torch.cat((F.pixel_unshuffle(image_BCHW, FOLD), drawn), 1))
        style = self.style(self.trunk(coarse).mean((2, 3)))
        return (*parts, self.remaining(coarse), style)
