"""Which jobs have to be rendered: those that are missing or changed.

A generator that looks at one line at a time, pulled by ``dispatch.py`` as workers come free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emohead.errors import InputError
from emohead.farm.index import Index, name_of
from emohead.farm.tasks import FarmState, Task
from emohead.jobs import Job, Record, failed_record, job_key, read_jobs, read_record
from emohead.jobs.reading import job_or_record
from emohead.jobs.schema import folded

if TYPE_CHECKING:
    from emohead.farm.index import Known

__all__ = ["Jobs", "Plan"]

Jobs = str | Path | Iterable[Job | Mapping[str, Any]]
"""File of jobs, or jobs."""


class Plan:
    """Turns jobs into tasks; keeps count of what needs no work.

    Parameters
    ----------
    jobs : path, or iterable of Job or mapping
        Taken one at a time.
    out : Path
        Output folder.
    index : Index
        Filled from the log.
    bundle_sha256 : str
        Of the networks.
    state : FarmState
        Where to count.
    keep : callable
        Called with records that are new without any rendering.
    retry_failed : bool
        Whether jobs that failed in an earlier run are tried again.
    """

    def __init__(
        self,
        jobs: Jobs,
        out: Path,
        index: Index,
        bundle_sha256: str,
        state: FarmState,
        keep: Callable[[Record], None],
        *,
        retry_failed: bool = False,
    ) -> None:
        self._jobs, self._out, self._index, self._state = jobs, out, index, state
        self._bundle, self._keep, self._retry_failed = bundle_sha256, keep, retry_failed

    def tasks(self) -> Iterator[Task]:
        """Yield what has to be rendered, in the order of the jobs."""
        for line, job in _numbered(self._jobs):
            self._state.read += 1
            if isinstance(job, Record):
                self._refuse(job)
            elif (owner := self._index.claim(job.output, line)) != line:
                self._refuse(_taken(job, line, owner, job_key(job, self._bundle)))
            elif (task := self._task(line, job)) is not None:
                yield task

    def _task(self, line: int, job: Job) -> Task | None:
        """Task of a job; None where there is nothing to do."""
        task = Task(line=line, job=job, key=job_key(job, self._bundle))
        known = self._index.find(folded(job.output))
        video = self._out / job.output
        if known is not None and known.key == task.key:
            if known.status == "done" and _is_there(video, known.num_bytes):
                self._state.unchanged += 1
                return None
            if known.status == "failed" and not self._retry_failed:
                self._state.failed_before += 1
                return None
        elif (found := self.found(task)) is not None:
            self._keep(found)  # the log lost it
            self._state.unchanged += 1
            return None
        return task

    def found(self, task: Task) -> Record | None:
        """Record of a video that is there although the log does not know it."""
        video = self._out / task.job.output
        record = read_record(video)
        if record is None or (record.key, record.status) != (task.key, "done"):
            return None
        return record if _is_there(video, record.num_bytes) else None

    def _refuse(self, record: Record) -> None:
        """Count a line that is no job, and keep its record unless it is known."""
        known: Known | None = self._index.find(name_of(record))
        if known is not None and known.key == record.key:
            self._state.failed_before += 1
            return
        self._state.failed += 1
        self._state.last = f"{record.output}: {record.error.message if record.error else ''}"
        self._keep(record)


def _is_there(video: Path, num_bytes: int) -> bool:
    try:
        return video.stat().st_size == num_bytes
    except OSError:
        return False


def _taken(job: Job, line: int, owner: int, key: str) -> Record:
    error = InputError(
        f"the output {job.output} belongs to line {owner} already: give every job its own"
    )
    return failed_record(f"line {line}", error, key=key, line=line)


def _numbered(jobs: Jobs) -> Iterator[tuple[int, Job | Record]]:
    if isinstance(jobs, str | Path):
        yield from read_jobs(jobs)
        return
    folder = Path.cwd()
    for number, given in enumerate(jobs, start=1):
        if isinstance(given, Job):
            yield number, given.based(folder)
        else:
            yield number, job_or_record(number, repr(given), given, folder)
