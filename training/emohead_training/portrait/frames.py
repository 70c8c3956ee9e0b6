"""Labelled face frames of the corpus, decoded once into a cache that training reads by memory map.

Frames are drawn evenly over people and clips, half of them for variety of pose and expression.
Called by the trainers of detector and landmarker. Not here: augmentation.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import BROWS
from emohead.images import read_image
from emohead_training.corpus import Split, VideoClip, read_frames, read_labels, read_video_index
from emohead_training.loop.record import data_hash
from emohead_training.portrait.teachers import Teacher
from emohead_training.stored import is_pack
from emohead_training.whole_files import keep

__all__ = ["FaceFrames", "load_frames", "portrait_samples"]

log = logging.getLogger(__name__)

FRAME_PX = 256
FRAMES_PER_PERSON = {"train": 96, "val": 40, "test": 24}
HELD_OUT_PORTRAITS: Final = ("LIA__macron", "CREMAD_")
"""Beginnings of the names of portraits that nothing is fitted to: somebody of the test side of
``video.csv``, and actors of CREMA-D of unknown number, who may be the paper's test people."""
TEMPLES, CHIN = (0, 16), 8
HAIRLINE_SHARE = 0.24
"""Brows to hairline over chin to brows, as in the labelled clips."""
HAIRLINE_ANGLES = (0.92 * np.pi, 0.08 * np.pi)
"""Where the half ellipse begins and ends."""
_PORTRAIT_WEIGHT = 0.6
_MIN_PRESENCE = 0.7


@dataclass(frozen=True, kw_only=True)
class FaceFrames:
    """Frames with one labelled face each."""

    images: NDArray[np.uint8]
    """(N, 256, 256, 3) RGB, memory-mapped."""
    landmarks: NDArray[np.float32]
    """(N, 68, 3) px, iBUG-68 order."""
    outline: NDArray[np.float32]
    """(N, 11, 3) px along the hairline."""
    person: NDArray[np.int64]
    """(N,) index of the person."""
    weight: NDArray[np.float64]
    """(N,) probability of drawing the frame; sums to one."""


@dataclass(frozen=True)
class _Sample:
    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    outline: NDArray[np.float32]
    person: str


def load_frames(data: Path, cache: Path, split: Split) -> FaceFrames:
    """Frames of one side of the split, decoded on the first call and for another corpus.

    Parameters
    ----------
    data : Path
        Corpus root.
    cache : Path
        Folder to keep the decoded frames in.
    split : {"train", "val", "test"}
        Side of the split by person; portraits join the train side.

    Returns
    -------
    FaceFrames
    """
    folder = cache / "portrait" / split
    keep(folder, {"data_sha256": data_hash(data)}, lambda: _build(data, folder, split))
    stored = {n: np.load(folder / f"{n}.npy") for n in ("landmarks", "outline", "person")}
    people: list[str] = json.loads((folder / "people.json").read_text())
    images = np.load(folder / "images.npy", mmap_mode="r")
    return FaceFrames(images=images, weight=_weights(stored["person"], people), **stored)


def _weights(person: NDArray[np.int64], people: Sequence[str]) -> NDArray[np.float64]:
    """Each person counts the same, a still portrait a little less."""
    share = np.array([_PORTRAIT_WEIGHT if p.startswith("portrait:") else 1.0 for p in people])
    weight = (share / np.maximum(np.bincount(person, minlength=len(people)), 1))[person]
    return np.asarray(weight / weight.sum(), np.float64)


def _build(data: Path, folder: Path, split: Split) -> None:
    log.info("decoding %s frames into %s", split, folder)
    samples = list(_clip_samples(data, split))
    if split == "train":
        samples += portrait_samples(data)
    people = sorted({s.person for s in samples})
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", np.stack([s.image for s in samples]))
    np.save(folder / "landmarks.npy", np.stack([s.landmarks for s in samples]))
    np.save(folder / "outline.npy", np.stack([s.outline for s in samples]))
    np.save(folder / "person.npy", np.array([people.index(s.person) for s in samples]))
    (folder / "people.json").write_text(json.dumps(people))


