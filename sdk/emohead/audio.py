"""Speech in: any file that FFmpeg reads, or an array, becomes mono 16 kHz float32.

Decoding streams in blocks, and long speech waits in a temporary file (``spool.py``): memory does
not grow with it. Called by everything that hears.
Not here: spectrograms (``mel.py``, ``emotion/windows.py``) and writing sound (``video.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emohead.errors import InputError
from emohead.hashing import file_sha256
from emohead.limits import limits, raise_it
from emohead.media import check_decoder, decoding
from emohead.reading import checked_file, shown
from emohead.spool import Spool, blocks_of, rows_of

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

__all__ = [
    "SAMPLE_RATE_HZ",
    "Audio",
    "Speech",
    "audio_from",
    "audio_from_array",
    "check_samples",
    "mono_from_array",
    "new_resampler",
    "num_frames_of",
    "read_audio",
]

SAMPLE_RATE_HZ = 16_000
"""Sample rate of all speech inside emohead."""
MAX_PEAK = 16.0
"""Louder floating-point samples are taken for integers that were never scaled."""
_BLOCK_SAMPLES = 1 << 16

Samples = NDArray[np.float32]


def num_frames_of(num_samples: int, fps: int) -> int:
    """Count the video frames that cover `num_samples` samples at 16 kHz: exact, rounded up."""
    return -(-num_samples * fps // SAMPLE_RATE_HZ)


@dataclass(frozen=True)
class Audio:
    """Mono speech at 16 kHz."""

    samples: Samples
    """(n,) float32 in [-1, 1]; of long speech a read-only mapping of a temporary file."""
    sample_rate: int = SAMPLE_RATE_HZ
    """Samples per second; always 16,000."""
    file_sha256: str | None = field(default=None, repr=False, compare=False)
    """Of the file it was read from, if any."""

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32:
            got = f"shape {self.samples.shape}, {self.samples.dtype}"
            raise InputError(f"audio must be (n,) float32, got {got}: use audio_from_array")
        if self.sample_rate != SAMPLE_RATE_HZ:
            raise InputError(
                f"audio must be at {SAMPLE_RATE_HZ} Hz, got {self.sample_rate} Hz: "
                "use audio_from_array, which resamples"
            )

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def num_frames(self, fps: int) -> int:
        """Count the video frames at `fps` that cover the speech, the last one perhaps in part."""
        return num_frames_of(len(self.samples), fps)

    def part(self, start: int, stop: int) -> Samples:
        """Take samples `start` to `stop`; those of a file are copied and leave memory again."""
        return rows_of(self.samples, start, stop)

    def blocks(self) -> Iterator[Samples]:
        """Give all samples in order, about four seconds at a time."""
        return blocks_of(self.samples, _BLOCK_SAMPLES)


Speech = str | Path | Audio | tuple[ArrayLike, int]
"""A voice: a file, an ``Audio``, or samples with their rate."""


def audio_from(speech: Speech) -> Audio:
    """Take a voice in any form.

    Parameters
    ----------
    speech : path, Audio, or (samples, rate)

    Returns
    -------
    Audio

    Raises
    ------
    InputError
        If it cannot be read.
    """
    if isinstance(speech, Audio):
        return speech
    if isinstance(speech, tuple):
        return audio_from_array(*speech)
    return read_audio(speech)


def read_audio(path: str | Path | BinaryIO) -> Audio:
    """Read the sound of an audio or video file.

    Parameters
    ----------
    path : str, Path or binary file
        WAV, FLAC, MP3, Ogg, MP4, Matroska and most others that FFmpeg decodes, but no playlists;
        any rate; a file that is open for reading must be seekable.

    Returns
    -------
    Audio
        Channels averaged, resampled to 16 kHz; ``ceil(n * 16000 / rate)`` samples.

    Raises
    ------
    InputError
        If the file is missing, unreadable, without sound, empty, longer than the limit (two
        hours), or holds samples that are not finite.
    """
    if not isinstance(path, str | Path):
        return _finish(_decoded(path), f"the speech file {_name(path)}")
    path = checked_file(path, "the speech file", "give the path of an audio or video file")
    audio = _finish(_decoded(path), f"the speech file {_name(path)}")
    return replace(audio, file_sha256=file_sha256(path))


def audio_from_array(samples: ArrayLike, sample_rate: int) -> Audio:
    """Take speech from memory.

    Parameters
    ----------
    samples : (n,) or (n, channels) array_like
        Floating point in [-1, 1], or integers over the full range of their type.
    sample_rate : int
        Samples per second, 1,000 to 768,000.

    Returns
    -------
    Audio
        Channels averaged, resampled to 16 kHz; ``ceil(n * 16000 / sample_rate)`` samples.

    Raises
    ------
    InputError
        If the array has another shape or type, is empty or too long, or is not finite.
    """
    mono = mono_from_array(samples)
    return _finish(iter([(mono, int(sample_rate))]), "the speech array")


def mono_from_array(samples: ArrayLike) -> Samples:
    """Average the channels of sound in memory.

    Parameters
    ----------
    samples : (n,) or (n, channels) array_like
        Floating point in [-1, 1], or integers over the full range of their type.

    Returns
    -------
    (n,) float32

    Raises
    ------
    InputError
        If the array has another shape or type.
    """
    array = np.asarray(samples)
    is_real = np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)
    if array.ndim not in (1, 2) or 0 in array.shape[1:] or not is_real:
        got = f"shape {array.shape}, {array.dtype}"
        raise InputError(
            f"the speech array must be (n,) or (n, channels) numbers, got {got}: convert it"
        )
    mono = _as_float(array)
    return mono if mono.ndim == 1 else mono.mean(axis=1, dtype=np.float32)


def _as_float(array: NDArray[Any]) -> Samples:
    """Scale integers by their type's range; unsigned ones are centred on their middle."""
    if not np.issubdtype(array.dtype, np.integer):
        return array.astype(np.float32)
    info = np.iinfo(array.dtype)
    middle = 0 if info.min < 0 else (info.max + 1) / 2
    return ((array.astype(np.float64) - middle) / (info.max + 1 - middle)).astype(np.float32)


