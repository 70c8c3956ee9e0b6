"""Judging the rendering graphs of a bundle: pixels, perceptual distance, identity, sharpness.

True landmarks in, as ``pixels.py`` prescribes. Not here: anything driven by sound.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.render import FrameRenderer, encode_portrait
from emohead.runner import Runner
from emohead_training.corpus import Split
from emohead_training.evaluation.critics import FaceIdentity, PerceptualDistance, cut, sharpness
from emohead_training.evaluation.pixels import (
    Frames,
    PixelCase,
    Points,
    Synthesis,
    copy_anchor,
    mouth_box,
    pixel_errors,
    read_cases,
    synthesise,
    warp_anchor,
)

__all__ = ["Judges", "bundle_synthesis", "rendering_quality"]

Numbers = NDArray[np.float64]
Sheet = Callable[[PixelCase, dict[str, Frames]], None]


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Judging networks; None leaves their numbers out."""

    perceptual: PerceptualDistance | None = None
    """For the distance in the mouth box."""
    identity: FaceIdentity | None = None
    """For CSIM."""

    @property
    def names(self) -> list[str]:
        """Names of the networks, for the report."""
        return [judge.name for judge in (self.perceptual, self.identity) if judge is not None]


def bundle_synthesis(encoder: Runner, renderer: Runner) -> Synthesis:
    """Make a synthesis of the two rendering graphs, state carried from frame to frame.

    Parameters
    ----------
    encoder, renderer : Runner
        Of the stages ``portrait_encoder`` and ``renderer``.
    """

    def synthesis(anchor: Frames, anchor_landmarks: Points, landmarks: Points) -> Iterator[Frames]:
        frames = FrameRenderer(renderer, encode_portrait(encoder, anchor, anchor_landmarks))
        for points in landmarks:
            yield frames.render(points)

    return synthesis


def rendering_quality(
    data: Path,
    synthesis: Synthesis,
    judges: Judges,
    *,
    split: Split = "test",
    warm_frames: int | None = None,
    on_case: Sheet | None = None,
) -> dict[str, Any]:
    """Measure a synthesis beside the warp and the copy.

    Parameters
    ----------
    data : Path
        Corpus root.
    synthesis : Synthesis
        What is judged, for example ``bundle_synthesis(...)``.
    judges : Judges
        Judging networks.
    split : {"train", "val", "test"}
        Whose clips.
    warm_frames : int, optional
        As in ``read_cases``.
    on_case : callable, optional
        Called with every case and the frames made for it, by name of their maker.

    Returns
    -------
    dict
        ``frame_error``, ``mouth_box_error``, ``mouth_lpips``, ``csim``, ``mouth_sharpness`` (over
        that of the true frames), the same with ``_warp`` and ``_copy``; ``mouth_lpips_ratio``;
        ``by_clip``; ``num_frames``, ``num_clips``, ``num_people``, ``ms_per_frame``.
    """
    makers: dict[str, tuple[Synthesis, bool]] = {
        "": (synthesis, False),
        "_warp": (warp_anchor, True),
        "_copy": (copy_anchor, True),
    }
    values: dict[str, list[Numbers]] = defaultdict(list)
    by_clip: dict[str, dict[str, float]] = {}
    seconds, fed, people = 0.0, 0, set()
    for case in read_cases(data, split, warm_frames=warm_frames):
        made: dict[str, Frames] = {}
        for suffix, (maker, stateless) in makers.items():
            began = time.perf_counter()
            made[suffix] = synthesise(case, maker, stateless=stateless)
            seconds += 0.0 if suffix else time.perf_counter() - began
        fed += len(case.landmarks)
        people.add(case.clip.identity)
        row = _measure(case, made, judges)
        for key, numbers in row.items():
            values[key].append(numbers)
        by_clip[f"{case.clip.source}/{case.clip.path.name}"] = _means(row)
        if on_case is not None:
            on_case(case, made)
    means = {key: float(np.concatenate(lists).mean()) for key, lists in values.items()}
    if "mouth_lpips" in means:
        means["mouth_lpips_ratio"] = means["mouth_lpips"] / means["mouth_lpips_warp"]
    return means | {
        "by_clip": by_clip,
        "num_frames": sum(map(len, values["frame_error"])),
        "num_clips": len(by_clip),
        "num_people": len(people),
        "ms_per_frame": 1000 * seconds / max(fed, 1),
    }


def _measure(case: PixelCase, made: dict[str, Frames], judges: Judges) -> dict[str, Numbers]:
    """Every number of every measured frame of a case."""
    points = case.landmarks[list(case.measured)]
    boxes = [mouth_box(p) for p in points]
    true_mouths, true_sharpness = cut(case.frames, boxes), _mouth_sharpness(case.frames, boxes)
    row: dict[str, Numbers] = {}
    for suffix, frames in made.items():
        errors = pixel_errors(case, frames)
        row[f"frame_error{suffix}"] = errors.frame
        row[f"mouth_box_error{suffix}"] = errors.mouth_box
        row[f"mouth_sharpness{suffix}"] = _mouth_sharpness(frames, boxes) / true_sharpness
        if judges.perceptual is not None:
            row[f"mouth_lpips{suffix}"] = judges.perceptual(cut(frames, boxes), true_mouths)
    if judges.identity is not None:
        anchor = judges.identity(case.anchor[None], case.anchor_landmarks[None])[0]
        for suffix, frames in (made | {"_true": case.frames}).items():
            row[f"csim{suffix}"] = np.asarray(judges.identity(frames, points) @ anchor, np.float64)
    return row


def _mouth_sharpness(frames: Frames, boxes: list[tuple[slice, slice]]) -> Numbers:
    return sharpness(frame[box] for frame, box in zip(frames, boxes, strict=True))


def _means(row: dict[str, Numbers]) -> dict[str, float]:
    return {key: round(float(numbers.mean()), 4) for key, numbers in row.items()}
