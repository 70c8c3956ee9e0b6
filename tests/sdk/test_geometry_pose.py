"""Canonical space, landmark tables and the stored topology."""

from __future__ import annotations

import numpy as np
import pytest

from emohead.errors import InputError
from emohead.geometry import NUM_EDGES, TEMPLATE, TOPOLOGY, canonicalise
from emohead.geometry.landmarks import (
    EYES,
    JAW,
    MIRROR,
    MOUTH,
    NOSE,
    OPENINGS,
    POLYLINES,
    RIGID,
    mirrored,
)
from emohead.geometry.topology import topology_hash


def _rotation(seed: int) -> np.ndarray:
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    return q


def test_template_is_a_canonical_upright_face() -> None:
    assert TEMPLATE.shape == (68, 3)
    assert np.linalg.norm(TEMPLATE[45] - TEMPLATE[36]) == pytest.approx(1, abs=1e-5)
    assert np.abs(TEMPLATE[list(RIGID)].mean(0)).max() < 1e-5
    assert np.abs(mirrored(TEMPLATE) - TEMPLATE).max() < 1e-5
    assert TEMPLATE[8, 1] > TEMPLATE[57, 1] > TEMPLATE[33, 1] > TEMPLATE[27, 1] > TEMPLATE[19, 1]
    assert TEMPLATE[30, 2] < TEMPLATE[36, 2] < TEMPLATE[0, 2]
    assert TEMPLATE[36, 0] < 0 < TEMPLATE[45, 0]


def test_mirror_keeps_the_parts() -> None:
    assert (MIRROR[MIRROR] == np.arange(68)).all()
    for part in (JAW, NOSE, EYES, MOUTH):
        assert set(MIRROR[list(part)]) == set(part)


def test_every_landmark_is_drawn() -> None:
    assert {index for line in POLYLINES for index in line} == set(range(68))


def test_topology_matches_its_own_hash_and_euler() -> None:
    edges, opposite = TOPOLOGY.edges, TOPOLOGY.opposite
    assert topology_hash(edges.tolist(), opposite.tolist()) == TOPOLOGY.sha256
    assert len(edges) == NUM_EDGES == len({tuple(edge) for edge in edges.tolist()})
    assert (edges[:, 0] < edges[:, 1]).all()
    filled = len(TOPOLOGY.triangles) + sum(len(rim) - 2 for rim in OPENINGS)
    assert 68 - NUM_EDGES + filled == 1
    assert len(TOPOLOGY.hinges) * 2 + (opposite >= 0).any(1).sum() - len(TOPOLOGY.hinges) == (
        3 * len(TOPOLOGY.triangles)
    )


def test_opposite_points_lie_on_their_side_of_the_edge() -> None:
    flat = TEMPLATE[:, :2]
    start, end = flat[TOPOLOGY.edges[:, 0]], flat[TOPOLOGY.edges[:, 1]]
    for side, sign in ((0, 1), (1, -1)):
        known = TOPOLOGY.opposite[:, side] >= 0
        third = flat[TOPOLOGY.opposite[known, side]]
        along, across = (end - start)[known], third - start[known]
        assert (sign * (along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]) > 0).all()


def test_canonicalise_recovers_a_placed_face() -> None:
    rng = np.random.default_rng(3)
    shape = np.repeat(TEMPLATE[None], 5, 0)
    shape[:, list(MOUTH)] += rng.normal(scale=0.05, size=(5, len(MOUTH), 3))
    rotations = np.stack([_rotation(seed) for seed in range(5)])
    placed = 80.0 * shape @ np.swapaxes(rotations, 1, 2) + rng.normal(size=(5, 1, 3)) * 30 + 128
    canonical, pose = canonicalise(placed)
    assert np.abs(canonical - shape).max() < 1e-4
    assert np.abs(pose.apply(canonical) - placed).max() < 1e-9
    assert np.abs(pose.rotation - rotations).max() < 1e-4
    assert np.abs(pose[2].apply(canonical[2]) - placed[2]).max() < 1e-9


def test_canonicalise_never_mirrors() -> None:
    _, pose = canonicalise(TEMPLATE * [-1, 1, 1] * 50)
    assert np.linalg.det(pose.rotation) == pytest.approx(1)


@pytest.mark.parametrize("broken", [np.zeros((67, 3)), np.zeros((68, 3)), np.full((68, 3), np.nan)])
def test_canonicalise_refuses_what_is_no_face(broken: np.ndarray) -> None:
    with pytest.raises(InputError):
        canonicalise(broken)


def test_rims_of_mouth_and_eyes_are_edges() -> None:
    edges = {tuple(edge) for edge in TOPOLOGY.edges.tolist()}
    for rim in OPENINGS:
        for start, end in zip(rim, (*rim[1:], rim[0]), strict=True):
            assert (min(start, end), max(start, end)) in edges
