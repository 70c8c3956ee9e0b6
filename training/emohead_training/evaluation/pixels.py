"""Pixel protocol: true landmarks in, frames out, errors beside those of warping and of copying.

Anchor = the clip's most closed mouth; eight frames a clip, evenly spaced, are measured; recurrent
state is carried from the clip's first frame, as in use. Any callable can be judged
(``Synthesis``), a torch module in training as well as a bundle.
Not here: baselines (``baselines.py``) and what else is measured (``frame_scores.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import MOUTH
from emohead_training.corpus import Split, VideoClip, read_frames, read_labels, read_video_index
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = [
    "OnCase",
    "PixelCase",
    "PixelErrors",
    "Synthesis",
    "mouth_box",
    "mouth_opening",
    "pixel_errors",
    "read_cases",
    "synthesise",
    "synthesise_at",
]

Frames = NDArray[np.uint8]
Points = NDArray[np.float32]
Synthesis = Callable[[Frames, Points, Points], Iterator[NDArray[np.uint8]]]
"""(256, 256, 3) RGB anchor, its (68, 2) landmarks in px, (T, 68, 2) landmarks -> T RGB frames."""
OnCase = Callable[["PixelCase", Mapping[str, Frames]], None]
"""A case and the frames made for it by suffix of their maker -> nothing."""


@dataclass(frozen=True, kw_only=True)
class PixelCase:
    """One clip prepared for measuring."""

    clip: VideoClip
    """The clip."""
    anchor: Frames
    """(256, 256, 3) RGB frame with the most closed mouth."""
    anchor_landmarks: Points
    """(68, 2) px."""
    landmarks: Points
    """(T, 68, 2) px, from the first frame fed to the last one measured."""
    measured: tuple[int, ...]
    """Indices into `landmarks` of the frames that are measured."""
    frames: Frames
    """(8, 256, 256, 3) RGB, the true frames at `measured`."""
    recent: Frames | None = None
    """(m, 3, 256, 256, 3) RGB, true frames: two before a measured frame, one before, itself."""
    recent_at: tuple[int, ...] = ()
    """Indices into `landmarks` of the m measured frames that two consecutive ones lead to."""


@dataclass(frozen=True, kw_only=True)
class PixelErrors:
    """Mean absolute errors of every measured frame, 8-bit levels."""

    frame: NDArray[np.float64]
    """(n,) over the whole frame."""
    mouth_box: NDArray[np.float64]
    """(n,) over the mouth box of the true landmarks."""


def mouth_opening(landmarks: Points) -> NDArray[np.float32]:
    """Distance of the inner lips' middles over the outer-eye-corner distance.

    Parameters
    ----------
    landmarks : (..., 68, 2 or 3) float32, px

    Returns
    -------
    (...) float32 ndarray
        0 where the lips touch.
    """
    xy = landmarks[..., :2]
    gap = np.linalg.norm(xy[..., 62, :] - xy[..., 66, :], axis=-1)
    opening: NDArray[np.float32] = gap / np.linalg.norm(xy[..., 36, :] - xy[..., 45, :], axis=-1)
    return opening


def mouth_box(landmarks: Points, size_px: int = 256) -> tuple[slice, slice]:
    """Rows and columns of the mouth: the box around its points, enlarged by a fixed margin.

    Parameters
    ----------
    landmarks : (68, 2) float32, px
    size_px : int
        Side of the frame that the box is cut to.

    Returns
    -------
    tuple of slice
        Rows, columns.
    """
    mouth = landmarks[list(MOUTH)]
    low = np.floor(mouth.min(0) - PROTOCOL.mouth_margin_px).astype(int).clip(0, size_px - 1)
    high = np.ceil(mouth.max(0) + PROTOCOL.mouth_margin_px).astype(int).clip(0, size_px - 1) + 1
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def read_cases(
    root: Path, split: Split = "test", *, warm_frames: int | None = None
) -> Iterator[PixelCase]:
    """Prepare the clips of one side of the split.

    Parameters
    ----------
    root : Path
        Corpus root.
    split : {"train", "val", "test"}
        Whose clips.
    warm_frames : int, optional
        Feed only so many frames before each measured one instead of the whole clip from its first
        frame; for quick looks during training.

    Yields
    ------
    PixelCase
        One per clip; with `warm_frames`, one per measured frame.
    """
    for clip in read_video_index(root, split):
        case = _read_case(clip)
        if case is None:
            continue
        yield from [case] if warm_frames is None else _shortened(case, warm_frames)


def _read_case(clip: VideoClip) -> PixelCase | None:
    """Choose the anchor and the measured frames; None for a clip with too few labelled frames."""
    labels = read_labels(clip.path)
    frames = list(read_frames(clip.path))
    usable = np.flatnonzero(labels.valid[: len(frames)])
    if len(usable) <= PROTOCOL.frames_per_clip:
        return None
    points = labels.landmarks[..., :2]
    anchor = int(usable[np.argmin(mouth_opening(points[usable]))])
    others = usable[usable != anchor]
    # Middles of eight equal stretches: no clip's first frame, which often equals the anchor.
    middles = (np.arange(PROTOCOL.frames_per_clip) + 0.5) * len(others) / PROTOCOL.frames_per_clip
    chosen = others[middles.astype(int)]
    fed = usable[usable <= chosen[-1]]
    at = np.searchsorted(fed, chosen)
    led_to = [int(i) for i in at if i >= 2 and fed[i] - fed[i - 2] == 2]
    return PixelCase(
        clip=clip,
        anchor=frames[anchor],
        anchor_landmarks=points[anchor],
        landmarks=points[fed],
        measured=tuple(int(i) for i in at),
        frames=np.stack([frames[i] for i in chosen]),
        recent=_stacked([np.stack([frames[fed[i - n]] for n in (2, 1, 0)]) for i in led_to]),
        recent_at=tuple(led_to),
    )


def _stacked(triples: Sequence[Frames]) -> Frames | None:
    return np.stack(triples) if triples else None


def _shortened(case: PixelCase, warm_frames: int) -> Iterator[PixelCase]:
    for index, frame in zip(case.measured, case.frames, strict=True):
        first = max(0, index - warm_frames)
        yield PixelCase(
            clip=case.clip,
            anchor=case.anchor,
            anchor_landmarks=case.anchor_landmarks,
            landmarks=case.landmarks[first : index + 1],
            measured=(index - first,),
            frames=frame[None],
        )


def synthesise(case: PixelCase, synthesis: Synthesis, *, stateless: bool = False) -> Frames:
    """Run a synthesis on a case and keep the measured frames.

    Parameters
    ----------
    case : PixelCase
        What to feed and which frames to keep.
    synthesis : Synthesis
        Anything that makes frames.
    stateless : bool
        Feed the measured frames only; for a synthesis whose frames do not depend on each other.

    Returns
    -------
    (n, 256, 256, 3) uint8 ndarray
        RGB, one per measured frame.
    """
    return synthesise_at(case, synthesis, case.measured, stateless=stateless)


def synthesise_at(
    case: PixelCase, synthesis: Synthesis, indices: Sequence[int], *, stateless: bool = False
) -> Frames:
    """Run a synthesis on a case and keep chosen frames.

    Parameters
    ----------
    case : PixelCase
    synthesis : Synthesis
    indices : sequence of int
        Increasing indices into the case's landmarks.
    stateless : bool
        As for ``synthesise``.

    Returns
    -------
    (n, 256, 256, 3) uint8 ndarray
        RGB, one per index.
    """
    if stateless:
        chosen = case.landmarks[list(indices)]
        return np.stack(list(synthesis(case.anchor, case.anchor_landmarks, chosen)))
    made = synthesis(case.anchor, case.anchor_landmarks, case.landmarks)
    wanted = set(indices)
    return np.stack([frame for i, frame in enumerate(made) if i in wanted])


def pixel_errors(case: PixelCase, made: Frames) -> PixelErrors:
    """Mean absolute error of made frames against the true ones.

    Parameters
    ----------
    case : PixelCase
    made : (n, 256, 256, 3) uint8, RGB

    Returns
    -------
    PixelErrors
    """
    difference = np.abs(made.astype(np.float32) - case.frames).mean(-1)
    boxes = [mouth_box(case.landmarks[i]) for i in case.measured]
    mouth = [d[box].mean() for d, box in zip(difference, boxes, strict=True)]
    return PixelErrors(frame=difference.mean((1, 2)), mouth_box=np.array(mouth))
