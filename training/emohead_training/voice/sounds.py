"""Content mels of all voices that AutoVC learns from, cached in one file.

RAVDESS and CREMA-D, the sound of talking-face clips, and synthesised voices with phoneme labels.
People of the test side are left out. Not here: batches (``autovc_training.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.mel import CONTENT_HOP, content_mel
from emohead_training.corpus import (
    VoiceClip,
    read_sound,
    read_spelling,
    read_video_index,
    read_voice_index,
)
from emohead_training.voice.phonemes import spelled_frames
from emohead_training.voice.synthesis import synthesise

__all__ = ["UNLABELLED", "Sounds", "read_sounds"]

log = logging.getLogger(__name__)

UNLABELLED: Final = -1
FRAME_SECONDS: Final = CONTENT_HOP / SAMPLE_RATE_HZ


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """Mels of many utterances, end to end."""

    mel: NDArray[np.float16]
    """(T, 80) content mel in [0, 1]."""
    phonemes: NDArray[np.int8]
    """(T,) class of each frame, -1 where nobody knows."""
    starts: NDArray[np.int64]
    """(U + 1,) first frame of each utterance, and the total."""
    voices: NDArray[np.str_]
    """(U,) speaker of each utterance."""
    held_out: NDArray[np.bool_]
    """(U,) whether the utterance serves validation only."""

    def __len__(self) -> int:
        return len(self.voices)


def read_sounds(data: Path, cache: Path, *, synthetic_seconds: float, seed: int = 0) -> Sounds:
    """Load the cache of mels, making it first where it is missing.

    Parameters
    ----------
    data : Path
        Corpus root.
    cache : Path
        The ``.npz`` file to read or write.
    synthetic_seconds : float
        Length of synthesised speech; a twentieth of it more is held out.
    seed : int
        Seed of the synthesised sentences.

    Returns
    -------
    Sounds
    """
    if not cache.is_file():
        _write(cache, _all_sounds(data, synthetic_seconds, seed))
    with np.load(cache, allow_pickle=False) as stored:
        return Sounds(**{name: stored[name] for name in stored.files})


_Entry = tuple[NDArray[np.float32], NDArray[np.int64] | None, str, bool]


def _all_sounds(data: Path, synthetic_seconds: float, seed: int) -> Iterator[_Entry]:
    yield from _synthetic(synthetic_seconds, seed, held_out=False)
    yield from _synthetic(synthetic_seconds / 20, seed + 1_000_003, held_out=True)
    for voice in read_voice_index(data, may_be_empty=True):
        if voice.split != "test":
            yield _recorded(voice)
    for clip in read_video_index(data, may_be_empty=True):
        if clip.split != "test" and clip.has_speech:
            mel = content_mel(read_sound(clip.path)).mel
            yield mel, None, clip.identity, clip.split == "val"


def _recorded(voice: VoiceClip) -> _Entry:
    """Read a voice of the corpus, with its phonemes where they are known."""
    mel, spelling = content_mel(read_sound(voice.path)).mel, read_spelling(voice.path)
    labels = (
        None
        if spelling is None
        else spelled_frames(spelling.phonemes, spelling.starts_s, len(mel), FRAME_SECONDS)
    )
    return mel, labels, voice.speaker, voice.split == "val"


def _synthetic(seconds: float, seed: int, *, held_out: bool) -> Iterator[_Entry]:
    for utterance in synthesise(seconds, seed):
        mel = content_mel(utterance.samples).mel
        yield mel, utterance.labels(len(mel), FRAME_SECONDS), utterance.voice, held_out


def _write(cache: Path, entries: Iterator[_Entry]) -> None:
    mels, labels, voices, held_out = [], [], [], []
    for mel, phonemes, voice, held in entries:
        mels.append(mel.astype(np.float16))
        unknown = np.full(len(mel), UNLABELLED)
        labels.append((unknown if phonemes is None else phonemes).astype(np.int8))
        voices.append(voice)
        held_out.append(held)
    cache.parent.mkdir(parents=True, exist_ok=True)
    log.info("%d utterances, %d frames of mel", len(mels), sum(map(len, mels)))
    np.savez(
        cache,
        mel=np.concatenate(mels),
        phonemes=np.concatenate(labels),
        starts=np.cumsum([0, *map(len, mels)]),
        voices=np.array(voices),
        held_out=np.array(held_out),
    )
