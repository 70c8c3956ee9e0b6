"""How a mouth is held in speech, on average, given how it looks when closed.

Half of the error of lips driven by sound is the mean posture, which the sound does not tell but the
anchor hints at. Silent clips of talking people count as well. Not here: what is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.geometry import canonicalise
from emohead.geometry.landmarks import LIP_PAIRS, NUM_LANDMARKS, mirrored
from emohead_training.corpus import read_labels, read_video_index
from emohead_training.mouth import mouth_opening
from emohead_training.voice.spoken_clips import CLOSED_QUANTILE, MIN_FRAMES, MOVING

__all__ = ["PostureMap", "TalkingShapes", "fit_posture", "read_talking_shapes"]

NUM_ANCHORS: Final = 6
FREQUENT_SOURCE_STEP: Final = 12
"""Of sources with very many clips, one in so many is read."""
MANY_CLIPS: Final = 100
PENALTY: Final = 0.5
"""Ridge penalty on unit-variance features."""
_X, _Y, _Z = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class TalkingShapes:
    """Shapes of one clip of somebody talking."""

    identity: str
    """Person shown."""
    anchors: NDArray[np.float32]
    """(A, 68, 3) canonical shapes with nearly closed mouths."""
    typical: NDArray[np.float32]
    """(68, 3) median shape."""


@dataclass(frozen=True, kw_only=True)
class PostureMap:
    """Affine map from a flattened anchor (204,) to the typical displacement (204,)."""

    matrix: NDArray[np.float64]
    """(204, 204)."""
    constant: NDArray[np.float64]
    """(204,)."""

    def at(self, anchor: NDArray[np.floating]) -> NDArray[np.float64]:
        """Typical displacement (204,) of an anchor (68, 3)."""
        shape = np.asarray(anchor, np.float64).ravel()
        typical: NDArray[np.float64] = shape @ self.matrix + self.constant
        return typical


def _difference(axis: int, plus: Sequence[int], minus: Sequence[int]) -> NDArray[np.float64]:
    """Row (204,) that takes the mean coordinate of some points from that of others."""
    row = np.zeros((NUM_LANDMARKS, 3))
    row[list(plus), axis] += 1 / len(plus)
    row[list(minus), axis] -= 1 / len(minus)
    return row.ravel()


_UPPER, _LOWER = ([pair[i] for pair in LIP_PAIRS] for i in (0, 1))
_FEATURES: Final = np.stack(
    [
        _difference(_Y, _LOWER, _UPPER),
        _difference(_Y, [62], [51]),
        _difference(_Y, [57], [66]),
        _difference(_X, [54], [48]),
        _difference(_Y, [62], [33]),
        _difference(_Y, [8], [57]),
        _difference(_Z, [62], [33]),
        _difference(_Y, [8], [33]),
        _difference(_Y, [48, 54], [62]),
    ]
)
"""(9, 204): opening, lips' thickness, width, height below the nose, chin, protrusion, droop."""


def read_talking_shapes(data: Path) -> list[TalkingShapes]:
    """Read the shapes of all training clips, with sound or without.

    Parameters
    ----------
    data : Path
        Corpus root.

    Returns
    -------
    list of TalkingShapes
    """
    clips = read_video_index(data, "train")
    sizes, seen = Counter(c.source for c in clips), Counter[str]()
    shapes = []
    for clip in clips:
        seen[clip.source] += 1
        if sizes[clip.source] > MANY_CLIPS and seen[clip.source] % FREQUENT_SOURCE_STEP:
            continue
        labels = read_labels(clip.path)
        if labels.valid.sum() >= MIN_FRAMES:
            canonical = canonicalise(labels.landmarks[labels.valid])[0]
            shapes.append(talking_shapes(clip.identity, np.asarray(canonical, np.float32)))
    return shapes


def talking_shapes(identity: str, landmarks: NDArray[np.float32]) -> TalkingShapes:
    """Sum up a clip's canonical landmarks (N, 68, 3)."""
    closed = np.argsort(mouth_opening(landmarks))[: max(1, int(CLOSED_QUANTILE * len(landmarks)))]
    chosen = closed[np.linspace(0, len(closed) - 1, NUM_ANCHORS).astype(int)]
    typical = np.median(landmarks, axis=0)
    return TalkingShapes(identity=identity, anchors=landmarks[chosen], typical=typical)


def fit_posture(shapes: Sequence[TalkingShapes]) -> PostureMap:
    """Fit the typical displacement to the closed mouth, by ridge regression.

    Parameters
    ----------
    shapes : sequence of TalkingShapes
        People weigh the same, however many clips show them; each clip counts mirrored too.

    Returns
    -------
    PostureMap
        Symmetric, and zero at points that speech does not move.
    """
    counts = Counter(s.identity for s in shapes)
    anchors = np.concatenate([s.anchors for s in shapes]).astype(np.float64)
    typical = np.concatenate([np.repeat(s.typical[None], len(s.anchors), 0) for s in shapes])
    once = [1 / counts[s.identity] / len(s.anchors) for s in shapes for _ in s.anchors]
    moved = typical - anchors
    still = np.setdiff1d(np.arange(NUM_LANDMARKS), MOVING)
    moved[:, still] = 0
    rows = np.concatenate([anchors, mirrored(anchors)]).reshape(2 * len(anchors), -1)
    goals = np.concatenate([moved, mirrored(moved)]).reshape(len(rows), -1)
    weights = np.tile(once, 2) / (2 * np.sum(once))
    features = rows @ _FEATURES.T
    mean, goal_mean = weights @ features, weights @ goals
    centred = features - mean
    spread = np.sqrt(weights @ centred**2) + 1e-6
    unit = centred / spread
    gram = (unit * weights[:, None]).T @ unit + PENALTY * np.eye(len(_FEATURES))
    slopes = np.linalg.solve(gram, (unit * weights[:, None]).T @ (goals - goal_mean))
    per_feature = slopes / spread[:, None]
    return PostureMap(matrix=_FEATURES.T @ per_feature, constant=goal_mean - mean @ per_feature)
