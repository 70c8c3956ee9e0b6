"""The face's edge graph: one Delaunay triangulation, fixed forever, and the template face.

Read from two small JSON files; nothing is triangulated at run time. The files are written
by `emohead_training.stylisation.template`. Numpy only, because `stages.py` imports `NUM_EDGES`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_FOLDER: Final = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Topology:
    """Connectivity of the landmarks (paper 3.2)."""

    edges: npt.NDArray[np.intp]
    """(E, 2) point indices of every edge, lower index first, in lexicographic order."""
    triangles: npt.NDArray[np.intp]
    """(F, 3) triangles of the face surface, the openings of mouth and eyes left out."""
    hinges: npt.NDArray[np.intp]
    """(H,) indices into `edges` of those that have a surface triangle on both sides."""
    opposite: npt.NDArray[np.intp]
    """(E, 2) third points of the two triangles at an edge, left then right; -1 at a boundary."""
    sha256: str
    """Hash of edges and opposite points: what a bundle must match."""


def topology_hash(edges: list[list[int]], opposite: list[list[int]]) -> str:
    """Hash a connectivity.

    Parameters
    ----------
    edges : list of E pairs
    opposite : list of E pairs

    Returns
    -------
    str
        sha256 of the compact JSON of both.
    """
    text = json.dumps([edges, opposite], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _frozen(values: Any, dtype: Any) -> npt.NDArray[Any]:
    array = np.asarray(values, dtype=dtype)
    array.setflags(write=False)
    return array


def _load_topology() -> Topology:
    stored = json.loads((_FOLDER / "topology.json").read_text())
    assert topology_hash(stored["edges"], stored["opposite"]) == stored["sha256"]
    opposite = _frozen(stored["opposite"], np.intp)
    return Topology(
        edges=_frozen(stored["edges"], np.intp),
        triangles=_frozen(stored["triangles"], np.intp),
        hinges=_frozen(np.flatnonzero((opposite >= 0).all(axis=1)), np.intp),
        opposite=opposite,
        sha256=stored["sha256"],
    )


TOPOLOGY: Final = _load_topology()
NUM_EDGES: Final = len(TOPOLOGY.edges)
"""E of every (E, 2) edge tensor."""

TEMPLATE: Final[npt.NDArray[np.float64]] = _frozen(
    json.loads((_FOLDER / "template.json").read_text())["points"], np.float64
)
"""(68, 3) mean face in canonical units, mirror symmetric."""
