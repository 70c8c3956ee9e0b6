"""Rows that may outgrow memory: few are kept there, many in a nameless temporary file.

The file is mapped, so its rows look like any array, and whoever reads them in blocks gives the
memory back at once. Called by ``audio.py`` and ``offline.py``. Not here: what the rows mean.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.closing import Closing
from emohead.errors import EmoheadError

__all__ = ["Spool", "blocks_of", "rows_of"]

IN_MEMORY_BYTES: Final = 1 << 19
"""Rows of more bytes go to a file: eight seconds of speech at 16 kHz."""

Array = NDArray[np.float32]


class Spool(Closing):
    """Gathers rows of float32; as a context manager it closes its file however the block ends.

    Parameters
    ----------
    shape : tuple of int
        Of a row.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self._shape = shape
        self._held: list[Array] = []
        self._num_bytes = 0
        self._file: IO[bytes] | None = None

    def append(self, rows: Array) -> None:
        """Take rows (n, *shape) float32; they are copied, at the latest when a file holds them.

        Raises
        ------
        EmoheadError
            If the temporary folder is full or cannot be written to.
        """
        if not len(rows):
            return
        self._num_bytes += rows.nbytes
        if self._file is None and self._num_bytes <= IN_MEMORY_BYTES:
            self._held.append(rows)
            return
        try:
            self._write(rows)
        except OSError as err:
            raise EmoheadError(
                f"the temporary folder {tempfile.gettempdir()} cannot hold a long clip "
                f"({err.strerror or err}): free space there, or name another one in TMPDIR"
            ) from err

    def _write(self, rows: Array) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `close` closes it
        for part in (*self._held, rows):
            content = memoryview(part.tobytes())
            while len(content):
                content = content[self._file.write(content) :]
        self._held = []

    def close(self) -> None:
        """Forget the rows; those that ``rows`` gave stay."""
        self._held = []
        if self._file is not None:
            self._file.close()

    def rows(self) -> Array:
        """Give all rows (N, *shape), read-only where a file holds them; ends the gathering."""
        if self._file is None:
            empty = np.zeros((0, *self._shape), np.float32)
            return np.concatenate([empty, *self._held])
        with self._file as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, np.float32).reshape(-1, *self._shape)


def rows_of(array: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """Rows `start` to `stop` of an (n, ...) array; those of a spool's file leave memory again."""
    mapped = _mapping_of(array)
    if mapped is None:
        return array[start:stop]
    rows = array[start:stop].copy()
    if hasattr(mmap, "MADV_DONTNEED"):  # Windows trims by itself
        mapped.madvise(mmap.MADV_DONTNEED)
    return rows


def blocks_of(array: NDArray[Any], num_rows: int) -> Iterator[NDArray[Any]]:
    """Cut an (n, ...) array into blocks of `num_rows`, the last shorter; see ``rows_of``."""
    for start in range(0, len(array), num_rows):
        yield rows_of(array, start, start + num_rows)


def _mapping_of(array: NDArray[Any]) -> mmap.mmap | None:
    """Find the file's mapping behind an array or a view of it."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    return owner if isinstance(owner, mmap.mmap) else None
