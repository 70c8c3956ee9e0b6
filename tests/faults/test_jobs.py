"""What goes wrong in one job stays in it: no memory, a GPU that is gone, a clock that jumps."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emohead import BackendError, TalkingHead
from emohead.backends import choose_backend
from emohead.bundle import Bundle
from emohead.jobs import Job, JobRenderer
from emohead.runner import Runner
from emohead.samples import SAMPLE_FACE
from emohead.stages import RENDERER, STAGES

NUM_FRAMES = 9


class Failing(Runner):
    """Renderer that raises at one of its steps, once."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner.spec)
        self._inner, self.error, self.steps_left = runner, None, 0

    def _run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        if self.error is not None:
            if self.steps_left == 0:
                error, self.error = self.error, None
                raise error
            self.steps_left -= 1
        return self._inner.run_checked(feed)


@pytest.fixture(scope="module")
def renderer(tiny_bundle: Path) -> Failing:
    return Failing(Bundle.open(tiny_bundle).runner(RENDERER.name, choose_backend("cpu")))


@pytest.fixture(scope="module")
def head(tiny_bundle: Path, renderer: Failing) -> TalkingHead:
    bundle, backend = Bundle.open(tiny_bundle), choose_backend("cpu")
    runners = {n: bundle.runner(n, backend) for n in STAGES if n != RENDERER.name}
    return TalkingHead({**runners, RENDERER.name: renderer}, backend)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    speech = tmp_path / "speech.wav"
    soundfile.write(speech, np.random.default_rng(0).normal(0, 0.1, 4800), 16_000)
    return Job(face=SAMPLE_FACE, speech=speech, output="a.mp4", face_box=(150, 20, 350, 220))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("cannot allocate 1 GiB"),
        BackendError("the GPU was lost: restart its driver"),
        RuntimeError("CUDA error 719: unspecified launch failure"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_job_that_fails_half_way_leaves_its_record_and_the_next_renders(
    head: TalkingHead, renderer: Failing, job: Job, tmp_path: Path, error: Exception
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with JobRenderer(head) as jobs:
        renderer.error, renderer.steps_left = error, 4
        failed = jobs.render(job, out)
        assert failed.status == "failed"
        assert failed.error is not None
        assert str(error) in failed.error.message
        assert {p.name for p in out.iterdir()} == {"a.json"}
        assert jobs.render(job, out).status == "done"
    assert {p.name for p in out.iterdir()} == {"a.json", "a.mp4"}


def test_a_clock_that_jumps_changes_nothing(
    head: TalkingHead, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = np.stack(list(head.animate(head.portrait(job.face, face_box=job.face_box), job.speech)))
    jumps = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: 1e9 + (-1) ** next(jumps) * 1e8)
    with JobRenderer(head) as jobs:
        record = jobs.render(job, tmp_path)
    assert record.status == "done"
    assert all(0 <= seconds < 60 for seconds in record.timings.values())
    face = head.portrait(job.face, face_box=job.face_box)
    again = np.stack(list(head.animate(face, job.speech)))
    assert len(again) == NUM_FRAMES
    np.testing.assert_array_equal(again, usual)
