"""Voices for a batch: files, zips of them, and tables that say how each is acted.

Called by ``batch_tab.py``. Not here: rendering them (``batch.py``).
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
import zlib
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
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError),  # other methods, passwords, odd names
)
_UNPACKED: Final = 4
"""Zips may unpack to this many times the largest upload, all of a batch together."""
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
    limits.check_rows(len(rows))
    return Intake(voices=voices, rows=[_cells(fields) for fields in rows])


def _cells(fields: dict[str, Any]) -> list[Any]:
    unknown = [name for name in fields if name not in FIELDS]
    if unknown or not fields.get("speech"):
        raise InputError(
            f"expected rows with speech and perhaps {', '.join(FIELDS[1:])}, got "
            f"{', '.join(map(str, fields)) or 'nothing'}: see docs/studio.md"
        )
    filled = {**_DEFAULTS, **{name: value for name, value in fields.items() if value != ""}}
    filled["speech"] = _plain_name(str(filled["speech"]))
    emotion = filled["emotion"]
    if isinstance(emotion, dict):
        filled["emotion"] = ",".join(f"{name}={weight}" for name, weight in emotion.items())
    return [filled[name] for name in FIELDS]


def _table(path: Path) -> list[dict[str, Any]]:
    if path.stat().st_size > _TABLE_BYTES:
        raise InputError(
            f"the table {path.name} is larger than {_TABLE_BYTES // 10**6} MB: split it"
        )
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix.lower() == ".csv":
        try:
            return [
                {key: value for key, value in row.items() if key is not None and value}
                for row in csv.DictReader(io.StringIO(text))
            ]
        except csv.Error as err:
            raise InputError(f"the table {path.name} is no CSV ({err}): save it again") from err
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
    """Give the files, and for every zip what is in it; all zips share one limit."""
    left = limits.max_upload_bytes * _UNPACKED
    for path in files:
        if path.suffix.lower() != ".zip":
            yield path
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                wanted = [member for member in archive.infolist() if _is_wanted(member)]
                left -= sum(member.file_size for member in wanted)
                _check_zip(len(wanted), left, limits)
                for member in wanted:
                    yield _extracted(archive, member, folder)
        except InputError:
            raise
        except _DAMAGE as err:
            raise InputError(f"{path.name} cannot be unpacked ({err}): zip it again") from err


def _check_zip(num_files: int, left: int, limits: Limits) -> None:
    if left < 0:
        raise InputError("the zips unpack to too much: upload their voices in parts")
    if num_files > limits.max_rows + len(_TABLES):
        raise InputError(
            f"expected at most {limits.max_rows} files in a zip, got {num_files}: split it"
        )


def _extracted(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> Path:
    """Unpack a voice or a table under its plain name."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / _plain_name(member.filename)
    if target.exists():
        raise InputError(f"expected each name once, got {target.name} twice: rename one")
    with archive.open(member) as source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy)  # zipfile never gives more than the size it announced
    return target


def _plain_name(path: str) -> str:
    """Last part of a path, whichever system wrote it."""
    return PurePosixPath(path.replace("\\", "/")).name


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not member.is_dir() and not hidden and path.suffix.lower() in (*_TABLES, *_VOICES)
