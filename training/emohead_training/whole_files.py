"""JSON, text and arrays on disk, whole or not at all, and what is kept of a corpus between runs.

Called by whoever stores something beside weights or numbers. Not here: tensors
(``loop/tensor_file.py``), shards (``corpora/shards.py``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from emohead.whole_files import whole_file

__all__ = ["keep", "read_json", "whole_bytes", "write_arrays", "write_json", "write_text"]


@contextmanager
def whole_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears at `path` when all of it is on the disk; its folder is made.

    Parameters
    ----------
    path : Path

    Yields
    ------
    BinaryIO
        Open for writing.

    Raises
    ------
    InputError
        The place cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, "file") as temporary, temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file, whole or not at all; errors as of ``whole_bytes``."""
    with whole_bytes(path) as file:
        file.write(text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all; errors as of ``whole_bytes``."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no file."""
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write an ``.npz`` file, whole or not at all; errors as of ``whole_bytes``."""
    with whole_bytes(path) as file:
        np.savez(file, **arrays)


def keep(place: Path, made_of: Mapping[str, Any], make: Callable[[], None]) -> None:
    """Make what is kept at `place`, unless it is there and was made of the same.

    What it was made of is noted beside it, last of all. So neither half a cache is ever read, nor
    one of another corpus, whose train side may hold somebody who has moved to the test side.

    Parameters
    ----------
    place : Path
        File or folder.
    made_of : mapping of str to JSON values
        Hash of the corpus, and settings that matter.
    make : callable
        Makes it, over whatever is there.
    """
    note = place.with_name(f"{place.name}.made_of.json")
    wanted = json.loads(json.dumps(dict(made_of)))
    if not place.exists() or read_json(note) != wanted:
        note.unlink(missing_ok=True)
        make()
        write_json(note, wanted)
