"""D_src and D_cls, the critics of the emotional landmark generator (paper 3.2). Training only.

Both read edges in displacement units: a length as it is, an angle times what it displaces.
Not here: G (`emotion_landmarks.py`) and the losses (`stylisation/training.py`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from emohead.geometry import NUM_EDGES, TOPOLOGY
from emohead.geometry.edges import HINGE_WEIGHTS
from emohead.stages import NUM_EMOTIONS

__all__ = ["EmotionCritic", "SourceCritic", "edge_weights"]


def edge_weights() -> Tensor:
    """Weight of every length and angle.

    Returns
    -------
    (E, 2) float32
        1 for lengths, canonical units per rad for angles, 0 for the angle of a boundary edge.
    """
    weights = np.zeros((NUM_EDGES, 2), np.float32)
    weights[:, 0] = 1
    weights[TOPOLOGY.hinges, 1] = HINGE_WEIGHTS
    return torch.from_numpy(weights)


class _Critic(nn.Module):
    edge_mean: Tensor
    scale: Tensor

    def __init__(self, outputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("edge_mean", torch.zeros(NUM_EDGES, 2))
        self.register_buffer("scale", edge_weights() / 0.03)
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * NUM_EDGES, hidden),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, outputs),
        )

    def forward(self, edges: Tensor) -> Tensor:
        x_BE2 = ((edges - self.edge_mean) * self.scale).clamp(-6, 6)
        logits: Tensor = self.layers(x_BE2.flatten(1))
        return logits


class SourceCritic(_Critic):
    """D_src: (B, E, 2) edges to (B, 1) logit of being real."""

    def __init__(self) -> None:
        super().__init__(1, 128, 0.2)


class EmotionCritic(_Critic):
    """D_cls: (B, E, 2) edges to (B, 8) logits of the emotions."""

    def __init__(self) -> None:
        super().__init__(NUM_EMOTIONS, 128, 0.3)
