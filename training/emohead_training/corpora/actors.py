"""The corpus ``digital-actors``: rendered people who speak synthesised English in all emotions.

Landmarks, irises, phonemes and emotions are exact, and nobody owns the faces. Not here: the actors
(``emohead_training.actors``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from emohead.emotion import EMOTIONS
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.looks import draw_look
from emohead_training.actors.performance import actor_clip
from emohead_training.actors.stage import Actor, dress
from emohead_training.corpora.protocol import Listing, PrepareConfig
from emohead_training.corpora.records import Record
from emohead_training.voice.synthesis import speak_with_espeak, speak_with_flite

__all__ = ["CAST_FOLDER", "DigitalActors"]

CAST_FOLDER: Final = "actors"
"""Folder of the corpus root that keeps the baked faces."""


@dataclass(frozen=True, kw_only=True)
class _Performance:
    """One clip to be filmed."""

    key: str
    origin: str
    person: int
    """Position in the cast."""
    take: int
    """Number of the person's clip."""
    emotion: str


class DigitalActors:
    """Preparer of rendered actors; each item is one performance by its own seed."""

    def __init__(self, config: PrepareConfig) -> None:
        self._cache = config.out / CAST_FOLDER
        self._people, self._takes = config.people, config.clips_per_person
        self._seconds, self._seed = config.seconds, config.seed

    def listing(self) -> Listing:
        """List the performances; a missing anny or synthesizer raises ``InputError`` here."""
        speak_with_espeak("yes", "en-us")
        speak_with_flite("yes", "slt")
        _cast(self._people, self._seed, self._cache)
        items = [
            _Performance(
                key=f"actor-{self._seed}-{person:05d}-{take:03d}",
                origin=f"seed {self._seed}, actor {person}, take {take}",
                person=person,
                take=take,
                emotion=EMOTIONS[(person * self._takes + take) % len(EMOTIONS)],
            )
            for person in range(self._people)
            for take in range(self._takes)
        ]
        return Listing(items=items)

    def prepare(self, item: _Performance) -> Record:
        """Perform and film."""
        from emohead_training.actors.rendering import film
        from emohead_training.actors.scene import draw_scene

        faces = _cast(self._people, self._seed, self._cache)
        clip = actor_clip(faces, item.person, item.take, item.emotion, self._seed, self._seconds)
        rng = np.random.default_rng((self._seed, item.person, item.take, 6))
        actor = _dressed(self._people, self._seed, self._cache, item.person)
        motion = clip.head_motion(int(rng.integers(1 << 31)))
        take = film(faces, actor, draw_scene(rng), clip.actions, motion, rng)
        return Record(
            key=item.key,
            source="digital-actors",
            identity=f"{self._seed}-{clip.identity}",
            split=clip.split,
            emotion=item.emotion,
            intensity=f"{clip.intensity:.2f}" if clip.intensity else "",
            text=clip.utterance.text,
            origin=item.origin,
            frames=take.frames,
            landmarks=take.landmarks,
            iris=take.iris,
            outline=take.outline,
            audio=clip.samples,
            # A synthesizer's mood is no acted emotion, so the sound is not listed as a voice.
            is_voice=False,
            phonemes=clip.utterance.phonemes,
            starts_s=clip.utterance.starts_s,
        )


@lru_cache(maxsize=1)
def _cast(people: int, seed: int, cache: Path) -> ActorFaces:
    return ActorFaces.load(people, seed, cache)


@lru_cache(maxsize=2)
def _dressed(people: int, seed: int, cache: Path, person: int) -> Actor:
    faces = _cast(people, seed, cache)
    look = draw_look(faces.people[person], np.random.default_rng((seed, person, 5)))
    return dress(faces, person, look)
