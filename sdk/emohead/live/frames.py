"""What a stream gives and says of itself: frames, latency, statistics.

Made by ``director.py``; given by ``stream.py``. Not here: how frames come about.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AudioFrame", "Latency", "StreamStats", "VideoFrame"]


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoFrame:
    """A picture."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB."""
    index: int
    """Number of the frame since the stream began; none is left out."""
    start: int
    """First sample that the picture belongs to, counted at `sample_rate` since the stream began."""
    sample_rate: int
    """Samples a second of the stream."""
    is_idle: bool
    """Whether nobody speaks: the picture was made without sound."""

    @property
    def time_s(self) -> float:
        """When the picture appears, s since the stream began."""
        return self.start / self.sample_rate


@dataclass(frozen=True, kw_only=True, eq=False)
class AudioFrame:
    """The sound that is heard while a picture is seen."""

    samples: NDArray[np.float32]
    """(n,) float32, mono, [-1, 1]."""
    index: int
    """Number of the picture that it belongs to."""
    start: int
    """First sample, counted since the stream began; frames follow each other without a gap."""
    sample_rate: int
    """Samples a second."""
    is_idle: bool
    """Whether nobody speaks: the sound is silence that the stream put in."""
    ends_speech: bool
    """Whether an utterance ends here: what was marked last, or flushed, has been heard."""

    @property
    def time_s(self) -> float:
        """When the sound begins, s since the stream began."""
        return self.start / self.sample_rate

    @property
    def pcm16(self) -> NDArray[np.int16]:
        """(n,) int16; equal to what came in, if that was int16 at this rate."""
        scaled = np.round(self.samples * np.float32(32768))
        return np.clip(scaled, -32768, 32767).astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Sound that a frame needs beyond its own time; fixed, whatever the machine and the voice."""

    stages: dict[str, float]
    """By step, s; lips and head motion run side by side, the others one after another."""

    @property
    def total_s(self) -> float:
        """Longest way from sound to picture, s."""
        waits = sum(s for name, s in self.stages.items() if name not in ("lips", "head motion"))
        return waits + max(self.stages["lips"], self.stages["head motion"])


@dataclass(kw_only=True)
class StreamStats:
    """What a stream has done so far."""

    num_frames: int = 0
    """Pictures given."""
    num_idle_frames: int = 0
    """Those of them made while nobody spoke."""
    num_samples: int = 0
    """Samples of sound given, at the stream's rate."""
    num_samples_pushed: int = 0
    """Samples taken, at the stream's rate."""
    num_samples_dropped: int = 0
    """Samples taken that interruptions threw away."""
    num_utterances: int = 0
    """Utterances begun."""
    num_interruptions: int = 0
    """Times that somebody called ``interrupt``."""
    first_frame_s: float | None = None
    """Time from the arrival of the sound that the last utterance's first frame needs to it, s."""
    frame_s: float = 0.0
    """Time spent on motion and pictures, s."""
