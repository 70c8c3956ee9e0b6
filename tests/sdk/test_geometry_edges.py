"""Edge representation: values, derivatives and the exact inverse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emohead.errors import InputError
from emohead.geometry import (
    NUM_EDGES,
    TEMPLATE,
    TOPOLOGY,
    edges_from_landmarks,
    landmarks_from_edges,
    threads,
)
from emohead.geometry.edges import (
    EDGE_END,
    EDGE_START,
    HINGE_POINTS,
    edge_derivatives,
    wrapped,
)
from emohead.geometry.landmarks import MOUTH, RIGID
from emohead.geometry.pose import RIGID_WEIGHTS, procrustes_rotation

Array = npt.NDArray[np.float64]
seeds = st.integers(0, 2**32 - 1)


def _faces(seed: int, count: int = 3) -> Array:
    """Real-sized faces: smooth random growth, an open mouth, and a little noise on every point."""
    rng = np.random.default_rng(seed)
    bend = rng.normal(scale=0.08, size=(count, 3, 3))
    curve = rng.normal(scale=0.05, size=(count, 3, 3))
    faces = TEMPLATE + TEMPLATE @ bend + (TEMPLATE**2) @ curve
    lower = [6, 7, 8, 9, 10, 55, 56, 57, 58, 59, 65, 66, 67]
    faces[:, lower, 1] += rng.uniform(0, 0.35, size=(count, 1))
    return faces + rng.normal(scale=0.006, size=faces.shape)


def _distance(found: Array, wanted: Array) -> float:
    """Largest point distance after a rigid fit over all points."""
    a, b = (x - x.mean(-2, keepdims=True) for x in (found, wanted))
    rotation = procrustes_rotation(b, a, np.ones((68, 1)))
    return float(np.abs(b @ np.swapaxes(rotation, -1, -2) - a).max())


@settings(deadline=None, max_examples=15)
@given(seed=seeds, other=seeds)
def test_round_trip_from_another_face(seed: int, other: int) -> None:
    faces = _faces(seed)
    found = landmarks_from_edges(edges_from_landmarks(faces), _faces(other))
    assert _distance(found, faces) < 1e-4


@settings(deadline=None, max_examples=10)
@given(seed=seeds, jag=st.floats(0.0, 0.06))
def test_round_trip_from_a_jagged_start(seed: int, jag: float) -> None:
    faces = _faces(seed)
    noise = np.random.default_rng(seed).normal(scale=jag, size=faces.shape)
    found = landmarks_from_edges(edges_from_landmarks(faces), faces + noise)
    assert _distance(found, faces) < 1e-4


@settings(deadline=None, max_examples=10)
@given(seed=seeds)
def test_unchanged_edges_return_the_start_bit_for_bit(seed: int) -> None:
    faces = _faces(seed)
    assert np.array_equal(landmarks_from_edges(edges_from_landmarks(faces), faces), faces)


@settings(deadline=None, max_examples=10)
@given(seed=seeds, first=st.integers(1, 18))
def test_result_does_not_depend_on_the_batch(seed: int, first: int) -> None:
    faces = _faces(seed, 19)
    rng = np.random.default_rng(seed)
    edges = edges_from_landmarks(faces)
    edges[..., 0] *= 1 + rng.normal(scale=0.02, size=edges.shape[:-1])
    whole = landmarks_from_edges(edges, faces, tolerance=1e-4)
    parts = [
        landmarks_from_edges(edges[part], faces[part], tolerance=1e-4)
        for part in (slice(0, first), slice(first, None))
    ]
    assert np.array_equal(whole, np.concatenate(parts))


@settings(deadline=None, max_examples=10)
@given(seed=seeds)
def test_edges_ignore_pose_but_not_mirroring(seed: int) -> None:
    face = _faces(seed, 1)[0]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    edges = edges_from_landmarks(face)
    assert np.abs(edges_from_landmarks(face @ rotation.T + 3.0) - edges).max() < 1e-7
    flipped = edges_from_landmarks(face * [1, 1, -1])
    assert np.abs(flipped[:, 1] + edges[:, 1]).max() < 1e-7


def test_derivatives_equal_finite_differences() -> None:
    points = np.ascontiguousarray(np.moveaxis(_faces(5, 1), -1, 0))
    exact = edge_derivatives(points)
    step = 1e-6
    for point in range(68):
        for axis in range(3):
            above, below = points.copy(), points.copy()
            above[axis, 0, point] += step
            below[axis, 0, point] -= step
            up, down = edge_derivatives(above), edge_derivatives(below)
            length = ((point == EDGE_END) * 1.0 - (point == EDGE_START)) * exact.directions[axis, 0]
            angle = ((point == HINGE_POINTS) * exact.gradients[:, axis, 0]).sum(0)
            assert np.abs((up.lengths - down.lengths)[0] / (2 * step) - length).max() < 1e-6
            change = wrapped(up.angles - down.angles)[0] / (2 * step)
            assert np.abs(change - angle).max() < 1e-5 * (1 + np.abs(angle).max())


def test_angles_are_signed_wrapped_and_zero_at_boundaries() -> None:
    edges = edges_from_landmarks(TEMPLATE)
    boundary = np.setdiff1d(np.arange(NUM_EDGES), TOPOLOGY.hinges)
    assert edges.shape == (NUM_EDGES, 2)
    assert (edges[:, 0] > 0).all()
    assert (edges[boundary, 1] == 0).all()
    bridge = TOPOLOGY.edges.tolist().index([28, 29])
    flat = edges_from_landmarks(TEMPLATE * [1, 1, 0])
    assert edges[bridge, 1] < -0.3
    assert np.abs(flat[:, 1]).max() < 1e-9
    assert wrapped(np.array([np.pi, -np.pi, 3 * np.pi, 0.5])) == pytest.approx(
        [-np.pi, -np.pi, -np.pi, 0.5]
    )


def test_result_is_aligned_to_the_start_by_the_rigid_points() -> None:
    start, wanted = _faces(1, 2)
    found = landmarks_from_edges(edges_from_landmarks(wanted), start)
    rigid = list(RIGID)
    assert np.abs(found[rigid].mean(0) - start[rigid].mean(0)).max() < 1e-9
    centred = (x[rigid] - x[rigid].mean(0) for x in (found, start))
    rotation = procrustes_rotation(*centred, np.asarray(RIGID_WEIGHTS)[:, None])
    assert np.abs(rotation - np.eye(3)).max() < 1e-9


def test_contradicting_edges_give_a_face_nearby() -> None:
    face = _faces(2, 1)
    edges = edges_from_landmarks(face)
    mouth = np.isin(TOPOLOGY.edges, MOUTH).all(1)
    edges[:, mouth, 0] *= 1.1
    found = landmarks_from_edges(edges, face)
    moved = np.linalg.norm(found - face, axis=-1)[0]
    assert 0.005 < moved[list(MOUTH)].mean() < 0.1
    assert moved[list(RIGID)].max() < 0.01


@pytest.mark.parametrize(
    ("edges", "start"),
    [
        (np.zeros((NUM_EDGES + 1, 2)), TEMPLATE),
        (np.full((NUM_EDGES, 2), np.nan), TEMPLATE),
        (np.zeros((2, NUM_EDGES, 2)), TEMPLATE),
    ],
)
def test_unusable_edges_are_refused(edges: Array, start: Array) -> None:
    with pytest.raises(InputError):
        landmarks_from_edges(edges, start)


def test_no_faces_give_no_faces() -> None:
    assert landmarks_from_edges(np.zeros((0, NUM_EDGES, 2)), np.zeros((0, 68, 3))).shape == (
        0, 68, 3,
    )  # fmt: skip


def test_threads_that_solve_at_once_leave_the_callers_threads_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Pools:
        """Remembers and restores like threadpoolctl: whoever leaves restores what it found."""

        threads = 8

        @contextmanager
        def limit(self, *, limits: int, user_api: str) -> Iterator[None]:
            found, Pools.threads = Pools.threads, limits
            yield
            Pools.threads = found

    monkeypatch.setattr(threads, "_thread_pools", Pools)
    first, second = threads.one_thread(), threads.one_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert Pools.threads == 1
    second.__exit__(None, None, None)
    assert Pools.threads == 8
