"""The append-only log of records: one JSON object a line, which a crash cannot spoil.

Called by the farm and the service. Not here: the record itself (``record.py``).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from emohead.closing import Closing
from emohead.errors import InputError
from emohead.jobs.record import Record

__all__ = ["LOG_NAME", "RecordLog", "read_records"]

LOG_NAME: Final = "records.jsonl"
"""Name of the log in an output folder."""
logger = logging.getLogger(__name__)


class RecordLog(Closing):
    """Appends records to a file; use it as a context manager, from any thread.

    Every record is one write; the disk is told to keep them at most `sync_s` seconds later, and
    when the log is closed. A line torn by a crash or a full disk ends before the next record.

    Parameters
    ----------
    path : Path
        Made where it is missing; its folder exists.
    sync_s : float
        Seconds between two ``fsync``; 0 for one after every record.

    Raises
    ------
    InputError
        If the file cannot be written to.
    """

    def __init__(self, path: Path, *, sync_s: float = 0.5) -> None:
        self.path = path
        self._sync_s = sync_s
        self._lock = threading.Lock()
        self._synced = time.monotonic()
        try:
            self._is_torn = path.exists() and not _ends_with_newline(path)
            self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o666)
        except OSError as err:
            raise InputError(
                f"the log {path} cannot be written ({err.strerror}): choose another folder"
            ) from err

    def append(self, record: Record) -> None:
        """Add a record; raises OSError where the disk takes no more."""
        line = record.model_dump_json(exclude_defaults=True).encode() + b"\n"
        with self._lock:
            line = b"\n" + line if self._is_torn else line
            self._is_torn = True
            while line:  # a nearly full disk takes a part
                line = line[os.write(self._file, line) :]
            self._is_torn = False
            if time.monotonic() - self._synced >= self._sync_s:
                os.fsync(self._file)
                self._synced = time.monotonic()

    def close(self) -> None:
        """Tell the disk to keep everything, and close."""
        with self._lock:
            file, self._file = self._file, -1
            if file < 0:
                return
            try:
                os.fsync(file)
            finally:
                os.close(file)


def read_records(path: Path) -> Iterator[Record]:
    """Read a log, oldest record first, a line at a time.

    Parameters
    ----------
    path : Path
        May be missing.

    Yields
    ------
    Record
        What is no record, such as the line that a crash tore, is left out with a warning.

    Raises
    ------
    InputError
        If the file is there and cannot be read.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    yield Record.model_validate_json(line)
                except ValidationError:
                    logger.warning("%s: line %d is no record; it is left out", path, number)
    except FileNotFoundError:
        return
    except OSError as err:
        raise InputError(
            f"the log {path} cannot be read ({err.strerror}): check the folder"
        ) from err


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
