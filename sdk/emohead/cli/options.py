"""Options of the commands that are more than a word or a number, read into what the API takes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.stages import NUM_LANDMARKS

__all__ = ["emotion_from_text", "face_box_from_text", "read_landmarks"]


def emotion_from_text(text: str) -> str | dict[str, float]:
    """Read ``happy`` as a name and ``happy=0.7,sad=0.2`` as weights.

    Parameters
    ----------
    text : str
        Name, or comma-separated pairs of name and weight in [0, 1].

    Returns
    -------
    str or dict of str to float
        The name, or the weights; whether the names exist is for the API to say.

    Raises
    ------
    InputError
        If a pair is malformed, or a weight not a number in [0, 1].
    """
    if "=" not in text:
        return text.strip()
    return dict(_weight(pair) for pair in text.split(","))


def _weight(pair: str) -> tuple[str, float]:
    name, _, number = pair.partition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not name.strip() or not 0.0 <= weight <= 1.0:
        raise InputError(
            f"the emotion {pair!r} must be name=weight with a weight from 0 to 1: "
            "write for example --emotion happy=0.7,surprised=0.2"
        )
    return name.strip(), weight


def face_box_from_text(text: str) -> tuple[float, float, float, float]:
    """Read ``x0,y0,x1,y1`` in pixels of the photo.

    Raises
    ------
    InputError
        If there are not four finite numbers with x0 < x1 and y0 < y1.
    """
    try:
        x0, y0, x1, y1 = (float(number) for number in text.split(","))
    except ValueError as err:
        raise InputError(_face_box_advice(text)) from err
    if not (math.isfinite(x0 + y0 + x1 + y1) and x0 < x1 and y0 < y1):
        raise InputError(_face_box_advice(text))
    return x0, y0, x1, y1


def _face_box_advice(text: str) -> str:
    return (
        f"the face box {text!r} must be x0,y0,x1,y1 in pixels with x0 < x1 and y0 < y1: "
        "write for example --face-box 120,80,360,350"
    )


def read_landmarks(path: Path) -> NDArray[np.float32]:
    """Read landmarks of the photo from a file.

    Parameters
    ----------
    path : Path
        ``.npy``, ``.npz`` with an array ``landmarks``, or ``.json`` with a list of points.

    Returns
    -------
    (68, 2) or (68, 3) float32
        iBUG-68 points in pixels of the photo.

    Raises
    ------
    InputError
        If the file is missing, of another kind, or does not hold 68 finite points.
    """
    if not path.is_file():
        raise InputError(
            f"the landmark file {path} does not exist: give a .npy, .npz or .json file"
        )
    try:
        points = np.asarray(_array_in(path), np.float32)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise InputError(
            f"the landmark file {path} cannot be read ({err}): "
            "give a .npy, .npz (array landmarks) or .json file"
        ) from err
    if (
        points.shape not in ((NUM_LANDMARKS, 2), (NUM_LANDMARKS, 3))
        or not np.isfinite(points).all()
    ):
        raise InputError(
            f"the landmark file {path} must hold 68 finite points of 2 or 3 coordinates, "
            f"got shape {points.shape}: write the iBUG-68 points in pixels of the photo"
        )
    return points


def _array_in(path: Path) -> Any:
    if path.suffix == ".json":
        return json.loads(path.read_text())
    loaded = np.load(path, allow_pickle=False)
    return loaded["landmarks"] if path.suffix == ".npz" else loaded
