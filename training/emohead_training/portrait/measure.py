"""How well the whole portrait path finds the landmarks of people it never saw.

Photos go in as whole frames, so that detector, both passes and averaging are judged together.
Called by ``evaluation/parts.py``. Not here: the bars (``evaluation/bars.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.geometry.landmarks import BROWS, EYES, JAW, MOUTH, NOSE, OUTER_EYE_CORNERS
from emohead.portrait import make_portrait
from emohead.runner import Runner
from emohead_training.corpus import VideoClip, read_frames, read_labels, read_video_index
from emohead_training.evaluation.intervals import Tally
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = ["landmarker_error"]

_GROUPS = {"jaw": JAW, "brows": BROWS, "nose": NOSE, "eyes": EYES, "mouth": MOUTH}


def landmarker_error(data_root: Path, runners: Mapping[str, Runner]) -> dict[str, Any]:
    """Distance to the teacher's labels on test people, with the pipeline's own detection.

    Parameters
    ----------
    data_root : Path
        Corpus root.
    runners : mapping of stage name to Runner
        At least ``face_detector`` and ``face_landmarks``.

    Returns
    -------
    dict
        ``landmarker_error`` in x, y and ``landmarker_error_xyz`` as share of the outer eye
        corners' distance in x, y, mean over people, with its ``_ci``; the same by group and person;
        ``frames``, ``people`` and the number of frames where no face was ``missed``. Clips that
        were labelled by these networks themselves do not count; where there are no others, the
        errors are absent.
    """
    rows: list[tuple[str, NDArray[np.float64]]] = []
    missed = 0
    clips = read_video_index(data_root, "test")
    judged = [c for c in clips if not c.self_labelled]
    if not judged:
        return {"frames": 0, "people": 0, "self_labelled_clips": len(clips)}
    for clip in judged:
        for image, truth in _labelled_frames(clip, PROTOCOL.frames_per_clip):
            try:
                portrait = make_portrait(image, runners)
            except InputError:
                missed += 1
                continue
            found = portrait.transform.to_photo(portrait.landmarks)
            rows.append((clip.identity, _errors(found, truth)))
    return _summary(rows, missed)


def _labelled_frames(
    clip: VideoClip, count: int
) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    labels = read_labels(clip.path)
    usable = np.flatnonzero(labels.valid)
    if not len(usable):
        return []
    chosen = set(usable[np.linspace(0, len(usable) - 1, count).round().astype(int)].tolist())
    frames = enumerate(read_frames(clip.path))
    return [(image, labels.landmarks[i]) for i, image in frames if i in chosen]


def _errors(found: NDArray[np.float64], truth: NDArray[np.float32]) -> NDArray[np.float64]:
    """(68, 2) distances in x, y and in x, y, z, share of the inter-ocular distance."""
    start, end = OUTER_EYE_CORNERS
    unit = np.linalg.norm(truth[end, :2] - truth[start, :2])
    difference = found - truth
    flat = np.linalg.norm(difference[:, :2], axis=1)
    return np.asarray(np.stack([flat, np.linalg.norm(difference, axis=1)], 1) / unit, np.float64)


def _summary(rows: list[tuple[str, NDArray[np.float64]]], missed: int) -> dict[str, Any]:
    by_person: dict[str, list[NDArray[np.float64]]] = {}
    for person, errors in rows:
        by_person.setdefault(person, []).append(errors)
    means = {person: np.mean(errors, axis=0) for person, errors in by_person.items()}
    overall = np.mean(list(means.values()), axis=0) if means else np.full((68, 2), np.nan)
    tally = Tally()
    for person, errors in means.items():
        tally.add(person, errors[:, 0].mean())
    return tally.as_numbers("landmarker_error") | {
        "landmarker_error_xyz": float(overall[:, 1].mean()),
        "by_group": {name: float(overall[list(g), 0].mean()) for name, g in _GROUPS.items()},
        "by_person": {person: float(m[:, 0].mean()) for person, m in sorted(means.items())},
        "frames": len(rows),
        "people": len(means),
        "missed": missed,
    }
