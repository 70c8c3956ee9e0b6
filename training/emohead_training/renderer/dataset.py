"""Frames for the renderer: short runs of consecutive frames and their anchors, as raw arrays.

The cache makes random access cheap: one decoding pass, then memory-mapped reads.
Not here: losses and the networks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import LIP_PAIRS, OUTER_EYE_CORNERS
from emohead.stages import FRAME_SIZE_PX
from emohead_training.corpus import Split, VideoClip, read_frames, read_labels, read_video_index
from emohead_training.loop.record import data_hash
from emohead_training.whole_files import keep

__all__ = ["FrameCache", "Sample", "build_cache"]

log = logging.getLogger(__name__)

_FRAME_SHAPE: Final = (FRAME_SIZE_PX, FRAME_SIZE_PX, 3)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How many frames of each clip are kept."""

    run_length: int = 6
    """Consecutive frames in a run."""
    max_runs: int = 40
    """Runs kept of one clip."""
    max_anchors: int = 6
    """Anchor candidates of one clip, the most closed mouth first."""
    max_clips_per_identity: int = 60
    """Clips kept of one person."""


_PLAN: Final = _Plan()


@dataclass(frozen=True)
class Sample:
    """One anchor and a run of frames of the same clip."""

    anchor: NDArray[np.uint8]
    """(256, 256, 3) RGB."""
    anchor_landmarks: NDArray[np.float32]
    """(68, 2) px."""
    frames: NDArray[np.uint8]
    """(T, 256, 256, 3) RGB."""
    landmarks: NDArray[np.float32]
    """(T, 68, 2) px."""


