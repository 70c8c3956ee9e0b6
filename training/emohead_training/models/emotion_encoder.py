"""Emotion encoder E: a log-mel spectrogram in, one calibrated score per emotion out (paper 3.2).

Six 2-D convolutions and global pooling over any length. The window's level is removed inside the
graph, so quiet and loud recordings look alike. Not here: the loss and the calibration itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from emohead.stages import NUM_EMOTIONS, NUM_LOG_MEL_BANDS

__all__ = ["EmotionEncoder"]

FLOOR_DB = -60.0
"""Bands further below the window's mean band power count as silent."""
_DB = math.log(10) / 10
_STRIDES = ((2, 2), (2, 1), (2, 2), (2, 1), (1, 1), (2, 2))
_SIZES = (5, 3, 3, 3, 3, 3)


class EmotionEncoder(nn.Module):
    """Score the eight emotions of a window of speech.

    Parameters
    ----------
    widths : tuple of int
        Channels of the six convolutions.
    dropout : float, [0, 1)
        Share of pooled features dropped in training.
    """

    bands: Tensor
    temperature: Tensor
    offset: Tensor

    def __init__(
        self, widths: tuple[int, ...] = (16, 32, 48, 64, 96, 160), dropout: float = 0.3
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width, size, stride in zip(
            (2, *widths), widths, _SIZES, _STRIDES, strict=False
        ):
            layers += [
                nn.Conv2d(before, width, size, stride, size // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.drop = nn.Dropout(dropout)
        self.classes = nn.Linear(3 * widths[-1], NUM_EMOTIONS)
        self.register_buffer("bands", torch.linspace(-1, 1, NUM_LOG_MEL_BANDS)[:, None])
        self.register_buffer("temperature", torch.ones(NUM_EMOTIONS))
        self.register_buffer("offset", torch.zeros(NUM_EMOTIONS))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Score a window.

        Parameters
        ----------
        log_mel : (B, 128, M) tensor, dB, 16 <= M <= 1024

        Returns
        -------
        (B, 8) tensor in [0, 1]
            Calibrated probability of each emotion, in the order of ``EMOTIONS``.
        """
        return torch.sigmoid(self.logits(log_mel) / self.temperature + self.offset)

    def logits(self, log_mel: Tensor) -> Tensor:
        """(B, 8) scores before calibration and sigmoid, as the loss wants them."""
        level = levelled(log_mel)
        picture = torch.stack([level, self.bands + 0 * level], 1)
        features = self.convolutions(picture).float()
        mean = features.mean((2, 3))
        spread = (features.mean(2) - mean[:, :, None]).square().mean(2)
        peak = features.mean(2).amax(2)
        pooled = torch.cat([mean, torch.sqrt(spread + 1e-5), peak], 1)
        logits: Tensor = self.classes(self.drop(pooled))
        return logits


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
