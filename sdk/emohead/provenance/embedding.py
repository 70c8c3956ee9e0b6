"""The manifest in the file: room is left while encoding, hashes are filled in at the end.

It stands in the long description of the container's metadata, which players ignore and copying
streams to another mp4 keeps. Called by ``video.py`` and ``verifying.py``.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import secrets
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from emohead.errors import EmoheadError, InputError
from emohead.media import open_media, reason_of
from emohead.reading import checked_file, first_problem, shown

if TYPE_CHECKING:
    from av.container import InputContainer

    from emohead.provenance.schema import ClipManifest

__all__ = [
    "TAG",
    "Read",
    "Streams",
    "fill_room",
    "manifest_from",
    "read_video",
    "room",
    "streams_of",
]

TAG: Final = "synopsis"
"""Key of the manifest among the container's metadata, as FFmpeg calls it."""
MAX_BYTES: Final = 4 << 20
"""A longer manifest is not read."""
_SPARE_BYTES: Final = 4096
"""Timings that are not known yet when the file is begun find room here."""
_NOTHING: Final = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Streams:
    """What a finished file holds."""

    num_frames: int = 1
    width: int = 1
    height: int = 1
    frames_sha256: str = _NOTHING
    """Of the frames before they were encoded; not to be had from a file."""
    video_sha256: str = _NOTHING
    """Of the decoder's configuration and every encoded picture, each with its length."""
    audio_sha256: str | None = _NOTHING
    """Likewise of the sound; None without any."""
    is_even: bool = True
    """Whether picture n is shown at n over the frame rate."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was found in a video."""

    comment: str
    manifest: ClipManifest | None
    problem: str
    """Why there is no manifest; empty where there is one."""
    streams: Streams


def room(manifest: ClipManifest) -> str:
    """Make a text that stands in the file for a manifest like this one, with some to spare."""
    token = secrets.token_hex(16)
    return token + "." * (len(_text(manifest)) + _SPARE_BYTES - len(token))


def fill_room(path: Path, placeholder: str, manifest: ClipManifest) -> None:
    """Write the manifest where the file holds what ``room`` made.

    Parameters
    ----------
    path : Path
        A finished video.
    placeholder : str
        From ``room``.
    manifest : ClipManifest

    Raises
    ------
    EmoheadError
        If the file does not hold it, or the manifest has outgrown it.
    """
    wanted = placeholder.encode("ascii")
    given = _text(manifest).encode("ascii")
    if len(given) > len(wanted):
        raise EmoheadError(
            f"the manifest takes {len(given)} bytes, room was left for {len(wanted)}: report it"
        )
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        at = content.find(wanted)
        if at < 0:
            raise EmoheadError(
                f"the room for the manifest is not in {path}: this version of PyAV writes "
                "metadata in another way; install the one in constraints.txt"
            )
        content[at : at + len(wanted)] = given.ljust(len(wanted))


def streams_of(path: Path) -> Streams:
    """Hash the streams of a video that was just written."""
    import av

    with av.open(str(path), "r") as container:
        return _streams(container, None)


def read_video(path: str | Path) -> Read:
    """Read manifest and hashes of a video, without decoding it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Read

    Raises
    ------
    InputError
        If the file is no video.
    """
    path = checked_file(path, "the video", "give the path of a video file")
    try:
        with open_media(path) as container:
            pictures = container.streams.video
            if not pictures or pictures[0].codec_context is None:
                raise InputError(f"{shown(path)} holds no pictures: give a video file")
            comment = str(container.metadata.get("comment", ""))[:1000]
            manifest, problem = manifest_from(_tag(container))
            fps = None if manifest is None else manifest.made.settings.fps
            streams = _streams(container, fps)
    except InputError:
        raise
    except Exception as err:  # a reader of damaged bytes raises whatever it meets
        raise InputError(
            f"{shown(path)} cannot be read as a video ({reason_of(err)}): give an mp4 that is whole"
        ) from err
    return Read(comment=comment, manifest=manifest, problem=problem, streams=streams)


def _text(manifest: ClipManifest) -> str:
    return json.dumps(manifest.model_dump(mode="json"), separators=(",", ":"), allow_nan=False)


def _tag(container: InputContainer) -> str:
    found = {key.lower(): value for key, value in container.metadata.items()}
    return str(found.get(TAG, "")).strip()


def manifest_from(text: str) -> tuple[ClipManifest | None, str]:
    """Understand the text of a video's tag; None and a phrase where it is no manifest."""
    from pydantic import ValidationError

    from emohead.provenance.schema import ClipManifest

    if not text:
        return None, "the file carries no manifest of emohead"
    if len(text) > MAX_BYTES:
        return None, f"the manifest is longer than {MAX_BYTES >> 20} MiB"
    try:
        return ClipManifest.model_validate_json(text), ""
    except ValidationError as err:
        place, problem = first_problem(err, "the whole")
        return None, f"the long description is no manifest of emohead ({place}: {problem})"


def _streams(container: InputContainer, fps: int | None) -> Streams:
    picture = container.streams.video[0]
    sound = container.streams.audio[0] if container.streams.audio else None
    digests = {stream.index: _begin(stream) for stream in (picture, sound) if stream is not None}
    count, is_even = 0, True
    for packet in container.demux([s for s in (picture, sound) if s is not None]):
        if not packet.size:
            continue
        digest = digests[packet.stream.index]
        digest.update(packet.size.to_bytes(8, "big"))
        digest.update(bytes(packet))
        if packet.stream.index == picture.index:
            is_even = is_even and (fps is None or _is_due(packet, count, fps))
            count += 1
    return Streams(
        num_frames=count,
        width=picture.width,
        height=picture.height,
        video_sha256=digests[picture.index].hexdigest(),
        audio_sha256=None if sound is None else digests[sound.index].hexdigest(),
        is_even=is_even,
    )


def _begin(stream: Any) -> Any:
    codec = stream.codec_context  # None for a codec that this FFmpeg does not know
    extra = b"" if codec is None else codec.extradata or b""
    return hashlib.sha256(len(extra).to_bytes(8, "big") + extra)


def _is_due(packet: Any, index: int, fps: int) -> bool:
    """Whether a picture is shown when it is due, to half a frame; other containers round times."""
    if packet.pts is None:
        return False
    return bool(abs(packet.pts * packet.time_base - Fraction(index, fps)) < Fraction(1, 2 * fps))
