"""Styles as JSON files, checked strictly.

Slow to import (pydantic). Not here: the style itself (``factors.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from emohead.errors import InputError
from emohead.reading import read_file, record_from, shown
from emohead.style.factors import BOUNDS, Style
from emohead.whole_files import check_target, write_json

__all__ = ["FORMAT", "check_style_output", "read_style", "style_as_dict", "write_style"]

FORMAT: Final = "emohead-style"
"""What the file says that it is."""
_WHAT: Final = "style file"
_ADVICE: Final = "write one with `emohead style REFERENCE -o style.json`"


class _Style(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["emohead-style"]
    version: Literal[1]
    lips: float = 1.0
    brows: float = 1.0
    head: float = 1.0
    blinks: float = 1.0
    notes: list[str] = []


def style_as_dict(style: Style) -> dict[str, Any]:
    """Turn a style into what its file holds: ``format``, ``version``, factors and ``notes``."""
    factors = {name: getattr(style, name) for name in BOUNDS}
    return {"format": FORMAT, "version": 1, **factors, "notes": list(style.notes)}


def read_style(path: str | Path) -> Style:
    """Read a style's file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Style
        Exactly the one that was written.

    Raises
    ------
    InputError
        If it cannot be read or is no style.
    """
    content = read_file(path, f"the {_WHAT}", "check the path")
    try:
        record = record_from(_Style, content, "the JSON of a style", _ADVICE)
    except InputError as err:
        raise InputError(f"{shown(path)}: {err}") from err
    factors = {name: getattr(record, name) for name in BOUNDS}
    return Style(**factors, notes=tuple(record.notes))


def write_style(style: Style, path: str | Path) -> Path:
    """Write a style's file, whole or not at all.

    Parameters
    ----------
    style : Style
    path : str or Path
        Ends in ``.json``; its folder exists.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If `path` cannot be written to.
    """
    return write_json(style_as_dict(style), path, _WHAT)


def check_style_output(path: str | Path) -> Path:
    """Return `path`; raises InputError unless such a ``.json`` can be written."""
    return check_target(path, (".json",), _WHAT)
