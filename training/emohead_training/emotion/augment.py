"""Other voices, rooms, microphones, codecs and noise, made from log-mel spectrograms.

Everything takes and gives (B, 128, M) tensors in dB, so the sound is analysed once and varied in
every batch; chance is torch's. Called by ``training.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["SILENCE_DB", "augmented", "mixed"]

_DB = math.log(10) / 10
SILENCE_DB = -100.0
"""Level of bands without sound, re full scale."""
TELEPHONE_EDGE = 0.72
"""Share of the 128 bands that lies below 3.4 kHz."""


def augmented(log_mel: Tensor, num_frames: int) -> Tensor:
    """Vary a batch of spectrograms.

    Parameters
    ----------
    log_mel : (B, 128, M) tensor, dB
        M must leave room for slower speech: at least ``num_frames``.
    num_frames : int

    Returns
    -------
    (B, 128, num_frames) tensor, dB
    """
    x = warped(log_mel, num_frames)
    x = _chosen(0.15, x, reverberant)
    x = _chosen(0.6, x, recoloured)
    x = _chosen(0.25, x, noisy)
    x = _chosen(0.2, x, coded)
    return masked(x)


def mixed(
    log_mel: Tensor, labels: Tensor, known: Tensor, alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Mixup: blend each spectrogram with another of the batch, and the labels likewise.

    Parameters
    ----------
    log_mel : (B, 128, M) tensor, dB
    labels : (B, 8) tensor in [0, 1]
    known : (B, 8) tensor, 0 or 1
        The classes that each clip is labelled for.
    alpha : float, positive
        Of the Beta distribution that draws the shares.

    Returns
    -------
    log_mel, labels, known
        Of the inputs' shapes; only classes that both parts are labelled for stay known.
    """
    share = torch.distributions.Beta(alpha, alpha).sample((len(log_mel),))
    share = torch.maximum(share, 1 - share)
    order = torch.randperm(len(log_mel))
    level = log_mel.amax((1, 2), keepdim=True)
    wide, rows = share[:, None, None], share[:, None]
    relative = log_mel - level
    blended = wide * relative + (1 - wide) * relative[order]
    both = torch.where(rows < 0.98, known * known[order], known)
    return blended, rows * labels + (1 - rows) * labels[order], both


def warped(log_mel: Tensor, num_frames: int) -> Tensor:
    """Speak faster or slower (an eighth), shift and scale the frequencies, cut `num_frames` out."""
    batch, bands, length = log_mel.shape
    speed = _uniform(batch, 0.88, 1.13)
    half = (speed * num_frames / length).clamp(max=1.0)
    start = _uniform(batch, -1, 1) * (1 - half)
    stretch, shift = _uniform(batch, 0.95, 1.05), _uniform(batch, -0.04, 0.04)
    across = torch.linspace(-1, 1, num_frames)[None] * half[:, None] + start[:, None]
    along = torch.linspace(-1, 1, bands)[None] * stretch[:, None] + shift[:, None]
    grid = torch.stack(
        [across[:, None, :].expand(-1, bands, -1), along[:, :, None].expand(-1, -1, num_frames)], -1
    )
    return functional.grid_sample(
        log_mel[:, None], grid, padding_mode="border", align_corners=True
    )[:, 0]


def reverberant(log_mel: Tensor) -> Tensor:
    """Let every band's power decay as in a room of 0.15 to 0.7 s, partly."""
    decay_s = _uniform(len(log_mel), 0.15, 0.7)
    per_frame = torch.exp(-6 * math.log(10) * 0.032 / decay_s)
    tail = per_frame[:, None] ** torch.arange(1, 9)
    kernel = torch.cat(
        [torch.ones(len(log_mel), 1), _uniform(len(log_mel), 0.1, 0.7)[:, None] * tail], 1
    )
    power = functional.pad(torch.exp(log_mel * _DB), (8, 0))
    windows = power.unfold(2, 9, 1)
    return _decibel(torch.einsum("bmtk,bk->bmt", windows, kernel.flip(1)))


def recoloured(log_mel: Tensor) -> Tensor:
    """Pass through another microphone: a smooth response of a few decibels, some low-passed."""
    batch, bands, _ = log_mel.shape
    where = torch.linspace(0, 1, bands)
    waves = torch.stack([torch.cos(math.pi * k * where) for k in range(1, 6)])
    response = (torch.randn(batch, 5) * torch.tensor([3.0, 2.0, 1.5, 1.0, 0.7])) @ waves
    edge = _uniform(batch, 0.75, 2.5)[:, None]
    response = response - 200 * (where[None] - edge).clamp(min=0)
    return (log_mel + response[:, :, None]).clamp(min=SILENCE_DB)


def noisy(log_mel: Tensor) -> Tensor:
    """Add steady noise of a random colour, 12 to 45 dB below the speech."""
    batch, bands, _ = log_mel.shape
    level = _decibel(torch.exp(log_mel * _DB).mean((1, 2)))
    tilt = _uniform(batch, -20, 8)[:, None] * torch.linspace(-0.5, 0.5, bands)
    noise = (level - _uniform(batch, 12, 45))[:, None] + tilt
    flutter = 2.5 * torch.randn(log_mel.shape)
    return _decibel(torch.exp(log_mel * _DB) + torch.exp((noise[:, :, None] + flutter) * _DB))


def coded(log_mel: Tensor) -> Tensor:
    """Pass through a lossy codec: cut the band, drop what louder bands mask, coarsen the levels.

    Parameters
    ----------
    log_mel : (B, 128, M) tensor, dB

    Returns
    -------
    (B, 128, M) tensor, dB
        Nothing above an edge between 3.4 kHz and the whole band; bands 20 to 45 dB below the
        loudest of their eight neighbours on either side are gone; the rest in steps of 1 to 5 dB.
    """
    batch, bands, _ = log_mel.shape
    nearby = functional.max_pool1d(log_mel.transpose(1, 2), 17, 1, 8).transpose(1, 2)
    masked_below = nearby - _uniform(batch, 20, 45)[:, None, None]
    edge = _uniform(batch, TELEPHONE_EDGE, 1.1)[:, None, None] * bands
    lost = (log_mel < masked_below) | (torch.arange(bands)[None, :, None] >= edge)
    step = _uniform(batch, 1, 5)[:, None, None]
    return torch.where(lost, SILENCE_DB, torch.round(log_mel / step) * step)


def masked(log_mel: Tensor) -> Tensor:
    """Hide up to two bands' groups and two stretches of time behind the mean."""
    batch, bands, frames = log_mel.shape
    hidden = torch.zeros(batch, bands, frames, dtype=torch.bool)
    for _ in range(2):
        hidden |= _stripe(batch, bands, 16)[:, :, None]
        hidden |= _stripe(batch, frames, 14)[:, None, :]
    return torch.where(hidden, log_mel.mean((1, 2), keepdim=True), log_mel)


def _stripe(batch: int, length: int, longest: int) -> Tensor:
    """(batch, length) bool: one stripe of random place and width in each row."""
    width = _uniform(batch, 0, longest)
    start = torch.rand(batch) * (length - width)
    position = torch.arange(length)[None]
    return (position >= start[:, None]) & (position < (start + width)[:, None])


def _chosen(share: float, log_mel: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply `change` to a random share of the batch."""
    chosen = torch.rand(len(log_mel)) < share
    if not bool(chosen.any()):
        return log_mel
    result = log_mel.clone()
    result[chosen] = change(log_mel[chosen])
    return result


def _uniform(count: int, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(count)


def _decibel(power: Tensor) -> Tensor:
    return torch.log(power.clamp(min=1e-10)) / _DB
