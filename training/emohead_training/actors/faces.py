"""A cast of actors: every face as a linear model of 52 actions, baked once and kept on disk.

Landmarks of thousands of frames are one matrix product. Not here: which actions when
(``speaking.py``, ``expressing.py``) and pixels (``rendering.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.geometry import pose_from_landmarks
from emohead.geometry.landmarks import EYELID_PAIRS, LIP_PAIRS, NUM_LANDMARKS, OUTER_EYE_CORNERS
from emohead_training.actors.actions import ACTION_INDEX, NUM_ACTIONS
from emohead_training.actors.body import AnnyHeads, HeadMesh
from emohead_training.actors.people import Person, draw_person
from emohead_training.whole_files import write_arrays

__all__ = ["ActorFaces", "LipGap"]

_VERSION: Final = 2
_BLINKS: Final = (("eyeBlinkRight", EYELID_PAIRS[:2]), ("eyeBlinkLeft", EYELID_PAIRS[2:]))
"""Each blink and the lid pairs it closes; the actor's right is the viewer's left."""
_BLINK_GAINS: Final = (0.5, 1.6)


@dataclass(frozen=True, kw_only=True)
class LipGap:
    """How far apart a person's lips are, as a linear function of the actions."""

    at_rest: float
    """mm between the inner lips, positive where they are apart."""
    slopes: NDArray[np.float32]
    """(52,) mm per full action."""

    def of(self, actions: NDArray[np.floating]) -> NDArray[np.float32]:
        """Gap of actions (N, 52), (N,) float32 mm; negative where the lips would overlap."""
        return np.asarray(self.at_rest + actions @ self.slopes, np.float32)


