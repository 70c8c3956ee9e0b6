"""What rendering a job leaves behind: a whole video and its record, or a record alone."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from emohead.errors import BackendError
from emohead.head import TalkingHead
from emohead.jobs import Job, JobRenderer, job_key, read_record, render_job
from emohead.jobs.faces import Faces
from emohead.jobs.hashing import file_sha256

MakeJob = Callable[..., Job]


def _frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_video_and_its_record_appear(
    head: TalkingHead, make_job: MakeJob, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    job = make_job(output="anna/a.mp4", emotion="sad", seed=3)
    record = render_job(head, job, tmp_path, progress=lambda *at: seen.append(at))
    video = tmp_path / "anna" / "a.mp4"
    assert record.status == "done"
    assert record.error is None
    assert seen == [(i, 6) for i in range(1, 7)]
    assert record.frames == _frames(video) == 6
    assert record.video_sha256 == file_sha256(video)
    assert (record.emotion, record.emotion_source) == ("sad", "user")
    assert set(record.inputs) == {"face", "speech"}
    assert record.timings["total_s"] >= record.timings["render_s"] > 0
    assert head.bundle is not None
    assert record.key == job_key(job, head.bundle.manifest.sha256)
    assert read_record(video) == record
    assert {p.name for p in video.parent.iterdir()} == {"a.mp4", "a.json"}


def test_jobs_share_an_executor(head: TalkingHead, make_job: MakeJob, tmp_path: Path) -> None:
    jobs = [make_job(output=f"{i}.mp4", seed=i) for i in range(4)]
    jobs[2] = make_job(output="2.mp4", speech=tmp_path / "none.wav")
    with JobRenderer(head, tracks=4, worker="w") as renderer, ThreadPoolExecutor(4) as threads:
        records = list(threads.map(lambda job: renderer.render(job, tmp_path), jobs))
    assert [r.status for r in records] == ["done", "done", "failed", "done"]
    assert all(_frames(tmp_path / f"{i}.mp4") == 6 for i in (0, 1, 3))
    assert records[0].worker == "w"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"speech": "none.wav"}, "does not exist"),
        ({"face": "none.jpg"}, "none.jpg"),
        ({"landmarks": "none.npy"}, "none.npy"),
        ({"face": f"{'a' * 300}.jpg"}, "cannot be read"),
        ({"emotion_track": "none.json"}, "none.json"),
        ({"output": "file.mp4/a.mp4"}, "cannot be made"),
        ({"output": "link/a.mp4"}, "through a link"),
    ],
)
def test_unusable_inputs_are_final_and_told(
    head: TalkingHead, make_job: MakeJob, tmp_path: Path, fields: dict[str, Any], sentence: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "file.mp4").touch()
    (out / "link").symlink_to(tmp_path)
    record = render_job(head, make_job(**fields), out)
    assert record.status == "failed"
    assert record.error is not None
    assert sentence in record.error.message
    assert record.error.is_final
    assert not (tmp_path / "a.mp4").exists()
    assert not list(out.glob(".*"))
    told = read_record(out / record.output)
    assert told == record or fields.get("output")


def test_troubles_of_the_machine_may_pass(
    head: TalkingHead, make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, kind in ((BackendError("no memory"), "BackendError"), (OSError("x"), "OSError")):

        def fails(*given: Any, **how: Any) -> Any:
            raise error  # noqa: B023

        monkeypatch.setattr(head, "animate", fails)
        failure = render_job(head, make_job(), tmp_path).error
        assert failure is not None
        assert (failure.type, failure.is_final) == (kind, False)


def test_a_cancelled_job_leaves_what_was_there(
    head: TalkingHead, make_job: MakeJob, tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"older")
    cancel = threading.Event()

    def progress(done: int, total: int) -> None:
        if done == 2:
            cancel.set()

    record = render_job(head, make_job(), tmp_path, progress, cancel)
    assert record.status == "cancelled"
    assert (tmp_path / "a.mp4").read_bytes() == b"older"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_the_key_follows_contents_and_settings(make_job: MakeJob, tmp_path: Path) -> None:
    def copy(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    job = make_job(speech=copy("a.wav", b"one"))
    key = job_key(job, "bundle")
    assert key == job_key(make_job(speech=copy("b.wav", b"one")), "bundle")
    others = [
        job_key(make_job(speech=copy("c.wav", b"two")), "bundle"),
        job_key(make_job(speech=tmp_path / "none.wav"), "bundle"),
        job_key(job, "another"),
        job_key(job.model_copy(update={"seed": 1}), "bundle"),
        job_key(job.model_copy(update={"output": "b.mp4"}), "bundle"),
    ]
    assert len({key, *others}) == 6
    copy("a.wav", b"longer")
    assert job_key(job, "bundle") not in {key, *others}


def test_no_input_is_overwritten(
    head: TalkingHead, make_job: MakeJob, voice: Path, tmp_path: Path
) -> None:
    """Neither a talk by its own video, nor an emotion track by the record beside the video."""
    talk, track = tmp_path / "talk.mp4", tmp_path / "anna.json"
    shutil.copy(voice, talk)
    track.write_text('{"emotions": ["happy"]}')
    before = talk.read_bytes(), track.read_bytes()
    overwritten = render_job(head, make_job(speech=talk, output="talk.mp4"), tmp_path)
    assert overwritten.error is not None
    assert "would take the place of" in overwritten.error.message
    beside = render_job(head, make_job(emotion_track=track, output="anna.mp4"), tmp_path)
    assert "would take the place of" in " ".join(beside.notes)
    assert (talk.read_bytes(), track.read_bytes()) == before


def test_faces_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers' photos are large: a service would fill the memory with them."""
    monkeypatch.setattr("emohead.jobs.faces.MOST_BYTES", 2_500)
    faces, made = Faces(), list[str]()

    def get(name: str, num_bytes: int = 1000) -> None:
        def make() -> Any:
            made.append(name)
            return SimpleNamespace(photo=np.zeros(num_bytes, np.uint8))

        faces.get(name, make)

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert made == ["a", "b", "c", "b"]
    get("huge", 9_000)
    get("huge", 9_000)
    get("a")
    assert made[4:] == ["huge", "a"]
