"""The rules by which a farm gives, takes back and gives up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emohead.errors import BackendError, InputError
from emohead.farm.dispatch import Dispatcher
from emohead.farm.tasks import Crashed, Event, FarmState, Task, Unusable, Worker
from emohead.jobs import Record
from emohead.jobs.record import failure_of

from .fakes import FakePool, done_record, failed, make_task

React = Callable[[FakePool, Worker, Task], Event | None]


class Run:
    """A dispatcher over a pool, and what came of it."""

    def __init__(self, pool: FakePool, num_tasks: int, **how: Any) -> None:
        self.pool, self.state = pool, FarmState()
        self.records: list[Record] = []
        self.cleaned: list[str] = []
        self.pulled = 0
        self.most_ahead = 0
        self._num_tasks = num_tasks
        given: dict[str, Any] = {"found": lambda task: None, **how}
        self.dispatcher = Dispatcher(
            self._tasks(),
            pool,
            self.state,
            keep=self.records.append,
            clean=lambda task: self.cleaned.append(task.job.output),
            **given,
        )

    def _tasks(self) -> Iterator[Task]:
        for number in range(self._num_tasks):
            self.pulled += 1
            self.most_ahead = max(self.most_ahead, self.pulled - len(self.records))
            yield make_task(number)

    def statuses(self) -> dict[str, str]:
        return {r.output: r.status for r in self.records}


def test_every_task_gets_its_record_and_few_are_held() -> None:
    run = Run(FakePool(3, slots=2), 500)
    run.dispatcher.run()
    assert run.statuses() == {f"{i}.mp4": "done" for i in range(500)}
    assert len(run.records) == run.state.done == 500
    assert run.state.frames == 1000
    assert run.most_ahead <= 3 * (2 + 1) + 3 + 1


def test_what_may_pass_is_tried_on_another_worker() -> None:
    def react(pool: FakePool, worker: Worker, task: Task) -> Event | None:
        if task.job.output == "1.mp4" and worker.name == "w1":
            return failed(worker, task, BackendError("no memory"))
        return None

    run = Run(FakePool(3), 9)
    run.pool._react = react
    run.dispatcher.run()
    tries = [(w, attempt) for w, output, attempt in run.pool.given if output == "1.mp4"]
    assert tries[0] == ("w1", 1)
    assert tries[1][0] != "w1"
    assert (len(tries), run.state.retried, run.state.done) == (2, 1, 9)


@pytest.mark.parametrize(("error", "tries"), [(InputError("no face"), 1), (OSError("disk"), 3)])
def test_failures_are_recorded_and_input_errors_not_retried(error: Exception, tries: int) -> None:
    def react(pool: FakePool, worker: Worker, task: Task) -> Event | None:
        return failed(worker, task, error) if task.job.output == "0.mp4" else None

    run = Run(FakePool(2, react), 4)
    run.dispatcher.run()
    assert run.statuses() == {"0.mp4": "failed", **{f"{i}.mp4": "done" for i in (1, 2, 3)}}
    assert sum(output == "0.mp4" for _, output, _ in run.pool.given) == tries
    assert not run.state.has_succeeded


def test_a_dead_workers_tasks_go_to_others_one_at_a_time() -> None:
    alone: list[int] = []

    def react(pool: FakePool, worker: Worker, task: Task) -> Event | None:
        if task.job.output == "2.mp4" and task.attempt == 1:
            return Crashed(worker, pool.bury(worker), "killed")
        if task.attempt > 1:
            alone.append(len(worker.tasks))
        return None

    run = Run(FakePool(2, react, slots=2), 12)
    run.dispatcher.run()
    assert run.statuses() == {f"{i}.mp4": "done" for i in range(12)}
    assert len(run.records) == 12
    assert run.state.deaths == 1
    assert alone == [1] * len(run.cleaned)
    assert "2.mp4" in run.cleaned
    assert len(run.cleaned) == 3  # two at once, and one that waited


def test_short_jobs_wait_at_their_worker_and_long_ones_do_not() -> None:
    worker = Worker(name="w", slots=2)
    assert worker.limit == 2
    worker.done, worker.seconds = 10, 50.0
    assert worker.limit == 3
    worker.seconds = 5000.0
    assert worker.limit == 2


def test_what_a_dead_worker_finished_is_not_rendered_again() -> None:
    def react(pool: FakePool, worker: Worker, task: Task) -> Event | None:
        if task.job.output == "0.mp4":
            return Crashed(worker, pool.bury(worker), "killed")
        return None

    run = Run(FakePool(2, react), 3, found=done_record)
    run.dispatcher.run()
    assert sum(output == "0.mp4" for _, output, _ in run.pool.given) == 1
    assert run.statuses()["0.mp4"] == "done"
    assert run.cleaned == []


def test_a_job_that_kills_workers_is_given_up() -> None:
    def react(pool: FakePool, worker: Worker, task: Task) -> Event | None:
        if task.job.output == "0.mp4":
            tasks = pool.bury(worker)
            pool._workers.append(Worker(name=f"{worker.name}+", slots=1, is_ready=True))
            return Crashed(worker, tasks, "segmentation fault")
        return None

    run = Run(FakePool(2, react), 4, retries=1)
    run.dispatcher.run()
    lost = next(r for r in run.records if r.output == "0.mp4")
    assert lost.error is not None
    assert "died 2 times" in lost.error.message
    assert lost.attempt == 2
    assert "segmentation fault" in lost.error.message
    assert not lost.error.is_final
    assert run.state.done == 3


def test_without_workers_the_farm_ends_with_the_reason() -> None:
    class Useless(FakePool):
        def wait(self, timeout_s: float) -> list[Event]:
            worker = self._workers[0]
            self.bury(worker)
            return [Unusable(worker, failure_of(BackendError("engine missing")))]

    run = Run(Useless(2), 3)
    with pytest.raises(BackendError, match="no worker is left.*engine missing"):
        run.dispatcher.run()
    assert run.records == []


def test_dropping_keeps_what_finishes_and_cleans_the_rest() -> None:
    run = Run(FakePool(2), 10)
    pool = run.pool
    pool.wait(0)
    run.dispatcher._look_ahead()
    run.dispatcher._give()
    hanging = pool._queue.pop()
    run.dispatcher.drop(1.0)
    assert pool.is_cancelled
    assert run.statuses() == {"0.mp4": "done"}
    assert run.cleaned == [hanging[1].job.output]
