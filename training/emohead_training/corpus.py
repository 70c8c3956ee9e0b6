"""Reading the training corpora: the indices, decoded frames and landmark labels.

A corpus root holds ``video.csv``, ``audio.csv`` and the files that they name, loose ones or
members of shards (``media.py``). Not here: augmentation and features, which belong to their stage.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from emohead.audio import read_audio
from emohead.emotion import ALIASES, EMOTIONS
from emohead.errors import InputError
from emohead_training.compact_points import points_from
from emohead_training.media import has_media, open_media

__all__ = [
    "SELF_LABELLED",
    "SHARDS_FOLDER",
    "Labels",
    "Spelling",
    "Split",
    "VideoClip",
    "VoiceClip",
    "acted_emotion",
    "read_frames",
    "read_labels",
    "read_sound",
    "read_spelling",
    "read_video_index",
    "read_voice_index",
]

SHARDS_FOLDER: Final = "shards"
"""Folder of the corpus root whose members the indices name from the root on."""

SELF_LABELLED: Final = "landmarks by emohead's own networks"
"""Note of clips whose landmarks cannot judge these networks."""

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class VideoClip:
    """One talking-face clip."""

    path: Path
    """The mp4, or where it lies in a shard: ``shard.tar/key.mp4``."""
    source: str
    """Collection that it comes from."""
    identity: str
    """Person shown."""
    split: Split
    """Side of the split by person."""
    emotion: str
    """Acted emotion as labelled, or empty."""
    fps: float
    """Frames a second."""
    num_frames: int
    """Number of frames."""
    has_speech: bool
    """Whether the sound track holds speech."""
    lag_frames: float | None
    """Measured lag of the sound, where known."""
    self_labelled: bool = False
    """Whether the landmarks come from the networks that they would judge."""


@dataclass(frozen=True, kw_only=True)
class VoiceClip:
    """One acted sentence."""

    path: Path
    """The sound file, or where it lies in a shard."""
    dataset: str
    """``ravdess``, ``crema-d``, or the name of another corpus."""
    speaker: str
    """Speaker within the data set."""
    split: Split
    """Side of the split by person."""
    emotion: str
    """Acted emotion, one of ``EMOTIONS``, or empty."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Landmark labels of a clip."""

    landmarks: NDArray[np.float32]
    """(N, 68, 3) in crop pixels."""
    iris: NDArray[np.float32]
    """(N, 2, 3) in crop pixels."""
    valid: NDArray[np.bool_]
    """(N,) whether the frame shows a face that was found."""
    fps: float
    """Frames a second."""
    outline: NDArray[np.float32] | None
    """(N, 11, 3) along the hairline in crop pixels; None where nobody measured it."""


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """Which sounds of speech a recording holds, and when."""

    phonemes: NDArray[np.int64]
    """(P,) indices into ``PHONEMES``."""
    starts_s: NDArray[np.float32]
    """(P,) ascending start times in seconds."""
    text: str
    """What is said."""
    is_aligned: bool = False
    """Whether known words were aligned to a person's sound, rather than told by a synthesizer."""


def _rows(index: Path) -> list[dict[str, str]]:
    if not index.is_file():
        raise InputError(
            f"expected an index at {index}, found none; give the corpus folder as --data"
        )
    with index.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _placed(root: Path, folder: str, file: str) -> Path:
    """Path of a row's file: below `folder`, or below the root for members of shards."""
    sharded = PurePosixPath(file).parts[0] == SHARDS_FOLDER
    return root / file if sharded else root / folder / file


def read_video_index(
    root: Path, split: Split | None = None, *, may_be_empty: bool = False
) -> list[VideoClip]:
    """Clips of ``video.csv``.

    Parameters
    ----------
    root : Path
        Corpus root.
    split : {"train", "val", "test"}, optional
        One side of the split; None takes all.
    may_be_empty : bool
        Whether the caller can do without any.

    Returns
    -------
    list of VideoClip

    Raises
    ------
    InputError
        No index, or no such clip where one is needed.
    """
    clips = [
        VideoClip(
            path=_placed(root, "video", row["file"]),
            source=row["source"],
            identity=row["identity"],
            split=row["split"],  # type: ignore[arg-type]
            emotion="" if row["emotion"] == "-" else row["emotion"],
            fps=float(row["fps"]),
            num_frames=int(row["frames"]),
            has_speech=row["has_speech"] == "1",
            lag_frames=_number(row["lag_frames"]),
            self_labelled=row.get("note") == SELF_LABELLED,
        )
        for row in _rows(root / "video.csv")
    ]
    chosen = [c for c in clips if split in (None, c.split)]
    if not chosen and not may_be_empty:
        raise InputError(_lacks(root / "video.csv", "talking-face clips", split))
    return chosen