def _mouth_gap(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inner-lip distance in units of the outer-eye-corner distance, (N, 68, 3) px -> (N,)."""
    xy = landmarks[..., :2]
    upper, lower = np.transpose(LIP_PAIRS)
    start, end = OUTER_EYE_CORNERS
    scale = np.linalg.norm(xy[:, start] - xy[:, end], axis=-1)
    gap: NDArray[np.float32] = np.linalg.norm(xy[:, upper] - xy[:, lower], axis=-1).mean(-1) / scale
    return gap


def _choose(clip: VideoClip, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Choose indices of the anchors and of the first frame of each run."""
    labels = read_labels(clip.path)
    usable = np.flatnonzero(labels.valid)
    if len(usable) < _PLAN.run_length + 1:
        return [], []
    gap = _mouth_gap(labels.landmarks)
    closed = usable[np.argsort(gap[usable])]
    others = rng.permutation(usable)[: _PLAN.max_anchors]
    anchors = list(
        dict.fromkeys([int(closed[0]), int(closed[len(closed) // 10]), *map(int, others)])
    )
    length = _PLAN.run_length
    inside = np.convolve(labels.valid, np.ones(length, int), "valid") == length
    starts = np.flatnonzero(inside)[::length]
    return anchors[: _PLAN.max_anchors], sorted(map(int, rng.permutation(starts)[: _PLAN.max_runs]))


def _clips(root: Path, split: Split) -> list[VideoClip]:
    kept: dict[str, list[VideoClip]] = {}
    for clip in read_video_index(root, split):
        kept.setdefault(clip.identity, []).append(clip)
    return [
        c
        for clips in kept.values()
        for c in clips[:: -(-len(clips) // _PLAN.max_clips_per_identity)]
    ]


def build_cache(root: Path, folder: Path, split: Split) -> None:
    """Decode the clips of one side of the split into ``folder``, where that is not done already.

    Parameters
    ----------
    root : Path
        Corpus root.
    folder : Path
        Where ``frames.bin``, ``landmarks.npy`` and ``index.json`` go.
    split : {"train", "val", "test"}
        Whose clips.

    Raises
    ------
    InputError
        The corpus has no clips of that side.
    """
    made_of = {"data_sha256": data_hash(root), "plan": asdict(_PLAN)}
    keep(folder, made_of, lambda: _decode(root, folder, split))


def _decode(root: Path, folder: Path, split: Split) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    index, points, position = [], [], 0
    with (folder / "frames.bin").open("wb") as file:
        for clip in _clips(root, split):
            anchors, starts = _choose(clip, rng)
            runs = [range(start, start + _PLAN.run_length) for start in starts]
            wanted = sorted({*anchors, *(frame for run in runs for frame in run)})
            if not wanted:
                continue
            labels = read_labels(clip.path).landmarks
            place = _write_frames(clip, wanted, file, position)
            points.append(labels[[i for i in wanted if i in place], :, :2])
            runs = [run for run in runs if all(frame in place for frame in run)]
            index.append(
                {
                    "identity": clip.identity,
                    "clip": str(clip.path.relative_to(root)),
                    "anchors": [place[a] for a in anchors if a in place],
                    "runs": [[place[frame] for frame in run] for run in runs],
                }
            )
            position += len(place)
    np.save(folder / "landmarks.npy", np.concatenate(points))
    (folder / "index.json").write_text(json.dumps(index))
    log.info("cached %d frames of %d clips (%s)", position, len(index), split)


def _write_frames(clip: VideoClip, wanted: list[int], file: BinaryIO, first: int) -> dict[int, int]:
    """Append the wanted frames; returns frame number -> position in the cache."""
    place: dict[int, int] = {}
    chosen = set(wanted)
    for i, frame in enumerate(read_frames(clip.path)):
        if i in chosen and frame.shape == _FRAME_SHAPE:
            file.write(np.ascontiguousarray(frame).tobytes())
            place[i] = first + len(place)
        if i >= wanted[-1]:
            break
    return place


class FrameCache:
    """Random access to the cached runs; people with more frames are drawn a little more often.

    Parameters
    ----------
    folder : Path
        Of ``build_cache``.
    """

    def __init__(self, folder: Path) -> None:
        self.index = [c for c in json.loads((folder / "index.json").read_text()) if c["runs"]]
        self.landmarks = np.load(folder / "landmarks.npy").astype(np.float32)
        self.frames = np.memmap(folder / "frames.bin", np.uint8, "r").reshape(-1, *_FRAME_SHAPE)
        self.people: dict[str, list[int]] = {}
        for i, clip in enumerate(self.index):
            self.people.setdefault(clip["identity"], []).append(i)
        counts = np.array(
            [sum(len(self.index[i]["runs"]) for i in c) for c in self.people.values()]
        )
        weights = np.minimum(counts, 24.0) ** 0.5
        self.weights = weights / weights.sum()

    def draw(self, rng: np.random.Generator, length: int) -> Sample:
        """Draw a person, a clip, a run of `length` frames and an anchor of the same clip."""
        person = list(self.people)[rng.choice(len(self.people), p=self.weights)]
        return self.draw_of(person, rng, length)

    def draw_of(self, person: str, rng: np.random.Generator, length: int) -> Sample:
        """Draw a clip of a person, a run of `length` frames and an anchor of the same clip."""
        clip = self.index[rng.choice(self.people[person])]
        run = clip["runs"][rng.integers(len(clip["runs"]))]
        start = rng.integers(len(run) - length + 1)
        closed = rng.random() < 0.6
        anchor = clip["anchors"][0 if closed else rng.integers(len(clip["anchors"]))]
        return self._sample(anchor, run[start : start + length])

    def sample(self, clip: int, run: int, length: int) -> Sample:
        """Return a run of a clip, both by number, with the clip's most closed anchor."""
        chosen = self.index[clip]
        return self._sample(chosen["anchors"][0], chosen["runs"][run][:length])

    def draws(self, seed: int, length: int) -> Iterator[Sample]:
        """Endless draws."""
        rng = np.random.default_rng(seed)
        while True:
            yield self.draw(rng, length)

    def _sample(self, anchor: int, run: list[int]) -> Sample:
        points = self.landmarks
        return Sample(self.frames[anchor], points[anchor], self.frames[run], points[run])
