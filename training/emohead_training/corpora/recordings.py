"""Recorded corpora: an item is a file, or a stretch of one, and what the corpus says about it.

Called by the preparers of RAVDESS, CREMA-D and own footage. Not here: their names and folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from emohead.errors import InputError
from emohead_training.corpora.finding import open_finder
from emohead_training.corpora.footage import Footage, Span, read_footage, sound_of
from emohead_training.corpora.protocol import PrepareConfig, Skip
from emohead_training.corpora.records import Record
from emohead_training.corpus import SELF_LABELLED, Split

__all__ = ["SOUND_SUFFIXES", "VIDEO_SUFFIXES", "Recording", "files_below", "prepare_recording"]

VIDEO_SUFFIXES: Final = frozenset({".mp4", ".flv", ".mov", ".m4v", ".mkv", ".avi", ".webm", ".mpg"})
SOUND_SUFFIXES: Final = frozenset({".wav", ".mp3", ".flac", ".ogg", ".m4a", ".opus", ".aac"})
_SILENT_RMS: Final = 1e-5
"""Sound below this, re full scale, was never recorded."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One clip of a recorded corpus."""

    key: str
    """Key of its record."""
    origin: str
    """Path below the corpus's root."""
    path: Path
    """The file."""
    shows_face: bool
    """Whether it is a video."""
    is_voice: bool
    """Whether its sound counts as a voice."""
    identity: str
    """Person."""
    split: Split
    """Side of the split by person."""
    emotion: str = ""
    """One of ``EMOTIONS`` or empty."""
    intensity: str = ""
    """The corpus's word."""
    text: str = ""
    """The corpus's code of the sentence."""
    span: Span = field(default_factory=Span)
    """The part of the file."""


def files_below(config: PrepareConfig, missing: str) -> Iterator[tuple[Path, str]]:
    """All videos and sounds below the root, sorted, hidden ones left out.

    Parameters
    ----------
    config : PrepareConfig
    missing : str
        What to do where there is no such folder, for the message.

    Yields
    ------
    path : Path
    below : str
        The same below the root, with forward slashes.

    Raises
    ------
    InputError
        No root given, or it is no folder.
    """
    root = config.root
    if root is None or not root.is_dir():
        what = "no --root was given" if root is None else f"{root} is no folder"
        raise InputError(f"expected the recordings of {config.corpus}, but {what}; {missing}")
    for path in sorted(root.rglob("*")):
        below = path.relative_to(root)
        known = path.suffix.lower() in VIDEO_SUFFIXES | SOUND_SUFFIXES
        if known and path.is_file() and not any(p.startswith(".") for p in below.parts):
            yield path, below.as_posix()


def prepare_recording(item: Recording, source: str, config: PrepareConfig) -> Record | Skip:
    """Turn a recording into a record.

    Parameters
    ----------
    item : Recording
    source : str
        Name of the corpus.
    config : PrepareConfig
        Names the landmarker.

    Returns
    -------
    Record or Skip
    """
    footage: Footage | Skip | None = None
    if item.shows_face:
        footage = read_footage(item.path, open_finder(config.teachers), item.span)
        if isinstance(footage, Skip):
            return footage
        audio = footage.audio
    else:
        audio = sound_of(item.path, item.span.start_s, item.span.length_s)
        if audio is None or np.sqrt(np.mean(np.square(audio, dtype=np.float64))) < _SILENT_RMS:
            return Skip(reason="it is silent")
    return Record(
        key=item.key,
        source=source,
        identity=item.identity,
        split=item.split,
        emotion=item.emotion,
        intensity=item.intensity,
        text=item.text,
        origin=item.origin,
        audio=audio,
        is_voice=item.is_voice and audio is not None,
        frames=None if footage is None else footage.frames,
        landmarks=None if footage is None else footage.landmarks,
        valid=None if footage is None else footage.valid,
        iris=None if footage is None else footage.iris,
        outline=None if footage is None else footage.outline,
        note=SELF_LABELLED if config.teachers is None else "landmarks by MediaPipe",
    )
