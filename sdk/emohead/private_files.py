"""Files that are as good as code, such as engines: only the user, or root, may have written them.

Called by the store of engines and by ONNX Runtime's TensorRT provider. Standard library only; on
Windows folders of a user are private already, and nothing is checked.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from emohead.errors import BackendError

__all__ = ["exposure", "private_folder"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def exposure(*paths: Path) -> str | None:
    """Say how somebody else could have written one of the files or folders.

    Parameters
    ----------
    *paths : pathlib.Path
        Links are not followed; what is not there exposes nothing.

    Returns
    -------
    str or None
        A phrase "expected …, got …"; None when all are private.
    """
    if os.name != "posix":
        return None
    for path in paths:
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        owner = found.st_uid
        if owner not in (os.geteuid(), 0):
            return f"expected {path} to be yours or root's, it belongs to the user {owner}"
        if stat.S_ISLNK(found.st_mode):
            return f"expected {path} itself, got a link"
        if found.st_mode & _OTHERS_WRITE:
            mode = stat.S_IMODE(found.st_mode)
            return (
                f"expected that only you can write {path}, others can as well (mode {mode:o}): "
                f"run `chmod go-w {path}` if you trust what is in it"
            )
    return None


def private_folder(path: Path) -> Path:
    """Make a folder that nobody else can enter, or check the one that is there.

    Parameters
    ----------
    path : pathlib.Path
        May be missing; a link to a folder is followed.

    Returns
    -------
    pathlib.Path
        The folder, links followed.

    Raises
    ------
    BackendError
        When others can write to it.
    OSError
        When it cannot be made.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = path.resolve()
    reason = exposure(folder)
    if reason is not None:
        raise BackendError(f"engines are code, and come from a private folder only: {reason}")
    return folder
