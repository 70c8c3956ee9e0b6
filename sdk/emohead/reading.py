"""Files and JSON from strangers: ordinary files only, never more of them than the limit.

Called by everything that reads a user's file whole. Not here: the limits (``limits.py``), what the
content means. Standard library only; pydantic where a record is read.
"""

from __future__ import annotations

import codecs
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from emohead.errors import InputError
from emohead.limits import limits, raise_it

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

__all__ = ["checked_file", "first_problem", "json_from", "read_file", "record_from", "shown"]

Record = TypeVar("Record", bound="BaseModel")


def shown(given: object) -> str:
    """Text of a path or value for a message: one line, printable, at most 200 characters."""
    text = "".join(c if c.isprintable() else "?" for c in str(given))
    return text if len(text) <= 200 else f"{text[:120]}…{text[-60:]}"


def first_problem(error: ValidationError, whole: str) -> tuple[str, str]:
    """Say where a record is wrong first, and how.

    Parameters
    ----------
    error : pydantic.ValidationError
    whole : str
        How the message calls the place of a problem that no field has alone.

    Returns
    -------
    place : str
        Names and numbers from the outside in, with dots between them.
    problem : str
        pydantic's words.
    """
    first = error.errors()[0]
    return ".".join(str(part) for part in first["loc"]) or whole, first["msg"]


def record_from(record: type[Record], content: str | bytes, what: str, advice: str) -> Record:
    """Understand JSON as a record.

    Parameters
    ----------
    record : type of pydantic.BaseModel
    content : str or bytes
    what : str
        What the JSON is, for the message, for example ``the JSON of a style``.
    advice : str
        What to do, for the message.

    Returns
    -------
    pydantic.BaseModel
        Of the type asked for.

    Raises
    ------
    InputError
        When it is no JSON, or no such record: at its first problem.
    """
    from pydantic import ValidationError

    if isinstance(content, bytes):
        content = content.removeprefix(codecs.BOM_UTF8)  # some editors begin files with it
    try:
        return record.model_validate_json(content)
    except ValidationError as err:
        place, problem = first_problem(err, "the whole")
        raise InputError(f"expected {what}, got {problem} at {place}: {advice}") from err


def checked_file(path: str | Path, what: str, advice: str) -> Path:
    """Make sure that `path` is an ordinary file, or a link to one.

    Parameters
    ----------
    path : str or Path
    what : str
        What the file is, for the message, for example ``the face image``.
    advice : str
        What to do, for the message.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Nothing there, a folder, a device, a pipe, or a path that the system does not take.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as err:
        raise InputError(f"{what} {shown(path)} does not exist: {advice}") from err
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err)
        raise InputError(f"{what} {shown(path)} cannot be read ({reason}): {advice}") from err
    if stat.S_ISDIR(mode):
        raise InputError(f"{what} {shown(path)} is a folder: {advice}")
    if not stat.S_ISREG(mode):
        raise InputError(f"{what} {shown(path)} is a device or a pipe: {advice}")
    return Path(path)


def read_file(path: str | Path, what: str, advice: str, *, limit: str = "record_bytes") -> bytes:
    """Read an ordinary file whole.

    Parameters
    ----------
    path : str or Path
    what, advice : str
        As for ``checked_file``.
    limit : str
        Name of the field of ``Limits`` that bounds its size.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        As ``checked_file``; or larger than the limit, or unreadable.
    """
    most = int(getattr(limits(), limit))
    try:
        with checked_file(path, what, advice).open("rb") as file:
            content = file.read(most + 1)
    except OSError as err:
        raise InputError(f"{what} {shown(path)} cannot be read ({err.strerror}): {advice}") from err
    if len(content) > most:
        raise InputError(
            f"{what} {shown(path)} is larger than {most:,} bytes: make it smaller, "
            f"{raise_it(limit)}"
        )
    return content


def json_from(text: str | bytes) -> Any:
    """Understand JSON strictly: no NaN, no Infinity, no nesting that exhausts the stack.

    Parameters
    ----------
    text : str or bytes

    Returns
    -------
    object

    Raises
    ------
    ValueError
        When it is no such JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as err:
        raise ValueError("it is nested too deeply") from err


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
