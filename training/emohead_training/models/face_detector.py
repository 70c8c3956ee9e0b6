"""Face detector network: a letterboxed photo in, one box and one score per cell out.

Anchor-free, one class, one 32x32 grid that a small feature pyramid gives sight of all sizes.
Not here: letterboxing and non-maximum suppression (``emohead.detector``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emohead.stages import DETECTOR_SIZE_PX, NUM_CELLS
from emohead_training.models.layers import Dense, Separable, conv, twice

__all__ = ["FaceDetector"]

_GRID = round(NUM_CELLS**0.5)
_TYPICAL_SIDE = 0.2
"""Box side that a zero prediction means, share of the picture's side."""
_PRIOR_LOGIT = -4.6


class FaceDetector(nn.Module):
    """Find faces of any size.

    Parameters
    ----------
    width : int
        Channels of the output grid; other levels scale with it.
    """

    cells: Tensor

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        w2, w3 = width * 4 // 3, width * 2
        stride = DETECTOR_SIZE_PX // _GRID // 2
        self.stem = nn.Sequential(
            nn.Conv2d(3, 24, stride + 2, stride, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU()
        )
        self.down1 = nn.Sequential(Dense(24), conv(24, width, 2), Dense(width))
        self.down2 = nn.Sequential(conv(width, w2, 2), Separable(w2), Separable(w2))
        self.down3 = nn.Sequential(conv(w2, w3, 2), Separable(w3))
        self.down4 = nn.Sequential(nn.AvgPool2d(2), Separable(w3), Separable(w3))
        self.lateral3 = conv(w3, w3, size=1)
        self.lateral2 = conv(w3, w2, size=1)
        self.lateral1 = conv(w2, width, size=1)
        self.up3, self.up2, self.up1 = Separable(w3), Separable(w2), Separable(width)
        self.head = nn.Sequential(Dense(width), nn.Conv2d(width, 5, 1))
        nn.init.constant_(self.head[1].bias[4:], _PRIOR_LOGIT)  # type: ignore[index]
        steps = (torch.arange(_GRID, dtype=torch.float32) + 0.5) / _GRID
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        self.register_buffer("cells", torch.stack([x, y], -1).reshape(1, -1, 2), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Find faces.

        Parameters
        ----------
        image : (B, 3, 256, 256) tensor, RGB in [0, 1]

        Returns
        -------
        boxes : (B, 1024, 4) tensor
            x0, y0, x1, y1, share of the side.
        scores : (B, 1024) tensor in [0, 1]
        """
        boxes, logits = self.boxes_and_logits(image)
        return boxes, torch.sigmoid(logits)

    def boxes_and_logits(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Like `forward`, with the scores before their sigmoid, as the loss wants them."""
        x1 = self.down1(self.stem(image * 2 - 1))
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        y3 = self.up3(x3 + twice(self.lateral3(self.down4(x3))))
        y2 = self.up2(x2 + twice(self.lateral2(y3)))
        y1 = self.up1(x1 + twice(self.lateral1(y2)))
        raw = self.head(y1).float().flatten(2).transpose(1, 2)
        size = torch.exp(raw[:, :, 2:4].clamp(-4.0, 2.5)) * _TYPICAL_SIDE
        centre = self.cells + raw[:, :, :2] / _GRID
        boxes = torch.cat([centre - size / 2, centre + size / 2], -1)
        return boxes, raw[:, :, 4]