def acted_emotion(label: str) -> str | None:
    """Name, of ``EMOTIONS``, of a label such as ``fear/level3``.

    Parameters
    ----------
    label : str
        As ``video.csv`` has it.

    Returns
    -------
    str or None
        None for no label, for contempt, and for guesses (``happy?``).
    """
    word = label.split("/")[0].split(" ")[0]
    name = ALIASES.get(word, word)
    return name if name in EMOTIONS else None


def read_voice_index(
    root: Path, split: Split | None = None, *, may_be_empty: bool = False
) -> list[VoiceClip]:
    """Clips of ``audio.csv``; parameters, result and errors as of ``read_video_index``."""
    clips = [
        VoiceClip(
            path=_placed(root, "audio", row["file"]),
            dataset=row["dataset"],
            speaker=f"{row['dataset']}-{row['speaker']}",
            split=row["split"],  # type: ignore[arg-type]
            emotion=row["emotion"],
        )
        for row in _rows(root / "audio.csv")
    ]
    chosen = [c for c in clips if split in (None, c.split)]
    if not chosen and not may_be_empty:
        raise InputError(_lacks(root / "audio.csv", "voices", split))
    return chosen


def _lacks(index: Path, what: str, split: Split | None) -> str:
    side = "" if split is None else f" of the {split} people"
    return (
        f"expected {what}{side} in {index}, found none; prepare a corpus that has them into the "
        "same folder (emohead-train prepare)"
    )


def read_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Decode a clip.

    Parameters
    ----------
    path : Path
        The video, loose or in a shard.

    Yields
    ------
    (height, width, 3) uint8 ndarray
        RGB.

    Raises
    ------
    InputError
        No such clip, or OpenCV cannot read it where PyAV is missing.
    """
    yield from _frames_by_opencv(path) if find_spec("av") is None else _frames_by_ffmpeg(path)


def _frames_by_ffmpeg(path: Path) -> Iterator[NDArray[np.uint8]]:
    import av

    with open_media(path) as file, av.open(file) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def _frames_by_opencv(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Decode the same frames without PyAV; a shard's member goes through a file."""
    import cv2

    with NamedTemporaryFile(suffix=path.suffix) as copy:
        if not path.is_file():
            with open_media(path) as file:
                copy.write(file.read())
            copy.flush()
        film = cv2.VideoCapture(str(path) if path.is_file() else copy.name)
        if not film.isOpened():
            raise InputError(f"expected a video at {path}, OpenCV cannot read it: install av")
        while film.grab():
            yield np.ascontiguousarray(film.retrieve()[1][..., ::-1])
        film.release()


def read_labels(video: Path) -> Labels:
    """Landmark labels that lie beside a clip."""
    with (
        open_media(video.with_suffix(".npz")) as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        outline = points_from(stored["forehead"]) if "forehead" in stored else None
        return Labels(
            landmarks=points_from(stored["landmarks"]),
            iris=points_from(stored["iris"]),
            valid=stored["valid"].astype(bool),
            fps=float(stored["fps"]),
            outline=outline,
        )


def read_sound(path: Path) -> NDArray[np.float32]:
    """Sound of a clip or a voice, (n,) float32, mono, [-1, 1], 16 kHz; errors of `read_audio`."""
    with open_media(path) as file:
        return read_audio(file).samples


def read_spelling(path: Path) -> Spelling | None:
    """Phonemes of a voice where the corpus knows them: those of synthesised speech."""
    labels = path.with_suffix(".npz")
    if not has_media(labels):
        return None
    with open_media(labels) as file, np.load(file, allow_pickle=False) as stored:
        if "phonemes" not in stored:
            return None
        return Spelling(
            phonemes=stored["phonemes"].astype(np.int64),
            starts_s=stored["starts_s"].astype(np.float32),
            text=str(stored["text"]),
            is_aligned="is_aligned" in stored,
        )
