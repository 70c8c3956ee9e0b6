"""A quick renderer and real servers on loopback."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from emohead.audio import read_audio
from emohead.images import read_image
from emohead.jobs import Job, Record, failed_record
from emohead.jobs.record import utc_now
from emohead.service.app import make_app
from emohead.service.settings import ServiceSettings


@dataclass
class QuickRenderer:
    """Reads face and voice as real ones do, then writes bytes instead of pictures."""

    frames: int = 3
    frame_s: float = 0.0
    gate: threading.Event = field(default_factory=threading.Event)
    """Frames are made while it is set."""
    crash: BaseException | None = None
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def render(
        self,
        job: Job,
        out_dir: str | Path,
        *,
        progress: Callable[[int, int], object] | None = None,
        cancel: threading.Event | None = None,
    ) -> Record:
        if self.crash is not None:
            raise self.crash
        started = utc_now()
        try:
            read_image(job.face)
            read_audio(job.speech)
        except Exception as err:
            return failed_record(job.output, err, key="k", job=job)
        for done in range(1, self.frames + 1):
            while not self.gate.wait(0.01):
                if cancel is not None and cancel.is_set():
                    break
            time.sleep(self.frame_s)
            if cancel is not None and cancel.is_set():
                status = {"status": "cancelled", "started": started, "finished": utc_now()}
                return Record(output=job.output, key="k", **status)
            if progress is not None:
                progress(done, self.frames)
        video = Path(out_dir) / job.output
        video.write_bytes(b"\x00\x00\x00\x08moov" + os.urandom(100))
        self.made.append(Path(out_dir).name)
        return Record(
            output=job.output,
            key="k",
            status="done",
            started=started,
            finished=utc_now(),
            frames=self.frames,
            emotion="calm",
            num_bytes=video.stat().st_size,
        )


class Running(uvicorn.Server):
    """A server in a thread."""

    url = ""

    def install_signal_handlers(self) -> None:
        """Leave the signals to the tests."""


@contextlib.contextmanager
def serving(settings: ServiceSettings, renderer: Any, head: Any) -> Iterator[Running]:
    """Serve on a free port until the block ends, then shut down in order."""
    app = make_app(settings, renderer, head)
    config = uvicorn.Config(
        app, port=0, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = Running(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
        assert thread.is_alive()
    server.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        app.state.desk.is_stopping = True
        server.should_exit = True
        thread.join()
