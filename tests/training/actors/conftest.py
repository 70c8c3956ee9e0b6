"""A cast without anny: the template's landmarks as a mesh, lips and lids that really move."""

from __future__ import annotations

import numpy as np
import pytest

from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import EYELID_PAIRS, LIP_PAIRS
from emohead_training.actors.actions import ACTION_INDEX, NUM_ACTIONS
from emohead_training.actors.body import HeadMesh
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
