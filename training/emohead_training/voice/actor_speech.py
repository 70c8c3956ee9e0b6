"""Digital actors as talking clips: exact lips for all of English, by faces that nobody owns.

Not here: the actors (``actors/``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from emohead.emotion import EMOTIONS
from emohead.mel import content_mel
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.performance import actor_clips
from emohead_training.corpus import Split
from emohead_training.voice.spoken_clips import SpokenClip

__all__ = ["ACTOR_SOURCE", "read_actor_speech"]

ACTOR_SOURCE: Final = "digital-actors"
CAST_SEED: Final = 0


def read_actor_speech(
    cache: Path,
    *,
    num_people: int,
    count: int,
    seed: int,
    split: Split = "train",
    progress: Callable[[str], None] | None = None,
) -> list[SpokenClip]:
    """Let actors speak without emotion.

    Parameters
    ----------
    cache : Path
        Folder for the cast.
    num_people : int
        Size of the whole cast, which is split by person.
    count : int
        Clips, of one sentence each.
    seed : int
        Of the sentences, voices and ways of speaking.
    split : {"train", "val", "test"}
        Whose clips.
    progress : callable, optional
        Told what takes long.

    Returns
    -------
    list of SpokenClip
    """
    faces = ActorFaces.load(num_people, CAST_SEED, cache, progress)
    performances = actor_clips(faces, seed=seed, split=split, emotions=EMOTIONS[:1])
    return [
        SpokenClip(
            name=f"{ACTOR_SOURCE}/{clip.key}",
            source=ACTOR_SOURCE,
            identity=clip.identity,
            split=clip.split,
            samples=clip.samples,
            mel=content_mel(clip.samples).mel,
            landmarks=clip.landmarks,
            valid=np.ones(len(clip.landmarks), bool),
        )
        for clip in islice(performances, count)
    ]
