"""Who renders what, and what happens when it goes wrong: the farm's loop.

Knows nothing of Ray, so that its rules can be tested without: see ``tasks.Pool``.
Not here: what has to be rendered (``plan.py``), how workers run (``ray_pool.py``).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from emohead.errors import BackendError
from emohead.farm.tasks import Crashed, Event, Finished, Pool, Ready, Task, Unusable, Worker
from emohead.jobs import Record, failed_record

if TYPE_CHECKING:
    from emohead.farm.tasks import FarmState

__all__ = ["Dispatcher"]

logger = logging.getLogger(__name__)
TICK_S: Final = 0.5
"""How often the state is shown where nothing happens."""


class Dispatcher:
    """Gives tasks to workers as they come free, and the failed ones to others.

    Memory holds the tasks in hand, one more for each worker, and no others.

    Parameters
    ----------
    tasks : iterator of Task
        Pulled one at a time.
    pool : Pool
    state : FarmState
        Where to count.
    keep : callable
        Called with every final record.
    found : callable
        Record of a task's video where it is there already, or None.
    clean : callable
        Called with a task that a dead worker left, before it is given to another one.
    retries : int
        Tries after the first one.
    on_change : callable
        Called with the state, after everything that happens and twice a second.
    """

    def __init__(
        self,
        tasks: Iterator[Task],
        pool: Pool,
        state: FarmState,
        *,
        keep: Callable[[Record], None],
        found: Callable[[Task], Record | None],
        clean: Callable[[Task], None],
        retries: int = 2,
        on_change: Callable[[FarmState], object] = lambda state: None,
    ) -> None:
        self._tasks, self._pool, self._state = tasks, pool, state
        self._keep, self._found, self._clean = keep, found, clean
        self._retries, self._on_change = retries, on_change
        self._ahead: deque[Task] = deque()
        self._again: list[Task] = []
        self._is_drained = False

    def run(self) -> None:
        """Work until every task has its record.

        Raises
        ------
        BackendError
            If no worker is left.
        """
        self._look_ahead()
        while self._ahead or self._again or any(w.tasks for w in self._pool.workers):
            if not self._pool.workers:
                raise BackendError(f"no worker is left: {self._state.last or 'all of them ended'}")
            self._give()
            self._show()
            for event in self._pool.wait(TICK_S):
                self._take(event)
            self._look_ahead()
        self._show()

    def _show(self) -> None:
        self._state.workers = self._pool.workers
        self._on_change(self._state)

    def drop(self, grace_s: float) -> None:
        """Cancel what is in hand, and wait a little for it to be put away."""
        self._pool.cancel()
        ticks = max(1, round(grace_s / TICK_S))
        while any(w.tasks for w in self._pool.workers) and ticks:
            for event in self._pool.wait(TICK_S):
                if isinstance(event, Finished):
                    self._count(event.worker, event.record)
            ticks -= 1
        for worker in self._pool.workers:
            for task in worker.tasks:
                self._clean(task)

    def _look_ahead(self) -> None:
        """Plan as many tasks as there are workers, so that none waits for hashes."""
        while not self._is_drained and len(self._ahead) < max(1, len(self._pool.workers)):
            task = next(self._tasks, None)
            if task is None:
                self._is_drained = True
            else:
                self._ahead.append(task)

    def _give(self) -> None:
        """Fill free slots, one a worker and round, idle ones first, so that few tasks spread."""
        has_given = True
        while has_given:
            has_given = False
            for worker in sorted(self._pool.workers, key=lambda w: len(w.tasks)):
                if (task := self._next_for(worker)) is not None:
                    self._pool.send(worker, task)
                    has_given = True

    def _next_for(self, worker: Worker) -> Task | None:
        is_full = not worker.is_ready or len(worker.tasks) >= worker.limit
        if is_full or any(t.is_suspect for t in worker.tasks):
            return None
        others = {w.name for w in self._pool.workers if w.is_ready}
        for task in self._again:
            is_fresh = worker.name not in task.tried or others <= task.tried
            if is_fresh and not (task.is_suspect and worker.tasks):
                self._again.remove(task)
                return task
        if not self._ahead:
            self._look_ahead()
        return self._ahead.popleft() if self._ahead else None

    def _take(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._finish(event)
        elif isinstance(event, Crashed):
            self._crash(event)
        elif isinstance(event, Unusable):
            self._state.last = f"{event.worker.name}: {event.failure.message}"
            logger.warning("worker %s is of no use: %s", event.worker.name, event.failure.message)
        elif isinstance(event, Ready):
            logger.info("worker %s is ready on %s", event.worker.name, event.worker.node)

    def _finish(self, event: Finished) -> None:
        """Keep a record, or try again elsewhere what may succeed there."""
        task, record = event.task, event.record
        error = record.error
        if error is not None:
            self._state.last = f"{record.output}: {error.message}"
            if not error.is_final and task.attempt <= self._retries:
                self._retry(task, event.worker)
                return
        self._count(event.worker, record)

    def _crash(self, event: Crashed) -> None:
        """Give a dead worker's tasks to others: each alone, for one of them may be the reason."""
        self._state.deaths += 1
        self._state.last = f"worker {event.worker.name} died: {event.reason}"
        logger.warning("worker %s died: %s", event.worker.name, event.reason)
        for task in event.tasks:
            if (record := self._found(task)) is not None:  # it died after the video was there
                self._count(event.worker, record)
                continue
            self._clean(task)
            if task.attempt <= self._retries:
                task.is_suspect = True
                self._retry(task, event.worker)
                continue
            error = BackendError(
                f"workers died {task.attempt} times while they rendered it ({event.reason}): "
                "look at the memory of the machines, and at this job's inputs"
            )
            record = failed_record(
                task.job.output,
                error,
                key=task.key,
                job=task.job,
                line=task.line,
                attempt=task.attempt,
            )
            self._count(event.worker, record)

    def _retry(self, task: Task, worker: Worker) -> None:
        self._state.retried += 1
        task.attempt += 1
        task.tried.add(worker.name)
        self._again.append(task)

    def _count(self, worker: Worker, record: Record) -> None:
        state = self._state
        if record.status == "done":
            state.done += 1
            worker.done += 1
            worker.frames += record.frames
            worker.seconds += record.timings.get("total_s", 0.0)
            state.frames += record.frames
            state.job_seconds += record.timings.get("total_s", 0.0)
        elif record.status == "failed":
            state.failed += 1
        else:
            state.cancelled += 1
        self._keep(record)
