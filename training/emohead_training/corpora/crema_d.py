"""CREMA-D: ``1001_DFA_ANG_XX.flv|mp4|wav|mp3`` in ``VideoFlash``, ``AudioWAV`` or any folder.

A name tells actor, sentence, emotion and level. Not here: decoding (``footage.py``).
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

from emohead.emotion import EMOTIONS, emotion_index
from emohead.errors import InputError
from emohead_training.corpora.people import split_by_paper
from emohead_training.corpora.protocol import Listing, PrepareConfig, Skip
from emohead_training.corpora.recordings import (
    VIDEO_SUFFIXES,
    Recording,
    files_below,
    prepare_recording,
)
from emohead_training.corpora.records import Record

__all__ = ["CremaD"]

_NAME: Final = re.compile(r"(1\d{3})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX|X)")
_EMOTION: Final = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
_LEVEL: Final = {"LO": "low", "MD": "medium", "HI": "high"}
_BEST_SOUND: Final = (".wav", ".flac", ".mp3")
_BEST_VIDEO: Final = (".flv", ".mp4")
_DOWNLOAD: Final = (
    "get CREMA-D from its GitHub page, CheyneyComputerScience/CREMA-D (with Git LFS), and give its "
    "folder, which holds VideoFlash and AudioWAV, as --root"
)


class CremaD:
    """Preparer of CREMA-D."""

    def __init__(self, config: PrepareConfig) -> None:
        self._config = config

    def listing(self) -> Listing:
        """List each clip's best video and best sound; errors as of the protocol."""
        best: dict[tuple[str, bool], tuple[Path, str]] = {}
        left_out: Counter[str] = Counter()
        for path, below in files_below(self._config, _DOWNLOAD):
            if _NAME.fullmatch(path.stem) is None:
                left_out["its name is not CREMA-D's"] += 1
                continue
            kind = (path.stem, path.suffix.lower() in VIDEO_SUFFIXES)
            if kind in best:
                left_out["the same clip in another format"] += 1
            if kind not in best or _rank(path) < _rank(best[kind][0]):
                best[kind] = (path, below)
        items = [
            _recording(
                path, below, shows_face=video, is_voice=not video or (stem, False) not in best
            )
            for (stem, video), (path, below) in sorted(best.items())
        ]
        if not items:
            raise InputError(
                f"expected clips of CREMA-D below {self._config.root}, found none; {_DOWNLOAD}"
            )
        return Listing(items=items, left_out=left_out)

    def prepare(self, item: Recording) -> Record | Skip:
        """Prepare one clip."""
        return prepare_recording(item, "crema-d", self._config)


def _rank(path: Path) -> int:
    """Order of formats, the least compressed first."""
    order = _BEST_SOUND + _BEST_VIDEO
    suffix = path.suffix.lower()
    return order.index(suffix) if suffix in order else len(order)


def _recording(path: Path, below: str, *, shows_face: bool, is_voice: bool) -> Recording:
    actor, sentence, emotion, level = path.stem.split("_")
    return Recording(
        key=f"{path.stem}-video" if shows_face else path.stem,
        origin=below,
        path=path,
        shows_face=shows_face,
        is_voice=is_voice,
        identity=actor,
        split=split_by_paper("crema-d", actor),
        emotion=EMOTIONS[emotion_index(_EMOTION[emotion])],
        intensity=_LEVEL.get(level, ""),
        text=sentence,
    )
