"""Options of the commands that are more than a word or a number, read into what the API takes."""

from __future__ import annotations

import math

from emohead.errors import InputError

__all__ = ["emotion_from_text", "face_box_from_text"]


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
        If there are not four numbers; whether they make a box of the photo is for the API to say.
    """
    try:
        x0, y0, x1, y1 = (float(number) for number in text.split(","))
    except ValueError as err:
        raise InputError(
            f"the face box {text!r} must be x0,y0,x1,y1 in pixels: "
            "write for example --face-box 120,80,360,350"
        ) from err
    return x0, y0, x1, y1
