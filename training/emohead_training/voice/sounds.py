"""Content mels of all voices that AutoVC learns from, cached in one file.

RAVDESS and CREMA-D, the sound of talking-face clips, and synthesised voices. Phonemes are known of
synthesised voices and, by alignment, of clips whose names tell the words. People of the test side
are left out. Not here: batches (``autovc_training.py``).
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.errors import InputError
from emohead.mel import CONTENT_HOP, content_mel
from emohead_training.corpus import (
    read_sound,
    read_spelling,
    read_video_index,
    read_voice_index,
)
from emohead_training.loop.record import data_hash
from emohead_training.stored import is_pack, read_content_mel
from emohead_training.voice.alignment import aligned
from emohead_training.voice.phonemes import spelled_frames
from emohead_training.voice.synthesis import synthesise
from emohead_training.voice.transcripts import read_prompts, transcript
from emohead_training.whole_files import keep, write_arrays

__all__ = ["UNLABELLED", "Kind", "Sounds", "read_sounds"]

log = logging.getLogger(__name__)

UNLABELLED: Final = -1
FRAME_SECONDS: Final = CONTENT_HOP / SAMPLE_RATE_HZ
HELD_OUT_SHARE: Final = 0.07
"""Share of the training voices of RAVDESS and CREMA-D that serve validation only."""


class Kind(IntEnum):
    """How the phonemes of an utterance are known."""

    UNKNOWN = 0
    """They are not."""
    SYNTHESISED = 1
    """The synthesizer told."""
    ALIGNED = 2
    """Known words were aligned to the sound of a person."""


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
    kinds: NDArray[np.int8]
    """(U,) how its phonemes are known, values of `Kind`."""

    def __len__(self) -> int:
        return len(self.voices)


def read_sounds(
    data: Path, cache: Path, *, synthetic_seconds: float, seed: int = 0, align: bool = True
) -> Sounds:
    """Load the cache of mels, making it first where it is missing or of something else.

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
    align : bool
        Whether to find the phonemes of people's known sentences, which takes minutes.

    Returns
    -------
    Sounds

    Raises
    ------
    InputError
        No phoneme of any voice is known, so that nobody could learn to spell.
    """
    made_of = {"data_sha256": data_hash(data), "seconds": synthetic_seconds, "seed": seed}
    keep(
        cache,
        made_of | {"align": align},
        lambda: _write(cache, _all_sounds(data, synthetic_seconds, seed, align)),
    )
    with np.load(cache, allow_pickle=False) as stored:
        sounds = Sounds(**{name: stored[name] for name in stored.files})
    if (sounds.phonemes == UNLABELLED).all():
        raise InputError(
            f"expected speech whose phonemes are known in {data}, found none: install espeak-ng "
            "and flite, or make the data pack with synthesised voices"
        )
    return sounds


_Entry = tuple[NDArray[np.float32], NDArray[np.int64] | None, str, bool, Kind]


def _all_sounds(data: Path, synthetic_seconds: float, seed: int, align: bool) -> Iterator[_Entry]:
    if is_pack(data):
        align = False
    else:
        yield from _synthetic(synthetic_seconds, seed, held_out=False)
        yield from _synthetic(synthetic_seconds / 20, seed + 1_000_003, held_out=True)
    prompts = read_prompts(data)
    for voice in read_voice_index(data, may_be_empty=True):
        if voice.split != "test":
            held_out = voice.split == "val" or _is_held_out(voice.speaker)
            words = transcript(voice.path, prompts) if align else None
            yield _recorded(voice.path, voice.speaker, held_out, words)
    for clip in read_video_index(data, may_be_empty=True):
        if clip.split != "test" and clip.has_speech:
            words = transcript(clip.path, prompts) if align else None
            yield _recorded(clip.path, clip.identity, clip.split == "val", words)


def _is_held_out(voice: str) -> bool:
    """Choose voices by a hash of their name, so that the choice never changes."""
    return zlib.crc32(voice.encode()) % 1000 < 1000 * HELD_OUT_SHARE


def _recorded(path: Path, voice: str, held_out: bool, words: str | None) -> _Entry:
    """Read a clip, with its phonemes where they were stored or its words are known."""
    mel, spelling = read_content_mel(path), read_spelling(path)
    if spelling is not None:
        kind = Kind.ALIGNED if spelling.is_aligned else Kind.SYNTHESISED
        times = spelling.phonemes, spelling.starts_s
    elif words is not None and (found := aligned(read_sound(path), words)) is not None:
        kind, times = Kind.ALIGNED, found
    else:
        return mel, None, voice, held_out, Kind.UNKNOWN
    return mel, spelled_frames(*times, len(mel), FRAME_SECONDS), voice, held_out, kind


def _synthetic(seconds: float, seed: int, *, held_out: bool) -> Iterator[_Entry]:
    for utterance in synthesise(seconds, seed):
        mel = content_mel(utterance.samples).mel
        labels = utterance.labels(len(mel), FRAME_SECONDS)
        yield mel, labels, utterance.voice, held_out, Kind.SYNTHESISED


def _write(cache: Path, entries: Iterator[_Entry]) -> None:
    mels, labels, voices, held_out, kinds = [], [], [], [], []
    for mel, phonemes, voice, held, kind in entries:
        mels.append(mel.astype(np.float16))
        unknown = np.full(len(mel), UNLABELLED)
        labels.append((unknown if phonemes is None else phonemes).astype(np.int8))
        voices.append(voice)
        held_out.append(held)
        kinds.append(int(kind))
    counts = np.bincount(kinds, minlength=len(Kind))
    log.info("%d frames of mel; utterances by kind: %s", sum(map(len, mels)), counts)
    write_arrays(
        cache,
        mel=np.concatenate(mels),
        phonemes=np.concatenate(labels),
        starts=np.cumsum([0, *map(len, mels)]),
        voices=np.array(voices),
        held_out=np.array(held_out),
        kinds=np.array(kinds, np.int8),
    )
