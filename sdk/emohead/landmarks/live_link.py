"""Blendshape curves as the CSV of Epic's Live Link Face, which Unreal and Blender users know.

Called by ``clip.py`` and ``emohead arkit``. Not here: the curves themselves (``arkit.py``).
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.landmarks.arkit import BLENDSHAPES, blendshapes_of, eye_angles
from emohead.landmarks.track import LandmarkTrack
from emohead.whole_files import check_target, whole_file

__all__ = ["COLUMNS", "check_live_link_output", "timecode", "write_live_link"]

_WHAT: Final = "blendshape file"
_TURNS: Final = ("Yaw", "Pitch", "Roll")
_TURNING: Final = ("Head", "LeftEye", "RightEye")
COLUMNS: Final = (
    "Timecode",
    "BlendShapeCount",
    *(name[0].upper() + name[1:] for name in BLENDSHAPES),
    *(f"{what}{turn}" for what in _TURNING for turn in _TURNS),
)
"""Header of a take that the app records, as open importers expect it [1]_."""
_COUNT: Final = len(COLUMNS) - 2


def write_live_link(track: LandmarkTrack, path: str | Path) -> Path:
    """Write a track's curves, whole or not at all.

    Parameters
    ----------
    track : LandmarkTrack
        With ``neutral``.
    path : str or Path
        Ends in ``.csv``; its folder exists.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the track has no face at rest, or `path` cannot be written to.

    Notes
    -----
    Turns are radians with the signs of Unreal's rotators: yaw to the person's right, pitch up, roll
    to the person's right. The app does not document its own; open importers read radians.

    References
    ----------
    .. [1] Epic Games, Live Link Face. The header is the one that importers for Blender and Maya
       and JimWest/PyLiveLinkFace name: ``Timecode,BlendShapeCount,EyeBlinkLeft,…,TongueOut,
       HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,…,RightEyeRoll``, with a count of 61.
    """
    target = check_live_link_output(path)
    table = np.concatenate([blendshapes_of(track), _turns(track)], axis=1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for index, row in enumerate(table.tolist()):
        writer.writerow([timecode(index, track.fps), _COUNT, *(f"{v:.6f}" for v in row)])
    with whole_file(target, _WHAT) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return target


def check_live_link_output(path: str | Path) -> Path:
    """Return `path`; raises InputError unless such a ``.csv`` can be written."""
    return check_target(path, (".csv",), _WHAT)


def timecode(index: int, fps: float) -> str:
    """Time code of a frame: hours, minutes, seconds, frames and thousandths of a frame.

    Parameters
    ----------
    index : int
        Number of the frame, from 0.
    fps : float
        Frames a second; frames are counted at the nearest whole rate, and none is dropped.

    Returns
    -------
    str
        Such as ``00:01:02:03.000``.
    """
    seconds, frame = divmod(index, max(1, round(fps)))
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}:{frame:02}.000"


def _turns(track: LandmarkTrack) -> NDArray[np.float64]:
    """Yaw, pitch and roll (N, 9) of head and both eyes."""
    eye = np.zeros((len(track), 3))
    if track.gaze is not None:
        eye[:, :2] = eye_angles(track.gaze)
    # Unreal turns the other way about each axis than the camera sees it.
    return 0.0 - np.concatenate([track.head_angles(), eye, eye], axis=1)