def _clip_samples(data: Path, split: Split) -> Iterator[_Sample]:
    by_person: dict[str, list[VideoClip]] = defaultdict(list)
    for clip in read_video_index(data, split):
        by_person[clip.identity].append(clip)
    rng = np.random.default_rng(0)
    for person, clips in sorted(by_person.items()):
        quota = FRAMES_PER_PERSON[split]
        if len(clips) > quota:
            clips = [clips[i] for i in rng.choice(len(clips), quota, replace=False)]
        for clip in clips:
            yield from _samples_of(clip, person, -(-quota // len(clips)))


def _samples_of(clip: VideoClip, person: str, count: int) -> Iterator[_Sample]:
    labels = read_labels(clip.path)
    outline = hairline(labels.landmarks) if labels.outline is None else labels.outline
    chosen = set(_choose(labels.landmarks, labels.valid, count))
    for index, image in enumerate(read_frames(clip.path)):
        if index in chosen:
            yield _Sample(image, labels.landmarks[index], outline[index], person)


def _choose(landmarks: NDArray[np.float32], valid: NDArray[np.bool_], count: int) -> list[int]:
    """Half of the frames evenly in time, half as unlike each other as can be."""
    usable = np.flatnonzero(valid)
    if len(usable) <= count:
        return [int(i) for i in usable]
    even = usable[np.linspace(0, len(usable) - 1, max(1, count // 2)).round().astype(int)]
    shape = landmarks[..., :2].reshape(len(landmarks), -1)
    chosen = [int(i) for i in even]
    distance = np.min([np.abs(shape - shape[i]).mean(-1) for i in chosen], axis=0)
    while len(chosen) < count:
        distance[~valid] = -1
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.abs(shape - shape[chosen[-1]]).mean(-1))
    return chosen


def hairline(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Guess the hairline: half an ellipse from temple to temple, a fifth above the brows.

    Parameters
    ----------
    landmarks : (..., 68, 3) float32, px

    Returns
    -------
    (..., 11, 3) float32, px
        From the first jaw point's side to the last one's.
    """
    right, left = landmarks[..., TEMPLES[0], :], landmarks[..., TEMPLES[1], :]
    brows, chin = landmarks[..., list(BROWS), :].mean(-2), landmarks[..., CHIN, :]
    middle, across = (right + left) / 2, (left - right) / 2
    top = brows + HAIRLINE_SHARE * (brows - chin)
    angle = np.linspace(*HAIRLINE_ANGLES, 11, dtype=np.float32)[:, None]
    swing = across[..., None, :] * np.cos(angle) + (top - middle)[..., None, :] * np.sin(angle)
    return np.asarray(middle[..., None, :] + swing, np.float32)


def portrait_samples(data: Path) -> list[_Sample]:
    """Still portraits, where the corpus has any, labelled by the teachers, at frame size."""
    folder = data / "portraits"
    if not folder.is_dir():
        return []
    if is_pack(data):
        return [_stored_portrait(path) for path in sorted(folder.glob("*.npz"))]
    teacher = Teacher(data / "teachers")
    samples = []
    for path in sorted(folder.iterdir()):
        if path.stem.startswith(HELD_OUT_PORTRAITS):
            continue
        picture = _square(read_image(path))
        label = teacher.label(picture)
        if label is None or label.presence < _MIN_PRESENCE:
            log.info("no teacher label for %s", path.name)
            continue
        samples.append(_Sample(picture, label.landmarks, label.outline, f"portrait:{path.stem}"))
    return samples


def _stored_portrait(labels: Path) -> _Sample:
    """Read a portrait of a data pack: square already, its labels beside it."""
    picture = cv2.cvtColor(cv2.imread(str(labels.with_suffix(".jpg"))), cv2.COLOR_BGR2RGB)
    with np.load(labels, allow_pickle=False) as stored:
        points = stored["landmarks"].astype(np.float32), stored["outline"].astype(np.float32)
    return _Sample(np.asarray(picture, np.uint8), *points, f"portrait:{labels.stem}")


def _square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    side = max(height, width)
    bottom, right = side - height, side - width
    full = cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    kind = cv2.INTER_AREA if side > FRAME_PX else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(full, (FRAME_PX, FRAME_PX), interpolation=kind), np.uint8)
