"""Opening a corpus's files, whether they lie loose or inside WebDataset shards.

A member's path is ``shard.tar/key.ext``; it is read at its offset, nothing is extracted.
Called by ``corpus.py``. Not here: writing shards (``corpora/shards.py``) and decoding.
"""

from __future__ import annotations

import io
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final

from emohead.errors import InputError

__all__ = ["SHARD_SUFFIX", "has_media", "open_media"]

SHARD_SUFFIX: Final = ".tar"


class _Member(io.BytesIO):
    """A shard's member in memory, with a name for messages."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def open_media(path: Path) -> BinaryIO:
    """Open a file of a corpus.

    Parameters
    ----------
    path : Path
        A file, or ``shard.tar/key.ext``.

    Returns
    -------
    BinaryIO
        Seekable, open for reading; its ``name`` tells the path.

    Raises
    ------
    InputError
        Neither a file nor a member of a shard.
    """
    place = _place(path)
    if place is not None:
        offset, size = place
        with path.parent.open("rb") as shard:
            shard.seek(offset)
            return _Member(shard.read(size), str(path))
    if not path.is_file():
        raise InputError(
            f"expected a file of the corpus at {path}, found none; prepare the corpus again"
        )
    return path.open("rb")


def has_media(path: Path) -> bool:
    """Whether `path` is a file or a member of a shard."""
    return _place(path) is not None or path.is_file()


def _place(path: Path) -> tuple[int, int] | None:
    """Offset and size of a member; None where the path does not lie in a shard or it lacks it."""
    shard = path.parent
    if shard.suffix != SHARD_SUFFIX or not shard.is_file():
        return None
    stat = shard.stat()
    return _index(shard, stat.st_size, stat.st_mtime_ns).get(path.name)


@lru_cache(maxsize=4096)
def _index(shard: Path, size: int, changed_ns: int) -> dict[str, tuple[int, int]]:
    """Offset and size of every member; size and time of the shard make stale entries unused."""
    try:
        with tarfile.open(shard, "r:") as archive:
            return {m.name: (m.offset_data, m.size) for m in archive if m.isfile()}
    except tarfile.TarError as err:
        raise InputError(
            f"expected a shard at {shard}, cannot read it ({err}); prepare the corpus again"
        ) from err
