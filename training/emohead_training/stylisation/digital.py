"""Digital actors for the stylisation: their talking faces, and what each facial action does.

Who calls: training. Not here: the actors themselves (`emohead_training.actors`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from emohead.emotion import EMOTIONS
from emohead.geometry import canonicalise
from emohead.geometry.landmarks import mirrored
from emohead_training.actors.actions import NUM_ACTIONS, action_vector
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.people import split_of
from emohead_training.actors.performance import actor_clip
from emohead_training.compact_points import UNIT_STEPS, compact_points, points_from
from emohead_training.stylisation.expressions import EXPRESSIONS, Expression
from emohead_training.stylisation.faces import FaceClip
from emohead_training.stylisation.styles import EmotionStyles, with_calm

__all__ = [
    "ACTOR_FACES_FILE",
    "DigitalPeople",
    "action_fields",
    "digital_faces",
    "expressive",
    "read_people",
    "write_people",
]

Array = npt.NDArray[np.float64]

ACTOR_FACES_FILE: Final = "cache/actor_faces.npz"
"""Where a data pack keeps them, below the corpus's root."""
_CAST_SEED: Final = 0
_PACKED_FRAMES: Final = 48
"""Frames that a pack keeps of a clip, evenly."""


@dataclass(frozen=True, kw_only=True)
class DigitalPeople:
    """What the stylisation learns from digital actors."""

    clips: list[FaceClip]
    """Of the train side, one an actor and emotion."""
    fields: Array
    """(52, 68, 3) canonical units, what each full action does to a face."""


def read_people(
    num_actors: int,
    cache: Path,
    packed: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> DigitalPeople:
    """Read the digital actors of a data pack, or let a cast act, baking it the first time.

    Parameters
    ----------
    num_actors : int
        Size of the cast, of whom those of the train side act.
    cache : Path
        Folder for baked casts.
    packed : Path, optional
        ``ACTOR_FACES_FILE`` of the corpus; taken where it exists, and needs no anny.
    progress : callable, optional
        Told what takes long.

    Returns
    -------
    DigitalPeople

    Raises
    ------
    InputError
        A cast must be baked or speak, and anny or a synthesizer is not installed.
    """
    if packed is not None and packed.is_file():
        return _unpacked(packed)
    cast = ActorFaces.load(num_actors, _CAST_SEED, cache, progress)
    return DigitalPeople(clips=digital_faces(cast), fields=action_fields(cast))


def write_people(people: DigitalPeople, file: BinaryIO) -> None:
    """Write actors as ``read_people`` reads them from a data pack, in few bytes."""
    emotions = [c.emotion for c in people.clips]
    faces = [c.landmarks[:: -(-len(c.landmarks) // _PACKED_FRAMES)] for c in people.clips]
    np.savez_compressed(
        file,
        landmarks=compact_points(np.concatenate(faces), UNIT_STEPS),
        starts=np.cumsum([0, *map(len, faces)]),
        identities=np.array([c.identity for c in people.clips]),
        emotions=np.array(emotions, np.int64),
        fields=people.fields.astype(np.float32),
    )


def _unpacked(path: Path) -> DigitalPeople:
    with np.load(path, allow_pickle=False) as stored:
        landmarks = points_from(stored["landmarks"], UNIT_STEPS).astype(np.float64)
        faces = np.split(landmarks, stored["starts"][1:-1])
        clips = [
            _digital_clip(str(identity), int(emotion), face)
            for identity, emotion, face in zip(
                stored["identities"], stored["emotions"], faces, strict=True
            )
        ]
        return DigitalPeople(clips=clips, fields=stored["fields"].astype(np.float64))


def digital_faces(cast: ActorFaces) -> list[FaceClip]:
    """Let every actor of the train side say a sentence in every emotion.

    Parameters
    ----------
    cast : ActorFaces

    Returns
    -------
    list of FaceClip
        One clip an actor and emotion, with exact landmarks and labels.
    """
    players = [p for p in range(len(cast.people)) if split_of(p, cast.seed) == "train"]
    return [
        _face_clip(cast, person, take, emotion)
        for person in players
        for take, emotion in enumerate(EMOTIONS)
    ]


def _face_clip(cast: ActorFaces, person: int, take: int, emotion: str) -> FaceClip:
    clip = actor_clip(cast, person, take, emotion, _CAST_SEED)
    return _digital_clip(clip.identity, EMOTIONS.index(emotion), clip.landmarks.astype(np.float64))


def _digital_clip(identity: str, emotion: int, landmarks: Array) -> FaceClip:
    return FaceClip(
        identity=identity,
        emotion=emotion,
        doubtful=False,
        digital=True,
        landmarks=landmarks,
        pitch=np.zeros(len(landmarks)),
        yaw=np.zeros(len(landmarks)),
    )


def action_fields(cast: ActorFaces) -> Array:
    """Average over the cast what each full action does to a canonical face.

    Parameters
    ----------
    cast : ActorFaces

    Returns
    -------
    (52, 68, 3) float64, canonical units
        In the order of `emohead_training.actors.actions.ACTIONS`.
    """
    amounts = np.concatenate([np.zeros((1, NUM_ACTIONS)), np.eye(NUM_ACTIONS)])
    faces = [canonicalise(cast.landmarks(p, amounts))[0] for p in range(len(cast.people))]
    mean: Array = np.mean(faces, axis=0, dtype=np.float64)
    return mean[1:] - mean[0]


def expressive(
    styles: EmotionStyles, fields: Array, expressions: Mapping[str, Expression] = EXPRESSIONS
) -> EmotionStyles:
    """Build the full expressions from the filmed differences and the facial actions.

    Parameters
    ----------
    styles : EmotionStyles
        As filmed.
    fields : (52, 68, 3) float64, canonical units
        From `action_fields`.
    expressions : mapping of str to Expression

    Returns
    -------
    EmotionStyles
        Mirror symmetric; openings are widened as filmed.
    """
    offsets = np.zeros_like(styles.offsets)
    for name, expression in expressions.items():
        moved = np.tensordot(action_vector(expression.actions).astype(np.float64), fields, 1)
        index = EMOTIONS.index(name)
        offsets[index] = expression.filmed * styles.offsets[index]
        offsets[index] += 0.5 * (moved + mirrored(moved))
    return with_calm(replace(styles, offsets=offsets))
