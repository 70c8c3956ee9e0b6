"""What runs in a worker's process: a loaded head that renders jobs.

Sent to the workers by ``ray_pool.py``; knows nothing of Ray.
"""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emohead.backends import BUILD_VARIABLE
from emohead.jobs.record import failure_of

if TYPE_CHECKING:
    from emohead.farm.tasks import Loader, Renders
    from emohead.jobs import Failure, Job, JobRenderer, Record

__all__ = ["HeadLoader", "WorkerProcess"]


@dataclass(frozen=True, kw_only=True)
class HeadLoader:
    """Loads a ``TalkingHead`` in a worker's process."""

    bundle_sha256: str
    """Of the driver's bundle; a worker with another one is refused."""
    bundle: Path | None = None
    """Folder or zip; the embedded one by default."""
    backend: str = "auto"
    precision: str = "auto"
    threads: int = 1
    """Threads of one network call, and lanes of the executor on a CPU."""
    tracks: int = 1
    """Jobs at once."""
    may_build: bool = True
    """Whether a missing engine may be built."""

    def __call__(self, worker: str) -> JobRenderer:
        """Load the networks for the worker of that name."""
        from emohead.errors import BundleError
        from emohead.head import TalkingHead
        from emohead.jobs import JobRenderer

        if not self.may_build:
            os.environ[BUILD_VARIABLE] = "0"
        head = TalkingHead.load(
            self.bundle, backend=self.backend, precision=self.precision, threads=self.threads
        )
        lanes = self.threads if head.backend.name == "cpu" else 0
        renderer = JobRenderer(head, tracks=self.tracks, lanes=lanes, worker=worker)
        if renderer.bundle_sha256 != self.bundle_sha256:
            raise BundleError(
                f"expected the bundle {self.bundle_sha256[:12]} on every machine, got "
                f"{renderer.bundle_sha256[:12]} on {socket.gethostname()}: install one version of "
                "emohead everywhere, or give --bundle on shared storage"
            )
        return renderer


class WorkerProcess:
    """Body of an actor: one renderer, jobs from several threads.

    Parameters
    ----------
    loader : Loader
    out : str
        Output folder, on storage that every machine sees.
    name : str
    tracks : int
        Jobs at once; others wait.
    """

    def __init__(self, loader: Loader, out: str, name: str, tracks: int) -> None:
        self._loader, self._out, self._name = loader, out, name
        self._renderer: Renders | None = None
        self._cancel = threading.Event()
        self._turns = threading.BoundedSemaphore(tracks)

    def load(self) -> tuple[str, Failure | None]:
        """Load; the machine's name, and what went wrong."""
        node = socket.gethostname()
        try:
            if not Path(self._out).is_dir():
                from emohead.errors import InputError

                raise InputError(
                    f"expected the output folder {self._out} on {node} too: put it on storage "
                    "that every machine mounts at the same place"
                )
            self._renderer = self._loader(self._name)
        except Exception as err:
            return node, failure_of(err)
        return node, None

    def render(self, job: Job, line: int, attempt: int) -> Record:
        """Render one job."""
        assert self._renderer is not None
        with self._turns:
            return self._renderer.render(
                job, self._out, cancel=self._cancel, attempt=attempt, line=line
            )

    def cancel(self) -> None:
        """Drop the jobs in hand, and whatever comes later."""
        self._cancel.set()
