"""Renderer: 2-D landmarks of a frame and portrait features to the frame (paper 3.4).

Data flow: warp prior -> five component nets -> composition -> Enc, 3 ConvGRU layers, Dec -> frame.
Runs once per frame; the recurrent state enters and leaves as tensors.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emohead.stages import FRAME_SIZE_PX, GRU_CHANNELS
from emohead_training.models.blocks import ConvBlock, ConvGRUCell, UpBlock
from emohead_training.models.components import (
    PARTS,
    ComponentNet,
    Part,
    PatchBox,
    drawing_of,
    split_layer,
)
from emohead_training.models.drawing import Drawing, pixel_axis, pixel_grid, unit_from_px
from emohead_training.models.portrait_encoder import FACE_LINES, FOLD
from emohead_training.models.warp import FLOW_SIZE, WarpPrior, sample_image

__all__ = ["Composite", "Renderer"]

PATCH_FLOW = 0.08
REST_FLOW = 0.12


class Composite(NamedTuple):
    """The five components put together."""

    image: Tensor
    """(B, 3, 256, 256) composed frame, RGB."""
    drawing: Tensor
    """(B, 4, 64, 64) landmark image i."""
    mask: Tensor
    """(B, 1, 256, 256) where colour was painted rather than moved."""


class _PatchNet(nn.Module):
    """A component net with its patch geometry."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part
        self.drawing = drawing_of(part)
        side = part.size_px
        self.register_buffer("grid", pixel_grid(side, side).reshape(1, -1, 2), persistent=False)
        self.net = ComponentNet(((3 + len(part.lines)) * 4, part.features), part.width, fold=2)

    def forward(
        self, points: Tensor, flow: Tensor, image: Tensor, features: Tensor, style: Tensor
    ) -> tuple[Tensor, PatchBox]:
        """Raw layer on the patch and where the patch lies."""
        side = self.part.size_px
        box = PatchBox(self.part, points)
        drawn = self.drawing(points, *box.axes())
        at = box.positions(self.grid).reshape(-1, side, side, 2)  # type: ignore[arg-type]
        at = at + box.cut(flow, FLOW_SIZE).permute(0, 2, 3, 1)
        warped = sample_image(image, at)
        folded = F.pixel_unshuffle(torch.cat((warped, drawn), 1), 2)
        return self.net(style, folded, features), box


