"""Random stretches of speaking faces, and of synthesised speech whose closures are known.

Identities are drawn evenly but for the one speaker who fills most of the corpus. Not here: losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emohead.geometry.landmarks import mirrored
from emohead.lips import LEAD_FRAMES
from emohead_training.mouth import mouth_opening
from emohead_training.voice.content_codes import (
    MEL_FRAMES,
    VIDEO_FRAMES,
    CodeWriter,
    codes_at,
    interpolated,
)
from emohead_training.voice.phonemes import PHONEMES, SILENCE
from emohead_training.voice.sounds import UNLABELLED, Sounds
from emohead_training.voice.spoken_clips import CLOSED_QUANTILE, SpokenClip
from emohead_training.voice.sync import sound_shifts

__all__ = ["LipBatch", "LipCorpus", "SpelledBatch", "SpelledSpeech"]

FREQUENT_SOURCE: Final = "grid-s1"
FREQUENT_SHARE: Final = 0.15
"""Share of the draws that the one speaker of `FREQUENT_SOURCE` gets."""
WARM_UP_FRAMES: Final = 4
"""At the start of a stretch, where the network has heard too little to be judged."""
MAX_STRETCH: Final = 0.12
"""Natural logarithm of the fastest pace over the clip's own."""
CLOSING: Final = tuple(PHONEMES.index(p) for p in ("b", "m", "p"))


@dataclass(frozen=True, kw_only=True)
class LipBatch:
    """Stretches of talking clips."""

    content: Tensor
    """(batch, frames, 64) float32, ahead of the motion by the lead."""
    anchor: Tensor
    """(batch, 68, 3) float32, canonical units."""
    moved: Tensor
    """(batch, frames, 68, 3) float32, landmarks minus anchor."""
    known: Tensor
    """(batch, frames) bool, whether the motion was measured."""
    clip: Tensor
    """(batch,) int64, index of the clip."""
    is_mirrored: Tensor
    """(batch,) bool."""


@dataclass(frozen=True, kw_only=True)
class SpelledBatch:
    """Stretches of synthesised speech."""

    content: Tensor
    """(batch, frames, 64) float32, ahead of the labels by the lead."""
    closed: Tensor
    """(batch, frames) bool, lips must meet."""
    silent: Tensor
    """(batch, frames) bool, nobody speaks nor is about to."""


