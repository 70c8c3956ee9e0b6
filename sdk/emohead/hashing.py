"""Hashes of files and arrays, in pieces; standard library and numpy only.

Called where something must be recognised again: sources, frames, bundles.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.spool import blocks_of

__all__ = ["array_sha256", "file_sha256"]

_PIECE_BYTES: Final = 1 << 20


def file_sha256(path: str | Path) -> str:
    """Hash a file's content.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except OSError as err:
        raise InputError(f"{path} cannot be read ({err.strerror}): check the path") from err
    return digest.hexdigest()


def array_sha256(array: NDArray[Any]) -> str:
    """Hash type, shape and values of an array (n, ...); 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    num_rows = max(1, _PIECE_BYTES * len(array) // max(1, array.nbytes))
    for block in blocks_of(array, num_rows):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()