class Renderer(nn.Module):
    """One frame per call; inputs and outputs in the order of the stage's spec.

    Parameters
    ----------
    use_warp : bool
        Move the anchor's texture by the warp prior; off gives the paper's exact variant.
    use_local : bool
        Use the component nets; off leaves the rest net and the global part (ablation).
    use_gru : bool
        Keep the recurrent state; off feeds zeros each frame (ablation).
    """

    def __init__(
        self, *, use_warp: bool = True, use_local: bool = True, use_gru: bool = True
    ) -> None:
        super().__init__()
        self.use_warp, self.use_local, self.use_gru = use_warp, use_local, use_gru
        self.warp = WarpPrior()
        self.drawing = Drawing(FACE_LINES, width=0.03)
        for name, side in (("coarse", FLOW_SIZE), ("fine", FRAME_SIZE_PX)):
            grid = pixel_grid(side, side).reshape(1, -1, 2)
            self.register_buffer(name, grid, persistent=False)
        self.patches = nn.ModuleList(_PatchNet(part) for part in PARTS)
        self.rest = ComponentNet((len(FACE_LINES) + 3, 16, 3), 24, fold=1)
        self.encoder = nn.Sequential(
            ConvBlock((3 * FOLD * FOLD, len(FACE_LINES) + 1), 32),
            ConvBlock(32, 48, 2),
            ConvBlock(48, 48),
        )
        self.gru = nn.ModuleList(
            ConvGRUCell(48 if i == 0 else GRU_CHANNELS, GRU_CHANNELS) for i in range(3)
        )
        self.decoder = nn.ModuleList(
            (ConvBlock((GRU_CHANNELS, 48), 48), UpBlock(48, 32, 32), ConvBlock(32, 32))
        )
        self.head = nn.Conv2d(32, 4 * FOLD * FOLD, 3, 1, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(
        self,
        points_px: Tensor,
        image: Tensor,
        anchor_px: Tensor,
        mouth: Tensor,
        left_eye: Tensor,
        right_eye: Tensor,
        nose: Tensor,
        remaining: Tensor,
        style: Tensor,
        *states: Tensor,
    ) -> tuple[Tensor, ...]:
        """Render one frame; tensors as in ``emohead.stages.RENDERER``."""
        parts = (mouth, left_eye, right_eye, nose)
        composite = self.compose(points_px, image, anchor_px, parts, remaining, style)
        return self.refine(composite, *states)

    def compose(
        self,
        points_px: Tensor,
        image: Tensor,
        anchor_px: Tensor,
        parts: tuple[Tensor, ...],
        remaining: Tensor,
        style: Tensor,
    ) -> Composite:
        """Local translation: component layers on the warp prior, one sampling of the anchor."""
        points, anchor = unit_from_px(points_px), unit_from_px(anchor_px)
        flow, near = self.warp(points, anchor)
        flow = flow if self.use_warp else torch.zeros_like(flow)
        drawn = self._drawn(points)
        layer = self._rest_layer(flow, near, drawn, image, remaining, style)
        if self.use_local:
            for net, features in reversed(list(zip(self.patches, parts, strict=True))):
                raw, box = net(points, flow, image, features, style)
                patch = torch.cat(split_layer(raw, PATCH_FLOW), 1)
                layer = box.paste(patch, layer, FRAME_SIZE_PX)
        total = _enlarge(flow) + layer[:, :2]
        at = self.fine.reshape(1, FRAME_SIZE_PX, FRAME_SIZE_PX, 2) + total.permute(0, 2, 3, 1)  # type: ignore[operator]
        moved = sample_image(image, at)
        colour, mask = layer[:, 2:5], layer[:, 5:]
        return Composite(moved + mask * (colour - moved), drawn, mask)

    def refine(self, composite: Composite, *states: Tensor) -> tuple[Tensor, ...]:
        """Global translation: Enc, three ConvGRU layers, Dec; the frame and the new states."""
        folded = F.pixel_unshuffle(composite.image, FOLD)
        painted = F.avg_pool2d(composite.mask, FOLD)
        fine = self.encoder[0](folded, torch.cat((composite.drawing, painted), 1))
        coarse = self.encoder[2](self.encoder[1](fine))
        x, new = coarse, []
        for cell, state in zip(self.gru, states, strict=True):
            x = cell(x, state if self.use_gru else torch.zeros_like(state))
            new.append(x)
        x = self.decoder[0](x, coarse)
        x = self.decoder[1](x, fine)
        layer = F.pixel_shuffle(self.head(self.decoder[2](x)), FOLD).float()
        mask = torch.sigmoid(layer[:, 3:] - 3.0)
        frame = composite.image + mask * (torch.sigmoid(layer[:, :3]) - composite.image)
        return (frame.clamp(0.0, 1.0), *new)

    def _drawn(self, points: Tensor) -> Tensor:
        axis = pixel_axis(FLOW_SIZE).to(points.device)[None]
        drawn: Tensor = self.drawing(points, axis, axis)
        return drawn

    def _rest_layer(
        self,
        flow: Tensor,
        near: Tensor,
        drawn: Tensor,
        image: Tensor,
        remaining: Tensor,
        style: Tensor,
    ) -> Tensor:
        """Layer of the remaining component at full size."""
        at = self.coarse.reshape(1, FLOW_SIZE, FLOW_SIZE, 2) + flow.permute(0, 2, 3, 1)  # type: ignore[operator]
        warped = sample_image(F.avg_pool2d(image, FOLD), at)
        features = sample_image(remaining, at)
        raw = self.rest(style, torch.cat((drawn, warped), 1), features, torch.cat((flow, near), 1))
        return _enlarge(torch.cat(split_layer(raw, REST_FLOW), 1))


def _enlarge(x_BCHW: Tensor) -> Tensor:
    size = (FRAME_SIZE_PX, FRAME_SIZE_PX)
    return F.interpolate(x_BCHW, size=size, mode="bilinear", align_corners=False)
