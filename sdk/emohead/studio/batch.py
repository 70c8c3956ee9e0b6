"""Many voices on one face, one after another; a row that fails is a row that failed.

Called by ``batch_tab.py``. Not here: a single job (``emohead.jobs``), uploads (``intake.py``).
"""

from __future__ import annotations

import secrets
import threading
import zipfile
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from emohead.errors import EmoheadError, InputError
from emohead.jobs import Job, JobRenderer, Record, failed_record, job_from
from emohead.jobs.schema import folded, storable
from emohead.studio.intake import FIELDS
from emohead.studio.workshop import Workshop

__all__ = ["BatchState", "packed", "run_batch"]

_EVERY_S: Final = 0.3


@dataclass(frozen=True, kw_only=True)
class BatchState:
    """How far a batch is."""

    total: int
    """Rows."""
    records: tuple[Record, ...] = ()
    """Of the rows that are finished, in their order."""
    done: int = 0
    """Frames of the present row that are finished."""
    frames: int = 0
    """Frames of the present row; 0 before it is known."""
    folder: Path = field(default_factory=Path)
    """Where the videos are."""

    @property
    def videos(self) -> list[Path]:
        """Finished videos."""
        return [self.folder / r.output for r in self.records if r.status == "done"]


def run_batch(
    workshop: Workshop,
    photo: str | Path | None,
    voices: Mapping[str, Path],
    rows: Sequence[Sequence[Any]],
    acting: Mapping[str, Any],
) -> Generator[BatchState, None, None]:
    """Render row after row.

    Parameters
    ----------
    workshop : Workshop
    photo : path
        The face.
    voices : mapping of name to path
        Uploads.
    rows : sequence of rows
        Cells in the order of ``FIELDS``; rows without a voice are skipped.
    acting : mapping
        Fields of ``Job`` that all rows share.

    Yields
    ------
    BatchState
        A few times a second; the last one has a record for each row.

    Raises
    ------
    InputError
        If the photo cannot be used, or there is no row or too many.
    """
    named = [dict(zip(FIELDS, row, strict=False)) for row in rows]
    named = [fields for fields in named if str(fields.get("speech") or "").strip()]
    if not named:
        raise InputError("expected at least one voice, got none: upload some first")
    workshop.limits.check_rows(len(named))
    workshop.portrait(photo)
    folder = workshop.new_folder()
    state = BatchState(total=len(named), folder=folder)
    taken: set[str] = set()
    with JobRenderer(workshop.head, worker="studio") as renderer:
        for number, fields in enumerate(named, start=1):
            job = _job(workshop, photo, voices, {**acting, **fields}, number, taken)
            if isinstance(job, Job):
                taken.add(folded(job.output))
                for step in _rendered(renderer, job, folder):
                    if isinstance(step, Record):
                        job = step
                    else:
                        yield replace(state, done=step[0], frames=step[1])
            assert isinstance(job, Record)
            state = replace(state, records=(*state.records, job))
            yield state


def _job(
    workshop: Workshop,
    photo: str | Path | None,
    voices: Mapping[str, Path],
    fields: Mapping[str, Any],
    number: int,
    taken: set[str],
) -> Job | Record:
    """Make the job of a row, or the record of why there is none."""
    name = str(fields["speech"]).strip()
    given_name = str(fields.get("output") or "").strip()
    output = given_name or f"{number:03d}-{storable(Path(name).stem)}.mp4"
    try:
        if name not in voices:
            raise InputError(f"expected one of the uploaded voices, got {name!r}: upload it too")
        if folded(output) in taken:
            raise InputError(
                f"expected another name for each video, got {output} twice: change one"
            )
        workshop.voice(voices[name])
        given = {key: value for key, value in fields.items() if value not in ("", None)}
        return job_from({**given, "face": photo, "speech": voices[name], "output": output})
    except EmoheadError as err:
        return failed_record(output, err, key=f"row-{number}")


def _rendered(renderer: JobRenderer, job: Job, folder: Path) -> Iterator[tuple[int, int] | Record]:
    """Render in a thread; numbers of frames meanwhile, the record in the end."""
    cancel, ended = threading.Event(), threading.Event()
    told: list[Record] = []
    newest = deque([(0, 0)], maxlen=1)

    def work() -> None:
        try:
            told.append(
                renderer.render(job, folder, cancel=cancel, progress=lambda *at: newest.append(at))
            )
        finally:
            ended.set()

    thread = threading.Thread(target=work, name="emohead-studio-batch", daemon=True)
    thread.start()
    try:
        while not ended.wait(_EVERY_S):
            yield newest[0]
        thread.join()
        if not told:
            raise EmoheadError("the batch stopped inside a row; the terminal says more")
        yield told[0]
    finally:
        cancel.set()
        thread.join()


def packed(state: BatchState) -> Path:
    """Put the videos and their records into one zip.

    Parameters
    ----------
    state : BatchState

    Returns
    -------
    Path
        Beside the videos.
    """
    path = state.folder / f"emohead-batch-{secrets.token_hex(3)}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for video in state.videos:
            archive.write(video, video.relative_to(state.folder).as_posix())
        lines = "".join(record.model_dump_json(exclude={"job"}) + "\n" for record in state.records)
        archive.writestr("records.jsonl", lines)
    return path
