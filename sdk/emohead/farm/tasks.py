"""What the parts of a farm tell each other: tasks, workers, events, and the state that is shown.

Not here: who decides (``dispatch.py``), how workers run (``ray_pool.py``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from emohead.jobs import Failure, Job, Record
    from emohead.jobs.rendering import Cancel

__all__ = [
    "Crashed",
    "Event",
    "FarmState",
    "Finished",
    "Loader",
    "Pool",
    "Ready",
    "Renders",
    "Task",
    "Unusable",
    "Worker",
]

SHORT_S: Final = 10.0
"""Mean time below which a worker's jobs are short."""


@dataclass(kw_only=True, eq=False)
class Task:
    """A job on its way."""

    line: int
    """Where it stands in its file."""
    job: Job
    key: str
    """From ``job_key``."""
    attempt: int = 1
    """Which try is next."""
    tried: set[str] = field(default_factory=set)
    """Workers that failed."""
    is_suspect: bool = False
    """Whether a worker died with it, so that it has to run alone."""


@dataclass(kw_only=True, eq=False)
class Worker:
    """One actor as the driver sees it."""

    name: str
    slots: int
    """Jobs at once."""
    node: str = ""
    """Machine, once it is known."""
    is_ready: bool = False
    tasks: list[Task] = field(default_factory=list)
    """In hand."""
    done: int = 0
    frames: int = 0
    seconds: float = 0.0
    """Spent on videos that are done."""

    @property
    def limit(self) -> int:
        """Jobs it may have in hand: one more than at once where they are short.

        A short job that waits at the worker saves it from waiting for the driver; a long one would
        wait there while another worker is idle.
        """
        return self.slots + (self.done > 0 and self.seconds < SHORT_S * self.done)


class Renders(Protocol):
    """What a worker's process renders with; ``JobRenderer`` is one."""

    def render(
        self,
        job: Job,
        out_dir: str | Path,
        *,
        cancel: Cancel | None = None,
        attempt: int = 1,
        line: int | None = None,
    ) -> Record:
        """Render a job; never raises for a bad one."""

    def close(self) -> None:
        """Let go of everything."""


class Loader(Protocol):
    """Makes what a worker renders with, in the worker's process; it is sent there by pickle."""

    @property
    def bundle_sha256(self) -> str:
        """Identity of the networks, part of every job's key."""

    def __call__(self, worker: str) -> Renders:
        """Load, for the worker of that name."""


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its networks."""

    worker: Worker


@dataclass(frozen=True)
class Finished:
    """A worker is through with a task."""

    worker: Worker
    task: Task
    record: Record


@dataclass(frozen=True)
class Crashed:
    """A worker died, with the tasks it had in hand; it is replaced."""

    worker: Worker
    tasks: list[Task]
    reason: str


@dataclass(frozen=True)
class Unusable:
    """A worker could not load its networks; it is not replaced."""

    worker: Worker
    failure: Failure


Event = Ready | Finished | Crashed | Unusable


class Pool(Protocol):
    """Workers, wherever they run."""

    @property
    def workers(self) -> Sequence[Worker]:
        """All of them, those that are still loading included."""

    def send(self, worker: Worker, task: Task) -> None:
        """Give a worker a task."""

    def wait(self, timeout_s: float) -> list[Event]:
        """Wait until something happens, or the time is over."""

    def cancel(self) -> None:
        """Ask every worker to drop what it has in hand."""


@dataclass(kw_only=True)
class FarmState:
    """How far a farm is; given to ``on_change``."""

    workers: Sequence[Worker] = ()
    read: int = 0
    """Lines looked at."""
    done: int = 0
    """Videos made now."""
    unchanged: int = 0
    """Videos that were there already."""
    failed: int = 0
    """Jobs that failed now."""
    failed_before: int = 0
    """Jobs that failed in an earlier run and were not tried again."""
    cancelled: int = 0
    retried: int = 0
    """Tries after the first."""
    deaths: int = 0
    """Workers that died."""
    frames: int = 0
    job_seconds: float = 0.0
    """Sum over finished jobs."""
    last: str = ""
    """Sentence on the last thing that went wrong."""
    began: float = field(default_factory=time.monotonic)

    @property
    def has_succeeded(self) -> bool:
        """Whether every job has its video."""
        return not (self.failed or self.failed_before or self.cancelled)

    def counts(self) -> dict[str, int]:
        """Jobs by what became of them."""
        names = ("done", "unchanged", "failed", "failed_before", "cancelled")
        return {name: getattr(self, name) for name in names}