class ActorFaces:
    """A cast: its people and their faces.

    Parameters
    ----------
    mesh : HeadMesh
        What they share.
    people : sequence of Person
    neutral : (P, V, 3) float32, mm
        Everybody at rest.
    scale : (P, 52) float32
        How strongly each action moves each person, relative to the mesh's.
    seed : int
        The cast's.
    """

    def __init__(
        self,
        mesh: HeadMesh,
        people: tuple[Person, ...],
        neutral: NDArray[np.float32],
        scale: NDArray[np.float32],
        seed: int = 0,
    ) -> None:
        self.mesh = mesh
        self.people = people
        self.neutral = neutral
        self.scale = scale
        self.seed = seed
        self._points_at_rest = self._points(neutral)
        self._points_moved = self._points(mesh.offsets)

    @classmethod
    def load(
        cls,
        num_people: int,
        seed: int,
        cache: Path,
        progress: Callable[[str], None] | None = None,
    ) -> ActorFaces:
        """Take a cast from the cache, or bake it with anny.

        Parameters
        ----------
        num_people : int
        seed : int
            Equal seeds give equal casts, a larger one beginning with the smaller.
        cache : Path
            Folder for baked casts.
        progress : callable, optional
            Told what takes long.

        Returns
        -------
        ActorFaces

        Raises
        ------
        InputError
            No people, or anny is needed and not installed.
        """
        if num_people < 1:
            raise InputError(f"expected at least one actor, got {num_people}; ask for more people")
        key = hashlib.sha256(f"{_VERSION} {num_people} {seed}".encode()).hexdigest()[:12]
        path = cache / f"actors-{key}.npz"
        if not path.is_file():
            if progress is not None:
                progress("baking the actors' faces; anny's first start takes about 100 s")
            faces = cls._bake(num_people, seed)
            faces._save(path)
        return cls._read(path, num_people, seed)

    @classmethod
    def _bake(cls, num_people: int, seed: int) -> ActorFaces:
        heads = AnnyHeads()
        people = tuple(draw_person(i, seed, heads.local_changes) for i in range(num_people))
        neutral = np.stack([heads.shape(p.phenotypes, p.changes) for p in people])
        return cls._fitted(heads.mesh, people, neutral)

    @classmethod
    def _fitted(
        cls, mesh: HeadMesh, people: tuple[Person, ...], neutral: NDArray[np.float32]
    ) -> ActorFaces:
        """Scale actions to each person's size; lids meet in a blink, lips at rest."""
        raw = cls(mesh, people, neutral, np.ones((len(people), NUM_ACTIONS), np.float32))
        reference = raw.reference_points()[None, :NUM_LANDMARKS]
        size = _eye_distance(raw._points_at_rest[:, :NUM_LANDMARKS]) / _eye_distance(reference)
        scale = np.repeat(size[:, None].astype(np.float32), NUM_ACTIONS, 1)
        for name, pairs in _BLINKS:
            upper, lower = (list(side) for side in zip(*pairs, strict=True))
            action = ACTION_INDEX[name]
            open_mm = (raw._points_at_rest[:, lower] - raw._points_at_rest[:, upper])[..., 1]
            closing = (raw._points_moved[action, lower] - raw._points_moved[action, upper])[..., 1]
            scale[:, action] = np.clip(-(open_mm / closing).mean(1), *_BLINK_GAINS)
        sized = cls(mesh, people, neutral, scale)
        closing = mesh.offsets[ACTION_INDEX["mouthClose"]]
        for person in range(len(people)):
            gap = sized.lip_gap(person)
            amount = -gap.at_rest / gap.slopes[ACTION_INDEX["mouthClose"]]
            neutral[person] += amount * scale[person, ACTION_INDEX["mouthClose"]] * closing
        return cls(mesh, people, neutral, scale)

    def _points(self, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Landmarks and hairline, (B, 79, 3), of meshes or offsets (B, V, 3)."""
        chosen = vertices[:, self.mesh.point_vertices]
        return np.einsum("bpkc,pk->bpc", chosen, self.mesh.point_weights)

    def landmarks(self, person: int, actions: NDArray[np.floating]) -> NDArray[np.float32]:
        """Landmarks in the head's own frame.

        Parameters
        ----------
        person : int
            Position in the cast.
        actions : (N, 52) floating
            Amounts of `ACTIONS`.

        Returns
        -------
        (N, 68, 3) float32 ndarray, mm
            x right, y down, z away from the viewer, iBUG order.
        """
        return self.points(person, actions)[:, :NUM_LANDMARKS]

    def points(self, person: int, actions: NDArray[np.floating]) -> NDArray[np.float32]:
        """Landmarks and the 11 hairline points after them, (N, 79, 3) float32 mm."""
        amounts = _checked(actions) * self.scale[person]
        moved = np.tensordot(amounts, self._points_moved, 1)
        return np.asarray(self._points_at_rest[person] + moved, np.float32)

    def reference_points(self) -> NDArray[np.float32]:
        """Landmarks and hairline points of the average head, (79, 3) float32 mm."""
        return self._points(self.mesh.reference[None])[0]

    def vertices(self, person: int, actions: NDArray[np.floating]) -> NDArray[np.float32]:
        """Move the whole mesh: (N, V, 3) float32 mm, in the frame of `landmarks`."""
        amounts = _checked(actions) * self.scale[person]
        return np.asarray(
            self.neutral[person] + np.tensordot(amounts, self.mesh.offsets, 1), np.float32
        )

    def lip_gap(self, person: int) -> LipGap:
        """Distance of a person's inner lips along the canonical y, as a function of the actions."""
        upper, lower = (list(side) for side in zip(*LIP_PAIRS, strict=True))
        rest, moved = self._points_at_rest[person], self._points_moved
        down = pose_from_landmarks(rest[:NUM_LANDMARKS]).rotation[:, 1]
        slopes = ((moved[:, lower] - moved[:, upper]) @ down).mean(1)
        return LipGap(
            at_rest=float(((rest[lower] - rest[upper]) @ down).mean()),
            slopes=np.asarray(slopes * self.scale[person], np.float32),
        )

    def _save(self, path: Path) -> None:
        labels = sorted({label for p in self.people for label in p.changes})
        arrays: dict[str, Any] = {f.name: getattr(self.mesh, f.name) for f in fields(HeadMesh)}
        arrays |= {"neutral": self.neutral, "scale": self.scale, "labels": np.array(labels)}
        write_arrays(path, **arrays)

    @classmethod
    def _read(cls, path: Path, num_people: int, seed: int) -> ActorFaces:
        try:
            with np.load(path, allow_pickle=False) as stored:
                mesh = HeadMesh(**{f.name: stored[f.name] for f in fields(HeadMesh)})
                labels = [str(label) for label in stored["labels"]]
                neutral, scale = stored["neutral"], stored["scale"]
        except (OSError, ValueError, KeyError) as err:
            raise InputError(
                f"expected a baked cast in {path}, cannot read it ({err}); delete the file"
            ) from err
        people = tuple(draw_person(i, seed, labels) for i in range(num_people))
        return cls(mesh, people, neutral, scale, seed)


def _eye_distance(points: NDArray[np.floating]) -> NDArray[np.float64]:
    start, end = OUTER_EYE_CORNERS
    return np.asarray(np.linalg.norm(points[:, end] - points[:, start], axis=-1), np.float64)


def _checked(actions: NDArray[np.floating]) -> NDArray[np.float32]:
    if actions.ndim != 2 or actions.shape[1] != NUM_ACTIONS:
        raise InputError(
            f"expected actions of shape (N, {NUM_ACTIONS}), got {actions.shape}; "
            "build rows with action_vector"
        )
    return np.asarray(actions, np.float32)
