"""Emotion tracks as JSON files, checked strictly.

Slow to import (pydantic). Not here: the track itself (``track.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from emohead.emotion.track import EmotionTrack
from emohead.emotion.valence_arousal import VA
from emohead.emotion.values import EMOTIONS, Emotion, emotion_from
from emohead.errors import InputError
from emohead.reading import read_file, record_from, shown
from emohead.whole_files import check_target, write_json

__all__ = [
    "FORMAT",
    "TrackRecord",
    "check_track_output",
    "read_track",
    "track_as_dict",
    "track_from_json",
    "track_from_record",
    "write_track",
]

FORMAT: Final = "emohead-emotion-track"
"""What the file says that it is."""

_WHAT: Final = "emotion track"
_ADVICE: Final = "see docs/directing.md, or write one with `emohead emotion SPEECH -o track.json`"
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Signed = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Keyframe(_Record):
    time_code: float = Field(allow_inf_nan=False)
    """s, as in Audio2Face's list of emotions with time codes."""
    emotions: dict[str, Share] | None = None
    """Weight by name or alias; neutral takes what is missing to 1."""
    va: Annotated[list[Signed], Field(min_length=2, max_length=2)] | None = None
    """Valence and arousal, instead of ``emotions``."""
    confidence: Share = 1.0

    @model_validator(mode="after")
    def _one_of_both(self) -> _Keyframe:
        if (self.emotions is None) == (self.va is None):
            raise ValueError("give either emotions or va")
        return self

    def emotion(self) -> Emotion:
        if self.va is not None:
            return VA(*self.va).emotion()
        return emotion_from(self.emotions or {})


class TrackRecord(_Record):
    """What a track's file holds."""

    format: Literal["emohead-emotion-track"]
    version: Literal[1]
    source: Literal["voice", "user"] = "user"
    notes: list[str] = []
    keyframes: list[_Keyframe] = Field(min_length=1)


def track_as_dict(track: EmotionTrack) -> dict[str, Any]:
    """Turn a track into what its file holds.

    Parameters
    ----------
    track : EmotionTrack

    Returns
    -------
    dict
        ``format``, ``version``, ``source``, ``notes`` and ``keyframes``, each with ``time_code``
        (s), ``emotions`` (neutral and every weight above 0) and ``confidence``.
    """
    rows = zip(track.times_s.tolist(), track.weights, track.confidence, strict=True)
    keyframes = [
        {"time_code": time, "emotions": _named(weights), "confidence": _short(confidence)}
        for time, weights, confidence in rows
    ]
    return {
        "format": FORMAT,
        "version": 1,
        "source": track.source,
        "notes": list(track.notes),
        "keyframes": keyframes,
    }


def track_from_json(text: str | bytes) -> EmotionTrack:
    """Understand the JSON of a track.

    Parameters
    ----------
    text : str or bytes

    Returns
    -------
    EmotionTrack
        Exactly the one that ``track_as_dict`` described.

    Raises
    ------
    InputError
        If it is no such JSON, or a name, weight or time cannot be used.
    """
    return track_from_record(
        record_from(TrackRecord, text, "the JSON of an emotion track", _ADVICE)
    )


def track_from_record(record: TrackRecord) -> EmotionTrack:
    """Make the track that a record describes; raises InputError as ``track_from_json``."""
    emotions = [keyframe.emotion() for keyframe in record.keyframes]
    notes = dict.fromkeys((*record.notes, *(n for emotion in emotions for n in emotion.notes)))
    return EmotionTrack(
        times_s=np.array([k.time_code for k in record.keyframes]),
        weights=np.stack([emotion.weights for emotion in emotions]),
        confidence=np.array([k.confidence for k in record.keyframes], np.float32),
        source=record.source,
        notes=tuple(notes),
    )


def read_track(path: str | Path) -> EmotionTrack:
    """Read a track's file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    EmotionTrack
        Exactly the one that was written.

    Raises
    ------
    InputError
        If it cannot be read or is no track.
    """
    content = read_file(path, "the emotion track", "check the path")
    try:
        return track_from_json(content)
    except InputError as err:
        raise InputError(f"{shown(path)}: {err}") from err


def write_track(track: EmotionTrack, path: str | Path) -> Path:
    """Write a track's file, whole or not at all.

    Parameters
    ----------
    track : EmotionTrack
    path : str or Path
        Ends in ``.json``; its folder exists.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If `path` cannot be written to.
    """
    return write_json(track_as_dict(track), path, _WHAT)


def check_track_output(path: str | Path) -> Path:
    """Return `path`; raises InputError unless such a ``.json`` can be written."""
    return check_target(path, (".json",), _WHAT)


def _named(weights: np.ndarray[Any, np.dtype[np.float32]]) -> dict[str, float]:
    """Neutral and what is above 0."""
    pairs = zip(EMOTIONS, weights, strict=True)
    return {n: _short(w) for i, (n, w) in enumerate(pairs) if w or not i}


def _short(value: np.float32) -> float:
    """Fewest digits that give the same float32 again."""
    return float(str(np.float32(value)))
