"""Landmarks over time as ``.json``, ``.csv`` and ``.npz`` files, read back exactly.

CSV has OpenFace's names for its columns, so that OpenFace's own output can be read too. Slow to
import (pydantic). Not here: the track itself (``track.py``), a photo's landmarks (``photo.py``).
"""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.landmarks.arrays import arrays_from
from emohead.landmarks.track import LandmarkTrack
from emohead.limits import limits
from emohead.reading import read_file, record_from, shown
from emohead.stages import NUM_LANDMARKS
from emohead.whole_files import check_target, whole_file

__all__ = ["FORMAT", "SUFFIXES", "check_landmark_output", "read_landmarks", "write_landmarks"]

FORMAT: Final = "emohead-landmarks"
"""What JSON and CSV files say that they are."""
SUFFIXES: Final = (".json", ".csv", ".npz")

_WHAT: Final = "landmark file"
_ADVICE: Final = "see docs/landmarks.md"
_ANGLES: Final = ("yaw", "pitch", "roll")
_GAZE: Final = ("gaze_right", "gaze_down")
_FELT: Final = tuple(f"emotion_{name}" for name in EMOTIONS)
_OPENFACE_UNIT: Final = "photo_px"

Row = list[float]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Head(_Record):
    """What belongs to every frame; the first line of a CSV, the beginning of a JSON."""

    format: Literal["emohead-landmarks"]
    version: Literal[1]
    fps: float
    unit: str
    neutral: list[Row] | None = None


class _Frame(_Record):
    time_s: float | None = None
    landmarks: list[Row]
    emotion: dict[str, float] | None = None
    angles_rad: dict[str, float] | None = None
    gaze: dict[str, float] | None = None


class _Whole(_Head):
    frames: Annotated[list[_Frame], Field(min_length=1)]


def check_landmark_output(path: str | Path) -> Path:
    """Return `path`; raises InputError unless such a landmark file can be written."""
    return check_target(path, SUFFIXES, _WHAT)


def write_landmarks(track: LandmarkTrack, path: str | Path) -> Path:
    """Write a track, whole or not at all.

    Parameters
    ----------
    track : LandmarkTrack
    path : str or Path
        Ends in ``.json``, ``.csv`` or ``.npz``; its folder exists.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If `path` cannot be written to.
    """
    target = check_landmark_output(path)
    writer = {".json": _as_json, ".csv": _as_csv, ".npz": _as_npz}[target.suffix.lower()]
    with whole_file(target, _WHAT) as temporary:
        temporary.write_bytes(writer(track))
    return target


def read_landmarks(path: str | Path) -> LandmarkTrack:
    """Read a track.

    Parameters
    ----------
    path : str or Path
        As ``write_landmarks`` writes them; an ``.npz`` with ``landmarks`` and ``fps``; or a CSV of
        OpenFace.

    Returns
    -------
    LandmarkTrack
        Exactly the one that was written.

    Raises
    ------
    InputError
        If it cannot be read, or what it says makes no sense.
    """
    source = Path(path)
    readers = {".json": _from_json, ".csv": _from_csv, ".npz": _from_npz}
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise InputError(
            f"the {_WHAT} {path} must end in {', '.join(readers)}, got {source.suffix!r}: "
            "convert it"
        )
    content = read_file(path, f"the {_WHAT}", "check the path", limit="landmark_track_bytes")
    try:
        return reader(content)
    except InputError as err:
        raise InputError(f"{path}: {err}") from err
    except (ValueError, KeyError, TypeError, csv.Error) as err:
        raise InputError(
            f"{path}: expected landmarks, cannot read it ({shown(err)}): {_ADVICE}"
        ) from err


def _head(track: LandmarkTrack) -> dict[str, Any]:
    neutral = None if track.neutral is None else _short(track.neutral)
    return {
        "format": FORMAT,
        "version": 1,
        "fps": track.fps,
        "unit": track.unit,
        "neutral": neutral,
    }


def _short(values: NDArray[np.float32]) -> Any:
    """Nested lists of the fewest digits that give the same float32 again."""
    flat = values.astype(np.float32).reshape(-1).astype("U32").astype(np.float64)
    return flat.reshape(values.shape).tolist()


def _columns(track: LandmarkTrack) -> dict[str, tuple[tuple[str, ...], NDArray[np.float32]]]:
    """Names and values of what a frame may have besides landmarks."""
    given = {
        "emotion": (EMOTIONS, track.emotion),
        "angles_rad": (_ANGLES, track.angles),
        "gaze": (("right", "down"), track.gaze),
    }
    return {key: (names, v) for key, (names, v) in given.items() if v is not None}


def _as_json(track: LandmarkTrack) -> bytes:
    extras = {key: (names, _short(v)) for key, (names, v) in _columns(track).items()}
    frames = []
    for index, points in enumerate(_short(track.landmarks)):
        named = {k: dict(zip(n, v[index], strict=True)) for k, (n, v) in extras.items()}
        frames.append({"time_s": round(index / track.fps, 6), "landmarks": points, **named})
    text = json.dumps({**_head(track), "frames": frames}, allow_nan=False)
    return text.encode() + b"\n"


