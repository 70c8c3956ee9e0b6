"""What goes over ``/v1/live``: JSON for control, binary messages with a header for media.

Used by the service and by ``emohead.client``. Standard library, numpy and pydantic only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from emohead.life import BLINK_RATE, GAZE
from emohead.liveliness import HEAD_MOTION
from emohead.motion import FPS

__all__ = ["HEADER_BYTES", "Media", "Start", "pack", "read_command", "unpack"]

_HEADER: Final = struct.Struct("<BBHIQ")
HEADER_BYTES: Final = _HEADER.size
"""Kind (u8), flags (u8), reserved (u16), frame number (u32), first sample (u64); little-endian."""
KINDS: Final = {1: "jpeg", 2: "rgb", 3: "pcm16"}
_NUMBERS: Final = {name: number for number, name in KINDS.items()}
_IDLE, _ENDS = 1, 2


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Start(_Message):
    """First message of a caller; the photo follows as a binary message."""

    type: Literal["start"] = "start"
    api_key: str | None = None
    """For callers that cannot send headers."""
    sample_rate: Annotated[int, Field(ge=8_000, le=96_000)] = 16_000
    """Samples a second of the sound, both ways."""
    fps: Annotated[int, Field(ge=1, le=60)] = FPS
    format: Literal["jpeg", "rgb"] = "jpeg"
    """How pictures come."""
    quality: Annotated[int, Field(ge=1, le=100)] = 85
    """Of JPEG."""
    idle: bool = False
    """Whether pictures come by the clock, idle ones where nobody speaks."""
    emotion: str | dict[str, float] | None = None
    """Name, text, or weights by name; the face follows the voice by default."""
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    full_frame: bool = False
    still: bool = False
    head_motion: float = HEAD_MOTION
    blink_rate: float = BLINK_RATE
    gaze: float = GAZE


class _Command(_Message):
    type: Literal["flush", "interrupt", "clear", "stop"]


def read_command(text: str) -> str:
    """Understand a later message of a caller; raises ``pydantic.ValidationError``."""
    return _Command.model_validate_json(text).type


@dataclass(frozen=True, kw_only=True)
class Media:
    """One binary message of the service."""

    kind: str
    """``jpeg``, ``rgb`` (height, width, 3) or ``pcm16``, mono."""
    index: int
    """Number of the picture; sound has that of the picture it belongs to."""
    start: int
    """First sample that it belongs to, counted since the stream began, at its rate."""
    is_idle: bool
    """Whether nobody speaks."""
    ends_speech: bool
    """Whether an utterance ends with this sound."""
    payload: bytes


def pack(media: Media) -> bytes:
    """Write a binary message."""
    flags = _IDLE * media.is_idle | _ENDS * media.ends_speech
    head = _HEADER.pack(_NUMBERS[media.kind], flags, 0, media.index & 0xFFFFFFFF, media.start)
    return head + media.payload


def unpack(message: bytes) -> Media:
    """Read a binary message; raises ValueError for what is none."""
    if len(message) < HEADER_BYTES:
        raise ValueError(f"expected at least {HEADER_BYTES} bytes, got {len(message)}")
    kind, flags, _, index, start = _HEADER.unpack_from(message)
    if kind not in KINDS:
        raise ValueError(f"expected a kind among {sorted(KINDS)}, got {kind}")
    fields: dict[str, Any] = {"index": index, "start": start, "payload": message[HEADER_BYTES:]}
    return Media(
        kind=KINDS[kind], is_idle=bool(flags & _IDLE), ends_speech=bool(flags & _ENDS), **fields
    )
