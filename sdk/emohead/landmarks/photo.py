"""Landmarks that a user brings along: arrays and .npy, .json, .csv, .pts files.

Called by ``portrait.py``. Not here: finding landmarks.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import NUM_LANDMARKS
from emohead.landmarks.arrays import array_from
from emohead.reading import json_from, read_file, shown

__all__ = ["landmarks_from", "with_depth"]

_EXPECTED = "68 iBUG points as x, y or x, y, z in photo px"


def landmarks_from(given: NDArray[np.floating] | str | Path) -> NDArray[np.float64]:
    """Read landmarks, in two or three dimensions.

    Parameters
    ----------
    given : (68, 2 or 3) floating ndarray, photo px, or path
        Paths end in ``.npy``, ``.json`` (nested lists), ``.csv`` (a row a point, header allowed)
        or ``.pts`` (iBUG).

    Returns
    -------
    (68, 3) float64, photo px
        Depth from the template's face, posed to fit, where none is given.

    Raises
    ------
    InputError
        Missing, unreadable or wrongly shaped.
    """
    source = f"landmark file {shown(given)}" if isinstance(given, str | Path) else "landmarks"
    points = _read(Path(given)) if isinstance(given, str | Path) else given
    try:
        array = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as err:
        raise InputError(
            f"{source}: expected {_EXPECTED}, got text or ragged rows; {_advice()}"
        ) from err
    shapes: tuple[tuple[int, ...], ...] = ((NUM_LANDMARKS, 2), (NUM_LANDMARKS, 3))
    if array.shape not in shapes or not np.isfinite(array).all():
        raise InputError(
            f"{source}: expected {_EXPECTED}, all finite, got shape {array.shape}; {_advice()}"
        )
    return with_depth(array) if array.shape == shapes[0] else array


def _advice() -> str:
    return "give one row a point, jaw first, as an array, .npy, .json, .csv or .pts"


def _read(path: Path) -> object:
    readers = {".npy": _read_npy, ".json": _read_json, ".csv": _read_csv, ".pts": _read_pts}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"landmark file {shown(path)}: expected {', '.join(readers)}, got {path.suffix!r}; "
            "convert it"
        )
    advice = f"give the path of {_EXPECTED}"
    content = read_file(path, "landmark file", advice, limit="landmark_bytes")
    try:
        return reader(content)
    except (ValueError, csv.Error) as err:
        raise InputError(
            f"landmark file {shown(path)}: expected {_EXPECTED}, cannot read it ({shown(err)}); "
            f"{_advice()}"
        ) from err


def _read_npy(content: bytes) -> object:
    return array_from(content)


def _read_json(content: bytes) -> object:
    return json_from(content.decode("utf-8-sig"))


def _read_csv(content: bytes) -> object:
    rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if row]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    return [[float(v) for v in row] for row in rows]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_pts(content: bytes) -> object:
    text = content.decode("utf-8-sig")
    body = text[text.index("{") + 1 : text.index("}")]
    # iBUG counts pixels from one.
    return [[float(v) - 1 for v in line.split()] for line in body.splitlines() if line.strip()]


def with_depth(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Add depth to flat landmarks by posing the template's face as they are.

    Parameters
    ----------
    points : (68, 2) floating, px

    Returns
    -------
    (68, 3) float64, px
        z of the template under the weak-perspective pose that fits best.
    """
    flat = np.asarray(points, np.float64)
    model = TEMPLATE - TEMPLATE.mean(0)
    camera = np.linalg.lstsq(model, flat - flat.mean(0), rcond=None)[0].T
    left, scales, right = np.linalg.svd(camera, full_matrices=False)
    rows = left @ right
    depth = scales.mean() * TEMPLATE @ np.cross(rows[0], rows[1])
    return np.concatenate([flat, depth[:, None]], axis=1)
