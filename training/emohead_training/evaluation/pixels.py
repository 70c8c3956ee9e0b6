"""Pixel protocol: true landmarks in, frames out, errors beside those of warping and of copying.

Anchor = the clip's most closed mouth; eight frames a clip, evenly spaced, are measured; recurrent
state is carried from the clip's first frame, as in use. Baselines need no learning. Any callable
can be judged (``Synthesis``), a torch module in training as well as a bundle.
Not here: perceptual distance and identity (``critics.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead_training.corpus import Split, VideoClip, read_frames, read_labels, read_video_index

__all__ = [
    "PixelCase",
    "PixelErrors",
    "Synthesis",
    "copy_anchor",
    "mouth_box",
    "mouth_opening",
    "pixel_errors",
    "read_cases",
    "synthesise",
    "warp_anchor",
]

FRAMES_PER_CLIP: Final = 8
MOUTH_MARGIN_PX: Final = 11
"""Added on all sides of the box around the 20 mouth points."""
MOUTH: Final = slice(48, 68)
RIDGE: Final = 1e-3
"""Keeps the spline solvable where two points coincide."""
GRID_STEP_PX: Final = 5
"""The spline is evaluated at every so-manieth pixel (255 is a multiple) and is linear between."""
BORDER_STEPS: Final = 3
"""Pinned points a side of the image, for the spline must leave the far background where it is."""

Frames = NDArray[np.uint8]
Points = NDArray[np.float32]
Synthesis = Callable[[Frames, Points, Points], Iterator[NDArray[np.uint8]]]
"""(256, 256, 3) RGB anchor, its (68, 2) landmarks in px, (T, 68, 2) landmarks -> T RGB frames."""


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
    mouth = landmarks[MOUTH]
    low = np.floor(mouth.min(0) - MOUTH_MARGIN_PX).astype(int).clip(0, size_px - 1)
    high = np.ceil(mouth.max(0) + MOUTH_MARGIN_PX).astype(int).clip(0, size_px - 1) + 1
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
    if len(usable) <= FRAMES_PER_CLIP:
        return None
    points = labels.landmarks[..., :2]
    anchor = int(usable[np.argmin(mouth_opening(points[usable]))])
    others = usable[usable != anchor]
    # Middles of eight equal stretches: no clip's first frame, which often equals the anchor.
    middles = (np.arange(FRAMES_PER_CLIP) + 0.5) * len(others) / FRAMES_PER_CLIP
    chosen = others[middles.astype(int)]
    fed = usable[usable <= chosen[-1]]
    return PixelCase(
        clip=clip,
        anchor=frames[anchor],
        anchor_landmarks=points[anchor],
        landmarks=points[fed],
        measured=tuple(int(i) for i in np.searchsorted(fed, chosen)),
        frames=np.stack([frames[i] for i in chosen]),
    )


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
    if stateless:
        chosen = case.landmarks[list(case.measured)]
        return np.stack(list(synthesis(case.anchor, case.anchor_landmarks, chosen)))
    made = synthesis(case.anchor, case.anchor_landmarks, case.landmarks)
    wanted = set(case.measured)
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


def copy_anchor(anchor: Frames, anchor_landmarks: Points, landmarks: Points) -> Iterator[Frames]:
    """Baseline: the anchor itself, every frame."""
    for _ in landmarks:
        yield anchor


def warp_anchor(anchor: Frames, anchor_landmarks: Points, landmarks: Points) -> Iterator[Frames]:
    """Baseline: the anchor warped by a thin-plate spline through the true landmarks, no learning.

    The backward map from each frame to the anchor interpolates the 68 points and pins the border.
    """
    import cv2

    pinned = _border(anchor.shape[0])
    source = np.concatenate((anchor_landmarks, pinned))
    for points in landmarks:
        spline = _spline(np.concatenate((points, pinned)), source, anchor.shape[:2])
        yield cv2.remap(anchor, spline, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _border(size_px: int) -> Points:
    """Points along the image's border, corners included."""
    along = np.linspace(0, size_px - 1, BORDER_STEPS + 1)[:-1]
    zero, full = np.zeros_like(along), np.full_like(along, size_px - 1)
    sides = ((along, zero), (full, along), (full - along, full), (zero, full - along))
    return np.concatenate([np.stack(side, -1) for side in sides]).astype(np.float32)


def _kernel(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    squared: NDArray[Any] = np.square(x[:, None] - y[None]).sum(-1)
    return np.asarray(squared * np.log(np.maximum(squared, 1e-9)))


def _spline(at: Points, values: Points, shape: Sequence[int]) -> NDArray[np.float32]:
    """(height, width, 2) thin-plate spline that takes `values` at the points `at`."""
    import cv2

    count = len(at)
    linear = np.c_[np.ones(count), at]
    system = np.zeros((count + 3, count + 3))
    exact = at.astype(np.float64)
    system[:count, :count] = _kernel(exact, exact) + RIDGE * np.eye(count)
    system[:count, count:], system[count:, :count] = linear, linear.T
    weights = np.linalg.solve(system, np.concatenate((values, np.zeros((3, 2)))))
    rows, columns = np.mgrid[: shape[0] : GRID_STEP_PX, : shape[1] : GRID_STEP_PX]
    nodes = np.stack((columns.ravel(), rows.ravel()), -1).astype(np.float32)
    bent = _kernel(nodes, at) @ weights[:count].astype(np.float32)
    straight = np.c_[np.ones(len(nodes)), nodes] @ weights[count:]
    coarse = (bent + straight).astype(np.float32).reshape(*rows.shape, 2)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / GRID_STEP_PX
    fine: NDArray[np.float32] = cv2.remap(coarse, x, y, cv2.INTER_LINEAR)
    return fine
