"""The table of keyframes that a user edits, and the track that it stands for.

Pure functions. Not here: the table on the page (``create_tab.py``), the curve (``curve.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from emohead.emotion import EMOTIONS, NEUTRAL, Emotion, emotion_from
from emohead.emotion.track import EmotionTrack
from emohead.errors import InputError

__all__ = ["COLUMNS", "SHOWN", "rows_from_track", "track_from_rows"]

SHOWN: Final = tuple(name for i, name in enumerate(EMOTIONS) if i != NEUTRAL)
"""Emotions with a column of their own; neutral is what they leave."""
COLUMNS: Final = ("seconds", *SHOWN)
"""Heads of the table."""


def rows_from_track(track: EmotionTrack) -> list[list[float]]:
    """Write a track as a table.

    Parameters
    ----------
    track : EmotionTrack

    Returns
    -------
    list of rows
        Time in s and the weights of ``SHOWN``, rounded to what one would type.
    """
    weights = np.delete(track.weights, NEUTRAL, axis=1)
    return [
        [round(float(time), 3), *(round(float(w), 3) for w in row)]
        for time, row in zip(track.times_s, weights, strict=True)
    ]


def track_from_rows(rows: Sequence[Sequence[Any]]) -> EmotionTrack | None:
    """Understand the table.

    Parameters
    ----------
    rows : sequence of rows
        As ``rows_from_track`` writes them, in any order; cells may be text or empty (0), and rows
        without anything are skipped.

    Returns
    -------
    EmotionTrack or None
        None where the table is empty.

    Raises
    ------
    InputError
        If a cell is no number in its range, or two rows have the same time.
    """
    keys: dict[float, Emotion] = {}
    for number, row in enumerate(rows, start=1):
        if all(_is_empty(cell) for cell in row):
            continue
        if len(row) != len(COLUMNS):
            raise InputError(
                f"expected {len(COLUMNS)} columns, got {len(row)}: clear the table and start again"
            )
        time = _number(row[0], number, COLUMNS[0])
        if time in keys:
            raise InputError(f"expected each time once, got {time:g} s twice: change row {number}")
        weights = {n: _weight(c, number, n) for n, c in zip(SHOWN, row[1:], strict=True)}
        keys[time] = emotion_from(weights)
    if not keys:
        return None
    times = sorted(keys)
    return EmotionTrack(
        times_s=np.array(times), weights=np.stack([keys[time].weights for time in times])
    )


def _is_empty(cell: Any) -> bool:
    return cell is None or cell != cell or not str(cell).strip()


def _number(cell: Any, row: int, column: str) -> float:
    try:
        value = 0.0 if _is_empty(cell) else float(cell)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise InputError(
            f"expected a number of 0 or more in row {row}, {column}, got {cell!r}: "
            "write for example 1.5"
        )
    return value


def _weight(cell: Any, row: int, column: str) -> float:
    value = _number(cell, row, column)
    if value > 1:
        raise InputError(f"expected 0 to 1 in row {row}, {column}, got {value:g}: lower it")
    return value
