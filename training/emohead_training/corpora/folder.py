"""Own footage: any videos and sounds below a folder, told apart by their folders or a table.

``labels.csv`` in the root may give ``identity``, ``emotion`` and ``split`` of a ``file``. Long
recordings are cut into stretches. Not here: decoding (``footage.py``).
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from pathlib import Path
from typing import Final, get_args

from emohead.emotion import EMOTIONS, emotion_index
from emohead.errors import InputError
from emohead_training.corpora.footage import Span
from emohead_training.corpora.people import split_by_hash
from emohead_training.corpora.protocol import Listing, PrepareConfig, Skip
from emohead_training.corpora.recordings import (
    VIDEO_SUFFIXES,
    Recording,
    files_below,
    prepare_recording,
)
from emohead_training.corpora.records import Record
from emohead_training.corpus import Split

__all__ = ["LABELS_FILE", "OwnFootage"]

LABELS_FILE: Final = "labels.csv"
_LONGEST_S: Final = 10.0
"""Longer recordings are cut into equal stretches, each with its own crop."""
_ADVICE: Final = "give a folder with a sub-folder of videos or sounds for each person as --root"


class OwnFootage:
    """Preparer of anybody's own recordings."""

    def __init__(self, config: PrepareConfig) -> None:
        self._config = config

    def listing(self) -> Listing:
        """List every stretch; errors as of the protocol, and for labels that make no sense."""
        files = list(files_below(self._config, _ADVICE))
        root = self._config.root
        if not files or root is None:
            raise InputError(f"expected videos or sounds below {root}, found none; {_ADVICE}")
        labels = _labels(root / LABELS_FILE, {below for _, below in files})
        items = [
            item for path, below in files for item in _stretches(path, below, labels.get(below, {}))
        ]
        _check_split(items)
        return Listing(items=items)

    def prepare(self, item: Recording) -> Record | Skip:
        """Prepare one stretch."""
        return prepare_recording(item, "folder", self._config)


def _labels(path: Path, files: set[str]) -> dict[str, dict[str, str]]:
    """Rows of the table by file."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as table:
        rows = {
            (row.get("file") or "").strip().replace("\\", "/"): row for row in csv.DictReader(table)
        }
    for file, row in rows.items():
        if file not in files:
            raise InputError(
                f"{path}: expected a video or sound below its folder, got {file!r}; correct the row"
            )
        split = (row.get("split") or "").strip()
        if split not in ("", *get_args(Split)):
            raise InputError(f"{path}: expected split train, val or test, got {split!r} of {file}")
        if (row.get("emotion") or "").strip():
            emotion_index(row["emotion"])
    return rows


def _stretches(path: Path, below: str, row: dict[str, str]) -> list[Recording]:
    given = {k: (row.get(k) or "").strip() for k in ("identity", "emotion", "split")}
    identity = given["identity"] or path.parent.name
    split: Split = given["split"] or split_by_hash(identity)  # type: ignore[assignment]
    spans = _spans(_duration_s(path))
    key = re.sub(r"[^A-Za-z0-9_-]+", "-", below.rsplit(".", 1)[0])
    key += "-" + hashlib.sha256(below.encode()).hexdigest()[:8]
    return [
        Recording(
            key=key if len(spans) == 1 else f"{key}-{number:03d}",
            origin=below,
            path=path,
            shows_face=path.suffix.lower() in VIDEO_SUFFIXES,
            is_voice=True,
            identity=identity,
            split=split,
            emotion=EMOTIONS[emotion_index(given["emotion"])] if given["emotion"] else "",
            span=span,
        )
        for number, span in enumerate(spans)
    ]


def _spans(duration_s: float) -> list[Span]:
    count = max(1, math.ceil(duration_s / _LONGEST_S))
    if count == 1:
        return [Span()]
    length = duration_s / count
    return [Span(start_s=i * length, length_s=length) for i in range(count)]


def _duration_s(path: Path) -> float:
    """Length as the container states it; zero where it cannot be opened, which shows later."""
    import av

    try:
        with av.open(str(path)) as container:
            return (container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError, ValueError):
        return 0.0


def _check_split(items: list[Recording]) -> None:
    """Refuse a person on two sides."""
    side: dict[str, str] = {}
    for item in items:
        if side.setdefault(item.identity, item.split) != item.split:
            raise InputError(
                f"expected each person on one side, got {item.identity!r} on {side[item.identity]} "
                f"and {item.split}; correct {LABELS_FILE}"
            )
