"""Every number of one clip's measured frames: errors, sharpness, identity, landmarks.

Made frames stand beside the true ones and the baselines; suffixes name the maker. Called by
``rendering.py``. Not here: sums over clips, and the Fréchet distance, which needs them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import MOUTH
from emohead_training.evaluation.blur import cpbd
from emohead_training.evaluation.critics import FaceIdentity, PerceptualDistance, cut, sharpness
from emohead_training.evaluation.frechet import FeatureNetwork
from emohead_training.evaluation.lip_distance import (
    LandmarkFinder,
    landmark_distance,
    lmd,
    mouth_width,
)
from emohead_training.evaluation.pixels import Frames, PixelCase, Points, mouth_box, pixel_errors

__all__ = ["Judges", "score_frames"]

Numbers = NDArray[np.float64]
Rows = dict[str, Numbers]


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Judging networks; None leaves their numbers out."""

    perceptual: PerceptualDistance | None = None
    """For the distance in the mouth box."""
    identity: FaceIdentity | None = None
    """For CSIM."""
    features: FeatureNetwork | None = None
    """For the Fréchet distance."""
    landmarks: LandmarkFinder | None = None
    """For landmark distances."""

    @property
    def names(self) -> list[str]:
        """Names of the networks, for the report."""
        named = (self.perceptual, self.identity, self.features)
        return [judge.name for judge in named if judge is not None]


def score_frames(case: PixelCase, made: Mapping[str, Frames], judges: Judges) -> Rows:
    """Measure the frames of a case.

    Parameters
    ----------
    case : PixelCase
    made : mapping of suffix to (n, 256, 256, 3) uint8
        Frames by their maker.
    judges : Judges

    Returns
    -------
    dict of str to (n,) float64
        ``frame_error``, ``mouth_box_error``, ``mouth_sharpness``, ``cpbd``, and with their judges
        ``mouth_lpips``, ``csim``, ``mouth_landmark_px``, ``face_landmark_px``, ``lmd`` and
        ``lmd_mouth_widths``, each with every maker's suffix; ``cpbd_true``, ``csim_true`` and
        ``csim_real_pairs`` of the true frames.
    """
    points = case.landmarks[list(case.measured)]
    rows: Rows = {"cpbd_true": cpbd(case.frames)}
    for suffix, frames in made.items():
        rows |= {f"{k}{suffix}": v for k, v in _plain(case, frames, points, judges).items()}
    if judges.identity is not None:
        rows |= _identity(case, made, points, judges.identity)
    if judges.landmarks is not None:
        rows |= _landmarks(case, made, points, judges.landmarks)
    return rows


def _plain(case: PixelCase, frames: Frames, points: Points, judges: Judges) -> Rows:
    boxes = [mouth_box(p) for p in points]
    errors = pixel_errors(case, frames)
    rows = {
        "frame_error": errors.frame,
        "mouth_box_error": errors.mouth_box,
        "mouth_sharpness": _mouth_sharpness(frames, boxes) / _mouth_sharpness(case.frames, boxes),
        "cpbd": cpbd(frames),
    }
    if judges.perceptual is not None:
        rows["mouth_lpips"] = judges.perceptual(cut(frames, boxes), cut(case.frames, boxes))
    return rows


def _mouth_sharpness(frames: Frames, boxes: list[tuple[slice, slice]]) -> Numbers:
    return sharpness(frame[box] for frame, box in zip(frames, boxes, strict=True))


def _identity(
    case: PixelCase, made: Mapping[str, Frames], points: Points, identity: FaceIdentity
) -> Rows:
    """Cosine with the anchor; and between all pairs of real frames, the anchor among them."""
    anchor = identity(case.anchor[None], case.anchor_landmarks[None])[0]
    true = identity(case.frames, points)
    rows = {"csim_true": np.asarray(true @ anchor, np.float64)}
    for suffix, frames in made.items():
        rows[f"csim{suffix}"] = np.asarray(identity(frames, points) @ anchor, np.float64)
    real = np.concatenate((anchor[None], true))
    pairs = (real @ real.T)[np.triu_indices(len(real), 1)]
    rows["csim_real_pairs"] = np.full(len(true), float(pairs.mean()))
    return rows


def _landmarks(
    case: PixelCase, made: Mapping[str, Frames], points: Points, find: LandmarkFinder
) -> Rows:
    """Distances of what the landmarker finds: to the labels, and to what it finds on true frames.

    The face and mouth distances are to the labels, LMD is between two findings.
    """
    reference = find(case.frames, points)
    rows: Rows = {
        "mouth_landmark_px_true": landmark_distance(reference, points, MOUTH),
        "face_landmark_px_true": landmark_distance(reference, points),
    }
    for suffix, frames in made.items():
        found = find(frames, points)
        lips = lmd(found, reference)
        rows |= {
            f"mouth_landmark_px{suffix}": landmark_distance(found, points, MOUTH),
            f"face_landmark_px{suffix}": landmark_distance(found, points),
            f"lmd{suffix}": lips,
            f"lmd_mouth_widths{suffix}": lips / mouth_width(reference),
        }
    return rows
