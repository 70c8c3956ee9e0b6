"""Compute the mean face and its edge graph from the train people of `video.csv`.

Run once: ``python -m emohead_training.stylisation.template DATA OUT``. The two JSON files it
writes live in `emohead.geometry`; a changed file changes every edge network's spec. The template
is a statistic over all train identities, each with the same weight, and is mirror symmetric.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from emohead.geometry.landmarks import OPENINGS, OUTER_EYE_CORNERS, RIGID, mirrored
from emohead.geometry.pose import RIGID_WEIGHTS, pose_from_landmarks, procrustes_rotation
from emohead.geometry.topology import topology_hash
from emohead_training.corpus import read_labels, read_video_index
from emohead_training.whole_files import write_text

__all__ = ["mean_face", "topology_of", "train_landmarks", "write"]

log = logging.getLogger(__name__)

Points = npt.NDArray[np.float64]

_FRAMES_PER_CLIP: Final = 40
_MAX_CLIPS: Final = 20
"""Of one person."""
_ROUNDS: Final = 12
"""Of the Procrustes fit; it has long settled then."""


def train_landmarks(data_root: Path) -> dict[str, Points]:
    """Collect landmarks of the train people.

    Parameters
    ----------
    data_root : Path
        Corpus root.

    Returns
    -------
    dict of str to (N, 68, 3) float64, px
        By identity, at most 40 valid frames from each of at most 20 clips.
    """
    clips: dict[str, list[Points]] = defaultdict(list)
    for clip in read_video_index(data_root, "train"):
        if len(clips[clip.identity]) >= _MAX_CLIPS:
            continue
        labels = read_labels(clip.path)
        frames = labels.landmarks[labels.valid].astype(np.float64)
        picked = np.linspace(0, len(frames) - 1, min(len(frames), _FRAMES_PER_CLIP)).astype(int)
        clips[clip.identity].append(frames[picked])
    return {identity: np.concatenate(parts) for identity, parts in clips.items() if parts}


def mean_face(people: dict[str, Points]) -> Points:
    """Average faces by generalised Procrustes on the rigid points.

    Parameters
    ----------
    people : dict of str to (N, 68, 3) float64, px

    Returns
    -------
    (68, 3) float64, canonical units
        Each identity weighs the same; symmetrised; pitch such that the average head looks level.
    """
    start, end = OUTER_EYE_CORNERS
    scaled = [
        (points - points[:, list(RIGID)].mean(1, keepdims=True))
        / np.linalg.norm(points[:, end] - points[:, start], axis=-1)[:, None, None]
        for points in people.values()
    ]
    upright = np.stack([points.mean(0) for points in scaled]).mean(0)
    template = _normalised(0.5 * (upright + mirrored(upright)))
    level = template
    for _ in range(_ROUNDS):
        means = [pose_from_landmarks(points, template).remove(points).mean(0) for points in scaled]
        mean = np.stack(means).mean(0)
        template = _normalised(0.5 * (mean + mirrored(mean)))
        template = _turned_to(template, level)
    return template


def _normalised(points: Points) -> Points:
    start, end = OUTER_EYE_CORNERS
    centred = points - points[list(RIGID)].mean(0)
    result: Points = centred / np.linalg.norm(points[end] - points[start])
    return result


def _turned_to(points: Points, reference: Points) -> Points:
    """Keep the pitch of the camera-frame mean while the Procrustes rounds sharpen the shape."""
    rigid = list(RIGID)
    weights = np.asarray(RIGID_WEIGHTS)[:, None]
    result: Points = points @ procrustes_rotation(points[rigid], reference[rigid], weights).T
    return result


def topology_of(template: Points) -> dict[str, Any]:
    """Triangulate the template's frontal projection (paper 3.2).

    Parameters
    ----------
    template : (68, 3) float64, canonical units

    Returns
    -------
    dict
        edges (E, 2), opposite (E, 2), triangles (F, 3) as lists, and sha256. The rims of mouth
        and eyes are constrained to be edges, or the lips would be sewn together at the corners
        (the plain triangulation crosses two rim segments). The triangles that
        fill the mouth and the eyes keep their edges but are no surface: a closed mouth would
        make their dihedral angles meaningless.
    """
    from scipy.spatial import Delaunay

    delaunay = {frozenset(map(int, t)) for t in Delaunay(template[:, :2]).simplices}
    triangles = sorted(_counter_clockwise(sorted(t), template) for t in _with_rims(delaunay))
    edges = sorted({_edge(t[i], t[i - 1]) for t in triangles for i in range(3)})
    surface = [t for t in triangles if not any(set(t) <= set(rim) for rim in OPENINGS)]
    thirds: dict[tuple[int, int], list[int]] = {edge: [-1, -1] for edge in edges}
    for triangle in surface:
        for i in range(3):
            start, end, third = triangle[i], triangle[(i + 1) % 3], triangle[(i + 2) % 3]
            thirds[_edge(start, end)][0 if start < end else 1] = third
    pairs = [list(edge) for edge in edges]
    opposite = [thirds[edge] for edge in edges]
    return {
        "edges": pairs,
        "opposite": opposite,
        "triangles": [list(t) for t in surface],
        "sha256": topology_hash(pairs, opposite),
    }


def _with_rims(triangles: set[frozenset[int]]) -> set[frozenset[int]]:
    """Flip the one diagonal that crosses each missing rim segment."""
    for rim in OPENINGS:
        for segment in zip(rim, (*rim[1:], rim[0]), strict=True):
            if any(set(segment) <= t for t in triangles):
                continue
            first, second = next(
                (a, b)
                for a in triangles
                for b in triangles
                if len(a & b) == 2 and (a - b) | (b - a) == set(segment)
            )
            flipped = {frozenset({*segment, corner}) for corner in first & second}
            triangles = (triangles - {first, second}) | flipped
    return triangles


def _edge(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first < second else (second, first)


def _counter_clockwise(triangle: list[int], points: Points) -> tuple[int, int, int]:
    a, b, c = triangle
    u, v = points[b, :2] - points[a, :2], points[c, :2] - points[a, :2]
    return (a, b, c) if u[0] * v[1] - u[1] * v[0] > 0 else (a, c, b)


def write(data_root: Path, folder: Path) -> None:
    """Write `template.json` and `topology.json`.

    Parameters
    ----------
    data_root : Path
        Corpus root.
    folder : Path
        Usually ``sdk/emohead/geometry``.
    """
    people = train_landmarks(data_root)
    template = np.round(mean_face(people), 6)
    source = f"mean of {len(people)} train identities of video.csv, equal weights, symmetrised"
    points = [[float(value) for value in point] for point in template]
    content = {"source": source, "unit": "outer eye distance", "points": points}
    write_text(folder / "template.json", json.dumps(content) + "\n")
    topology = topology_of(template)
    write_text(folder / "topology.json", json.dumps(topology, separators=(",", ":")) + "\n")
    log.info("template of %d people, %d edges", len(people), len(topology["edges"]))


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m emohead_training.stylisation.template",
        description="Write template.json and topology.json from a corpus's train people.",
    )
    parser.add_argument("data", type=Path, help="corpus folder with video.csv")
    parser.add_argument("out", type=Path, help="usually sdk/emohead/geometry")
    given = parser.parse_args()
    write(given.data, given.out)


if __name__ == "__main__":
    _main()
