"""NumPy's ``.npy`` and ``.npz`` from strangers: no pickle, and no memory for what is not there.

``numpy.load`` allocates what a header declares before it reads. Here a header that declares more
than the file holds is refused. Called by the readers of landmarks. Not here: what arrays mean.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["array_from", "arrays_from"]

_MAX_HEADER: Final = 10_000
_KINDS: Final = "biufUS"
"""Kinds of elements: numbers, truth values, text."""

Array = NDArray[Any]


def array_from(content: bytes) -> Array:
    """Understand an ``.npy`` file.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    numpy.ndarray
        Of numbers or text.

    Raises
    ------
    ValueError
        When it is no such file, holds objects, or declares more than it holds.
    """
    file = io.BytesIO(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of Python 2 are read, with a warning
            version = np.lib.format.read_magic(file)
            readers = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }
            shape, fortran, dtype = readers[version](file, max_header_size=_MAX_HEADER)
    except Exception as err:  # the header is a Python literal: parsing raises whatever it meets
        raise ValueError(f"its header is damaged ({type(err).__name__})") from err
    if dtype.hasobject or dtype.kind not in _KINDS:
        raise ValueError(f"it holds {dtype}, expected numbers or text")
    held = len(content) - file.tell()
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize > held:
        raise ValueError(f"it declares shape {shape}, which is more than its {held} bytes")
    flat = np.frombuffer(content, dtype, math.prod(shape), file.tell())
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def arrays_from(content: bytes, most: int) -> dict[str, Array]:
    """Understand an ``.npz`` file.

    Parameters
    ----------
    content : bytes
    most : int
        Bytes that it may unpack to.

    Returns
    -------
    dict of str to numpy.ndarray

    Raises
    ------
    ValueError
        When it is no such file, holds objects, or unpacks to more.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > most:
                raise ValueError(f"it unpacks to {size:,} bytes, expected at most {most:,}")
            files = {m.filename: archive.read(m) for m in archive.infolist()}
    except ValueError:
        raise
    except Exception as err:  # damaged archives raise whatever their parsing meets
        raise ValueError(f"it is no intact archive ({err or type(err).__name__})") from err
    return {name.removesuffix(".npy"): array_from(data) for name, data in files.items()}
