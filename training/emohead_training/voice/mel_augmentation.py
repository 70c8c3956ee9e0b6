"""Other rooms, microphones and throats, made from a mel alone.

Every change is drawn per item of the batch. Not here: changes that need the waveform.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from emohead.mel import RANGE_DB

__all__ = ["degraded", "warped"]

_NEPERS: Final = RANGE_DB / 10 * math.log(10)
"""Natural logarithm of power per unit of the mel's scale."""


def warped(mel_BTC: Tensor, factors_B: Tensor) -> Tensor:
    """Stretch the band axis: a longer or shorter vocal tract.

    Parameters
    ----------
    mel_BTC : (batch, T, bands) float32
    factors_B : (batch,) float32, about 1
        Above 1 moves formants down.

    Returns
    -------
    (batch, T, bands) float32
    """
    bands = mel_BTC.shape[2]
    position = (torch.arange(bands) * factors_B[:, None]).clamp(max=bands - 1.001)
    low = position.long()
    share = (position - low)[:, None]
    lower = mel_BTC.gather(2, low[:, None].expand_as(mel_BTC))
    upper = mel_BTC.gather(2, (low + 1)[:, None].expand_as(mel_BTC))
    return lower + share * (upper - lower)


def degraded(mel_BTC: Tensor, strength: float = 1.0) -> Tensor:
    """Change level and colour, add steady noise and some reverberation.

    Parameters
    ----------
    mel_BTC : (batch, T, bands) float32, [0, 1]
    strength : float
        Scale of all changes; 0 changes nothing.

    Returns
    -------
    (batch, T, bands) float32, [0, 1]
    """
    batch, _, bands = mel_BTC.shape
    axis = torch.linspace(-1, 1, bands)
    gain = 0.07 * strength * torch.randn(batch, 1, 1)
    tilt = 0.06 * strength * torch.randn(batch, 1, 1) * axis
    ripple = 0.03 * strength * torch.randn(batch, 1, 1)
    ripple = ripple * torch.cos(math.pi * (axis + 1) * 2 * torch.rand(batch, 1, 1) + 6)
    mel = _reverberated(mel_BTC, strength) + gain + tilt + ripple
    return _with_noise(mel, axis, strength).clamp(0, 1)


def _with_noise(mel_BTC: Tensor, axis_C: Tensor, strength: float) -> Tensor:
    batch, frames, bands = mel_BTC.shape
    level = torch.empty(batch, 1, 1).uniform_(-0.6, 0.55 * min(strength, 1))
    colour = 0.15 * torch.randn(batch, 1, 1) * axis_C
    noise = level + colour + 0.06 * torch.randn(batch, frames, bands)
    return torch.logaddexp(mel_BTC * _NEPERS, noise * _NEPERS) / _NEPERS


def _reverberated(mel_BTC: Tensor, strength: float) -> Tensor:
    """Let a third of the items ring: each frame keeps a decaying share of those before it."""
    ringing = torch.rand(len(mel_BTC), 1) < strength / 3
    per_frame = torch.empty(len(mel_BTC), 1).uniform_(0.025, 0.08)
    onset = torch.empty(len(mel_BTC), 1).uniform_(0.08, 0.2)
    tail = mel_BTC[:, 0] - onset
    rows = []
    for t in range(mel_BTC.shape[1]):
        tail = torch.maximum(tail - per_frame, mel_BTC[:, t] - onset)
        rows.append(torch.where(ringing, torch.maximum(tail, mel_BTC[:, t]), mel_BTC[:, t]))
    return torch.stack(rows, 1)
