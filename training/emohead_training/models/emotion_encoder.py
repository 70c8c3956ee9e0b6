"""Emotion encoder E: a log-mel spectrogram in, one calibrated score per emotion out (paper 3.2).

Several 6-layer CNNs that learnt from different people vote inside one graph. Level and half of the
microphone's colour are removed there too. Not here: the loss and the calibration itself.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from emohead.stages import NUM_EMOTIONS, NUM_LOG_MEL_BANDS

__all__ = ["EmotionCnn", "EmotionEncoder", "levelled", "pictured"]

FLOOR_DB = -60.0
"""Bands further below the window's mean band power count as silent."""
WIDTHS = (16, 32, 48, 64, 96, 160)
"""Channels of the six convolutions."""
NUM_MEMBERS = 4
"""Networks that vote."""
NUM_CHANNELS = 4
"""Planes that the first convolution sees."""
_DB = math.log(10) / 10
_STRIDES = ((2, 2), (2, 1), (2, 2), (2, 1), (1, 1), (2, 2))
_SIZES = (5, 3, 3, 3, 3, 3)


class EmotionCnn(nn.Module):
    """One voter: six 2-D convolutions, pooling over any length, calibration of its own.

    Parameters
    ----------
    widths : tuple of int
        Channels of the six convolutions.
    dropout : float, [0, 1)
        Share of pooled features dropped in training.
    """

    temperature: Tensor
    offset: Tensor

    def __init__(self, widths: tuple[int, ...] = WIDTHS, dropout: float = 0.3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = pairwise((NUM_CHANNELS, *widths))
        for (before, width), size, stride in zip(channels, _SIZES, _STRIDES, strict=True):
            layers += [
                nn.Conv2d(before, width, size, stride, size // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.drop = nn.Dropout(dropout)
        self.classes = nn.Linear(3 * widths[-1], NUM_EMOTIONS)
        self.register_buffer("temperature", torch.ones(NUM_EMOTIONS))
        self.register_buffer("offset", torch.zeros(NUM_EMOTIONS))

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 8) calibrated logits of (B, 4, 128, M) planes, see `pictured`."""
        return self.logits(picture) / self.temperature + self.offset

    def logits(self, picture: Tensor) -> Tensor:
        """(B, 8) logits before calibration, as the loss wants them."""
        features = self.convolutions(picture).float()
        mean = features.mean((2, 3))
        spread = (features.mean(2) - mean[:, :, None]).square().mean(2)
        peak = features.mean(2).amax(2)
        pooled = torch.cat([mean, torch.sqrt(spread + 1e-5), peak], 1)
        logits: Tensor = self.classes(self.drop(pooled))
        return logits


class EmotionEncoder(nn.Module):
    """Score the eight emotions of a window of speech.

    Parameters
    ----------
    widths : tuple of int
        Channels of the six convolutions of each voter.
    dropout : float, [0, 1)
        Share of pooled features dropped in training.
    members : int, positive
        Number of voters.
    """

    def __init__(
        self, widths: tuple[int, ...] = WIDTHS, dropout: float = 0.3, members: int = NUM_MEMBERS
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(EmotionCnn(widths, dropout) for _ in range(members))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Score a window.

        Parameters
        ----------
        log_mel : (B, 128, M) tensor, dB, 16 <= M <= 1024

        Returns
        -------
        (B, 8) tensor in [0, 1]
            Calibrated probability of each emotion, in the order of ``EMOTIONS``: the voters'
            mean in logits.
        """
        picture = pictured(log_mel)
        votes = torch.stack([member(picture) for member in self.members])
        return torch.sigmoid(votes.mean(0))


def pictured(log_mel: Tensor) -> Tensor:
    """Draw what the convolutions see.

    Parameters
    ----------
    log_mel : (B, 128, M) tensor, dB

    Returns
    -------
    (B, 4, 128, M) tensor
        The levelled window; the same with each band's mean over the voiced frames taken off, which
        no microphone colours; its change from frame to frame; the height of the band.
    """
    level = levelled(log_mel)
    voiced = level.mean(1, keepdim=True) + 1.55
    colour = (level * voiced).mean(2, keepdim=True) / voiced.mean(2, keepdim=True)
    change = functional.pad(level[:, :, 1:] - level[:, :, :-1], (1, 0))
    height = torch.linspace(-1, 1, NUM_LOG_MEL_BANDS, device=level.device)[:, None]
    return torch.stack([level, level - colour, change, height + 0 * level], 1)


def levelled(log_mel: Tensor) -> Tensor:
    """Remove the level of each window.

    Parameters
    ----------
    log_mel : (B, 128, M) tensor, dB

    Returns
    -------
    (B, 128, M) tensor
        About [-1.5, 1.5]; zero is 30 dB below the window's mean band power.
    """
    top = log_mel.amax((1, 2), keepdim=True)
    mean_power = torch.exp((log_mel - top) * _DB).mean((1, 2), keepdim=True)
    level = top + torch.log(mean_power) / _DB
    return (torch.clamp(log_mel - level, min=FLOOR_DB) + 30.0) / 20.0
