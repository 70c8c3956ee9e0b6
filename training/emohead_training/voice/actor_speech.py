"""Digital actors as talking clips: exact lips for all of English, by faces that nobody owns.

Not here: the actors (``actors/``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from emohead.emotion import EMOTIONS
from emohead.mel import content_mel
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.performance import actor_clips
from emohead_training.compact_points import UNIT_STEPS, compact_points, points_from
from emohead_training.stored import compact_content_mel, content_mel_from
from emohead_training.voice.spoken_clips import SpokenClip

__all__ = ["ACTOR_SOURCE", "ACTOR_SPEECH_FILE", "read_actor_speech", "write_actor_speech"]

ACTOR_SOURCE: Final = "digital-actors"
ACTOR_SPEECH_FILE: Final = "cache/actor_speech.npz"
"""Where a data pack keeps it, below the corpus's root."""
CAST_SEED: Final = 0


def read_actor_speech(
    cache: Path,
    *,
    num_people: int,
    count: int,
    seed: int,
    packed: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[SpokenClip]:
    """Let actors of the train side speak without emotion, or read how they spoke from a data pack.

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
    packed : Path, optional
        ``ACTOR_SPEECH_FILE`` of the corpus; taken where it exists.
    progress : callable, optional
        Told what takes long.

    Returns
    -------
    list of SpokenClip
    """
    if packed is not None and packed.is_file():
        return _unpacked(packed)[:count]
    faces = ActorFaces.load(num_people, CAST_SEED, cache, progress)
    performances = actor_clips(faces, seed=seed, split="train", emotions=EMOTIONS[:1])
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


def write_actor_speech(clips: Sequence[SpokenClip], file: BinaryIO) -> None:
    """Write clips as ``read_actor_speech`` reads them from a data pack, in few bytes."""
    np.savez_compressed(
        file,
        names=np.array([c.name for c in clips]),
        identities=np.array([c.identity for c in clips]),
        mel=compact_content_mel(np.concatenate([c.mel for c in clips])),
        mel_starts=np.cumsum([0, *(len(c.mel) for c in clips)]),
        landmarks=compact_points(np.concatenate([c.landmarks for c in clips]), UNIT_STEPS),
        starts=np.cumsum([0, *(len(c.landmarks) for c in clips)]),
    )


def _unpacked(path: Path) -> list[SpokenClip]:
    with np.load(path, allow_pickle=False) as stored:
        landmarks = points_from(stored["landmarks"], UNIT_STEPS)
        faces = np.split(landmarks, stored["starts"][1:-1])
        mels = np.split(content_mel_from(stored["mel"]), stored["mel_starts"][1:-1])
        names, identities = stored["names"].tolist(), stored["identities"].tolist()
    return [
        SpokenClip(
            name=name,
            source=ACTOR_SOURCE,
            identity=identity,
            split="train",
            samples=np.zeros(0, np.float32),
            mel=mel,
            landmarks=face,
            valid=np.ones(len(face), bool),
        )
        for name, identity, mel, face in zip(names, identities, mels, faces, strict=True)
    ]
