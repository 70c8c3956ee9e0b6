"""Renders from the upload to the video, through the real client and a real socket."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from emohead.client import (
    BusyError,
    Client,
    ConnectionLostError,
    RefusedError,
    RenderFailedError,
)
from emohead.errors import InputError
from emohead.jobs import Job, read_records
from emohead.samples import SAMPLE_FACE
from emohead.service import desk
from emohead.service.forms import RenderForm
from emohead.service.settings import ServiceSettings

from .quick import QuickRenderer, Running, serving


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to pass")


def test_render_is_accepted_watched_and_fetched(
    client: Client, renderer: QuickRenderer, voice: Path, tmp_path: Path
) -> None:
    renderer.gate.clear()
    render = client.submit(
        SAMPLE_FACE, voice, emotion={"happy": 0.5}, seed=4, face_box=(1, 2, 99, 98)
    )
    assert render.state in ("queued", "running")
    assert render.settings["emotion"] == {"happy": 0.5}
    assert render.settings["seed"] == 4
    seen: list[tuple[int, int]] = []
    threading.Timer(0.1, renderer.gate.set).start()
    done = client.wait(render.id, progress=lambda *how: seen.append(how))
    assert (done.state, done.emotion, seen[-1]) == ("done", "calm", (3, 3))
    path = client.download(render.id, tmp_path / "a.mp4")
    assert path.stat().st_size == done.num_bytes
    assert [p.name for p in tmp_path.glob("*.mp4")] == ["a.mp4"]


def test_answers_say_where_to_look(client: Client, voice: Path) -> None:
    files = {"face": SAMPLE_FACE.read_bytes(), "speech": voice.read_bytes()}
    answer = httpx.post(f"{client.url}/v1/renders", files=files)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/renders/{answer.json()['id']}"
    client.wait(answer.json()["id"])
    video = httpx.get(
        f"{client.url}{answer.headers['location']}/video", headers={"Range": "bytes=4-7"}
    )
    assert (video.status_code, video.content) == (206, b"moov")


def test_uploads_are_gone_once_a_render_has_ended(
    client: Client, voice: Path, tmp_path: Path
) -> None:
    render = client.wait(client.submit(SAMPLE_FACE, voice).id)
    folder = tmp_path / "data" / "renders" / render.id
    assert sorted(p.name for p in folder.iterdir()) == ["render.json", "video.mp4"]


UNUSABLE: tuple[tuple[dict[str, Any], str], ...] = (
    ({"emotion": "hapy"}, "did you mean 'happy'"),
    ({"emotion": "{"}, "name, weights or JSON"),
    ({"strength": 3}, "strength"),
    ({"fps": 0}, "fps"),
    ({"seed": -1}, "seed"),
    ({"head_motion": "nan"}, "head_motion"),
    ({"surprise": 1}, "surprise"),
    ({"output": "../../x.mp4"}, "output"),
    ({"face_box": "1,2,3"}, "face_box"),
    ({"emotion_from": SAMPLE_FACE, "emotion": "sad"}, "one source"),
    ({"landmarks": SAMPLE_FACE}, "landmarks as a file that ends in"),
    ({"fit_landmarks": True}, "landmarks_from"),
)


def test_unusable_fields_are_refused_and_leave_nothing(
    client: Client, voice: Path, tmp_path: Path
) -> None:
    for fields, message in UNUSABLE:
        with pytest.raises(RefusedError, match=message) as caught:
            client.submit(SAMPLE_FACE, voice, **fields)
        assert caught.value.status == 422
    assert list((tmp_path / "data" / "renders").iterdir()) == []


def test_unusable_files_fail_with_a_record(client: Client, voice: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    render = client.submit(tmp_path / "bad.jpg", voice)
    with pytest.raises(RenderFailedError, match="cannot be read as an image"):
        client.wait(render.id)
    failed = client.get(render.id)
    assert failed.error.type == "InputError"
    assert str(tmp_path) not in failed.model_dump_json()  # the server's places are its own
    (record,) = read_records(tmp_path / "data" / "records.jsonl")
    assert (record.output, record.status) == (render.id, "failed")
    with pytest.raises(RefusedError, match="only done ones") as caught:
        client.download(render.id, tmp_path / "x.mp4")
    assert caught.value.status == 409
    assert not (tmp_path / "x.mp4").exists()


def test_renderer_that_crashes_hurts_one_render_only(
    client: Client, renderer: QuickRenderer, voice: Path
) -> None:
    renderer.crash = MemoryError("no more")
    with pytest.raises(RenderFailedError, match="internal error, MemoryError"):
        client.wait(client.submit(SAMPLE_FACE, voice).id)
    renderer.crash = None
    assert client.wait(client.submit(SAMPLE_FACE, voice).id).state == "done"


def test_form_has_the_fields_of_a_job() -> None:
    assert set(RenderForm.model_fields) == set(Job.model_fields) - {"output"}
    defaults = {n: f.default for n, f in RenderForm.model_fields.items() if not f.is_required()}
    assert defaults == {n: Job.model_fields[n].default for n in defaults}


def test_full_queue_is_refused_until_there_is_room(
    start: Callable[..., Running], renderer: QuickRenderer, voice: Path
) -> None:
    renderer.gate.clear()
    with Client(start(tracks=1, queue=2).url) as client:
        first = client.submit(SAMPLE_FACE, voice)
        _until(lambda: client.get(first.id).state == "running")
        waiting = [client.submit(SAMPLE_FACE, voice) for _ in range(2)]
        with pytest.raises(BusyError) as caught:
            client.submit(SAMPLE_FACE, voice)
        assert caught.value.retry_s >= 1
        renderer.gate.set()
        assert [client.wait(r.id).state for r in (first, *waiting)] == ["done"] * 3
        assert client.submit(SAMPLE_FACE, voice).state in ("queued", "running", "done")


def test_waiting_and_running_renders_can_be_cancelled(
    start: Callable[..., Running], renderer: QuickRenderer, voice: Path, tmp_path: Path
) -> None:
    renderer.gate.clear()
    with Client(start(tracks=1).url) as client:
        running, waiting = (client.submit(SAMPLE_FACE, voice) for _ in range(2))
        _until(lambda: client.get(running.id).state == "running")
        client.cancel(waiting.id)
        client.cancel(running.id)
        for render in (running, waiting):
            with pytest.raises(RefusedError) as caught:
                client.get(render.id)
            assert caught.value.status == 404
        renders = tmp_path / "data" / "renders"
        _until(lambda: list(renders.iterdir()) == [])
        assert renderer.made == []
    records = {r.output: r.status for r in read_records(tmp_path / "data" / "records.jsonl")}
    assert records == {running.id: "cancelled", waiting.id: "cancelled"}


def test_list_is_paged_newest_first(client: Client, voice: Path) -> None:
    ids = [client.submit(SAMPLE_FACE, voice).id for _ in range(5)]
    page = httpx.get(f"{client.url}/v1/renders", params={"limit": 2}).json()
    assert [r["id"] for r in page["renders"]] == ids[:2:-1]
    rest = httpx.get(f"{client.url}/v1/renders", params={"limit": 3, "after": page["next"]}).json()
    assert [r["id"] for r in rest["renders"]] == ids[2::-1]
    assert rest["next"] is None
    assert [r.id for r in client.renders()] == ids[::-1]


def test_old_renders_make_room(start: Callable[..., Running], voice: Path, tmp_path: Path) -> None:
    with Client(start(keep=2, tracks=1).url) as client:
        ids = [client.wait(client.submit(SAMPLE_FACE, voice).id).id for _ in range(4)]
        _until(lambda: [r.id for r in client.renders()] == ids[:1:-1])
    assert {p.name for p in (tmp_path / "data" / "renders").iterdir()} == set(ids[2:])


def test_stopping_finishes_what_runs_and_records_what_waits(
    renderer: QuickRenderer, voice: Path, tmp_path: Path
) -> None:
    renderer.gate.clear()
    settings = ServiceSettings(data_dir=tmp_path / "own", tracks=1, rate=0, grace_s=5)
    with serving(settings, renderer, None) as server, Client(server.url) as client:
        running, waiting = (client.submit(SAMPLE_FACE, voice) for _ in range(2))
        _until(lambda: client.get(running.id).state == "running")
        threading.Timer(0.2, renderer.gate.set).start()
    states = {
        p.parent.name: json.loads(p.read_text())["state"]
        for p in (tmp_path / "own" / "renders").glob("*/render.json")
    }
    assert states == {running.id: "done", waiting.id: "interrupted"}
    with serving(settings, renderer, None) as server, Client(server.url) as client:
        assert client.get(running.id).state == "done"
        assert "ask for it again" in client.get(waiting.id).error.message


def test_render_that_takes_longer_than_the_grace_is_recorded(
    renderer: QuickRenderer, voice: Path, tmp_path: Path
) -> None:
    renderer.gate.clear()
    settings = ServiceSettings(data_dir=tmp_path / "own", rate=0, grace_s=0.1)
    with serving(settings, renderer, None) as server, Client(server.url) as client:
        render = client.submit(SAMPLE_FACE, voice)
        _until(lambda: client.get(render.id).state == "running")
    (record,) = read_records(tmp_path / "own" / "records.jsonl")
    assert (record.output, record.status, record.error.type) == (
        render.id,
        "failed",
        "InterruptedError",
    )


def test_full_disk_refuses_uploads_and_serves_on(
    client: Client, voice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("emohead.service.forms.shutil.copyfileobj", full)
        with pytest.raises(BusyError, match="No space left") as caught:
            client.submit(SAMPLE_FACE, voice)
    assert caught.value.retry_s == 60
    assert list((tmp_path / "data" / "renders").iterdir()) == []
    assert client.wait(client.submit(SAMPLE_FACE, voice).id).state == "done"


def test_render_that_hangs_is_recorded_too(
    voice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, begun = threading.Event(), threading.Event()

    class Hanging(QuickRenderer):
        def render(self, *_: Any, **__: Any) -> Any:
            begun.set()
            hangs.wait(20)
            raise RuntimeError("too late")

    monkeypatch.setattr(desk, "LAST_S", 0.1)
    settings = ServiceSettings(data_dir=tmp_path / "own", rate=0, grace_s=0.1)
    with serving(settings, Hanging(), None) as server, Client(server.url) as client:
        render = client.submit(SAMPLE_FACE, voice)
        assert begun.wait(10)
    hangs.set()
    (record,) = read_records(tmp_path / "own" / "records.jsonl")
    assert (record.output, record.error.type) == (render.id, "InterruptedError")
    with serving(settings, QuickRenderer(), None) as server, Client(server.url) as client:
        assert client.get(render.id).state == "interrupted"


def test_folders_of_others_are_left_alone(
    start: Callable[..., Running], voice: Path, tmp_path: Path
) -> None:
    """A data folder may be where somebody keeps videos of theirs in ``renders``."""
    own = tmp_path / "data" / "renders" / "holiday" / "beach.mp4"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"dear")
    with Client(start().url) as client:
        assert client.wait(client.submit(SAMPLE_FACE, voice).id).state == "done"
        assert len(list(client.renders())) == 1
    assert own.read_bytes() == b"dear"


def test_lost_folder_of_one_render_does_not_keep_others_from_being_recorded(
    renderer: QuickRenderer, voice: Path, tmp_path: Path
) -> None:
    renderer.gate.clear()
    settings = ServiceSettings(data_dir=tmp_path / "own", tracks=1, rate=0, grace_s=0.1)
    with serving(settings, renderer, None) as server, Client(server.url) as client:
        renders = [client.submit(SAMPLE_FACE, voice) for _ in range(3)]
        _until(lambda: client.get(renders[0].id).state == "running")
        shutil.rmtree(tmp_path / "own" / "renders" / renders[1].id)
    with serving(settings, renderer, None) as server, Client(server.url) as client:
        assert client.get(renders[2].id).state == "interrupted"


def test_video_that_somebody_removed_is_said_to_be_gone(
    client: Client, voice: Path, tmp_path: Path
) -> None:
    render = client.wait(client.submit(SAMPLE_FACE, voice).id)
    (tmp_path / "data" / "renders" / render.id / "video.mp4").unlink()
    with pytest.raises(RefusedError, match="is gone: ask for it again") as caught:
        client.download(render.id, tmp_path / "a.mp4")
    assert caught.value.status == 404


def test_waiting_ends_in_time_although_nothing_happens(
    start: Callable[..., Running], renderer: QuickRenderer, voice: Path
) -> None:
    renderer.gate.clear()
    with Client(start().url) as client:
        render = client.submit(SAMPLE_FACE, voice)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="has not ended in 0.5 s"):
            client.wait(render.id, timeout_s=0.5)
        assert time.monotonic() - began < 5
        renderer.gate.set()
        client.wait(render.id)
        assert client.wait(render.id, timeout_s=0).state == "done"


def test_render_may_be_silent_for_longer_than_an_answer_takes(
    start: Callable[..., Running], renderer: QuickRenderer, voice: Path
) -> None:
    renderer.gate.clear()
    with Client(start().url, timeout_s=0.3) as client:
        render = client.submit(SAMPLE_FACE, voice)
        threading.Timer(1.0, renderer.gate.set).start()
        assert client.wait(render.id).state == "done"


def test_list_gives_each_render_once_although_one_goes(
    client: Client, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emohead.client.http._PAGE", 2)
    ids = [client.wait(client.submit(SAMPLE_FACE, voice).id).id for _ in range(4)][::-1]
    seen = []
    for render in client.renders():
        seen.append(render.id)
        if len(seen) == 2:
            client.cancel(render.id)  # the next page would begin behind it
    assert seen == ids


def test_addresses_of_something_else_are_said(start: Callable[..., Running]) -> None:
    elsewhere = pytest.raises(ConnectionLostError, match="what no service of emohead does")
    with Client(start().url + "/openapi.json?") as client, elsewhere:
        client.get("0" * 32)
    with pytest.raises(InputError, match="expected the address of a service"):
        Client("http://localhost:port")


def test_watching_and_fetching_are_patient(
    start: Callable[..., Running], voice: Path, tmp_path: Path
) -> None:
    with Client(start(rate=30).url, patience_s=30) as client, httpx.Client() as others:
        render = client.wait(client.submit(SAMPLE_FACE, voice).id)
        for _ in range(30):  # use up what the rate allows
            others.get(f"{client.url}/v1/renders")
        assert [r.state for r in client.events(render.id)] == ["done"]
        assert client.download(render.id, tmp_path / "a.mp4").stat().st_size == render.num_bytes