def _name(source: Path | BinaryIO) -> str:
    """How messages call a source."""
    return shown(source if isinstance(source, Path) else getattr(source, "name", "in memory"))


def _decoded(source: Path | BinaryIO) -> Iterator[tuple[Samples, int]]:
    """Mono blocks of the file's best audio stream, each with its rate."""
    path = _name(source)
    failure = f"the speech file {path} cannot be read as audio or video"
    with decoding(source, failure, "convert it to WAV, FLAC, MP3 or MP4") as container:
        yield from _blocks(container, path)


def _blocks(container: InputContainer, path: str) -> Iterator[tuple[Samples, int]]:
    import av

    if not container.streams.audio:
        raise InputError(f"the speech file {path} has no audio stream: give a file with sound")
    stream = container.streams.best("audio") or container.streams.audio[0]
    check_decoder(stream)
    most = limits().audio_channels
    to_float = av.AudioResampler(format="fltp")
    for frame in container.decode(stream):
        for part in to_float.resample(cast("AudioFrame", frame)):
            channels = part.to_ndarray()
            if len(channels) > most:
                raise InputError(
                    f"the speech file {path} has {len(channels)} channels, expected at most "
                    f"{most}: mix it down, {raise_it('audio_channels')}"
                )
            yield channels.mean(axis=0, dtype=np.float32), part.sample_rate


def _finish(blocks: Iterator[tuple[Samples, int]], what: str) -> Audio:
    """Check, resample and join mono blocks."""
    resampler: Any = None
    rate = num_read = num_made = 0
    with Spool() as spool:
        for block, rate in _checked(blocks, what):
            resampler = resampler or new_resampler(rate, what)
            num_read += len(block)
            for start in range(0, len(block), _BLOCK_SAMPLES):
                made = resampler.resample_chunk(block[start : start + _BLOCK_SAMPLES])
                spool.append(np.clip(made, -1.0, 1.0, out=made))
                num_made += len(made)
        if num_read == 0:
            raise InputError(f"{what} is empty: give at least one spoken word")
        made = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        num_samples = math.ceil(num_read * SAMPLE_RATE_HZ / rate)
        # The resampler's rounding is trimmed, or filled with zeros, to the exact length.
        missing = num_samples - num_made - len(made)
        spool.append(np.pad(np.clip(made, -1.0, 1.0), (0, max(0, missing))))
        return Audio(spool.rows()[:num_samples])


def _checked(blocks: Iterator[tuple[Samples, int]], what: str) -> Iterator[tuple[Samples, int]]:
    """Pass blocks on as long as they are speech of one rate, not too long."""
    most_s = limits().audio_s
    first_rate = num_read = 0
    for block, rate in blocks:
        first_rate = first_rate or rate
        if rate != first_rate:
            raise InputError(f"{what} changes its rate from {first_rate} to {rate} Hz: convert it")
        num_read += len(block)
        if rate > 0 and num_read / rate > most_s:
            raise InputError(
                f"{what} is longer than {most_s:,} seconds: split it into shorter pieces, "
                f"{raise_it('audio_s')}"
            )
        check_samples(block, what)
        yield block, rate


def new_resampler(rate: int, what: str, to_rate: int = SAMPLE_RATE_HZ) -> Any:
    """Open a ``soxr.ResampleStream`` of mono float32; `what` names the sound in an InputError."""
    import soxr

    if not 1_000 <= rate <= 768_000:
        raise InputError(f"{what} has {rate} samples a second: expected 1,000 to 768,000")
    return soxr.ResampleStream(rate, to_rate, 1, dtype="float32", quality="HQ")


def check_samples(block: Samples, what: str) -> None:
    """Raise InputError for samples (n,) that are not finite or far beyond [-1, 1]."""
    if not np.isfinite(block).all():
        raise InputError(f"{what} holds NaN or infinite samples: record or export it again")
    if len(block) and np.abs(block).max() > MAX_PEAK:
        raise InputError(
            f"{what} peaks at {np.abs(block).max():.0f}, expected [-1, 1]: "
            "scale the samples, or pass integers as an integer type"
        )
