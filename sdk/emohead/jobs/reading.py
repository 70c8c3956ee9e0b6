"""Files of jobs, JSONL or CSV, a line at a time: any length, and a bad line is only a bad line.

Not here: the job itself (``schema.py``).
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from emohead.errors import InputError
from emohead.jobs.record import Record, failed_record
from emohead.jobs.schema import Job, job_from

__all__ = ["MAX_LINE", "job_or_record", "read_jobs"]

MAX_LINE: Final = 1_000_000
"""Longest line of a file of jobs, characters."""
_PLACE: Final = ("valence", "arousal")


def read_jobs(path: str | Path) -> Iterator[tuple[int, Job | Record]]:
    """Stream the jobs of a file.

    Parameters
    ----------
    path : str or Path
        ``.jsonl`` (one JSON object a line) or ``.csv`` (a header with the names of the fields; an
        empty cell is the default, ``emotion`` is written as for ``emohead render``, columns
        ``valence`` and ``arousal`` may take its place). Blank lines are skipped.

    Yields
    ------
    line : int
        Counted from 1, the header included.
    job : Job or Record
        The job, its paths absolute, taken from the folder of `path`; for a line that is none, the
        record of its failure, with ``is_final`` and a key that changes with the line.

    Raises
    ------
    InputError
        If the file cannot be read or its header is unusable.
    """
    path = Path(path)
    kinds = {".jsonl": _objects, ".ndjson": _objects, ".csv": _rows}
    if path.suffix.lower() not in kinds:
        raise InputError(f"expected a file of jobs that ends in .jsonl or .csv, got {path}")
    folder = path.absolute().parent
    try:
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            for line, text, given in kinds[path.suffix.lower()](file, path):
                yield line, job_or_record(line, text, given, folder)
    except OSError as err:
        raise InputError(
            f"the file of jobs {path} cannot be read ({err.strerror}): check the path"
        ) from err


Parsed = tuple[int, str, dict[str, Any] | InputError]
"""Line, text as it stands there, fields or what is wrong."""


def _objects(file: TextIO, path: Path) -> Iterator[Parsed]:
    for line, text in _lines(file):
        if text.strip():
            yield line, text, _object(text)


def _object(text: str) -> dict[str, Any] | InputError:
    if len(text) > MAX_LINE:
        return InputError(f"expected a line of at most {MAX_LINE} characters, got a longer one")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as err:
        return InputError(f"expected one JSON object a line, got {text.strip()[:60]!r} ({err})")
    if not isinstance(given, dict):
        return InputError(f"expected one JSON object a line, got {text.strip()[:60]!r}")
    return given


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """Lines of bounded length; of a longer one the beginning."""
    line = 0
    while text := file.readline(MAX_LINE + 1):
        line += 1
        rest = text
        while len(rest) > MAX_LINE and not rest.endswith("\n"):
            rest = file.readline(MAX_LINE + 1)
        yield line, text


def _rows(file: TextIO, path: Path) -> Iterator[Parsed]:
    reader = csv.reader(text for _, text in _lines(file))
    header = _header(reader, path)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            yield reader.line_num, "", InputError(f"expected a row of CSV, got {err}")
            continue
        if any(cell.strip() for cell in cells):
            yield reader.line_num, ",".join(cells), _fields(header, cells)


def _header(reader: Iterator[list[str]], path: Path) -> list[str]:
    """Read the names of the fields; raises InputError where they are not those of a job."""
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as err:
        raise InputError(f"{path}: expected a header of CSV, got {err}: see docs/farm.md") from err
    unknown = [name for name in header if name not in (*Job.model_fields, *_PLACE)]
    missing = [n for n in ("face", "speech", "output") if n not in header]
    if unknown or missing or len(set(header)) != len(header):
        raise InputError(
            f"{path}: expected a header with face, speech, output and other fields of a job, got "
            f"{','.join(header)[:200] or 'nothing'}: see docs/farm.md"
        )
    return header


def _fields(header: list[str], cells: list[str]) -> dict[str, Any] | InputError:
    if len(cells) > len(header):
        return InputError(
            f"expected {len(header)} cells as in the header, got {len(cells)}: quote commas"
        )
    given: dict[str, Any] = {
        name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()
    }
    place = {name: given.pop(name) for name in _PLACE if name in given}
    if place and "emotion" in given:
        return InputError("expected one source of the emotion, got emotion and valence: choose one")
    if place:
        given["emotion"] = place
    if "face_box" in given:
        given["face_box"] = given["face_box"].split(",")
    return given


def job_or_record(
    line: int, text: str, given: Mapping[str, Any] | InputError, folder: Path
) -> Job | Record:
    """Make a job, or the record of why it is none.

    Parameters
    ----------
    line : int
    text : str
        As it stands there; the record's key changes with it.
    given : mapping or InputError
        Fields, or what is wrong with the line.
    folder : Path
        Where relative paths start.

    Returns
    -------
    Job or Record
    """
    try:
        if isinstance(given, InputError):
            raise given
        return job_from(given).based(folder)
    except InputError as err:
        key = hashlib.sha256(f"line {line}\n{text}".encode()).hexdigest()
        output = None if isinstance(given, InputError) else given.get("output")
        name = output if isinstance(output, str) and output else f"line {line}"
        return failed_record(name, err, key=key, line=line)
