"""What a study compares: clips by method and set, from folders or from a manifest.

Clips of different methods belong together by their file name without suffix.
Called by ``make.py``. Not here: copying them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emohead.errors import InputError
from emohead.reading import json_from, read_file, shown

__all__ = ["CLIP_SUFFIXES", "Material", "material_from_folders", "material_from_manifest"]

CLIP_SUFFIXES: Final = (".mp4", ".m4v", ".webm")
"""Containers that browsers play."""
PHOTO_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
_COLUMNS: Final = ("method", "set", "path")


@dataclass(frozen=True, kw_only=True)
class Material:
    """Clips to compare; every method has a clip for every set."""

    methods: tuple[str, ...]
    """Names, sorted."""
    sets: tuple[str, ...]
    """Names, sorted."""
    clips: Mapping[tuple[str, str], Path]
    """Video of each (method, set)."""
    photos: Mapping[str, Path]
    """Neutral photo of a set, where there is one."""


def material_from_folders(methods: Mapping[str, Path], photos: Path | None = None) -> Material:
    """Match the clips of one folder per method by file name.

    Parameters
    ----------
    methods : mapping of name to folder
    photos : Path, optional
        Folder with a neutral photo for every set, matched by file name too.

    Returns
    -------
    Material

    Raises
    ------
    InputError
        A folder that is missing, holds no clip, or lacks a clip or photo that others have.
    """
    clips = {
        (method, name): path
        for method, folder in methods.items()
        for name, path in _by_name(folder, CLIP_SUFFIXES, "clip").items()
    }
    portraits = {} if photos is None else _by_name(photos, PHOTO_SUFFIXES, "photo")
    sets = {name for _, name in clips}
    for name in sets:
        if photos is not None and name not in portraits:
            raise InputError(f"the photo folder {photos} has no photo of {name!r}: add it")
    return _checked(clips, {name: portraits[name] for name in sets if name in portraits})


def material_from_manifest(path: Path) -> Material:
    """Read a manifest.

    Parameters
    ----------
    path : Path
        CSV with the columns ``method``, ``set``, ``path`` and, if wanted, ``photo``, or a JSON
        list of objects with these keys. Paths are relative to the manifest.

    Returns
    -------
    Material

    Raises
    ------
    InputError
        A manifest that cannot be read, rows without the columns, repeated or missing clips.
    """
    clips: dict[tuple[str, str], Path] = {}
    photos: dict[str, Path] = {}
    for number, row in enumerate(_rows(path), start=1):
        cells = {key: str(row.get(key) or "").strip() for key in (*_COLUMNS, "photo")}
        missing = [key for key in _COLUMNS if not cells[key]]
        if missing:
            raise InputError(f"row {number} of {path} has no {missing[0]!r}: fill it in")
        key = (cells["method"], cells["set"])
        if key in clips:
            raise InputError(
                f"row {number} of {path} repeats method {key[0]!r} and set {key[1]!r}: "
                "give each pair once"
            )
        clips[key] = path.parent / cells["path"]
        if cells["photo"]:
            photo = path.parent / cells["photo"]
            if photos.setdefault(key[1], photo) != photo:
                raise InputError(
                    f"row {number} of {path} has another photo for set {key[1]!r}: give one"
                )
    return _checked(clips, photos)


def _rows(path: Path) -> list[dict[str, Any]]:
    content = read_file(path, "the manifest", "give CSV or JSON")
    try:
        text = content.decode("utf-8-sig")
        if path.suffix.lower() == ".json":
            rows = json_from(text)
        else:
            rows = list(csv.DictReader(text.splitlines()))
    except (ValueError, csv.Error) as err:
        raise InputError(
            f"the manifest {path} cannot be read ({shown(err)}): give CSV or JSON"
        ) from err
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"the manifest {path} must hold a list of objects: see docs/user-study.md")
    return rows


def _by_name(folder: Path, suffixes: tuple[str, ...], what: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist: give a folder of {what}s")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        if path.stem in found:
            raise InputError(f"{path} and {found[path.stem].name} have one name: keep one of them")
        found[path.stem] = path
    if not found:
        endings = ", ".join(suffixes)
        raise InputError(f"the folder {folder} holds no {what}: expected files ending in {endings}")
    return found


def _checked(clips: dict[tuple[str, str], Path], photos: dict[str, Path]) -> Material:
    methods = tuple(sorted({method for method, _ in clips}))
    sets = tuple(sorted({name for _, name in clips}))
    if len(methods) < 2:
        raise InputError(f"expected at least two methods, got {len(methods)}: name another one")
    for method in methods:
        for name in sets:
            if (method, name) not in clips:
                raise InputError(
                    f"method {method!r} has no clip {name!r}, which others have: "
                    "add it or remove it from the others"
                )
    for path in (*clips.values(), *photos.values()):
        if not path.is_file():
            raise InputError(f"the file {path} does not exist: correct its path")
    for path in clips.values():
        if path.suffix.lower() not in CLIP_SUFFIXES:
            endings = ", ".join(CLIP_SUFFIXES)
            raise InputError(f"the clip {path} must end in one of {endings}: convert it")
    return Material(methods=methods, sets=sets, clips=clips, photos=photos)
