"""Opening audio and video of strangers with FFmpeg: known containers, nothing but the file itself.

Called by ``audio.py``, ``footage.py``, ``provenance`` and ``study``.
Not here: decoding, encoding (``video.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from emohead.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

__all__ = ["check_decoder", "decoding", "open_media", "reason_of"]

_CONTAINERS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,live_flv,matroska,webm,mov,mp4,m4a,3gp,3g2,"
    "mj2,mp3,mpeg,mpegts,ogg,tta,w64,wav,wv"
)
# FFmpeg also knows playlists, which open other files and addresses: none of those.
_SAFELY: Final = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}


def open_media(source: Path | BinaryIO) -> InputContainer:
    """Open a file for reading.

    Parameters
    ----------
    source : Path or binary file

    Returns
    -------
    av.container.InputContainer
        A context manager.

    Raises
    ------
    Exception
        Whatever FFmpeg and PyAV raise; their errors share no root.
    """
    import av

    # The prefix keeps a name with a colon from being taken for an address.
    opened = f"file:{source}" if isinstance(source, Path) else source
    return av.open(opened, "r", options=dict(_SAFELY), metadata_errors="ignore")


@contextmanager
def decoding(source: Path | BinaryIO, failure: str, advice: str) -> Iterator[InputContainer]:
    """Open a file for a block that decodes it; whatever goes wrong in the block is an InputError.

    Parameters
    ----------
    source : Path or binary file
    failure : str
        What to say then, for example ``the video a.mp4 cannot be decoded``.
    advice : str
        What to do, for the message.

    Yields
    ------
    av.container.InputContainer

    Raises
    ------
    InputError
        One of the block's own, or that of whatever FFmpeg and PyAV raise.
    """
    try:
        with open_media(source) as container:
            yield container
    except InputError:
        raise
    except Exception as err:  # a decoder of damaged bytes raises whatever it meets
        raise InputError(f"{failure} ({reason_of(err)}): {advice}") from err


def check_decoder(stream: Stream) -> None:
    """Refuse a stream in a format that FFmpeg cannot decode.

    Parameters
    ----------
    stream : av stream

    Raises
    ------
    ValueError
        If there is no decoder. PyAV before 18.1 would end the process.
    """
    if getattr(stream, "codec_context", None) is None:
        raise ValueError("no decoder is known for it")


def reason_of(err: Exception) -> str:
    """Short text of what FFmpeg or PyAV raised, without the path that it repeats."""
    return str(err).partition(": ")[0] or type(err).__name__
