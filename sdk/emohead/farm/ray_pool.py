"""Workers as Ray actors: started, watched, replaced.

An actor that died is replaced by another, and so is one that cannot be reached: it is killed first,
so that nothing is rendered twice. Not here: what they are given (``dispatch.py``).
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from emohead.errors import BackendError
from emohead.farm.tasks import Crashed, Event, Finished, Ready, Task, Unusable, Worker
from emohead.farm.workers import WorkerProcess
from emohead.jobs import Failure, failed_record

if TYPE_CHECKING:
    from pathlib import Path

    from emohead.farm.tasks import Loader

__all__ = ["RayPool", "WorkerNeeds", "num_workers_for", "reason_of"]

logger = logging.getLogger(__name__)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_MAX_REASON: Final = 300
MAX_BAD_STARTS: Final = 3
"""Workers that may die while they load, one after another, before no more are started."""


@dataclass(frozen=True, kw_only=True)
class WorkerNeeds:
    """What one worker takes from its machine."""

    cpus: float = 1
    """Above 0."""
    gpus: float = 0
    tracks: int = 1
    """Jobs at once."""


@dataclass(frozen=True)
class _Call:
    """A call to an actor that has not returned."""

    worker: Worker
    task: Task | None
    """None for the call that loads."""


class RayPool:
    """Actors on the Ray cluster that this process is connected to.

    Parameters
    ----------
    loader : Loader
        Sent to every worker.
    out : Path
        Output folder, at the same place on every machine.
    num_workers : int
        How many; those for which there is no room wait until there is.
    needs : WorkerNeeds
        Of each.
    """

    def __init__(self, loader: Loader, out: Path, num_workers: int, needs: WorkerNeeds) -> None:
        import ray

        self._ray = ray
        self._out, self._needs = str(out), needs
        self._loader = ray.put(loader)
        self._actors: dict[Worker, Any] = {}
        self._calls: dict[Any, _Call] = {}
        self._started = 0
        self._bad_starts = 0
        for _ in range(num_workers):
            self._start()

    @property
    def workers(self) -> Sequence[Worker]:
        """All of them, those that are still loading included."""
        return tuple(self._actors)

    def send(self, worker: Worker, task: Task) -> None:
        """Give a worker a task."""
        ref = self._actors[worker].render.remote(task.job, task.line, task.attempt)
        worker.tasks.append(task)
        self._calls[ref] = _Call(worker, task)

    def wait(self, timeout_s: float) -> list[Event]:
        """Wait until something happens, or the time is over."""
        if not self._calls:
            time.sleep(timeout_s)
            return []
        refs = list(self._calls)
        ready, _ = self._ray.wait(refs, num_returns=1, timeout=timeout_s)
        if ready:  # whatever else is ready by now
            ready, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        events = [self._event(ref) for ref in ready if ref in self._calls]
        return [event for event in events if event is not None]

    def cancel(self) -> None:
        """Ask every worker to drop what it has in hand."""
        for worker, actor in self._actors.items():
            if worker.is_ready:
                actor.cancel.remote()

    def close(self) -> None:
        """Kill the workers; what they have in hand is lost."""
        for actor in self._actors.values():
            self._kill(actor)
        self._actors.clear()
        self._calls.clear()

    def _start(self) -> None:
        self._started += 1
        worker = Worker(name=f"w{self._started}", slots=self._needs.tracks)
        # Two threads more than jobs at once: for the job that waits, and for `cancel`.
        actor = (
            self._ray.remote(WorkerProcess)
            .options(
                num_cpus=self._needs.cpus,
                num_gpus=self._needs.gpus,
                max_concurrency=self._needs.tracks + 2,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy="SPREAD",
            )
            .remote(self._loader, self._out, worker.name, self._needs.tracks)
        )
        self._actors[worker] = actor
        self._calls[actor.load.remote()] = _Call(worker, None)

    def _event(self, ref: Any) -> Event | None:
        """Turn a call that returned into what happened; None for one of a worker that is gone."""
        call = self._calls.pop(ref)
        try:
            result = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as err:
            if call.task is None:
                return self._crashed(call, err)
            result = failed_record(
                call.task.job.output,
                err.cause,
                key=call.task.key,
                job=call.task.job,
                line=call.task.line,
                attempt=call.task.attempt,
            )
        except self._ray.exceptions.RayError as err:
            return self._crashed(call, err)
        if call.task is None:
            return self._loaded(call.worker, *result)
        call.worker.tasks.remove(call.task)
        return Finished(call.worker, call.task, result)

    def _loaded(self, worker: Worker, node: str, failure: Failure | None) -> Event:
        worker.node = node
        if failure is None:
            self._bad_starts = 0
            worker.is_ready = True
            return Ready(worker)
        self._remove(worker)
        return Unusable(worker, failure)

    def _crashed(self, call: _Call, error: Exception) -> Event:
        """Put a worker away with everything it had in hand, and start another one."""
        worker, tasks = call.worker, list(call.worker.tasks)
        self._remove(worker)
        if not worker.is_ready:
            self._bad_starts += 1
        if self._bad_starts < MAX_BAD_STARTS:
            self._start()
        return Crashed(worker, tasks, reason_of(error))

    def _remove(self, worker: Worker) -> None:
        self._kill(self._actors.pop(worker))
        self._calls = {r: c for r, c in self._calls.items() if c.worker is not worker}
        worker.tasks.clear()

    def _kill(self, actor: Any) -> None:
        try:
            self._ray.kill(actor, no_restart=True)
        except (self._ray.exceptions.RayError, ValueError) as err:
            logger.debug("an actor could not be killed: %s", err)


def reason_of(error: Exception) -> str:
    """Find the sentence that matters in an error of Ray: its last line, without colours."""
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines() if line.strip()]
    return lines[-1][:_MAX_REASON] if lines else type(error).__name__


def num_workers_for(ray_resources: dict[str, float], needs: WorkerNeeds) -> int:
    """Count the workers that a cluster has room for, at least one.

    Raises
    ------
    BackendError
        If a worker asks for a GPU and no machine has one.
    """
    gpus, cpus = ray_resources.get("GPU", 0.0), ray_resources.get("CPU", 0.0)
    if needs.gpus:
        if gpus < needs.gpus:
            raise BackendError(
                f"expected {needs.gpus:g} GPU for each worker, the cluster has {gpus:g}: "
                "give --gpus-per-worker 0, or add machines"
            )
        return max(1, min(int(gpus // needs.gpus), int(cpus // needs.cpus)))
    return max(1, int(cpus // needs.cpus))
