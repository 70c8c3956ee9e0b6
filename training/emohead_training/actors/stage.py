"""One actor, dressed: mesh, hair, colours and ambient light, ready to be rendered frame by frame.

Not here: motion (``performance.py``), cameras and lights (``scene.py``), pixels (``rendering.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead_training.actors.actions import action_vector
from emohead_training.actors.body import HeadMesh, Part
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.hair import HairMesh, grow_hair, strand_grain
from emohead_training.actors.looks import Look
from emohead_training.actors.occlusion import sky_seen, vertex_normals
from emohead_training.actors.painting import paint_skin, plane_from_points, texels

__all__ = ["Actor", "dress"]

GRAIN_PX: Final = 256
_NECK_MM: Final = (-690.0, -570.0)
"""From where on down the neck no longer turns with the head, and where it is quite still."""
_OPEN: Final = {"jawOpen": 0.35, "mouthLowerDown": 0.2, "mouthUpperUp": 0.2}


_TWO_SIDED: Final = (Part.HAIR, Part.UPPER_TEETH, Part.LOWER_TEETH)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Everything about one actor that does not move: V face vertices, then H of hair."""

    person: int
    """Position in the cast."""
    look: Look
    """Colours."""
    hair: NDArray[np.float32]
    """(H, 3) mm, hair on the resting head."""
    triangles: NDArray[np.int32]
    """(T, 3) into face and hair vertices."""
    parts: NDArray[np.uint8]
    """(T,) `Part`."""
    two_sided: NDArray[np.bool_]
    """(T,) whether the back shows."""
    texel: NDArray[np.float32]
    """(V + H, 2) px in the skin's picture."""
    local: NDArray[np.float32]
    """(V + H, 2) place in an eye, a row of teeth, or the strand pattern."""
    cover: NDArray[np.float32]
    """(V + H,) share of the surface that is there."""
    turning: NDArray[np.float32]
    """(V + H,) how far each vertex follows the head, 0 on the shoulders."""
    sky: NDArray[np.float32]
    """(V + H,) share of the sky that each vertex sees."""
    skin: NDArray[np.float32]
    """(h, w, 4) linear RGB and gloss around the head."""
    grain: NDArray[np.float32]
    """(G, G) tiling pattern of strands."""


def dress(faces: ActorFaces, person: int, look: Look) -> Actor:
    """Build an actor.

    Parameters
    ----------
    faces : ActorFaces
    person : int
    look : Look

    Returns
    -------
    Actor
    """
    mesh = faces.mesh
    rest = faces.vertices(person, np.zeros((1, len(mesh.offsets)), np.float32))[0]
    opened = faces.vertices(person, action_vector(_OPEN)[None])[0]
    normals = vertex_normals(rest, mesh.triangles)
    skin = mesh.triangles[mesh.parts == Part.SKIN]
    hair = grow_hair(look, mesh.reference, rest, normals, skin)
    count = len(rest)
    triangles = np.concatenate([mesh.triangles, hair.triangles + np.int32(count)])
    parts = np.concatenate([mesh.parts, np.full(len(hair.triangles), Part.HAIR, np.uint8)])
    reference = np.concatenate([mesh.reference, hair.reference])
    local = _local(mesh)
    return Actor(
        person=person,
        look=look,
        hair=hair.points,
        triangles=triangles,
        parts=parts,
        two_sided=np.isin(parts, _TWO_SIDED),
        texel=texels(plane_from_points(reference)),
        local=np.concatenate([local, hair.place]),
        cover=np.concatenate([np.ones(count, np.float32), hair.cover]),
        turning=_turning(reference),
        sky=_sky(mesh, rest, opened, hair),
        skin=paint_skin(look, faces.reference_points()),
        grain=strand_grain(GRAIN_PX, np.random.default_rng((look.seed, 2))),
    )


def _turning(reference: NDArray[np.float32]) -> NDArray[np.float32]:
    top, bottom = _NECK_MM
    share = np.clip((bottom - reference[:, 1]) / (bottom - top), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _sky(
    mesh: HeadMesh,
    rest: NDArray[np.float32],
    opened: NDArray[np.float32],
    hair: HairMesh,
) -> NDArray[np.float32]:
    """Ambient light of the face under its hair; the mouth's inside is measured open."""
    count, solid = len(rest), hair.triangles + np.int32(len(rest))
    every = np.concatenate([mesh.triangles, solid])
    closed_sky = sky_seen(np.concatenate([rest, hair.points]), every)
    open_sky = sky_seen(opened, mesh.triangles)
    inner = np.isin(mesh.parts, (Part.MOUTH, Part.TONGUE, Part.UPPER_TEETH, Part.LOWER_TEETH))
    inside = np.zeros(len(closed_sky), np.bool_)
    inside[np.unique(mesh.triangles[inner])] = True
    result = closed_sky.copy()
    result[:count] = np.where(
        inside[:count], open_sky**0.4, np.maximum(closed_sky[:count], 0.85 * open_sky)
    )
    result[count:] = 0.35 + 0.65 * result[count:]
    return result


def _local(mesh: HeadMesh) -> NDArray[np.float32]:
    """Places in eyes (rad from the axis) and rows of teeth (mm)."""
    place = np.zeros((len(mesh.reference), 2), np.float32)
    reference = mesh.reference
    eyes = np.unique(mesh.triangles[mesh.parts == Part.EYE])
    for iris in mesh.irises:
        own = eyes[np.sign(reference[eyes, 0]) == np.sign(reference[iris, 0])]
        radius = np.ptp(reference[own, 1]) / 2
        middle = (reference[own].min(0) + reference[own].max(0)) / 2
        away = (reference[own] - middle) / radius
        angle = np.arccos(np.clip(-away[:, 2] / np.linalg.norm(away, axis=1), -1, 1))
        around = np.arctan2(away[:, 1], away[:, 0])
        place[own] = np.stack([angle * np.cos(around), angle * np.sin(around)], 1)
    for row, up in ((Part.UPPER_TEETH, 1), (Part.LOWER_TEETH, -1)):
        own = np.unique(mesh.triangles[mesh.parts == row])
        arch = reference[own]
        turn = np.arctan2(arch[:, 0], arch[:, 2].max() + 4 - arch[:, 2])
        edge = arch[:, 1].max() - arch[:, 1] if up > 0 else arch[:, 1] - arch[:, 1].min()
        place[own] = np.stack([turn * 46, edge], 1)
    return place
