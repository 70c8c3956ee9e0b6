"""The project's own identity net and its ArcFace margin head (Deng et al. 2019); training only."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emohead_training.models.blocks import ConvBlock

__all__ = ["ArcFaceHead", "IdentityNet"]

EMBEDDING_SIZE = 128


class IdentityNet(nn.Module):
    """112x112 face, or a component alone on zeros, to a unit vector; also its feature maps."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        widths = [width, width * 2, width * 3, width * 4]
        self.stem = ConvBlock(3, width, 2)
        self.levels = nn.ModuleList(
            nn.Sequential(ConvBlock(a, b, 2), ConvBlock(b, b))
            for a, b in pairwise([width, *widths])
        )
        self.embed = nn.Linear(widths[-1] * 4, EMBEDDING_SIZE)

    def features(self, image_B3HW: Tensor) -> list[Tensor]:
        """Feature maps from fine to coarse; also serve as perceptual features."""
        maps = [self.stem(image_B3HW * 2.0 - 1.0)]
        for level in self.levels:
            maps.append(level(maps[-1]))
        return maps

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Identity (B, 128), unit norm, of RGB in [0, 1]."""
        pooled = F.adaptive_avg_pool2d(self.features(image_B3HW)[-1], 2).flatten(1)
        return F.normalize(self.embed(pooled).float(), dim=1)


class ArcFaceHead(nn.Module):
    """Additive angular margin over the training identities."""

    def __init__(self, people: int, margin: float = 0.3, scale: float = 24.0) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(people, EMBEDDING_SIZE))
        self.margin, self.scale = margin, scale

    def forward(self, identity_BD: Tensor, person_B: Tensor) -> Tensor:
        """Cross-entropy loss with the margin on the true person's angle."""
        cosine = (identity_BD @ F.normalize(self.centres, dim=1).T).clamp(-1 + 1e-6, 1 - 1e-6)
        true = F.one_hot(person_B, cosine.shape[1]).bool()
        harder = torch.cos(cosine.acos() + self.margin)
        return F.cross_entropy(self.scale * torch.where(true, harder, cosine), person_B)
