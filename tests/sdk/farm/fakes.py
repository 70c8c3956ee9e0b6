"""A head whose videos are a few bytes, and a pool that does what the test says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from emohead.emotion import emotion_from
from emohead.errors import InputError
from emohead.farm.tasks import Event, Finished, Ready, Task, Worker
from emohead.images import read_image
from emohead.jobs import Job, JobRenderer, Record, failed_record
from emohead.jobs.record import utc_now

BUNDLE = "b" * 64


class FakeClip:
    """Two frames that take a while."""

    emotion = emotion_from("happy")
    notes: tuple[str, ...] = ()
    timings: dict[str, float] = {}  # noqa: RUF012

    def __init__(self, seed: int, diary: Path) -> None:
        self._seed, self._diary = seed, diary

    def __len__(self) -> int:
        return 2

    def save(self, path: Path, *, progress: Callable[[int, int], object]) -> None:
        temporary = path.with_name(f".{path.stem}-{os.getpid():08x}.part")
        try:
            temporary.write_bytes(b"part")
            for done in (1, 2):
                time.sleep(0.05)
                progress(done, 2)
            temporary.write_bytes(f"video {self._seed}".encode())
            with self._diary.open("a") as diary:
                diary.write(f"{path.name}\n")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@dataclass
class FakeHead:
    """Dies at the first job with a deadly seed; writes down every video that it finishes."""

    diary: Path
    deadly: int = -1
    bundle: Any = field(
        default_factory=lambda: SimpleNamespace(manifest=SimpleNamespace(sha256=BUNDLE))
    )
    backend: Any = field(default_factory=lambda: SimpleNamespace(name="fake"))

    def portrait(self, photo: Path, **how: Any) -> Any:
        pixels = read_image(photo)
        if np.ptp(pixels) == 0:
            raise InputError("expected a photo of a face, got none")
        return SimpleNamespace(photo=pixels)

    def animate(self, face: Any, speech: Any, *, seed: int, **how: Any) -> FakeClip:
        mark = self.diary.with_name("died")
        if seed == self.deadly and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return FakeClip(seed, self.diary)


@dataclass
class FakeLoader:
    """Loads a ``FakeHead``."""

    diary: Path
    deadly: int = -1
    bundle_sha256: str = BUNDLE

    def __call__(self, worker: str) -> JobRenderer:
        head: Any = FakeHead(self.diary, self.deadly)
        return JobRenderer(head, worker=worker)


def done_record(task: Task, worker: str = "w") -> Record:
    now = utc_now()
    return Record(
        output=task.job.output,
        key=task.key,
        status="done",
        job=task.job,
        line=task.line,
        worker=worker,
        started=now,
        finished=now,
        frames=2,
    )


class FakePool:
    """Workers that are ready at once and finish in the order in which they were given tasks.

    `react` says what becomes of a task: an event, or None for a finished video.
    """

    def __init__(
        self,
        num_workers: int,
        react: Callable[[FakePool, Worker, Task], Event | None] = lambda *_: None,
        slots: int = 1,
    ) -> None:
        self._workers = [Worker(name=f"w{i}", slots=slots) for i in range(num_workers)]
        self._react = react
        self._started = False
        self._queue: list[tuple[Worker, Task]] = []
        self.given: list[tuple[str, str, int]] = []
        """Worker, output and attempt of every task."""
        self.is_cancelled = False

    @property
    def workers(self) -> Sequence[Worker]:
        return tuple(self._workers)

    def send(self, worker: Worker, task: Task) -> None:
        worker.tasks.append(task)
        self._queue.append((worker, task))
        self.given.append((worker.name, task.job.output, task.attempt))

    def wait(self, timeout_s: float) -> list[Event]:
        if not self._started:
            self._started = True
            for worker in self._workers:
                worker.is_ready = True
            return [Ready(w) for w in self._workers]
        if not self._queue:
            return []
        worker, task = self._queue.pop(0)
        event = self._react(self, worker, task)
        if event is not None:
            return [event]
        worker.tasks.remove(task)
        return [Finished(worker, task, done_record(task, worker.name))]

    def bury(self, worker: Worker) -> list[Task]:
        """Take a worker away with its tasks."""
        tasks = list(worker.tasks)
        self._workers.remove(worker)
        self._queue = [(w, t) for w, t in self._queue if w is not worker]
        return tasks

    def cancel(self) -> None:
        self.is_cancelled = True


def failed(worker: Worker, task: Task, error: Exception) -> Finished:
    worker.tasks.remove(task)
    record = failed_record(task.job.output, error, key=task.key, job=task.job, line=task.line)
    return Finished(worker, task, record)


def make_task(number: int) -> Task:
    job = Job(face=Path("f"), speech=Path("s"), output=f"{number}.mp4")
    return Task(line=number, job=job, key=str(number))
