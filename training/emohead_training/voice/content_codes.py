"""Content codes of whole clips, in clean and degraded variants, by trained AutoVC encoders.

Windows lie on the runtime's grid (``emohead.lips``). Not here: the encoders' training.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emohead.audio import SAMPLE_RATE_HZ
from emohead.mel import CONTENT_HOP
from emohead.runner import Runner
from emohead.stages import (
    CONTENT_CENTRE_FRAMES,
    CONTENT_ENCODER,
    CONTENT_LEFT_FRAMES,
    CONTENT_RIGHT_FRAMES,
    MOTION_FPS,
    SPEAKER_ENCODER,
    SPEAKER_FRAMES,
)
from emohead_training.loop import load_weights
from emohead_training.models.autovc import ContentEncoder, SpeakerEncoder
from emohead_training.voice.mel_augmentation import degraded, warped

__all__ = [
    "MEL_FRAMES",
    "VIDEO_FRAMES",
    "WINDOW",
    "CodeWriter",
    "GraphCodeWriter",
    "codes_at",
    "interpolated",
]

WINDOW: Final = CONTENT_LEFT_FRAMES + CONTENT_CENTRE_FRAMES + CONTENT_RIGHT_FRAMES
"""Mel frames that the content encoder sees at once."""
MEL_FRAMES, VIDEO_FRAMES = Fraction(SAMPLE_RATE_HZ, CONTENT_HOP * MOTION_FPS).as_integer_ratio()
"""So many mel frames last as long as so many video frames."""


class CodeWriter:
    """Trained encoders, applied to clips.

    Parameters
    ----------
    weights : Path
        Weights of the stage ``autovc``.
    """

    def __init__(self, weights: Path) -> None:
        self.speaker, self.content = SpeakerEncoder().eval(), ContentEncoder().eval()
        load_weights(self.speaker, weights, SPEAKER_ENCODER.name)
        load_weights(self.content, weights, CONTENT_ENCODER.name)

    @torch.no_grad()
    def codes(
        self, mel: NDArray[np.floating], rng: np.random.Generator, *, degrade: bool
    ) -> NDArray[np.float16]:
        """Encode one clip.

        Parameters
        ----------
        mel : (T, 80) floating, [0, 1]
        rng : numpy.random.Generator
            Chooses the stretch that the voice is taken from.
        degrade : bool
            Whether to change throat, room and microphone at random first.

        Returns
        -------
        (T', 64) float16
            T rounded up to whole windows, and one window of silence.
        """
        first = int(rng.integers(max(1, len(mel) - SPEAKER_FRAMES)))
        lately = np.resize(mel[first : first + SPEAKER_FRAMES], (SPEAKER_FRAMES, mel.shape[1]))
        sound, voice_mel = _tensor(mel), _tensor(lately)
        if degrade:
            size = torch.tensor([rng.uniform(0.88, 1.14)], dtype=torch.float32)
            sound = degraded(warped(sound, size))
            voice_mel = degraded(warped(voice_mel, size), 0.7)
        windows = _windows(sound[0])
        speaker = self.speaker(voice_mel).expand(len(windows), -1)
        codes: Tensor = self.content(windows, speaker).flatten(0, 1)
        return codes.numpy().astype(np.float16)

    def variants(
        self, mel: NDArray[np.floating], rng: np.random.Generator, count: int
    ) -> list[NDArray[np.float16]]:
        """Codes of the clean clip, then of ``count - 1`` degraded copies."""
        return [self.codes(mel, rng, degrade=i > 0) for i in range(count)]


class GraphCodeWriter(CodeWriter):
    """The same by a bundle's graphs.

    Parameters
    ----------
    speaker_encoder, content_encoder : Runner
    """

    def __init__(self, speaker_encoder: Runner, content_encoder: Runner) -> None:
        self._runners = speaker_encoder, content_encoder

    def speaker(self, mel: Tensor) -> Tensor:
        """Embed voices, (batch, 128, 80) to (batch, 256)."""
        (voice,) = self._runners[0].run(mel.numpy())
        return torch.from_numpy(np.asarray(voice))

    def content(self, windows: Tensor, speaker: Tensor) -> Tensor:
        """Encode windows, (batch, 48, 80) to (batch, 8, 64), as many at once as the graph takes."""
        most = CONTENT_ENCODER.inputs[0].dims[0].max
        parts = zip(windows.split(most), speaker.split(most), strict=True)
        codes = [
            self._runners[1].run(w.contiguous().numpy(), s.contiguous().numpy())[0]
            for w, s in parts
        ]
        return torch.from_numpy(np.concatenate(codes))


def _tensor(mel: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.asarray(mel, np.float32))[None]


def _windows(mel_TC: Tensor) -> Tensor:
    """All windows of a clip, (K, 48, 80), with silence around it."""
    count = -(-len(mel_TC) // CONTENT_CENTRE_FRAMES) + 1
    padded = mel_TC.new_zeros(count * CONTENT_CENTRE_FRAMES + WINDOW, mel_TC.shape[1])
    padded[CONTENT_LEFT_FRAMES : CONTENT_LEFT_FRAMES + len(mel_TC)] = mel_TC
    return padded.unfold(0, WINDOW, CONTENT_CENTRE_FRAMES).transpose(1, 2)[:count]


def codes_at(
    codes: NDArray[np.float16], video_frames: Sequence[float] | NDArray[np.floating]
) -> NDArray[np.float32]:
    """Codes at fractional video frames, linear between mel frames.

    Parameters
    ----------
    codes : (T, 64) float16
    video_frames : (F,) float
        Positions at 30 frames a second; those outside the clip take its ends.

    Returns
    -------
    (F, 64) float32
    """
    return interpolated(codes, np.asarray(video_frames) * (MEL_FRAMES / VIDEO_FRAMES))


def interpolated(rows: NDArray[np.floating], at: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of a signal at fractional positions, linear, clamped to its ends."""
    position = np.clip(at, 0, len(rows) - 1.001)
    low = position.astype(np.int64)
    share = (position - low).reshape(-1, *[1] * (rows.ndim - 1)).astype(np.float32)
    lower, upper = rows[low].astype(np.float32), rows[low + 1].astype(np.float32)
    return np.asarray(lower + share * (upper - lower), np.float32)
