"""The groups that share a pack's room: clips, voices, synthesised voices; each in fair order.

A group encodes lazily: what has no room is never encoded. Called by ``packing.py``.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from emohead.audio import SAMPLE_RATE_HZ
from emohead_training.corpus import VideoClip, VoiceClip
from emohead_training.packing.choosing import fair_order
from emohead_training.packing.features import (
    MAX_SECONDS,
    npz_bytes,
    sound_arrays,
    unreadable,
    video_files,
    voice_files,
)
from emohead_training.voice.synthesis import Utterance, synthesise

__all__ = ["Clips", "Group", "Offer", "Spoken", "Voices", "held_share"]

log = logging.getLogger(__name__)

Row = dict[str, str]
Prompts = Mapping[tuple[str, str], str]
_HEARD_CLIPS: Final = 4
"""Voices of a speaker that AutoVC hears too; more of the same sentences teach it nothing."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One clip, ready for the archive."""

    person: str
    """Who is seen or heard."""
    row: Row
    """Line of the index."""
    files: dict[str, bytes]
    """Content by name in the archive."""
    seconds: float
    """Length."""


class Group(Protocol):
    """A part of the pack."""

    name: str
    """As the report says."""
    index: str
    """``video.csv`` or ``audio.csv``."""
    total: int
    """How many clips there are."""
    broken: Counter[str]
    """Clips that cannot be read, by reason."""

    def offers(self) -> Iterator[Offer]:
        """Clips in the order in which they should be taken."""
        ...


@dataclass(kw_only=True)
class Clips:
    """Talking clips."""

    name: str
    chosen: Sequence[tuple[int, Row, VideoClip]]
    """Position in the corpus's index, row and clip."""
    prompts: Prompts
    index: str = "video.csv"
    broken: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.chosen)

    def people(self) -> set[str]:
        """Everybody who is seen."""
        return {clip.identity for _, _, clip in self.chosen}

    def offers(self) -> Iterator[Offer]:
        """Films, points, mels."""
        people = [c.identity for _, _, c in self.chosen]
        for place in fair_order(people, [c.emotion for _, _, c in self.chosen]):
            number, row, clip = self.chosen[place]
            try:
                files = video_files(clip, self.prompts)
            except Exception as error:  # whatever a codec makes of a broken file
                self.broken[unreadable(error)] += 1
                continue
            name = f"{number:05d}-{_short(clip.path)}"
            frames = min(clip.num_frames, int(MAX_SECONDS * clip.fps))
            seconds = frames / clip.fps
            cut = {"file": f"{name}.mp4", "frames": str(frames), "seconds": f"{seconds:.2f}"}
            yield Offer(
                person=clip.identity,
                row={**row, **cut},
                files={f"video/{name}.{kind}": data for kind, data in files.items()},
                seconds=seconds,
            )


@dataclass(kw_only=True)
class Voices:
    """Recorded voices, as mels."""

    name: str
    chosen: Sequence[tuple[int, Row, VoiceClip]]
    """Position in the corpus's index, row and voice."""
    prompts: Prompts
    index: str = "audio.csv"
    broken: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.chosen)

    def offers(self) -> Iterator[Offer]:
        """Mels and phonemes."""
        heard: Counter[str] = Counter()
        speakers = [v.speaker for _, _, v in self.chosen]
        for place in fair_order(speakers, [v.emotion for _, _, v in self.chosen]):
            number, row, voice = self.chosen[place]
            content = heard[voice.speaker] < _HEARD_CLIPS
            try:
                files = voice_files(voice, self.prompts, content=content)
            except Exception as error:  # whatever a codec makes of a broken file
                self.broken[unreadable(error)] += 1
                continue
            heard[voice.speaker] += 1
            name = f"{number:05d}-{_short(voice.path)}.npz"
            yield Offer(
                person=voice.speaker,
                row={**row, "file": name},
                files={f"audio/{name}": files["npz"]},
                seconds=float(row.get("seconds") or 0.0),
            )


@dataclass(kw_only=True)
class Spoken:
    """Synthesised voices with their phonemes: a GPU machine has no synthesizer."""

    seconds: float
    """How much to speak at most."""
    seed: int = 0
    name: str = "synthesised voices"
    index: str = "audio.csv"
    total: int = 0
    broken: Counter[str] = field(default_factory=Counter)

    def offers(self) -> Iterator[Offer]:
        """Mels and phonemes; counts while it speaks."""
        for number, utterance in enumerate(synthesise(self.seconds, self.seed)):
            self.total += 1
            yield _spoken(utterance, f"synthesised-{self.seed}-{number:05d}.npz")


def _spoken(utterance: Utterance, name: str) -> Offer:
    arrays: dict[str, Any] = sound_arrays(utterance.samples, content=True, emotion=False)
    arrays |= {"phonemes": utterance.phonemes, "starts_s": utterance.starts_s}
    arrays["text"] = np.array(utterance.text)
    seconds = len(utterance.samples) / SAMPLE_RATE_HZ
    row = {
        "file": name,
        "dataset": "voices",
        "speaker": utterance.voice,
        "split": "train",
        "emotion": "",
        "seconds": f"{seconds:.3f}",
    }
    files = {f"audio/{name}": npz_bytes(arrays)}
    return Offer(person=f"voices-{utterance.voice}", row=row, files=files, seconds=seconds)


def held_share(people: Sequence[str], labels: Sequence[str], most: int) -> list[int]:
    """Positions of at most so many clips of each person, for sides that are not trained on."""
    counts: Counter[str] = Counter()
    kept = []
    for place in fair_order(people, labels):
        counts[people[place]] += 1
        if counts[people[place]] <= most:
            kept.append(place)
    return sorted(kept)


def _short(path: Path) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in path.stem)[:48]
