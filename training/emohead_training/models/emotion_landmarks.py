"""G, the emotional landmark generator: edges and emotion in, stylised edges out (paper 3.2).

Built so that it cannot fail at the ends: no emotion is a bit-exact no-op, the change grows linearly
with the emotion's strength in any fixed direction, and lengths stay positive.
Shapes: B batch, E edges, C channels. Not here: losses and critics.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from emohead.geometry import NUM_EDGES, TOPOLOGY
from emohead.stages import EMOTION_LANDMARKS, NUM_EMOTIONS

__all__ = ["STAGE", "EmotionLandmarks"]

STAGE: Final = EMOTION_LANDMARKS.name
_NUM_STYLES: Final = NUM_EMOTIONS - 1
_MOST_STRETCH: Final = 0.9
_MOST_BEND: Final = 1.5
_MOST_DEVIATION: Final = 4.0


class _Mixer(nn.Module):
    """Mix over edges, then over channels."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.edge_norm = nn.LayerNorm(channels)
        self.edges = nn.Sequential(
            nn.Linear(NUM_EDGES, hidden), nn.ReLU(), nn.Linear(hidden, NUM_EDGES)
        )
        self.channel_norm = nn.LayerNorm(channels)
        self.channels = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.ReLU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x_BEC: Tensor) -> Tensor:
        mixed = self.edges(self.edge_norm(x_BEC).transpose(1, 2)).transpose(1, 2)
        x_BEC = x_BEC + mixed
        result_BEC: Tensor = x_BEC + self.channels(self.channel_norm(x_BEC))
        return result_BEC


class EmotionLandmarks(nn.Module):
    """Edge-wise concatenation of shape and emotion, mixed over all edges.

    Parameters
    ----------
    channels : int
        Features per edge.
    hidden : int
        Width of the mixing over edges.
    num_blocks : int
        Mixing blocks.
    """

    edge_mean: Tensor
    edge_std: Tensor
    is_hinge: Tensor

    def __init__(self, channels: int = 16, hidden: int = 64, num_blocks: int = 2) -> None:
        super().__init__()
        self.register_buffer("edge_mean", torch.zeros(NUM_EDGES, 2))
        self.register_buffer("edge_std", torch.ones(NUM_EDGES, 2))
        is_hinge = torch.zeros(NUM_EDGES, 1)
        is_hinge[TOPOLOGY.hinges.tolist()] = 1
        self.register_buffer("is_hinge", is_hinge)
        self.enter = nn.Linear(2 + _NUM_STYLES, channels)
        self.place = nn.Parameter(0.02 * torch.randn(NUM_EDGES, channels))
        self.blocks = nn.Sequential(*(_Mixer(channels, hidden) for _ in range(num_blocks)))
        self.leave = nn.Linear(channels, 2)
        self.styles = nn.Linear(_NUM_STYLES, NUM_EDGES * 2, bias=False)
        for layer in (self.leave, self.styles):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, edges: Tensor, emotion: Tensor) -> Tensor:
        """Stylise edges.

        Parameters
        ----------
        edges : (B, E, 2) float32
            Lengths in canonical units, dihedral angles in rad.
        emotion : (B, 8) float32, [0, 1]
            Emotion vector s; its neutral entry does nothing.

        Returns
        -------
        (B, E, 2) float32
            ``edges + |w| * change(edges, w / |w|)``, where w is s without its neutral entry and
            its size |w|, the sum, counts up to 1.
        """
        w_BS = emotion[:, 1:]
        size_B1 = w_BS.sum(dim=1, keepdim=True)
        direction_BS = w_BS / size_B1.clamp(min=1e-6)
        amount_B11 = size_B1.clamp(max=1.0).unsqueeze(2)
        stretch_BE1, bend_BE1 = self.change(edges, direction_BS)
        lengths, angles = edges[:, :, :1], edges[:, :, 1:]
        lengths = lengths * (1 + amount_B11 * stretch_BE1)
        return torch.cat([lengths, angles + amount_B11 * bend_BE1], dim=2)

    def change(self, edges: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
        """Full-strength change in a direction.

        Parameters
        ----------
        edges : (B, E, 2) float32
        direction : (B, 7) float32, sum 1

        Returns
        -------
        stretch : (B, E, 1) float32, (-0.9, 0.9)
            Relative change of the lengths.
        bend : (B, E, 1) float32, rad, (-1.5, 1.5)
        """
        shape_BE2 = ((edges - self.edge_mean) / self.edge_std).clamp(
            -_MOST_DEVIATION, _MOST_DEVIATION
        )
        emotion_BES = direction.unsqueeze(1).expand(-1, NUM_EDGES, -1)
        x_BEC = self.enter(torch.cat([shape_BE2, emotion_BES], dim=2)) + self.place
        raw_BE2 = self.leave(self.blocks(x_BEC))
        raw_BE2 = raw_BE2 + self.styles(direction).reshape(-1, NUM_EDGES, 2)
        stretch = _MOST_STRETCH * torch.tanh(raw_BE2[:, :, :1])
        bend = _MOST_BEND * torch.tanh(raw_BE2[:, :, 1:] / _MOST_BEND)
        return stretch, bend * self.is_hinge
