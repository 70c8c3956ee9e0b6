"""What the Studio takes: sizes are checked before anything is decoded in full.

Called by ``workshop.py``. Not here: whether a face or a voice can be used (``portrait.py``,
``audio.py``).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from emohead.audio import Audio, read_audio
from emohead.errors import InputError
from emohead.images import FORMATS, read_image
from emohead.media import open_media

__all__ = ["Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest uploads."""

    max_upload_mb: int = 50
    """Megabytes of one file."""
    max_seconds: float = 180.0
    """Length of one voice, s."""
    max_megapixels: float = 25.0
    """Size of a photo, 10^6 px."""
    max_rows: int = 100
    """Voices of one batch."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"expected {name} above 0, got {value}: choose a larger limit")

    @property
    def max_upload_bytes(self) -> int:
        """Largest file, bytes."""
        return self.max_upload_mb * 1_000_000

    def check_rows(self, number: int) -> None:
        """Raise InputError for a batch of too many rows."""
        if number > self.max_rows:
            raise InputError(f"expected at most {self.max_rows} rows, got {number}: split them")

    def check_photo(self, path: Path) -> None:
        """Raise InputError for a photo with too many pixels; only its header is read."""
        from PIL import Image

        Image.init()
        known = tuple(name for name in FORMATS if name in Image.OPEN)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's own size warning comes before our limit
                with Image.open(path, formats=known) as image:
                    width, height = image.size
        except Exception:  # a decoder of damaged bytes raises whatever it meets
            read_image(path)  # says what is wrong with it
            return
        if width * height > self.max_megapixels * 1e6:
            raise InputError(
                f"the face image {path} has {width * height / 1e6:.0f} megapixels, expected at "
                f"most {self.max_megapixels:g}: scale it down"
            )

    def voice(self, path: Path) -> Audio:
        """Read a voice; raises InputError where it cannot be read or is too long."""
        self._check_length(path, _announced_s(path))
        voice = read_audio(path)
        self._check_length(path, voice.duration_s)
        return voice

    def _check_length(self, path: Path, seconds: float) -> None:
        if seconds > self.max_seconds:
            raise InputError(
                f"the speech file {path} lasts {seconds:.0f} s, expected at most "
                f"{self.max_seconds:g} s: cut it, or start the studio with --max-seconds"
            )


def _announced_s(path: Path) -> float:
    """Length that the file claims to have, s; 0 where it says nothing."""
    import av

    try:
        with open_media(path) as container:
            return (container.duration or 0) / av.time_base
    except Exception:  # a reader of damaged bytes raises whatever it meets; decoding tells
        return 0.0
