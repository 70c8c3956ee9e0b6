"""How much of anything emohead takes from a file or a caller: one place, and how to change it.

Each field of ``Limits`` is read from the environment as ``EMOHEAD_MAX_`` and its name in capitals,
for example ``EMOHEAD_MAX_IMAGE_PX=400000000``. Not here: the checks, which stand where data comes
in. Standard library only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Final

from emohead.errors import InputError

__all__ = ["PREFIX", "Limits", "limits", "raise_it"]

PREFIX: Final = "EMOHEAD_MAX_"
"""What the environment variables begin with."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest sizes that are accepted; whatever is larger is refused with a sentence."""

    image_px: int = 100_000_000
    """Pixels of a photo: more than any camera takes, and decoding them would exhaust the memory."""
    image_bytes: int = 256_000_000
    """Bytes of a photo's file."""
    audio_s: int = 7_200
    """Seconds of speech in one piece."""
    audio_channels: int = 64
    """Channels of a sound."""
    stream_s: int = 86_400
    """Seconds of sound pushed into one stream."""
    landmark_bytes: int = 1_000_000
    """Bytes of a file of 68 landmarks."""
    landmark_track_bytes: int = 2_000_000_000
    """Bytes of a file of landmarks over time, unpacked."""
    record_bytes: int = 64_000_000
    """Bytes of a JSON or CSV file: emotion tracks, studies, benchmark reports."""
    bundle_files: int = 256
    """Files in a bundle."""
    bundle_file_bytes: int = 1 << 30
    """Bytes of one file of a bundle, unpacked."""
    bundle_bytes: int = 4 << 30
    """Bytes of all files of a bundle, unpacked."""
    manifest_bytes: int = 4_000_000
    """Bytes of a bundle's or an engine's manifest."""


def limits() -> Limits:
    """Return the limits in force: the defaults, changed by the environment.

    Returns
    -------
    Limits

    Raises
    ------
    InputError
        When a variable holds anything but a positive whole number.
    """
    named = {field.name: f"{PREFIX}{field.name.upper()}" for field in fields(Limits)}
    given = {name: os.environ[v] for name, v in named.items() if v in os.environ}
    for name, text in given.items():
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
            raise InputError(
                f"expected a positive whole number in {named[name]}, got {text!r}: "
                "correct it, or unset it for the default"
            )
    return Limits(**{name: int(text) for name, text in given.items()})


def raise_it(name: str) -> str:
    """Remedy: how to raise the limit called `name`, for the end of a message."""
    return f"or raise {PREFIX}{name.upper()}"