def _from_json(content: bytes) -> LandmarkTrack:
    whole = record_from(_Whole, content, "landmarks", _ADVICE)
    rows: dict[str, Any] = {
        "landmarks": [frame.landmarks for frame in whole.frames],
        "neutral": whole.neutral,
    }
    for key, field, names in (
        ("emotion", "emotion", EMOTIONS),
        ("angles", "angles_rad", _ANGLES),
        ("gaze", "gaze", ("right", "down")),
    ):
        given = [getattr(frame, field) for frame in whole.frames]
        if any(value is not None for value in given):
            rows[key] = [_ordered(value, names, field) for value in given]
    return LandmarkTrack(fps=whole.fps, unit=whole.unit, **rows)


def _ordered(value: dict[str, float] | None, names: tuple[str, ...], field: str) -> Row:
    if value is None or set(value) != set(names):
        raise InputError(f"expected {field} with {', '.join(names)} in every frame, or in none")
    return [value[name] for name in names]


def _point_names() -> list[str]:
    return [f"{axis}_{i}" for axis in "xyz" for i in range(NUM_LANDMARKS)]


def _as_csv(track: LandmarkTrack) -> bytes:
    names = {"emotion": _FELT, "angles_rad": _ANGLES, "gaze": _GAZE}
    extras = _columns(track)
    header = ["frame", "timestamp", *_point_names()]
    tables = [track.landmarks.transpose(0, 2, 1).reshape(len(track), -1)]
    for key, (_, values) in extras.items():
        header += names[key]
        tables.append(values)
    text = io.StringIO()
    text.write("# " + json.dumps(_head(track), allow_nan=False) + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for index, row in enumerate(np.concatenate(tables, axis=1).astype("U32").tolist()):
        writer.writerow([index, round(index / track.fps, 6), *row])
    return text.getvalue().encode()


def _from_csv(content: bytes) -> LandmarkTrack:
    lines = content.decode("utf-8-sig").splitlines()
    head = None
    if lines and lines[0].startswith("#"):
        head = record_from(_Head, lines.pop(0)[1:], "landmarks", _ADVICE)
    rows = [row for row in csv.reader(lines) if row]
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [n for n in _point_names()[: 2 * NUM_LANDMARKS] if n not in header]
    if missing or len(rows) < 2:
        raise InputError(
            f"expected a header with x_0 to y_67 and a row a frame, got no {missing[0]}"
            if missing
            else "expected a row a frame, got a header alone"
        )
    if any(len(row) != len(header) for row in rows[1:]):
        raise InputError(f"expected {len(header)} columns in every row, as the header has")
    table = np.array(rows[1:], np.float64)
    at = {name: index for index, name in enumerate(header)}

    def columns(names: tuple[str, ...]) -> Any:
        return table[:, [at[n] for n in names]] if all(n in at for n in names) else None

    axes = 3 if "z_0" in at else 2
    wide = table[:, [at[n] for n in _point_names()[: axes * NUM_LANDMARKS]]]
    faces = wide.reshape(len(wide), axes, NUM_LANDMARKS).transpose(0, 2, 1)
    extras: dict[str, Any] = {} if head is None else {"neutral": head.neutral}
    return LandmarkTrack(
        landmarks=faces.astype(np.float32),
        fps=_rate(table, at) if head is None else head.fps,
        unit=_OPENFACE_UNIT if head is None else head.unit,
        emotion=columns(_FELT),
        angles=columns(_ANGLES),
        gaze=columns(_GAZE),
        **extras,
    )


def _rate(table: NDArray[np.float64], at: dict[str, int]) -> float:
    """Frames a second from OpenFace's time stamps, which have a thousandth's resolution."""
    times = table[:, at["timestamp"]] if "timestamp" in at else np.zeros(0)
    steps = np.diff(times)
    if len(steps) == 0 or not (steps > 0).all():
        raise InputError("expected a column timestamp, in s, that grows from row to row")
    rate = len(steps) / float(times[-1] - times[0])
    whole = round(rate)
    return whole if math.isclose(rate, whole, rel_tol=2e-3) else rate


def _as_npz(track: LandmarkTrack) -> bytes:
    given = {
        "emotion": track.emotion,
        "angles": track.angles,
        "gaze": track.gaze,
        "neutral": track.neutral,
    }
    arrays: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    content = io.BytesIO()
    np.savez_compressed(
        content,
        landmarks=track.landmarks,
        fps=track.fps,
        unit=track.unit,
        emotions=np.array(EMOTIONS),
        **arrays,
    )
    return content.getvalue()


def _from_npz(content: bytes) -> LandmarkTrack:
    file = arrays_from(content, limits().landmark_track_bytes)
    missing = [name for name in ("landmarks", "fps") if name not in file]
    if missing:
        raise InputError(f"expected landmarks and fps, got no {missing[0]}")
    if "emotions" in file and file["emotions"].tolist() != list(EMOTIONS):
        raise InputError(f"expected the emotions {', '.join(EMOTIONS)} in this order")
    extras = {k: file[k] for k in ("emotion", "angles", "gaze", "neutral") if k in file}
    return LandmarkTrack(
        landmarks=file["landmarks"],
        fps=float(file["fps"].item()),
        unit=str(file["unit"]) if "unit" in file else "crop_px",
        **extras,
    )
