"""What the Studio takes: sizes are checked before anything is decoded in full.

Called by ``workshop.py``. Not here: whether a face or a voice can be used (``portrait.py``,
``audio.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emohead.audio import Audio, read_audio
from emohead.errors import InputError
from emohead.images import read_image

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

    def check_photo(self, path: Path) -> None:
        """Raise InputError for a photo with too many pixels; only its header is read."""
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as image:
                width, height = image.size
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
            read_image(path)  # says what is wrong with it
            return
        except Image.DecompressionBombError as err:
            raise InputError(f"the face image {path} is too large ({err}): scale it down") from err
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
        with av.open(str(path)) as container:
            return (container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError, ValueError):
        return 0.0
