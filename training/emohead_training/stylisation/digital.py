"""Digital actors for the stylisation: their talking faces, and what each facial action does.

Who calls: training. Not here: the actors themselves (`emohead_training.actors`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from emohead.emotion import EMOTIONS
from emohead.geometry import canonicalise
from emohead.geometry.landmarks import mirrored
from emohead_training.actors.actions import NUM_ACTIONS, action_vector
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.people import split_of
from emohead_training.actors.performance import actor_clip
from emohead_training.stylisation.expressions import EXPRESSIONS, Expression
from emohead_training.stylisation.faces import FaceClip
from emohead_training.stylisation.styles import EmotionStyles, with_calm

__all__ = ["action_fields", "digital_faces", "expressive", "read_cast"]

Array = npt.NDArray[np.float64]

_CAST_SEED: Final = 0


def read_cast(
    num_actors: int, cache: Path, progress: Callable[[str], None] | None = None
) -> ActorFaces:
    """Load a cast, baking it with anny the first time.

    Parameters
    ----------
    num_actors : int
    cache : Path
        Folder for baked casts.
    progress : callable, optional
        Told what takes long.

    Returns
    -------
    ActorFaces
    """
    return ActorFaces.load(num_actors, _CAST_SEED, cache, progress)


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
    return FaceClip(
        identity=clip.identity,
        emotion=EMOTIONS.index(emotion),
        doubtful=False,
        digital=True,
        landmarks=clip.landmarks.astype(np.float64),
        pitch=np.zeros(len(clip.landmarks)),
        yaw=np.zeros(len(clip.landmarks)),
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
