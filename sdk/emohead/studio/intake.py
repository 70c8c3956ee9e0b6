"""Voices for a batch: files, zips of them, and tables that say how each is acted.

Called by ``batch_tab.py``. Not here: rendering them (``batch.py``).
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from emohead.errors import InputError
from emohead.studio.limits import Limits

__all__ = ["FIELDS", "Intake", "take_in"]

FIELDS: Final = ("speech", "emotion", "strength", "seed", "output")
"""Columns of a batch, named as the fields of ``emohead.jobs.Job``."""
_TABLES: Final = (".jsonl", ".ndjson", ".csv")
_VOICES: Final = frozenset(
    [
        ".wav",
        ".flac",
        ".mp3",
        ".ogg",
        ".opus",
        ".m4a",
        ".aac",
        ".wma",
        ".mp4",
        ".mov",
        ".webm",
        ".mkv",
        ".avi",
        ".aiff",
        ".aif",
    ]
)
_TABLE_BYTES: Final = 4_000_000
_DEFAULTS: Final = {"emotion": "", "strength": 1.0, "seed": 0, "output": ""}


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What was uploaded for a batch."""

    voices: dict[str, Path]
    """Files by name."""
    rows: list[list[Any]]
    """One for each video, cells in the order of ``FIELDS``."""


def take_in(files: Iterable[str | Path], folder: Path, limits: Limits) -> Intake:
    """Sort uploads into voices and a table.

    Parameters
    ----------
    files : iterable of paths
        Voices, ``.zip`` files of them, and ``.jsonl`` or ``.csv`` tables with ``FIELDS``.
    folder : Path
        Where zips are unpacked.
    limits : Limits

    Returns
    -------
    Intake
        The tables' rows; without a table one row for each voice.

    Raises
    ------
    InputError
        If a file is of another kind, damaged or too large, or a table names what is not there.
    """
    voices: dict[str, Path] = {}
    tables: list[Path] = []
    for path in _unpacked([Path(file) for file in files], folder, limits):
        if path.suffix.lower() in _TABLES:
            tables.append(path)
        elif path.suffix.lower() in _VOICES:
            if path.name in voices:
                raise InputError(f"expected each name once, got {path.name} twice: rename one")
            voices[path.name] = path
        else:
            raise InputError(
                f"expected voices, a .zip, .jsonl or .csv, got {path.name}: leave it out"
            )
    given = [fields for table in tables for fields in _table(table)]
    rows = given if tables else [{"speech": name} for name in voices]
    if len(rows) > limits.max_rows:
        raise InputError(f"expected at most {limits.max_rows} rows, got {len(rows)}: split them")
    return Intake(voices=voices, rows=[_cells(fields) for fields in rows])


def _cells(fields: dict[str, Any]) -> list[Any]:
    unknown = [name for name in fields if name not in FIELDS]
    if unknown or not fields.get("speech"):
        raise InputError(
            f"expected rows with speech and perhaps {', '.join(FIELDS[1:])}, got "
            f"{', '.join(map(str, fields)) or 'nothing'}: see docs/studio.md"
        )
    filled = {**_DEFAULTS, **{name: value for name, value in fields.items() if value != ""}}
    filled["speech"] = PurePosixPath(str(filled["speech"]).replace("\\", "/")).name
    emotion = filled["emotion"]
    if isinstance(emotion, dict):
        filled["emotion"] = ",".join(f"{name}={weight}" for name, weight in emotion.items())
    return [filled[name] for name in FIELDS]


def _table(path: Path) -> list[dict[str, Any]]:
    if path.stat().st_size > _TABLE_BYTES:
        raise InputError(f"the table {path.name} is larger than {_TABLE_BYTES // 10**6} MB")
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix.lower() == ".csv":
        return [
            {key: value for key, value in row.items() if key is not None and value}
            for row in csv.DictReader(io.StringIO(text))
        ]
    lines = [line for line in text.splitlines() if line.strip()]
    return [_object(line, path.name) for line in lines]


def _object(line: str, name: str) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as err:
        raise InputError(f"{name}: expected a JSON object a line, got {line[:40]!r}") from err
    if not isinstance(given, dict):
        raise InputError(f"{name}: expected a JSON object a line, got {line[:40]!r}")
    return given


def _unpacked(files: Sequence[Path], folder: Path, limits: Limits) -> Iterator[Path]:
    for path in files:
        if path.suffix.lower() != ".zip":
            yield path
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                yield from _members(archive, folder, limits)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as err:
            raise InputError(f"{path.name} cannot be unpacked ({err}): zip it again") from err


def _members(archive: zipfile.ZipFile, folder: Path, limits: Limits) -> Iterator[Path]:
    """Unpack voices and tables under their plain names, within the limits."""
    left = limits.max_upload_mb * 1_000_000 * 4
    wanted = [m for m in archive.infolist() if _is_wanted(m)]
    if len(wanted) > limits.max_rows + len(_TABLES):
        raise InputError(f"expected at most {limits.max_rows} files in a zip, got {len(wanted)}")
    for member in wanted:
        left -= member.file_size
        if left < 0:
            raise InputError("the zip unpacks to too much: upload its voices in parts")
        target = folder / PurePosixPath(member.filename.replace("\\", "/")).name
        folder.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)  # zipfile never gives more than the size it announced
        yield target


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not member.is_dir() and not hidden and path.suffix.lower() in (*_TABLES, *_VOICES)
