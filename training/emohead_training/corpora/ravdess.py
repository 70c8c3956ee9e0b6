"""RAVDESS: ``Actor_XX/MM-VC-EM-IN-ST-RP-AC.mp4|wav``, in whatever folders the zips were unpacked.

The seven numbers of a name are modality, vocal channel, emotion, intensity, statement, repetition
and actor. Not here: decoding (``footage.py``).
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead_training.corpora.people import split_by_paper
from emohead_training.corpora.protocol import Listing, PrepareConfig, Skip
from emohead_training.corpora.recordings import Recording, files_below, prepare_recording
from emohead_training.corpora.records import Record

__all__ = ["Ravdess"]

_NAME: Final = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")
_SOUND_AND_VIDEO, _VIDEO_ONLY, _SOUND_ONLY = "01", "02", "03"
_SONG: Final = "02"
_INTENSITY: Final = {"01": "normal", "02": "strong"}
_DOWNLOAD: Final = (
    "download RAVDESS from Zenodo, record 1188976 (the Video_Speech and Audio_Speech zips), unpack "
    "it, and give the folder that holds Actor_01 and so on as --root"
)


class Ravdess:
    """Preparer of RAVDESS speech; songs are left out."""

    def __init__(self, config: PrepareConfig) -> None:
        self._config = config

    def listing(self) -> Listing:
        """List every take once; errors as of the protocol."""
        takes: dict[str, tuple[Path, str]] = {}
        left_out: Counter[str] = Counter()
        for path, below in files_below(self._config, _DOWNLOAD):
            if _NAME.fullmatch(path.stem) is None:
                left_out["its name is not RAVDESS's"] += 1
            elif path.stem[3:5] == _SONG:
                left_out["a song (vocal channel 02)"] += 1
            elif path.stem in takes:
                left_out["a second copy"] += 1
            else:
                takes[path.stem] = (path, below)
        items = []
        for stem, (path, below) in sorted(takes.items()):
            if stem[:2] == _VIDEO_ONLY and f"{_SOUND_AND_VIDEO}{stem[2:]}" in takes:
                left_out["the same take with sound is there (modality 02)"] += 1
                continue
            alone = f"{_SOUND_ONLY}{stem[2:]}" not in takes
            items.append(_recording(path, below, is_voice=stem[:2] == _SOUND_ONLY or alone))
        if not items:
            raise InputError(
                f"expected RAVDESS speech below {self._config.root}, found none; {_DOWNLOAD}"
            )
        return Listing(items=items, left_out=left_out)

    def prepare(self, item: Recording) -> Record | Skip:
        """Prepare one take."""
        return prepare_recording(item, "ravdess", self._config)


def _recording(path: Path, below: str, *, is_voice: bool) -> Recording:
    modality, _, emotion, intensity, statement, _, actor = path.stem.split("-")
    return Recording(
        key=path.stem,
        origin=below,
        path=path,
        shows_face=modality != _SOUND_ONLY,
        is_voice=is_voice,
        identity=actor,
        split=split_by_paper("ravdess", actor),
        emotion=EMOTIONS[int(emotion) - 1],
        intensity=_INTENSITY[intensity],
        text=statement,
    )
