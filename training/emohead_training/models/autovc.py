"""AutoVC: who speaks (speaker encoder), what is said (content encoder), and back to sound.

The two encoders are stages of the runtime; decoder and phoneme head exist only in training.
Not here: losses and data (``voice/autovc_training.py``).
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from emohead.stages import (
    CONTENT_CENTRE_FRAMES,
    CONTENT_LEFT_FRAMES,
    CONTENT_SIZE,
    NUM_MEL_BANDS,
    SPEAKER_SIZE,
)

__all__ = ["ContentEncoder", "Decoder", "PhonemeHead", "SpeakerEncoder", "VoiceCritic"]

WIDTH: Final = 128
"""Channels of the convolutions and size of the speaker encoder's LSTM."""
CONTEXT_SIZE: Final = 96
"""Units per direction of the content encoder's first LSTM."""


def _recur(lstm: nn.LSTM, x_BTC: Tensor) -> Tensor:
    """Run an LSTM from an explicit zero state, which exports with a free batch axis."""
    directions = lstm.num_layers * (2 if lstm.bidirectional else 1)
    zeros = x_BTC.new_zeros(directions, x_BTC.shape[0], lstm.hidden_size)
    output: Tensor = lstm(x_BTC, (zeros, zeros))[0]
    return output


class SpeakerEncoder(nn.Module):
    """Voice of a speaker from two seconds of mel.

    References
    ----------
    .. [1] Paper, section 3.1, after AutoVC: an LSTM whose output is projected to the unit sphere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(NUM_MEL_BANDS, WIDTH, num_layers=2, batch_first=True)
        self.project = nn.Linear(WIDTH, SPEAKER_SIZE)

    def forward(self, mel: Tensor) -> Tensor:
        """Embed a voice.

        Parameters
        ----------
        mel : (batch, 128, 80) float32, [0, 1]

        Returns
        -------
        (batch, 256) float32, unit norm
        """
        embedding: Tensor = self.project(_recur(self.lstm, mel).mean(1))
        return embedding / embedding.square().sum(1, keepdim=True).add(1e-8).sqrt()


class _Convolution(nn.Conv1d):
    """A convolution over frames, computed as one over pictures of height 1.

    The numbers and the parameters are those of ``Conv1d``; TensorRT-RTX 1.7 builds no 1-D
    convolution with a bias.
    """

    def forward(self, x_BCT: Tensor) -> Tensor:
        padding = (0, int(self.padding[0]))
        weight = self.weight[:, :, None]
        return functional.conv2d(x_BCT[:, :, None], weight, self.bias, padding=padding).squeeze(2)


class _Convolutions(nn.Module):
    """Three convolutions over five frames; the speaker enters the first as a bias.

    A bias is what concatenating the embedding to every frame amounts to, without its cost.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        sizes = (in_channels, WIDTH, WIDTH)
        self.layers = nn.ModuleList(_Convolution(n, WIDTH, 5, padding=2) for n in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in sizes)
        self.speaker = nn.Linear(SPEAKER_SIZE, WIDTH, bias=False)

    def forward(self, x_BTC: Tensor, speaker_BS: Tensor) -> Tensor:
        x = x_BTC.transpose(1, 2)
        bias = self.speaker(speaker_BS)[:, :, None]
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            x = layer(x)
            # Zeros instead of nothing in later layers are a graph that TensorRT-RTX cannot build.
            x = functional.relu(norm(x + bias if index == 0 else x))
        return x.transpose(1, 2)


class ContentEncoder(nn.Module):
    """What is said, frame by frame, through a narrow code.

    References
    ----------
    .. [1] Paper, section 3.1, ``a``; AutoVC's content encoder with a code per frame.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = _Convolutions(NUM_MEL_BANDS)
        self.context = nn.LSTM(WIDTH, CONTEXT_SIZE, batch_first=True, bidirectional=True)
        self.neck = nn.LSTM(
            2 * CONTEXT_SIZE, CONTENT_SIZE // 2, batch_first=True, bidirectional=True
        )

    def codes(self, mel: Tensor, speaker: Tensor) -> Tensor:
        """Code of every frame of a window.

        Parameters
        ----------
        mel : (batch, T, 80) float32, [0, 1]
        speaker : (batch, 256) float32, unit norm

        Returns
        -------
        (batch, T, 64) float32, [-1, 1]
        """
        features = self.convolutions(mel, speaker)
        return _recur(self.neck, _recur(self.context, features))

    def forward(self, mel: Tensor, speaker: Tensor) -> Tensor:
        """Code of the centre frames of a window.

        Parameters
        ----------
        mel : (batch, 48, 80) float32, [0, 1]
            24 frames of left context, 8 in the centre, 16 of right context.
        speaker : (batch, 256) float32, unit norm

        Returns
        -------
        (batch, 8, 64) float32, [-1, 1]
        """
        end = CONTENT_LEFT_FRAMES + CONTENT_CENTRE_FRAMES
        return self.codes(mel, speaker)[:, CONTENT_LEFT_FRAMES:end]


class Decoder(nn.Module):
    """Mel from code and speaker; training only."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = _Convolutions(CONTENT_SIZE)
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        self.mel = nn.Linear(WIDTH, NUM_MEL_BANDS)
        self.refine = nn.Sequential(
            nn.Conv1d(NUM_MEL_BANDS, WIDTH, 5, padding=2),
            nn.Tanh(),
            nn.Conv1d(WIDTH, NUM_MEL_BANDS, 5, padding=2),
        )

    def forward(self, content: Tensor, speaker: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruct the mel.

        Parameters
        ----------
        content : (batch, T, 64) float32
        speaker : (batch, 256) float32, unit norm

        Returns
        -------
        coarse, refined : (batch, T, 80) float32
            Before and after the residual post-net.
        """
        coarse = self.mel(_recur(self.lstm, self.convolutions(content, speaker)))
        return coarse, coarse + self.refine(coarse.transpose(1, 2)).transpose(1, 2)


class PhonemeHead(nn.Module):
    """Linear read-out of the sounds being and about to be spoken; training only."""

    def __init__(self, num_phonemes: int, num_offsets: int) -> None:
        super().__init__()
        self.num_offsets = num_offsets
        self.linear = nn.Linear(CONTENT_SIZE, num_phonemes * num_offsets)

    def forward(self, content: Tensor) -> Tensor:
        """Scores.

        Parameters
        ----------
        content : (batch, T, 64) float32

        Returns
        -------
        (batch, T, offsets, phonemes) float32, logits
        """
        scores: Tensor = self.linear(content).unflatten(-1, (self.num_offsets, -1))
        return scores


class _Reversed(torch.autograd.Function):
    """The identity, with a gradient of the opposite sign."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


class VoiceCritic(nn.Module):
    """Guesses the voice from a window's codes; what it learns, the code unlearns. Training only.

    References
    ----------
    .. [1] Ganin and Lempitsky, Unsupervised domain adaptation by backpropagation, 2015: the
       critic descends its loss, the encoder behind the reversed gradient climbs it.
    """

    def __init__(self, num_voices: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * CONTENT_SIZE, WIDTH), nn.ReLU(), nn.Linear(WIDTH, num_voices)
        )

    def forward(self, content: Tensor) -> Tensor:
        """Scores.

        Parameters
        ----------
        content : (batch, T, 64) float32

        Returns
        -------
        (batch, voices) float32, logits
        """
        code = _Reversed.apply(content)
        summary = torch.cat([code.mean(1), code.square().mean(1)], dim=1)
        scores: Tensor = self.layers(summary)
        return scores
