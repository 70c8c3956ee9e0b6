"""``Record``: what became of a job, kept beside its video and in the log.

Not here: the log (``log.py``), when a job is tried again (``emohead.farm``).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

import emohead
from emohead.errors import EmoheadError, InputError
from emohead.jobs.schema import Job
from emohead.whole_files import check_apart, whole_file

__all__ = [
    "Failure",
    "Record",
    "failed_record",
    "failure_of",
    "read_record",
    "record_path",
    "utc_now",
    "versions",
    "write_record",
]

FORMAT: Final = "emohead-job-record/1"
_MAX_BYTES: Final = 4_000_000


class _Model(BaseModel):
    # Unknown fields are left alone, so that an older version reads a newer one's log.
    model_config = ConfigDict(frozen=True)


class Failure(_Model):
    """Why a job failed."""

    type: str
    """Class of the error, for example ``InputError``."""
    message: str
    """One sentence: expected, got, what to do."""
    is_final: bool
    """Whether trying again is pointless, because an input has to change first."""


class Record(_Model):
    """What became of a job."""

    format: Literal["emohead-job-record/1"] = "emohead-job-record/1"
    output: str
    """The job's `output`; ``line 17`` for a line of a file that is no job."""
    key: str
    """From ``job_key``: equal for jobs that give the same video."""
    status: Literal["done", "failed", "cancelled"]
    job: Job | None = None
    """The job; None for a line that is no job."""
    line: int | None = None
    """Line of the file of jobs."""
    attempt: int = 1
    """Which try this was."""
    worker: str = ""
    """Who rendered it."""
    started: str
    """UTC time, ISO 8601."""
    finished: str
    """UTC time, ISO 8601."""
    timings: dict[str, float] = {}
    """Seconds by step; ``total_s`` is all of them."""
    frames: int = 0
    """Frames of the video."""
    emotion: str = ""
    """Emotion that leads."""
    emotion_source: str = ""
    """``voice`` or ``user``."""
    emotion_weights: dict[str, float] = {}
    """Mean weight by name."""
    notes: list[str] = []
    """What the user should know, one sentence each."""
    inputs: dict[str, str] = {}
    """sha256 of every file read, by field of the job."""
    video_sha256: str = ""
    num_bytes: int = 0
    """Size of the video."""
    bundle_sha256: str = ""
    """``Manifest.sha256`` of the networks."""
    backend: str = ""
    versions: dict[str, str] = {}
    """Of emohead, Python and the libraries."""
    error: Failure | None = None
    """Why it failed; None otherwise."""


def failed_record(
    output: str,
    error: BaseException,
    *,
    key: str,
    job: Job | None = None,
    line: int | None = None,
    attempt: int = 1,
) -> Record:
    """Record of a job that failed before anybody rendered it.

    Parameters
    ----------
    output : str
        The job's, or another name for people.
    error : BaseException
        What went wrong.
    key : str
        Of the job, or of the line that is none.
    job : Job, optional
    line : int, optional
        Line of the file of jobs.
    attempt : int
        Which try this was.

    Returns
    -------
    Record
    """
    now = utc_now()
    return Record(
        output=output,
        key=key,
        status="failed",
        job=job,
        line=line,
        attempt=attempt,
        started=now,
        finished=now,
        versions=dict(versions()),
        error=failure_of(error),
    )


def failure_of(error: BaseException) -> Failure:
    """Describe an error for a record; an ``InputError`` is final, everything else may pass."""
    text = " ".join(str(error).split()) or "no message"
    if not isinstance(error, EmoheadError):
        text = f"internal error, {type(error).__name__}: {text}"
    return Failure(type=type(error).__name__, message=text, is_final=isinstance(error, InputError))


def record_path(video: Path) -> Path:
    """Place of the record beside a video: its name with ``.json``."""
    return video.with_suffix(".json")


def write_record(record: Record, video: Path) -> Path:
    """Write a record beside its video, whole or not at all.

    Parameters
    ----------
    record : Record
    video : Path
        The video, there or not; its folder exists.

    Returns
    -------
    Path
        The record's file.

    Raises
    ------
    InputError
        If the folder cannot be written to, or the job reads a file of the record's name.
    """
    target = record_path(video)
    if record.job is not None:
        check_apart(target, record.job.files().values(), "record")
    with whole_file(target, "record", ".part") as place:  # as leftovers of its video end
        place.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return target


def read_record(video: Path) -> Record | None:
    """Read the record beside a video; None where there is none that can be understood."""
    path = record_path(video)
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        return Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def utc_now() -> str:
    """Time of day, UTC, ISO 8601, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@cache
def versions() -> Mapping[str, str]:
    """Versions of what a video depends on, by name."""
    from emohead.provenance.describing import library_versions

    own = {"emohead": emohead.__version__, "python": platform.python_version()}
    return {**own, **library_versions()}
