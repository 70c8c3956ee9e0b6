"""What an output folder tells about its farm, while it works or long after.

Called by ``emohead farm status``. Not here: the running farm's own state (``tasks.FarmState``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from emohead.errors import InputError
from emohead.farm.index import name_of
from emohead.jobs import read_records
from emohead.jobs.log import LOG_NAME

if TYPE_CHECKING:
    from emohead.jobs import Record

__all__ = ["FailedJob", "FarmReport", "read_status"]

MAX_FAILURES: Final = 1000
"""Failures that a report names."""


@dataclass(frozen=True)
class FailedJob:
    """A job without its video."""

    output: str
    line: int | None
    attempt: int
    type: str
    message: str
    is_final: bool
    """Whether an input has to change first."""


@dataclass(kw_only=True)
class FarmReport:
    """Jobs by what became of them when they were last tried."""

    folder: str
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    lost: int = 0
    """Videos that were made and are no longer there."""
    frames: int = 0
    video_bytes: int = 0
    job_seconds: float = 0.0
    """Spent on the videos that are there."""
    first: str = ""
    """Start of the first job, UTC."""
    last: str = ""
    """End of the last one, UTC."""
    workers: dict[str, int] = field(default_factory=dict)
    """Videos by worker."""
    failures: Sequence[FailedJob] = ()

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {**asdict(self), "job_seconds": round(self.job_seconds, 3)}


def read_status(folder: str | Path) -> FarmReport:
    """Read an output folder.

    Parameters
    ----------
    folder : str or Path
        ``out`` of a farm; it may be at work.

    Returns
    -------
    FarmReport

    Raises
    ------
    InputError
        If no farm ever worked there.
    """
    root = Path(folder)
    if not (root / LOG_NAME).is_file():
        raise InputError(
            f"expected a farm's output folder with {LOG_NAME}, got {root}: give the --out of a farm"
        )
    report = FarmReport(folder=str(root))
    latest: dict[str, _Outcome] = {}
    for record in read_records(root / LOG_NAME):
        latest[name_of(record)] = _outcome(record)
        report.first = min(report.first or record.started, record.started)
        report.last = max(report.last, record.finished)
    for outcome in latest.values():
        _add(report, outcome, root)
    return report


class _Outcome(NamedTuple):
    """What the report needs of a record, and no more: a log may be long."""

    status: str
    output: str
    worker: str
    frames: int
    num_bytes: int
    seconds: float
    failure: FailedJob | None


def _outcome(record: Record) -> _Outcome:
    error = record.error
    failure = None
    if error is not None:
        named = (record.output, record.line, record.attempt)
        failure = FailedJob(*named, error.type, error.message, error.is_final)
    return _Outcome(
        status=record.status,
        output=record.output,
        worker=sys.intern(record.worker),
        frames=record.frames,
        num_bytes=record.num_bytes,
        seconds=record.timings.get("total_s", 0.0),
        failure=failure,
    )


def _add(report: FarmReport, outcome: _Outcome, root: Path) -> None:
    if outcome.status == "done" and (root / outcome.output).is_file():
        report.done += 1
        report.frames += outcome.frames
        report.video_bytes += outcome.num_bytes
        report.job_seconds += outcome.seconds
        report.workers[outcome.worker] = report.workers.get(outcome.worker, 0) + 1
    elif outcome.status == "done":
        report.lost += 1
    elif outcome.status == "cancelled":
        report.cancelled += 1
    else:
        report.failed += 1
        if outcome.failure is not None and len(report.failures) < MAX_FAILURES:
            report.failures = (*report.failures, outcome.failure)
