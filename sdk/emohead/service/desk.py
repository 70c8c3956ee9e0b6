"""Where renders wait, are made in threads, and are looked up; never on the event loop.

Called by ``render_routes.py``. Not here: HTTP, files (``store.py``), pixels (``emohead.jobs``).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from emohead.errors import BackendError
from emohead.jobs import Job, Record, failed_record
from emohead.jobs.record import utc_now
from emohead.jobs.schema import FILES
from emohead.service.metrics import Metrics
from emohead.service.schema import ProblemDetail, Progress, Render
from emohead.service.settings import ServiceSettings
from emohead.service.store import Store

__all__ = ["Desk", "Entry", "FullError", "Renders"]

Progressed = Callable[[int, int], object]
_FIRST_GUESS_S: Final = 10.0
"""How long a render takes, before one was made."""
LAST_S: Final = 30.0
"""How long a cancelled render may take to notice, when the service stops."""
logger = logging.getLogger(__name__)


class Renders(Protocol):
    """Renders a job, as ``emohead.jobs.JobRenderer`` does."""

    def render(
        self,
        job: Job,
        out_dir: str | Path,
        *,
        progress: Progressed | None = ...,
        cancel: threading.Event | None = ...,
    ) -> Record:
        """Render a job into a folder; never raises for a job that fails."""


class FullError(Exception):
    """No more renders can wait now.

    Parameters
    ----------
    retry_s : int
        When to try again, s.
    """

    def __init__(self, retry_s: int) -> None:
        super().__init__(retry_s)
        self.retry_s = retry_s


@dataclass(eq=False, kw_only=True)
class Entry:
    """A render in memory; `render` is replaced, never changed."""

    render: Render
    job: Job | None = None
    """None once it has ended."""
    cancel: threading.Event = field(default_factory=threading.Event)
    is_deleted: bool = False


class Desk:
    """Accepts renders and makes them, `tracks` at a time, first come first served.

    Parameters
    ----------
    settings : ServiceSettings
    renderer : Renders
        Called from as many threads as there are tracks.
    store : Store
    metrics : Metrics
    """

    def __init__(
        self, settings: ServiceSettings, renderer: Renders, store: Store, metrics: Metrics
    ) -> None:
        self._settings, self._renderer = settings, renderer
        self.store, self._metrics = store, metrics
        self._changed = threading.Condition()
        self._waiting: deque[Entry] = deque()
        self._entries = {r.id: Entry(render=r) for r in store.recover()}
        self._num_running = 0
        self._mean_s = _FIRST_GUESS_S
        self.is_stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"emohead-render-{i}", daemon=True)
            for i in range(settings.tracks)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_well(self) -> bool:
        """Whether renders are accepted and somebody makes them."""
        return not self.is_stopping and all(t.is_alive() for t in self._threads)

    def check_room(self) -> None:
        """Raise FullError where no more can wait."""
        with self._changed:
            if self.is_stopping or len(self._waiting) >= self._settings.queue:
                raise FullError(self._retry_s())

    def accept(self, job: Job, folder: Path) -> Render:
        """Take a render in; from now on it will end or be recorded.

        Parameters
        ----------
        job : Job
            Its files lie in `folder`.
        folder : Path
            From ``Store.new_folder``.

        Returns
        -------
        Render
            Queued.

        Raises
        ------
        FullError
            If no more can wait.
        """
        settings = job.model_dump(mode="json", exclude={*FILES, "output"})
        render = Render(id=folder.name, state="queued", created=utc_now(), settings=settings)
        with self._changed:
            if self.is_stopping or len(self._waiting) >= self._settings.queue:
                raise FullError(self._retry_s())
            self.store.write(render)
            entry = Entry(render=render, job=job)
            self._entries[render.id] = entry
            self._waiting.append(entry)
            self._count()
            self._changed.notify()
        return render

    def find(self, render_id: str) -> Entry | None:
        """Look a render up."""
        with self._changed:
            return self._entries.get(render_id)

    def page(self, limit: int, after: str | None) -> tuple[list[Render], str | None]:
        """List renders that were accepted before `after`, newest first, and where to go on."""
        with self._changed:
            renders = [e.render for e in reversed(self._entries.values())]
        ids = [r.id for r in renders]
        begin = ids.index(after) + 1 if after in ids else 0
        chosen = renders[begin : begin + limit]
        is_last = begin + limit >= len(renders)
        return chosen, None if is_last or not chosen else chosen[-1].id

    def delete(self, entry: Entry) -> None:
        """Forget a render; one that waits or runs is cancelled, and stays in the log."""
        with self._changed:
            self._entries.pop(entry.render.id, None)
            entry.is_deleted = True
            entry.cancel.set()
            waits = entry in self._waiting
            if waits:
                self._waiting.remove(entry)
                self._count()
            is_running = entry.render.state == "running"
        if waits:
            self._ended(entry, _cancelled(entry))
        elif not is_running:
            self.store.remove(entry.render.id)

    def stop(self, grace_s: float) -> None:
        """Accept nothing more; finish what runs, if it takes no longer than `grace_s`.

        What waits, and what takes longer, is recorded as interrupted.
        """
        with self._changed:
            self.is_stopping = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for entry in left:
            entry.render = self.store.interrupt(entry.render)
            self._metrics.renders.labels("interrupted").inc()
        deadline = time.monotonic() + grace_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            for entry in self._entries.values():
                entry.cancel.set()
        deadline = time.monotonic() + LAST_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            stuck = [e for e in self._entries.values() if not e.render.has_ended]
            for entry in stuck:
                entry.render = self.store.interrupt(entry.render)

    def _work(self) -> None:
        """Render one after another; the body of the threads."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self.is_stopping)
                if not self._waiting:
                    return
                entry = self._waiting.popleft()
                self._num_running += 1
                entry.render = entry.render.model_copy(
                    update={"state": "running", "started": utc_now()}
                )
                self._count()
            try:
                self._make(entry)
            finally:
                with self._changed:
                    self._num_running -= 1
                    self._count()

    def _make(self, entry: Entry) -> None:
        began = time.perf_counter()
        job, folder = entry.job, self.store.root / entry.render.id
        assert job is not None

        def tell(done: int, total: int) -> None:
            progress = Progress(done=done, total=total)
            entry.render = entry.render.model_copy(update={"progress": progress})

        try:
            self.store.write(entry.render)
            record = self._renderer.render(job, folder, progress=tell, cancel=entry.cancel)
        except Exception as err:  # the next render must not suffer
            logger.exception("render %s", entry.render.id)
            record = failed_record(entry.render.id, err, key=entry.render.id)
        self._mean_s += 0.2 * (time.perf_counter() - began - self._mean_s)
        self._metrics.frames.inc(record.frames)
        self._ended(entry, record)

    def _ended(self, entry: Entry, record: Record) -> None:
        """Say and keep how a render ended, unless it was given up before."""
        if entry.render.has_ended:
            return
        if record.status == "cancelled" and not entry.is_deleted:
            ended = self.store.interrupt(entry.render)  # the service stops
        else:
            ended = _told(entry.render, record, self.store.root / entry.render.id)
            self.store.end(ended, record)
        self._metrics.renders.labels(ended.state).inc()
        with self._changed:
            entry.job = None
            entry.render = ended
            surplus = self._surplus()
        if entry.is_deleted:
            self.store.remove(ended.id)
        for old in surplus:
            self.store.remove(old)

    def _surplus(self) -> list[str]:
        """Forget ended renders beyond those to keep, oldest first."""
        ended = [i for i, e in self._entries.items() if e.render.has_ended]
        old = ended[: max(0, len(ended) - self._settings.keep)]
        for render_id in old:
            del self._entries[render_id]
        return old

    def _retry_s(self) -> int:
        rounds = (len(self._waiting) + self._num_running) / self._settings.tracks
        return max(1, min(600, round(self._mean_s * max(1.0, rounds / 4))))

    def _count(self) -> None:
        self._metrics.queued.set(len(self._waiting))
        self._metrics.running.set(self._num_running)


def _cancelled(entry: Entry) -> Record:
    error = BackendError("cancelled before it was begun")
    record = failed_record(entry.render.id, error, key=entry.render.id)
    return record.model_copy(update={"status": "cancelled", "error": None})


def _told(render: Render, record: Record, folder: Path) -> Render:
    """Say of a render what its record says, without the places of the server."""

    def plain(text: str) -> str:
        return text.replace(f"{folder.resolve()}{os.sep}", "").replace(f"{folder}{os.sep}", "")

    error = record.error
    told = {
        "state": record.status,
        "finished": record.finished,
        "emotion": record.emotion,
        "notes": [plain(note) for note in record.notes],
        "num_bytes": record.num_bytes,
        "video_sha256": record.video_sha256,
        "error": error and ProblemDetail(type=error.type, message=plain(error.message)),
    }
    return render.model_copy(update=told)
