"""Rendering jobs with a loaded head: videos appear whole, records tell what happened.

Called by the farm's workers, the service and the studio.
Not here: reading a job's files (``inputs.py``), choosing what to render (``emohead.farm``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from emohead.closing import Closing
from emohead.errors import InputError
from emohead.jobs.faces import Faces
from emohead.jobs.hashing import MISSING, file_sha256, input_hashes, job_key
from emohead.jobs.inputs import animate_job, find_face, read_inputs, shown_emotion
from emohead.jobs.record import Record, failure_of, utc_now, versions, write_record
from emohead.jobs.schema import Job, checked_name
from emohead.video import check_output
from emohead.whole_files import check_apart

if TYPE_CHECKING:
    from emohead.clip import Clip, Progress
    from emohead.executor import Executor
    from emohead.head import TalkingHead
    from emohead.portrait import Portrait

__all__ = ["Cancel", "JobRenderer", "output_path", "render_job"]


class Cancel(Protocol):
    """Says whether to stop, as ``threading.Event`` does."""

    def is_set(self) -> bool:
        """Whether the job shall stop."""


class _CancelledError(Exception):
    """Leaves the rendering of a cancelled job."""


class JobRenderer(Closing):
    """Renders jobs with one head, from as many threads as it has tracks.

    Use it as a context manager, or `close` it.

    Parameters
    ----------
    head : TalkingHead
        Loaded.
    tracks : int
        Jobs at once: above 1 they share an executor, see ``TalkingHead.executor``.
    lanes : int
        The executor's threads; 0 for one a core.
    worker : str
        Name for the records.

    Examples
    --------
    >>> with JobRenderer(TalkingHead.load(), tracks=4) as renderer:  # doctest: +SKIP
    ...     with ThreadPoolExecutor(4) as threads:
    ...         records = list(threads.map(lambda job: renderer.render(job, "out"), jobs))
    """

    def __init__(
        self, head: TalkingHead, *, tracks: int = 1, lanes: int = 0, worker: str = ""
    ) -> None:
        self.head = head
        self.worker = worker
        self.bundle_sha256 = "" if head.bundle is None else head.bundle.manifest.sha256
        self._executor: Executor | None = None
        if tracks > 1:
            self._executor = head.executor(max_batch=min(tracks, 16), lanes=lanes)
        # Networks that hold state on a device are for one thread at a time.
        self._lock = threading.Lock()
        self._faces = Faces()

    def render(
        self,
        job: Job,
        out_dir: str | Path,
        *,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        attempt: int = 1,
        line: int | None = None,
    ) -> Record:
        """Render a job into a folder.

        Parameters
        ----------
        job : Job
        out_dir : str or Path
            Exists; folders that `job.output` names are made below it.
        progress : callable, optional
            Called as ``progress(done, total)`` after every frame.
        cancel : Event, optional
            Looked at after every frame; once set, nothing of the video is left.
        attempt, line : int
            For the record.

        Returns
        -------
        Record
            ``done``, with the video in place and the record beside it; ``failed``, with the error
            and the record beside where the video would be, if that can be written; ``cancelled``,
            with no trace but an older video. Nothing is raised for a job that cannot be rendered.
        """
        began, started = time.perf_counter(), utc_now()
        hashes = input_hashes(job)
        facts: dict[str, Any] = {"status": "failed", "timings": {}}
        try:
            path = output_path(out_dir, job.output)
            check_apart(path, job.files().values(), "video")
            facts |= self._rendered(job, path, progress, cancel)
        except _CancelledError:
            facts["status"] = "cancelled"
        except Exception as err:
            facts["error"] = failure_of(err)
        facts["timings"]["total_s"] = round(time.perf_counter() - began, 3)
        record = Record(
            output=job.output,
            key=job_key(job, self.bundle_sha256, inputs=hashes),
            job=job,
            line=line,
            attempt=attempt,
            worker=self.worker,
            started=started,
            finished=utc_now(),
            inputs=hashes,
            bundle_sha256=self.bundle_sha256,
            backend=self.head.backend.name,
            versions=dict(versions()),
            **facts,
        )
        return _kept(record, out_dir)

    def close(self) -> None:
        """Stop the executor, if there is one; jobs in hand fail."""
        if self._executor is not None:
            self._executor.close()

    def _rendered(
        self, job: Job, path: Path, progress: Progress | None, cancel: Cancel | None
    ) -> dict[str, Any]:
        """Write the video; what the record says of it."""
        watch = _watching(progress, cancel)
        watch(0, 0)
        inputs = read_inputs(job)
        with self._lock:
            clip = animate_job(self.head, self._face(job), inputs, job)
        watch(0, len(clip))
        began = time.perf_counter()
        # A clip of its own renders in the networks' turn; tracks share steps in the executor.
        guard: AbstractContextManager[Any] = self._lock if self._executor is None else nullcontext()
        with guard:
            rendered = clip if self._executor is None else self._executor.render(clip)
            rendered.save(path, progress=watch)
        return _told(clip, path, time.perf_counter() - began)

    def _face(self, job: Job) -> Portrait:
        """Prepare a face, once for all jobs that show it."""
        hashes = input_hashes(job)  # of now: the job may have waited, and the photo been replaced
        key = (hashes["face"], job.face_box, hashes.get("landmarks"))
        if MISSING in key:
            return find_face(self.head, job)  # says what is wrong
        return self._faces.get(key, lambda: find_face(self.head, job))


def render_job(
    head: TalkingHead,
    job: Job,
    out_dir: str | Path,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Record:
    """Render one job; see ``JobRenderer.render``, which is better for many.

    Parameters
    ----------
    head : TalkingHead
    job : Job
    out_dir : str or Path
    progress : callable, optional
    cancel : Event, optional

    Returns
    -------
    Record
    """
    with JobRenderer(head) as renderer:
        return renderer.render(job, out_dir, progress=progress, cancel=cancel)


def output_path(out_dir: str | Path, name: str) -> Path:
    """Place of a job's video; makes its folder.

    Parameters
    ----------
    out_dir : str or Path
        Exists.
    name : str
        The job's `output`.

    Returns
    -------
    Path
        Below `out_dir`, links followed.

    Raises
    ------
    InputError
        If the name leads elsewhere or the place cannot be written to.
    """
    root = Path(out_dir).resolve()
    path = root / checked_name(name)
    if not path.parent.resolve().is_relative_to(root):
        raise InputError(f"the output {name} leads out of {root} through a link: choose another")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise InputError(
            f"the folder {path.parent} cannot be made ({err.strerror}): choose another output"
        ) from err
    return check_output(path)


def _watching(progress: Progress | None, cancel: Cancel | None) -> Callable[[int, int], None]:
    def watch(done: int, total: int) -> None:
        if cancel is not None and cancel.is_set():
            raise _CancelledError
        if progress is not None and done:
            progress(done, total)

    return watch


def _told(clip: Clip, path: Path, render_s: float) -> dict[str, Any]:
    return {
        "status": "done",
        "timings": {**clip.timings, "render_s": round(render_s, 3)},
        "frames": len(clip),
        **shown_emotion(clip),
        "notes": list(clip.notes),
        "video_sha256": file_sha256(path),
        "num_bytes": path.stat().st_size,
    }


def _kept(record: Record, out_dir: str | Path) -> Record:
    """Write the record beside its video, where that is possible."""
    if record.status == "cancelled":
        return record
    video = Path(out_dir) / record.output
    try:
        if record.status == "failed":
            output_path(out_dir, record.output)
        write_record(record, video)
    except InputError as err:
        return record.model_copy(update={"notes": [*record.notes, str(err)]})
    return record
