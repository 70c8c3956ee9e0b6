"""Neutral talking landmarks: LSTMs over content, then MLPs over their states and the anchor.

Displacements lie in the span of a few mouth movements (principal components of the train people's),
so that what speech does not move stays still. Not here: losses and data (``voice/``).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from emohead.stages import CONTENT_SIZE, LSTM_SIZE, NUM_LANDMARKS

__all__ = ["NUM_ANCHOR_TRAITS", "NUM_MOVEMENTS", "NUM_VOTERS", "NeutralLandmarks"]

NUM_MOVEMENTS: Final = 20
"""Mouth movements that displacements are made of."""
NUM_ANCHOR_TRAITS: Final = 12
"""Numbers that sum up the anchor's mouth; few, because few people were seen."""
NUM_VOTERS: Final = 4
"""Networks whose mean is taken; they share out the LSTM state of the specification."""
HIDDEN: Final = 96
ANCHOR_HIDDEN: Final = 32
NUM_COORDINATES: Final = NUM_LANDMARKS * 3
VOTER_SIZE: Final = LSTM_SIZE // NUM_VOTERS


class _Voter(nn.Module):
    """One LSTM with its MLP; gives amounts of the movements and the share of the posture."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(CONTENT_SIZE, VOTER_SIZE, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.from_anchor = nn.Sequential(nn.Linear(NUM_ANCHOR_TRAITS, ANCHOR_HIDDEN), nn.Tanh())
        self.mlp = nn.Sequential(
            nn.Linear(VOTER_SIZE + ANCHOR_HIDDEN, HIDDEN),
            nn.LeakyReLU(0.1),
            nn.Linear(HIDDEN, NUM_MOVEMENTS + 1),
        )

    def forward(
        self, content: Tensor, traits: Tensor, posture: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        hidden, state = self.lstm(content, state)
        anchored = self.from_anchor(traits)[:, None].expand(-1, content.shape[1], -1)
        amounts = self.mlp(torch.cat([self.dropout(hidden), anchored], dim=2))
        talking = torch.sigmoid(amounts[..., NUM_MOVEMENTS:])
        return amounts[..., :NUM_MOVEMENTS] + talking * posture[:, None], state


class NeutralLandmarks(nn.Module):
    """``lstm_neu`` and its MLP.

    The mean of four small networks, beside each other in one LSTM state. Each adds, as far as
    somebody is talking, the posture that a mouth like the anchor's has on average in speech.

    Parameters
    ----------
    dropout : float
        Share of LSTM outputs dropped in training.
    anchor_noise : float
        Noise added in training to the anchor's traits, in standard deviations over people, so
        that no person is known by the anchor.

    References
    ----------
    .. [1] Paper, section 3.1: h = lstm_neu(a), then an MLP of h and x_anchor gives the
       displacements.
    """

    movements: Tensor
    traits: Tensor
    anchor_mean: Tensor
    posture: Tensor
    posture_mean: Tensor

    def __init__(self, dropout: float = 0.3, anchor_noise: float = 0.8) -> None:
        super().__init__()
        self.anchor_noise = anchor_noise
        self.voters = nn.ModuleList(_Voter(dropout) for _ in range(NUM_VOTERS))
        self.register_buffer("movements", torch.zeros(NUM_MOVEMENTS, NUM_COORDINATES))
        self.register_buffer("traits", torch.zeros(NUM_COORDINATES, NUM_ANCHOR_TRAITS))
        self.register_buffer("anchor_mean", torch.zeros(NUM_COORDINATES))
        self.register_buffer("posture", torch.zeros(NUM_COORDINATES, NUM_MOVEMENTS))
        self.register_buffer("posture_mean", torch.zeros(NUM_MOVEMENTS))

    def forward(
        self, content: Tensor, anchor: Tensor, lstm_h: Tensor, lstm_c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Displacements of a stretch of frames.

        Parameters
        ----------
        content : (batch, frames, 64) float32
            Codes at 30 frames a second.
        anchor : (batch, 68, 3) float32, canonical units
        lstm_h, lstm_c : (1, batch, 256) float32
            State before the stretch.

        Returns
        -------
        displacement : (batch, frames, 68, 3) float32, canonical units
        lstm_h, lstm_c : (1, batch, 256) float32
            State after the stretch.
        """
        votes, lstm_h, lstm_c = self.votes(content, anchor, lstm_h, lstm_c)
        return votes.mean(0), lstm_h, lstm_c

    def votes(
        self, content: Tensor, anchor: Tensor, lstm_h: Tensor, lstm_c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Displacements that each network gives, (voters, batch, frames, 68, 3), and the state.

        Parameters and states as in ``forward``.
        """
        shape = anchor.flatten(1) - self.anchor_mean
        posture = self.posture_mean + shape @ self.posture
        states = zip(*(s.split(VOTER_SIZE, dim=2) for s in (lstm_h, lstm_c)), strict=True)
        amounts, after = [], []
        for voter, state in zip(self.voters, states, strict=True):
            traits = shape @ self.traits
            if self.training:
                traits = traits + self.anchor_noise * torch.randn_like(traits)
            moved, state = voter(content, traits, posture, state)
            amounts.append(moved)
            after.append(state)
        displacement = (torch.stack(amounts) @ self.movements).unflatten(3, (NUM_LANDMARKS, 3))
        lstm_h, lstm_c = (torch.cat(parts, dim=2) for parts in zip(*after, strict=True))
        return displacement, lstm_h, lstm_c

    def zero_state(self, batch: int) -> tuple[Tensor, Tensor]:
        """State at the start of a stream: two tensors (1, batch, 256) of zeros."""
        zeros = self.movements.new_zeros(1, batch, LSTM_SIZE)
        return zeros, zeros
