"""Renders on disk, so that nothing accepted is forgotten, whatever happens to the process.

``renders/ID`` holds what was uploaded, ``render.json``, and in the end ``video.mp4`` with its
record; ``records.jsonl`` gets one line for every render that ended, and is never shortened.
Called by ``desk.py``. Not here: who renders when.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from pydantic import ValidationError

from emohead.errors import InputError
from emohead.jobs import RecordLog, failed_record
from emohead.jobs.log import LOG_NAME
from emohead.jobs.record import Record, utc_now
from emohead.service.schema import ProblemDetail, Render

__all__ = ["INTERRUPTED", "VIDEO_NAME", "Store"]

VIDEO_NAME: Final = "video.mp4"
INTERRUPTED: Final = "the service stopped before this render had ended: ask for it again"
_STATE_NAME: Final = "render.json"
logger = logging.getLogger(__name__)


class Store:
    """The data folder of one service.

    Parameters
    ----------
    folder : Path
        Made where it is missing.

    Raises
    ------
    InputError
        If it cannot be written to, or another service uses it.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "renders"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / "lock", timeout=0, thread_local=False)
            self._lock.acquire()
        except Timeout as err:
            raise InputError(
                f"another service uses the folder {folder}: give each its own --data-dir"
            ) from err
        except OSError as err:
            raise InputError(
                f"the data folder {folder} cannot be written to ({err.strerror}): choose another"
            ) from err
        self.log = RecordLog(folder / LOG_NAME)

    def new_folder(self) -> Path:
        """Make the folder of a new render; its name is the render's id."""
        path = self.root / secrets.token_hex(16)
        path.mkdir(mode=0o700)
        return path

    def video(self, render_id: str) -> Path:
        """Place of a render's video, there or not."""
        return self.root / render_id / VIDEO_NAME

    def write(self, render: Render) -> None:
        """Keep the state of a render, whole or not at all."""
        target = self.root / render.id / _STATE_NAME
        temporary = target.with_suffix(".part")
        temporary.write_text(render.model_dump_json(), encoding="utf-8")
        os.replace(temporary, target)

    def end(self, render: Render, record: Record) -> None:
        """Keep how a render ended, beside it and in the log, and forget what was uploaded."""
        self.log.append(record.model_copy(update={"job": None, "output": render.id}))
        self.write(render)
        for path in (self.root / render.id).iterdir():
            if path.name not in (_STATE_NAME, VIDEO_NAME):
                path.unlink(missing_ok=True)

    def remove(self, render_id: str) -> None:
        """Remove everything of a render but its line in the log."""
        shutil.rmtree(self.root / render_id, ignore_errors=True)

    def recover(self) -> Iterator[Render]:
        """Read what an earlier run left; renders that had not ended are interrupted from now on.

        Yields
        ------
        Render
            Ended, oldest first.
        """
        found = []
        for folder in self.root.iterdir():
            try:
                text = (folder / _STATE_NAME).read_text(encoding="utf-8")
                found.append(Render.model_validate_json(text))
            except (OSError, ValidationError):
                # Killed before it was accepted: nobody was told of it.
                logger.warning("%s holds no render; it is removed", folder)
                shutil.rmtree(folder, ignore_errors=True)
        for render in sorted(found, key=lambda r: r.created):
            yield render if render.has_ended else self.interrupt(render)

    def interrupt(self, render: Render) -> Render:
        """Record that a render will not be finished."""
        error = InterruptedError(INTERRUPTED)
        ended = render.model_copy(
            update={
                "state": "interrupted",
                "finished": utc_now(),
                "error": ProblemDetail(type="InterruptedError", message=INTERRUPTED),
            }
        )
        self.video(render.id).unlink(missing_ok=True)
        self.end(ended, failed_record(render.id, error, key=render.id))
        return ended

    def close(self) -> None:
        """Let another service use the folder."""
        self.log.close()
        self._lock.release()
