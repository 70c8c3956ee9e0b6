"""A tar archive that never grows beyond a limit and depends on its content alone."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from types import TracebackType
from typing import Final

__all__ = ["Archive"]

_BLOCK: Final = 512
_RECORD: Final = 20 * _BLOCK


def _padded(size: int, block: int = _BLOCK) -> int:
    return -(-size // block) * block


class Archive:
    """Appears under its name when it is complete; use it in a ``with`` statement.

    Parameters
    ----------
    path : Path
    max_bytes : int
        Of the whole file.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._partial = path.with_name(path.name + ".partial")
        self._size = 2 * _BLOCK

    @property
    def free(self) -> int:
        """Bytes that are left for files and their headers."""
        return self._max_bytes // _RECORD * _RECORD - self._size

    @staticmethod
    def cost(files: dict[str, bytes]) -> int:
        """Bytes that files take in the archive; names have at most 100 characters."""
        return sum(_BLOCK + _padded(len(content)) for content in files.values())

    def add(self, files: dict[str, bytes]) -> None:
        """Append files by their names."""
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            self._tar.addfile(entry, io.BytesIO(content))
        self._size += self.cost(files)
        assert self.free >= 0

    def __enter__(self) -> Archive:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._tar = tarfile.open(self._partial, "w:", format=tarfile.USTAR_FORMAT)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tar.close()
        if error is None:
            os.replace(self._partial, self._path)
        else:
            self._partial.unlink(missing_ok=True)
