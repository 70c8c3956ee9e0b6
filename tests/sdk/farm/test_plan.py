"""Only what is missing or changed is rendered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emohead.errors import InputError
from emohead.farm.index import Index
from emohead.farm.plan import Plan
from emohead.farm.tasks import FarmState, Task
from emohead.jobs import Job, Record, failed_record, job_key, write_record

from .fakes import BUNDLE, done_record


class Folder:
    """An output folder, and plans over it."""

    def __init__(self, out: Path) -> None:
        self.out, self.log = out, list[Record]()
        (out / "speech.wav").write_bytes(b"speech")

    def job(self, output: str = "a.mp4", **fields: Any) -> Job:
        speech = self.out / "speech.wav"
        return Job(face=self.out / "f.jpg", speech=speech, output=output, **fields)

    def plan(self, jobs: Any, **how: Any) -> tuple[list[str], FarmState]:
        index, state = Index(), FarmState()
        index.fill(self.log)
        plan = Plan(jobs, self.out, index, BUNDLE, state, self.log.append, **how)
        tasks = list(plan.tasks())
        index.close()
        return [task.job.output for task in tasks], state

    def render(self, job: Job, *, logged: bool = True, status: str = "done") -> Record:
        task = Task(line=1, job=job, key=job_key(job, BUNDLE))
        video = self.out / job.output
        if status == "done":
            video.write_bytes(b"video")
            record = done_record(task).model_copy(update={"num_bytes": 5})
        else:
            record = failed_record(job.output, InputError("no face"), key=task.key, job=job)
        write_record(record, video)
        if logged:
            self.log.append(record)
        return record


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _truncate(folder: Folder) -> None:
    (folder.out / "a.mp4").write_bytes(b"vid")


def _remove(folder: Folder) -> None:
    (folder.out / "a.mp4").unlink()


def _other_speech(folder: Folder) -> None:
    (folder.out / "speech.wav").write_bytes(b"another")


def test_what_is_there_is_left_alone(folder: Folder) -> None:
    folder.render(folder.job())
    tasks, state = folder.plan([folder.job(), folder.job("b.mp4")])
    assert tasks == ["b.mp4"]
    assert state.counts() | {"unchanged": 1} == state.counts()
    assert folder.plan([folder.job(seed=1)])[0] == ["a.mp4"]


@pytest.mark.parametrize("change", [_truncate, _remove, _other_speech])
def test_what_changed_is_rendered_again(folder: Folder, change: Callable[[Folder], None]) -> None:
    folder.render(folder.job())
    change(folder)
    assert folder.plan([folder.job()])[0] == ["a.mp4"]


def test_failures_wait_for_a_change_or_for_retry_failed(folder: Folder) -> None:
    folder.render(folder.job(), status="failed")
    tasks, state = folder.plan([folder.job()])
    assert (tasks, state.failed_before, state.has_succeeded) == ([], 1, False)
    assert folder.plan([folder.job()], retry_failed=True)[0] == ["a.mp4"]
    _other_speech(folder)
    assert folder.plan([folder.job()])[0] == ["a.mp4"]


def test_a_lost_log_is_mended_from_the_records_beside_the_videos(folder: Folder) -> None:
    record = folder.render(folder.job(), logged=False)
    tasks, state = folder.plan([folder.job()])
    assert (tasks, state.unchanged, folder.log) == ([], 1, [record])


@pytest.mark.parametrize("second", ["a.mp4", "A.mp4", "a.MP4"])
def test_an_output_belongs_to_one_job(folder: Folder, second: str) -> None:
    tasks, state = folder.plan([folder.job(), folder.job(second, seed=1)])
    assert (tasks, state.failed) == (["a.mp4"], 1)
    (refused,) = folder.log
    assert refused.error is not None
    assert "belongs to line 1 already" in refused.error.message
    folder.render(folder.job())
    again, state = folder.plan([folder.job(), folder.job(second, seed=1)])
    assert (again, state.unchanged, state.failed_before, len(folder.log)) == ([], 1, 1, 2)


def test_lines_that_are_no_jobs_are_recorded_once(folder: Folder) -> None:
    jobs: list[Any] = [{"output": "a.mp4"}, folder.job()]
    tasks, state = folder.plan(jobs)
    assert (tasks, state.failed, state.read) == (["a.mp4"], 1, 2)
    assert [r.output for r in folder.log] == ["a.mp4"]
    assert folder.plan(jobs)[1].failed_before == 1
    assert folder.plan([{"output": "b.mp4"}])[1].failed == 1


def test_records_take_no_place_of_what_a_job_reads(folder: Folder) -> None:
    track = folder.out / "a.json"
    track.write_text("precious")
    with pytest.raises(InputError, match="would take the place of"):
        folder.render(folder.job(emotion_track=track), status="failed")
    assert track.read_text() == "precious"
