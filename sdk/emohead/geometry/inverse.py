"""Landmarks from edges: the exact inverse of `edges.py`, by batched Levenberg-Marquardt.

Every face is solved on its own, whatever batch it comes in, so results never depend on chunking.
Numpy only. Called for every frame of a talking head, hence the precomputed sparsity.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from emohead.errors import InputError
from emohead.geometry.edges import (
    EDGE_END,
    EDGE_START,
    HINGE_POINTS,
    HINGE_WEIGHTS,
    EdgeDerivatives,
    edge_derivatives,
    wrapped,
)
from emohead.geometry.landmarks import NUM_LANDMARKS, RIGID
from emohead.geometry.pose import RIGID_WEIGHTS, procrustes_rotation
from emohead.geometry.threads import one_thread
from emohead.geometry.topology import NUM_EDGES, TEMPLATE, TOPOLOGY

Array = npt.NDArray[np.float64]

_SIZE: Final = 3 * NUM_LANDMARKS
_BATCH: Final = 16
_POOR_COST: Final = 2e-3
_FIRST_DAMPING: Final = 1e-3
_LEAST_DAMPING: Final = 1e-9
_MOST_DAMPING: Final = 1e6
_FIRST, _SECOND = np.triu_indices(12)
_ROW, _COLUMN = np.triu_indices(3)
_DIAGONAL: Final = np.arange(_SIZE) * (_SIZE + 1)


def _length_pattern() -> npt.NDArray[np.intp]:
    """Upper triangle of both diagonal blocks, then the whole off-diagonal block, of each edge."""
    start, end, axis = 3 * EDGE_START, 3 * EDGE_END, np.arange(3)
    blocks = [(point + _ROW[:, None]) * _SIZE + point + _COLUMN[:, None] for point in (start, end)]
    across = (start + axis[:, None, None]) * _SIZE + end + axis[:, None]
    return np.concatenate([*(block.ravel() for block in blocks), across.ravel()])


def _angle_pattern() -> npt.NDArray[np.intp]:
    variables = (3 * HINGE_POINTS[:, None, :] + np.arange(3)[:, None]).reshape(12, -1)
    first, second = variables[_FIRST], variables[_SECOND]
    return (np.minimum(first, second) * _SIZE + np.maximum(first, second)).ravel()


_PATTERN: Final = np.concatenate([_length_pattern(), _angle_pattern()])
_VARIABLES: Final = np.concatenate(
    [
        (3 * EDGE_START + np.arange(3)[:, None]).ravel(),
        (3 * EDGE_END + np.arange(3)[:, None]).ravel(),
        (3 * HINGE_POINTS[:, None, :] + np.arange(3)[:, None]).ravel(),
    ]
)


def landmarks_from_edges(
    edges: npt.NDArray[np.floating],
    start: npt.NDArray[np.floating],
    *,
    tolerance: float = 1e-8,
    max_steps: int = 60,
    retry: bool = True,
) -> Array:
    """Find the faces that have the given edges.

    Parameters
    ----------
    edges : (..., E, 2) floating
        Lengths in canonical units and angles in rad; need not be consistent: the closest face in
        the least-squares sense is found, an angle's error weighing what it displaces.
    start : (..., 68, 3) floating, canonical units
        Where the search begins and what the result is rigidly aligned to, by the rigid points.
    tolerance : float, canonical units
        A face is finished when no point moves further than this in a step.
    max_steps : int
        Upper bound on the steps of a face.
    retry : bool
        Search once more from the template where `start` led into a poor local minimum, as a
        jagged start may.

    Returns
    -------
    (..., 68, 3) float64, canonical units
        Bit for bit `start` where the edges are those of `start`.

    Raises
    ------
    InputError
        Shapes that do not fit each other, or values that are not finite.

    References
    ----------
    .. [1] Paper, section 3.2: "recovered from their edge representation".
    .. [2] Nielsen, Damping parameter in Marquardt's method, 1999.
    """
    wanted: Array = np.asarray(edges, np.float64)
    origin: Array = np.asarray(start, np.float64)
    _check(wanted, origin)
    flat_edges, flat_start = wanted.reshape(-1, NUM_EDGES, 2), origin.reshape(-1, NUM_LANDMARKS, 3)
    solved: Array = np.empty_like(flat_start)
    # Systems this small gain nothing from threads, which wait for each other on busy cores.
    with one_thread():
        for first in range(0, len(solved), _BATCH):
            part = slice(first, first + _BATCH)
            goal = _Goal(flat_edges[part])
            solved[part] = _solve(goal, flat_start[part], tolerance, max_steps, retry)
    return solved.reshape(origin.shape)


def _check(edges: Array, start: Array) -> None:
    if edges.shape != (*start.shape[:-2], NUM_EDGES, 2) or start.shape[-2:] != (NUM_LANDMARKS, 3):
        raise InputError(
            f"expected edges (..., {NUM_EDGES}, 2) and start (..., {NUM_LANDMARKS}, 3) with equal "
            f"leading axes, got {edges.shape} and {start.shape}; compute both from the same frames"
        )
    if not (np.isfinite(edges).all() and np.isfinite(start).all()):
        raise InputError("expected finite edges and landmarks, got NaN or infinity; check the net")


class _Goal:
    """The edges that a batch of faces shall have."""

    def __init__(self, edges: Array) -> None:
        self.lengths = edges[..., 0]
        self.angles = edges[:, TOPOLOGY.hinges, 1]

    def __getitem__(self, faces: npt.NDArray[np.intp]) -> _Goal:
        part = object.__new__(_Goal)
        part.lengths, part.angles = self.lengths[faces], self.angles[faces]
        return part

    def residuals(self, state: EdgeDerivatives) -> Array:
        """(T, E + H) canonical units."""
        bend = HINGE_WEIGHTS * wrapped(state.angles - self.angles)
        return np.concatenate([state.lengths - self.lengths, bend], axis=1)


def _solve(goal: _Goal, start: Array, tolerance: float, max_steps: int, retry: bool) -> Array:
    points = np.ascontiguousarray(np.moveaxis(start, -1, 0))
    unsolved = np.flatnonzero(np.abs(goal.residuals(edge_derivatives(points))).max(axis=1) > 1e-13)
    result = start.copy()
    if not len(unsolved):
        return result
    found, cost = _descend(goal[unsolved], points[:, unsolved], tolerance, max_steps)
    poor = np.flatnonzero(cost > _POOR_COST) if retry else unsolved[:0]
    if len(poor):
        fresh = np.repeat(np.ascontiguousarray(TEMPLATE.T)[:, None], len(poor), axis=1)
        other, other_cost = _descend(goal[unsolved[poor]], fresh, tolerance, max_steps)
        wins = other_cost < 0.1 * cost[poor]
        found[:, poor[wins]] = other[:, wins]
    result[unsolved] = _aligned(found, start[unsolved])
    return result


def _descend(goal: _Goal, points: Array, tolerance: float, max_steps: int) -> tuple[Array, Array]:
    """Levenberg-Marquardt on faces (3, T, 68); returns the faces and their cost (T,)."""
    points = points.copy()
    state = edge_derivatives(points)
    cost = _row_dot(goal.residuals(state))
    damping, growth = np.full(len(cost), _FIRST_DAMPING), np.full(len(cost), 2.0)
    active = np.arange(len(cost))
    for _ in range(max_steps):
        here, wanted = _select(state, active), goal[active]
        matrix, gradient = _normal_equations(here, wanted.residuals(here))
        step = _damped_step(matrix, gradient, damping[active])
        trial = points[:, active] + np.moveaxis(step.reshape(-1, NUM_LANDMARKS, 3), -1, 0)
        there = edge_derivatives(trial)
        new_cost = _row_dot(wanted.residuals(there))
        promised = _row_dot(step, damping[active, None] * step - gradient)
        gain = (cost[active] - new_cost) / np.maximum(promised, 1e-300)
        better = new_cost < cost[active]
        _adapt(damping, growth, active, gain, better)
        won = active[better]
        points[:, won], cost[won] = trial[:, better], new_cost[better]
        _store(state, won, _select(there, np.flatnonzero(better)))
        stuck = ~better & (damping[active] > _MOST_DAMPING)
        moved = np.abs(step).max(axis=1)
        active = active[~((moved < tolerance) | stuck | (new_cost < 1e-24))]
        if not len(active):
            break
    return points, cost


def _row_dot(rows: Array, other: Array | None = None) -> Array:
    # einsum's summation order depends on the batch; one row at a time does not.
    other = rows if other is None else other
    return np.array([float(x @ y) for x, y in zip(rows, other, strict=True)])


def _select(state: EdgeDerivatives, index: npt.NDArray[np.generic]) -> EdgeDerivatives:
    return EdgeDerivatives(
        lengths=state.lengths[index],
        angles=state.angles[index],
        directions=state.directions[:, index],
        gradients=state.gradients[:, :, index],
    )


def _store(state: EdgeDerivatives, index: npt.NDArray[np.intp], new: EdgeDerivatives) -> None:
    state.lengths[index], state.angles[index] = new.lengths, new.angles
    state.directions[:, index], state.gradients[:, :, index] = new.directions, new.gradients


def _normal_equations(state: EdgeDerivatives, residuals: Array) -> tuple[Array, Array]:
    """J'J (T, 204, 204), symmetric, and J'r (T, 204); one bincount each over a fixed pattern."""
    num_faces = len(residuals)
    stretch, bend = residuals[:, :NUM_EDGES], residuals[:, NUM_EDGES:]
    along = np.ascontiguousarray(np.moveaxis(state.directions, 0, 1))
    bending = np.moveaxis(state.gradients * HINGE_WEIGHTS, 2, 0).reshape(num_faces, 12, -1)
    own = (along[:, _ROW] * along[:, _COLUMN]).reshape(num_faces, -1)
    cross = (along[:, :, None] * along[:, None, :]).reshape(num_faces, -1)
    curved = (bending[:, _FIRST] * bending[:, _SECOND]).reshape(num_faces, -1)
    entries = np.concatenate([own, own, -cross, curved], axis=1)
    pulls = (along * stretch[:, None]).reshape(num_faces, -1)
    turns = (bending * bend[:, None]).reshape(num_faces, -1)
    forces = np.concatenate([-pulls, pulls, turns], axis=1)
    matrix = np.empty((num_faces, _SIZE, _SIZE))
    gradient = np.empty((num_faces, _SIZE))
    for face in range(num_faces):
        upper = _scattered(_PATTERN, entries[face], _SIZE * _SIZE)
        upper[_DIAGONAL] *= 0.5
        half = upper.reshape(_SIZE, _SIZE)
        np.add(half, half.T, out=matrix[face])
        gradient[face] = _scattered(_VARIABLES, forces[face], _SIZE)
    return matrix, gradient


def _scattered(pattern: npt.NDArray[np.intp], values: Array, size: int) -> Array:
    return np.asarray(np.bincount(pattern, values, size), np.float64)


def _damped_step(matrix: Array, gradient: Array, damping: Array) -> Array:
    matrix.reshape(len(matrix), -1)[:, _DIAGONAL] += damping[:, None]
    step = np.linalg.solve(matrix, gradient[..., None])[..., 0]
    return np.asarray(-step, np.float64)


def _adapt(
    damping: Array,
    growth: Array,
    active: npt.NDArray[np.intp],
    gain: Array,
    better: npt.NDArray[np.bool_],
) -> None:
    """Nielsen's rule: shrink with the gain of a good step, grow ever faster on bad ones."""
    shrink = np.clip(1 - (2 * np.clip(gain, 0, 1) - 1) ** 3, 0.03, 2.0)
    damping[active] *= np.where(better, shrink, growth[active])
    np.maximum(damping, _LEAST_DAMPING, out=damping)
    growth[active] = np.where(better, 2.0, 2 * growth[active])


def _aligned(found: Array, reference: Array) -> Array:
    """Turn and shift each face (3, T, 68) onto its reference by the rigid points."""
    points = np.ascontiguousarray(np.moveaxis(found, 0, -1))
    rigid, weights = list(RIGID), np.asarray(RIGID_WEIGHTS)[:, None]
    centre = points[:, rigid].mean(1, keepdims=True)
    goal = reference[:, rigid].mean(1, keepdims=True)
    rotation = procrustes_rotation(points[:, rigid] - centre, reference[:, rigid] - goal, weights)
    aligned: Array = (points - centre) @ np.swapaxes(rotation, 1, 2) + goal
    return aligned
