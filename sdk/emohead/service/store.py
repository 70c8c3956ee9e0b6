"""Renders on disk, so that nothing accepted is forgotten, whatever happens to the process.

``renders/ID`` holds what was uploaded, ``render.json``, and in the end ``video.mp4`` with its
record; ``records.jsonl`` gets one line for every render that ended, and is never shortened.
Called by ``desk.py``. Not here: who renders when.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from emohead.errors import InputError
from emohead.jobs import RecordLog, failed_record
from emohead.jobs.log import LOG_NAME
from emohead.jobs.record import Record, utc_now
from emohead.service.schema import ID_PATTERN, ProblemDetail, Render

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
        """Keep how a render ended, beside it and in the log, and forget what was uploaded.

        Where the disk does not let it, that is logged: the next start finds the render unfinished.
        """
        try:
            self.log.append(record.model_copy(update={"job": None, "output": render.id}))
            self.write(render)
            for path in (self.root / render.id).iterdir():
                if path.name not in (_STATE_NAME, VIDEO_NAME):
                    path.unlink(missing_ok=True)
        except OSError:
            logger.exception("render %s: its end cannot be kept", render.id)

    def remove(self, render_id: str) -> None:
        """Remove everything of a render but its line in the log."""
        shutil.rmtree(self.root / render_id, ignore_errors=True)

    def recover(self) -> Iterator[Render]:
        """Read what an earlier run left; renders that had not ended are interrupted from now on.

        What the service did not make is left alone: somebody may have named a folder of theirs.

        Yields
        ------
        Render
            Ended, oldest first.
        """
        folders = [f for f in self.root.iterdir() if re.fullmatch(ID_PATTERN, f.name)]
        found = [render for folder in folders if (render := _read(folder)) is not None]
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
        with contextlib.suppress(OSError):
            self.video(render.id).unlink(missing_ok=True)
        self.end(ended, failed_record(render.id, error, key=render.id))
        return ended

    def close(self) -> None:
        """Let another service use the folder."""
        self.log.close()
        self._lock.release()


def _read(folder: Path) -> Render | None:
    """Read a render's state; a folder without one goes: it was killed before it was accepted."""
    try:
        return Render.model_validate_json((folder / _STATE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        logger.warning("%s holds no render; it is removed", folder)
        shutil.rmtree(folder, ignore_errors=True)
        return None
