"""The manifest of a video: what it says of itself, bounded and strict, for it comes from anywhere.

``made`` and ``content`` are the same for the same inputs on the same machine; ``run`` never is.
Slow to import (pydantic). Not here: making one (``describing.py``), files (``embedding.py``).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from emohead.emotion.files import TrackRecord

__all__ = [
    "MAX_KEYFRAMES",
    "BackendEntry",
    "BundleEntry",
    "ClipManifest",
    "Content",
    "EmotionEntry",
    "FaceEntry",
    "Made",
    "Run",
    "Settings",
    "SpeechEntry",
]

MAX_KEYFRAMES: Final = 20_000
"""A longer emotion track is counted but not kept in the video."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$")]
"""Names and versions: nothing that a terminal could take for a command."""
Phrase = Annotated[str, Field(pattern=r"^[ -~]{0,200}$")]
"""Printable ASCII."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Words = Annotated[dict[Word, Word], Field(max_length=64)]
Point = Annotated[list[Finite], Field(min_length=3, max_length=3)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BundleEntry(_Record):
    """The networks."""

    name: Phrase
    sha256: Sha256
    """Of the bundle's manifest, which holds the hash of every graph."""


class BackendEntry(_Record):
    """Where the networks ran."""

    name: Word
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+_-]{0,64}$")]
    """Of the library that ran them."""
    precision: Word
    """Arithmetic of the backend."""
    precisions: Words
    """Precision of the graph by stage."""
    device: Phrase
    """Model of the processor or GPU; others may round differently."""
    batched: bool
    """Whether other clips shared the steps of the renderer, which changes the order of sums."""


class FaceEntry(_Record):
    """The photo; never its name or place."""

    file_sha256: Sha256 | None
    """None where pixels were given."""
    pixels_sha256: Sha256
    """Of the decoded pixels, see ``hashing.array_sha256``."""
    face_box: Annotated[list[Finite], Field(min_length=4, max_length=4)] | None = None
    """Where the caller said where the face is, photo px."""
    landmarks: Annotated[list[Point], Field(min_length=68, max_length=68)] | None = None
    """Where the caller gave them, photo px."""


class SpeechEntry(_Record):
    """The voice; never its name or place."""

    file_sha256: Sha256 | None
    """None where samples were given."""
    samples_sha256: Sha256
    """Of the decoded samples at 16 kHz, see ``hashing.array_sha256``."""
    duration_s: Seconds


class EmotionEntry(_Record):
    """What the face expresses."""

    source: Literal["voice", "user"]
    """Who said so."""
    shown: Annotated[dict[Word, Share], Field(max_length=32)]
    """Weights on average, strength included."""
    num_keyframes: int = Field(ge=0)
    """Of the track that was given; 0 where the voice was read."""
    track: TrackRecord | None
    """The track that was given, before the strength; None where the voice was read, and where
    there were more than ``MAX_KEYFRAMES``."""


class Settings(_Record):
    """The other parameters of ``TalkingHead.animate``; still faces have no motion at all."""

    strength: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    seed: Annotated[int, Field(ge=0, lt=1 << 256)]
    fps: int = Field(ge=1, le=240)
    full_frame: bool
    head_motion: Finite
    blink_rate: Finite
    gaze: Finite
    lips: Finite = 1.0
    """Factor of a person's own style, whose head motion and blinks are above."""
    brows: Finite = 1.0
    """Likewise."""


class Made(_Record):
    """From what, with what and how the clip was made."""

    emohead: Word
    """Version."""
    libraries: Words
    """Versions of what the result depends on."""
    bundle: BundleEntry | None
    """None for networks that the caller opened."""
    backend: BackendEntry
    face: FaceEntry
    speech: SpeechEntry
    emotion: EmotionEntry
    settings: Settings
    has_landmarks: bool
    """Whether the caller brought the landmarks of every frame, and the voice did not move it."""


class Content(_Record):
    """What came out."""

    num_frames: int = Field(ge=1)
    width: int = Field(ge=1, le=1 << 16)
    height: int = Field(ge=1, le=1 << 16)
    landmarks_sha256: Sha256
    """Of the landmarks of all frames."""
    frames_sha256: Sha256
    """Of all frames' pixels before they were encoded."""
    video_sha256: Sha256
    """Of the encoded pictures and their decoder's configuration."""
    audio_sha256: Sha256 | None
    """Likewise of the sound."""


class Run(_Record):
    """When, and how long it took."""

    created: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(Z|[+-][0-9:]{5})$")
    """UTC, ISO 8601."""
    timings: Annotated[dict[Word, Seconds], Field(max_length=64)]
    """Seconds by step."""


class ClipManifest(_Record):
    """What a video says of itself."""

    format: Literal["emohead-manifest"] = "emohead-manifest"
    version: Literal[1] = 1
    synthetic: Literal[True] = True
    made: Made
    content: Content | None
    """None for a clip that was not saved yet."""
    run: Run
