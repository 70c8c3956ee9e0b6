"""A store's folder: private, its files written whole or not at all, its locks the system's.

Who calls: ``store.py``. Not here: which files there are.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from emohead.errors import BackendError
from emohead.private_files import private_folder

__all__ = ["STORE_VARIABLE", "UNFINISHED", "is_being_written", "locked", "write_whole"]

STORE_VARIABLE: Final = "EMOHEAD_ENGINES"
"""Environment variable with the folder of the store."""
UNFINISHED: Final = ".unfinished-"
"""How names of files begin that are being written."""
_LONGEST_WRITING_S: Final = 600


def write_whole(root: Path, path: Path, content: bytes) -> None:
    """Write a file so that every reader sees the old content or the new, never a part.

    Parameters
    ----------
    root : pathlib.Path
        The store's folder; made where it is missing.
    path : pathlib.Path
        Below it.
    content : bytes
        Of the file.

    Raises
    ------
    BackendError
        When the folder is not private, or cannot be written.
    """
    try:
        private_folder(root)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as err:
        raise _unwritable(root, err) from err


@contextmanager
def locked(root: Path, name: str, *, waits: bool = True) -> Iterator[bool]:
    """Hold a lock that the system frees when its process dies.

    Parameters
    ----------
    root : pathlib.Path
        The store's folder; made where it is missing.
    name : str
        Of the lock.
    waits : bool
        Whether to wait for whoever holds it.

    Yields
    ------
    bool
        Whether it is held; always, where it waits.

    Raises
    ------
    BackendError
        When the folder is not private, or cannot be written.
    """
    folder = root / "locks"
    try:
        private_folder(root)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock")
        lock.acquire(timeout=-1 if waits else 0)
    except Timeout:
        yield False
        return
    except OSError as err:
        raise _unwritable(root, err) from err
    try:
        yield True
    finally:
        lock.release()


def is_being_written(path: Path) -> bool:
    """Whether an unfinished file is young enough to belong to a process at work.

    Parameters
    ----------
    path : pathlib.Path
        Whose name begins with ``UNFINISHED``.

    Returns
    -------
    bool
        Also true where it is gone meanwhile.
    """
    try:
        return time.time() - path.stat().st_mtime < _LONGEST_WRITING_S
    except FileNotFoundError:
        return True


def _unwritable(root: Path, err: OSError) -> BackendError:
    return BackendError(
        f"{root}: expected a folder that can be written, got: {err.strerror or err}; "
        f"give another --out, or set {STORE_VARIABLE}"
    )