class LipCorpus:
    """Talking clips with content codes.

    Parameters
    ----------
    clips : sequence of SpokenClip
    writer : CodeWriter
    seed : int
    variants : int
        Codes per clip, the first of clean sound.
    first : int
        Number of the first clip among those of all corpora.
    in_step : bool
        Whether the sound is known to be in step; elsewhere its shift is measured.
    """

    def __init__(
        self,
        clips: Sequence[SpokenClip],
        writer: CodeWriter,
        *,
        seed: int,
        variants: int,
        first: int = 0,
        in_step: bool = False,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.clips = _thinned(clips)
        self.codes = [writer.variants(c.mel, rng, variants) for c in self.clips]
        people = sorted({c.identity for c in self.clips})
        self._members = [[i for i, c in enumerate(self.clips) if c.identity == p] for p in people]
        self._odds = self._person_odds()
        self._anchors = [_closed_frames(c) for c in self.clips]
        clean = [codes[0] for codes in self.codes]
        self.first = first
        self.shifts = np.zeros(len(clean), np.int64)
        if not in_step:
            self.shifts = sound_shifts(self.clips, clean, self.clip_weights())

    def _person_odds(self) -> NDArray[np.float64]:
        frequent = np.array(
            [self.clips[m[0]].source == FREQUENT_SOURCE for m in self._members], float
        )
        if not 0 < frequent.sum() < len(frequent):
            return np.full(len(frequent), 1 / len(frequent))
        rest = (1 - FREQUENT_SHARE) * (1 - frequent) / (1 - frequent).sum()
        odds: NDArray[np.float64] = rest + FREQUENT_SHARE * frequent / frequent.sum()
        return odds

    def clip_weights(self) -> NDArray[np.float64]:
        """Odds of each clip in a draw, (clips,)."""
        weights = np.zeros(len(self.clips))
        for members, odds in zip(self._members, self._odds, strict=True):
            lengths = np.array([len(self.clips[i].landmarks) for i in members], float)
            weights[members] = odds * lengths / lengths.sum()
        return weights

    def batch(self, rng: np.random.Generator, size: int, num_frames: int) -> LipBatch:
        """Draw stretches."""
        chosen = rng.choice(len(self.clips), size, p=self.clip_weights())
        items = [self._stretch(rng, int(i), num_frames) for i in chosen]
        content, anchor, moved, known, mirror = (
            torch.from_numpy(np.stack(column)) for column in zip(*items, strict=True)
        )
        return LipBatch(
            content=content,
            anchor=anchor,
            moved=moved,
            known=known,
            clip=torch.from_numpy(chosen) + self.first,
            is_mirrored=mirror,
        )

    def _stretch(
        self, rng: np.random.Generator, index: int, num_frames: int
    ) -> tuple[NDArray[np.generic], ...]:
        clip, codes = self.clips[index], self.codes[index]
        pace = float(np.exp(rng.uniform(-MAX_STRETCH, MAX_STRETCH)))
        room = len(clip.landmarks) - num_frames * pace
        times = rng.uniform(-8, max(-7, room + 8)) + pace * np.arange(num_frames)
        nearest = np.round(times).astype(np.int64)
        inside = (nearest >= 0) & (nearest < len(clip.valid))
        known = inside & clip.valid[np.clip(nearest, 0, len(clip.valid) - 1)]
        known[:WARM_UP_FRAMES] = False
        anchor = self._anchor(rng, index)
        landmarks = interpolated(clip.landmarks, times)
        mirror = bool(rng.random() < 0.5)
        if mirror:
            anchor, landmarks = mirrored(anchor), mirrored(landmarks)
        content = codes_at(
            codes[rng.integers(len(codes))], times + LEAD_FRAMES * pace + self.shifts[index]
        )
        moved = (landmarks - anchor).astype(np.float32)
        return content, anchor.astype(np.float32), moved, known, np.array(mirror)

    def _anchor(self, rng: np.random.Generator, index: int) -> NDArray[np.floating]:
        """Return the most closed mouth, or another nearly closed one."""
        frames = self._anchors[index]
        frame = frames[0] if rng.random() < 0.6 else rng.choice(frames)
        anchor: NDArray[np.float32] = self.clips[index].landmarks[frame]
        return anchor


def _thinned(clips: Sequence[SpokenClip]) -> list[SpokenClip]:
    """Keep every fourth clip of the frequent speaker, whose clips are rarely drawn."""
    frequent = [c for c in clips if c.source == FREQUENT_SOURCE]
    return [*(c for c in clips if c.source != FREQUENT_SOURCE), *frequent[::4]]


def _closed_frames(clip: SpokenClip) -> NDArray[np.int64]:
    """Frames with a nearly closed mouth, the most closed one first."""
    opening = np.where(clip.valid, mouth_opening(clip.landmarks), np.inf)
    count = max(1, int(CLOSED_QUANTILE * clip.valid.sum()))
    return np.argsort(opening)[:count]


class SpelledSpeech:
    """Synthesised utterances with codes and phonemes.

    Parameters
    ----------
    sounds : Sounds
    writer : CodeWriter
    count : int
        Utterances to use.
    seed : int
    """

    def __init__(self, sounds: Sounds, writer: CodeWriter, *, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        labelled = sounds.phonemes[sounds.starts[:-1]] != UNLABELLED
        chosen = rng.permutation(np.flatnonzero(labelled & ~sounds.held_out))[:count]
        spans = [slice(sounds.starts[i], sounds.starts[i + 1]) for i in chosen]
        self.phonemes = [sounds.phonemes[s] for s in spans]
        self.codes = [writer.codes(sounds.mel[s], rng, degrade=True) for s in spans]

    def batch(self, rng: np.random.Generator, size: int, num_frames: int) -> SpelledBatch:
        """Draw stretches."""
        items = [
            self._stretch(rng, int(i), num_frames) for i in rng.integers(len(self.codes), size=size)
        ]
        content, closed, silent = (
            torch.from_numpy(np.stack(column)) for column in zip(*items, strict=True)
        )
        return SpelledBatch(content=content, closed=closed, silent=silent)

    def _stretch(
        self, rng: np.random.Generator, index: int, num_frames: int
    ) -> tuple[NDArray[np.generic], ...]:
        phonemes = self.phonemes[index]
        video_frames = len(phonemes) * VIDEO_FRAMES // MEL_FRAMES
        times = rng.integers(-10, max(-9, video_frames - num_frames + 20)) + np.arange(num_frames)
        content = codes_at(self.codes[index], (times + LEAD_FRAMES).astype(np.float64))
        around = np.stack(
            [_label(phonemes, times * MEL_FRAMES // VIDEO_FRAMES + o) for o in range(-12, 13, 2)]
        )
        closed = np.asarray(np.isin(around[6:8], CLOSING).all(axis=0))
        silent = np.asarray((around == SILENCE).all(axis=0))
        closed[:WARM_UP_FRAMES] = silent[:WARM_UP_FRAMES] = False
        return content, closed, silent


def _label(phonemes: NDArray[np.int8], frames: NDArray[np.int64]) -> NDArray[np.int8]:
    """Class at mel frames, silence outside the utterance."""
    inside = (frames >= 0) & (frames < len(phonemes))
    return np.where(inside, phonemes[np.clip(frames, 0, len(phonemes) - 1)], SILENCE)
