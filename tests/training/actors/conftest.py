"""A cast without anny: the template's landmarks as a mesh, lips and lids that really move."""

from __future__ import annotations

import numpy as np
import pytest

from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import EYELID_PAIRS, LIP_PAIRS
from emohead_training.actors.actions import ACTION_INDEX, NUM_ACTIONS
from emohead_training.actors.body import HeadMesh, Part
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.people import draw_person

NUM_POINTS = 79


@pytest.fixture(scope="session")
def mesh() -> HeadMesh:
    reference = np.zeros((NUM_POINTS, 3), np.float32)
    reference[:68] = TEMPLATE * 90
    offsets = np.zeros((NUM_ACTIONS, NUM_POINTS, 3), np.float32)
    for upper, lower in LIP_PAIRS:
        offsets[ACTION_INDEX["jawOpen"], lower, 1] = 30
        offsets[ACTION_INDEX["mouthClose"], lower, 1] = -24
        offsets[ACTION_INDEX["mouthClose"], upper, 1] = 6
        offsets[ACTION_INDEX["mouthUpperUpLeft"], upper, 1] = -3
    for name, pairs in (("eyeBlinkRight", EYELID_PAIRS[:2]), ("eyeBlinkLeft", EYELID_PAIRS[2:])):
        for upper, _ in pairs:
            offsets[ACTION_INDEX[name], upper, 1] = 8
    one = np.arange(NUM_POINTS, dtype=np.int32)
    return HeadMesh(
        triangles=np.array([[0, 1, 2]], np.int32),
        parts=np.zeros(1, np.uint8),
        reference=reference,
        offsets=offsets,
        point_vertices=np.stack([one, one], 1),
        point_weights=np.tile(np.array([[1.0, 0.0]], np.float32), (NUM_POINTS, 1)),
        irises=np.array([36, 45], np.int32),
        mirror=one,
    )


@pytest.fixture(scope="session")
def cast(mesh: HeadMesh) -> ActorFaces:
    people = tuple(draw_person(i, 0, ("nose-hump-incr", "l-eye-bag-incr")) for i in range(10))
    sizes = np.linspace(0.9, 1.1, len(people))
    neutral = np.stack([mesh.reference * s for s in sizes]).astype(np.float32)
    neutral[:, 66, 1] += 2
    return ActorFaces._fitted(mesh, people, neutral)


def ball(centre, radii, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Ellipsoid whose first pole looks at the viewer; outward triangles as in anny's mesh."""
    tilt = np.linspace(0, np.pi, rows)[:, None]
    turn = np.linspace(0, 2 * np.pi, columns)[None]
    points = np.stack(
        [np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), -np.cos(tilt) + 0 * turn], -1
    )
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    halves = [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    return points.reshape(-1, 3) * radii + centre, np.concatenate(halves)


@pytest.fixture(scope="session")
def dummies() -> ActorFaces:
    """Two heads of balls, where anny's would be: skull, eyes, teeth, shoulders."""
    middle = np.array((0.0, -785.0, -50.0))
    eye = np.array((32.0, -820.0, -141.0))
    solids = (
        (Part.SKIN, middle, (75, 150, 95), 40, 40),
        (Part.EYE, eye * (-1, 1, 1), (13, 13, 13), 13, 17),
        (Part.EYE, eye, (13, 13, 13), 13, 17),
        (Part.UPPER_TEETH, (0, -752, -110), (25, 5, 20), 7, 12),
        (Part.LOWER_TEETH, (0, -742, -110), (25, 5, 20), 7, 12),
        (Part.BODY, (0, -480, -30), (240, 190, 80), 24, 24),
    )
    points, triangles, parts = [], [], []
    for part, centre, radii, rows, columns in solids:
        vertices, faces = ball(np.asarray(centre, float), radii, rows, columns)
        triangles.append(faces + sum(map(len, points)))
        points.append(vertices)
        parts.append(np.full(len(faces), part, np.uint8))
    reference = np.concatenate(points).astype(np.float32)
    skull = points[0]
    marks = np.zeros((NUM_POINTS, 3))
    marks[:68] = TEMPLATE * 88
    marks += np.array((0, -812, -145))
    marks[68:, 1] = -880
    nearest = np.argmin(np.linalg.norm(skull[None] - marks[:, None], axis=-1), 1).astype(np.int32)
    offsets = np.zeros((NUM_ACTIONS, len(reference), 3), np.float32)
    offsets[ACTION_INDEX["jawOpen"], nearest[[lower for _, lower in LIP_PAIRS]], 1] = 20
    offsets[ACTION_INDEX["mouthClose"]] = -offsets[ACTION_INDEX["jawOpen"]]
    starts = np.cumsum([0, *map(len, points)])
    shared = HeadMesh(
        triangles=np.concatenate(triangles).astype(np.int32),
        parts=np.concatenate(parts),
        reference=reference,
        offsets=offsets,
        point_vertices=np.stack([nearest, nearest], 1),
        point_weights=np.tile(np.array([[1.0, 0.0]], np.float32), (NUM_POINTS, 1)),
        irises=starts[1:3].astype(np.int32),
        mirror=np.arange(len(reference), dtype=np.int32),
    )
    people = tuple(draw_person(i, 0, ("nose-hump-incr",)) for i in range(2))
    neutral = np.stack([reference, reference + np.float32(7)])
    return ActorFaces(shared, people, neutral, np.ones((2, NUM_ACTIONS), np.float32))
