"""Files that appear whole or not at all: checks before the work, a rename after it.

Called by whoever writes tracks, landmarks, curves, styles and videos (``video.py``).
Not here: what is in them. Standard library only.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emohead.errors import InputError

__all__ = ["check_apart", "check_target", "reserve", "whole_file", "writable_folder", "write_json"]


def check_target(path: str | Path, suffixes: Sequence[str], what: str) -> Path:
    """Make sure that a file can be written, before any work is done.

    Parameters
    ----------
    path : str or Path
    suffixes : sequence of str
        Endings that are allowed, with their dots.
    what : str
        How messages call the file, such as "landmark file".

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    InputError
        If it ends otherwise, is a folder or write-protected, or its folder is missing or read-only.
    """
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise InputError(
            f"the {what} {path} must end in {' or '.join(suffixes)}: choose such a name"
        )
    if target.is_dir():
        raise InputError(f"the {what} {path} is a folder: give the path of a file")
    if not target.parent.is_dir():
        raise InputError(f"the folder {target.parent} does not exist: create it first")
    if target.exists() and not os.access(target, os.W_OK):
        raise InputError(f"the {what} {path} is read-only: remove it or choose another name")
    reserve(target).unlink()
    return target


def reserve(target: Path, suffix: str = ".part") -> Path:
    """Create an empty temporary file beside a target, hidden and under a name of its own.

    Parameters
    ----------
    target : Path
    suffix : str
        Ending of the temporary file's name.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}{suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as err:
        raise InputError(
            f"the folder {target.parent} cannot be written to ({err.strerror or err}): "
            "choose another folder"
        ) from err
    return temporary


def writable_folder(folder: str | Path, what: str) -> Path:
    """Make a folder where it is missing, and make sure that files can be written to it.

    Parameters
    ----------
    folder : str or Path
    what : str
        How messages call it, such as "output folder".

    Returns
    -------
    Path
        The same folder.

    Raises
    ------
    InputError
        If it cannot be made or written to.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise InputError(
            f"the {what} {folder} cannot be made ({err.strerror}): choose another place"
        ) from err
    reserve(place / "trial").unlink()
    return place


def check_apart(target: Path, sources: Iterable[Path], what: str) -> None:
    """Make sure that writing a file destroys nothing that it is made from.

    Parameters
    ----------
    target : Path
        There or not.
    sources : iterable of Path
        Likewise.
    what : str
        How the message calls the file, such as "video".

    Raises
    ------
    InputError
        If `target` is one of `sources`, under whatever name.
    """
    for source in sources:
        if _are_one(target, source):
            raise InputError(
                f"the {what} {target} would take the place of {source}, which it is made from: "
                "choose another name"
            )


def _are_one(first: Path, second: Path) -> bool:
    try:
        return os.path.samefile(first, second)
    except (OSError, ValueError):  # one of them is not there
        return False


@contextmanager
def whole_file(target: Path, what: str, suffix: str | None = None) -> Iterator[Path]:
    """Give a hidden path to write to, which takes `target`'s place if all went well.

    Parameters
    ----------
    target : Path
        From ``check_target``.
    what : str
        How messages call the file.
    suffix : str, optional
        Ending of the hidden name; that of `target` by default, for writers that go by it.

    Yields
    ------
    Path
        An empty file beside `target`.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    temporary = reserve(target, target.suffix if suffix is None else suffix)
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as err:
        raise InputError(
            f"the {what} {target} cannot be written ({err}): free space, or choose another place"
        ) from err
    finally:
        temporary.unlink(missing_ok=True)


def write_json(record: dict[str, Any], path: str | Path, what: str) -> Path:
    """Write a record as a ``.json`` file, whole or not at all; `what` as in ``check_target``.

    Raises
    ------
    InputError
        If `path` cannot be written to.
    """
    target = check_target(path, (".json",), what)
    with whole_file(target, what) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return target
