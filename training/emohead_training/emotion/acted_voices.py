"""Log-mels and labels of all acted sentences, computed once and cached.

One table maps the data sets' classes to ours. People of the test side are read only by
``measure.py``. Not here: augmentation and batches.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead_training.corpus import VoiceClip, read_voice_index
from emohead_training.loop.record import data_hash
from emohead_training.stored import read_log_mel
from emohead_training.whole_files import keep, write_arrays

__all__ = [
    "CLASSES_OF",
    "FOLDS",
    "ActedVoices",
    "held_out_speakers",
    "known_classes",
    "read_acted_voices",
]

log = logging.getLogger(__name__)

CLASSES_OF: Final[dict[str, tuple[str, ...]]] = {
    "ravdess": EMOTIONS,
    "crema-d": ("neutral", "happy", "sad", "angry", "fearful", "disgust"),
}
"""Our classes that each data set labels; about the others its clips say nothing."""
FOLDS: Final = 7
"""A fold is this part of the training people, per data set: those who only validate a voter.
Odd, because RAVDESS numbers men and women in turn: every fold has both."""


@dataclass(frozen=True, kw_only=True)
class ActedVoices:
    """Clips end to end."""

    log_mel: NDArray[np.float16]
    """(T, 128) dB re full scale."""
    starts: NDArray[np.int64]
    """(U + 1,) first frame of each clip, and the total."""
    labels: NDArray[np.int64]
    """(U,) index into ``EMOTIONS``."""
    known: NDArray[np.bool_]
    """(U, 8) the classes that the clip's data set labels."""
    speakers: NDArray[np.str_]
    """(U,) who speaks, the data set included."""
    datasets: NDArray[np.str_]
    """(U,) ``ravdess`` or ``crema-d``."""

    def __len__(self) -> int:
        return len(self.labels)

    def clip(self, index: int) -> NDArray[np.float32]:
        """(frames, 128) float32, dB, of one clip."""
        return self.log_mel[self.starts[index] : self.starts[index + 1]].astype(np.float32)


def known_classes(dataset: str) -> NDArray[np.bool_]:
    """(8,) which classes a data set labels."""
    return np.array([name in CLASSES_OF.get(dataset, EMOTIONS) for name in EMOTIONS])


def held_out_speakers(clips: ActedVoices, fold: int, folds: int = FOLDS) -> set[str]:
    """Choose the people who validate and calibrate: every so-manieth of each data set, by name.

    Parameters
    ----------
    clips : ActedVoices
        Of the training side.
    fold : int, [0, folds)
        Different folds share nobody.
    folds : int

    Returns
    -------
    set of str
    """
    chosen: set[str] = set()
    for dataset in sorted(set(clips.datasets.tolist())):
        people = sorted(set(clips.speakers[clips.datasets == dataset].tolist()))
        parts = min(folds, len(people))
        chosen.update(people[fold % parts :: parts])
    return chosen


def read_acted_voices(data: Path, cache: Path) -> ActedVoices:
    """Load the training side, making the cache first where it is missing or of another corpus.

    Parameters
    ----------
    data : Path
        Corpus root.
    cache : Path
        The ``.npz`` file to read or write.

    Returns
    -------
    ActedVoices

    Raises
    ------
    InputError
        The corpus has no acted voices of train people.
    """
    keep(cache, {"data_sha256": data_hash(data)}, lambda: _write(cache, _acted_voices(data)))
    with np.load(cache, allow_pickle=False) as stored:
        return ActedVoices(**{name: stored[name] for name in stored.files})


def _acted_voices(data: Path) -> list[VoiceClip]:
    labelled = [v for v in read_voice_index(data, "train") if v.emotion]
    if not labelled:
        raise InputError(
            f"expected voices with an acted emotion in {data / 'audio.csv'}, found none; "
            "prepare RAVDESS or CREMA-D into the same folder"
        )
    return labelled


def _write(cache: Path, voices: list[VoiceClip]) -> None:
    mels = [read_log_mel(v.path).T.astype(np.float16) for v in voices]
    log.info("%d clips, %d frames of log-mel", len(mels), sum(map(len, mels)))
    write_arrays(
        cache,
        log_mel=np.concatenate(mels),
        starts=np.cumsum([0, *map(len, mels)]),
        labels=np.array([EMOTIONS.index(v.emotion) for v in voices]),
        known=np.stack([known_classes(v.dataset) for v in voices]),
        speakers=np.array([v.speaker for v in voices]),
        datasets=np.array([v.dataset for v in voices]),
    )
