"""Whole performances: an actor says something in a mood. Landmarks and sound, no pixels.

``actor_clips`` trains lips and emotions on thousands of frames in seconds; the renderer shows the
same performances. Not here: how they look (``looks.py``, ``rendering.py``).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion import EMOTIONS, parse_emotion
from emohead.geometry import canonicalise
from emohead.motion import FPS, HeadMotion, Motion
from emohead_training.actors.actions import ACTION_INDEX, ACTIONS
from emohead_training.actors.expressing import draw_expression
from emohead_training.actors.faces import ActorFaces
from emohead_training.actors.life import living
from emohead_training.actors.people import split_of
from emohead_training.actors.speaking import (
    Articulation,
    SpeechStyle,
    articulate,
    with_lips_closed,
)
from emohead_training.actors.voices import draw_voice, speak
from emohead_training.corpus import Split
from emohead_training.voice.synthesis import Utterance

__all__ = ["ActorClip", "actor_clip", "actor_clips", "perform"]

_SPOKEN_SHARE: Final = 0.6
"""How much of an emotion's mouth is left while the mouth speaks."""
_SPOKEN_JAW: Final = 0.35
_ONSET_S: Final = 0.4
_WAVE_HZ: Final = (0.15, 0.5)
_WAVE: Final = 0.15
_JAW: Final = ACTION_INDEX["jawOpen"]
_MOUTH: Final = np.array([n.startswith(("mouth", "jaw")) for n in ACTIONS])


@dataclass(frozen=True, kw_only=True, eq=False)
class ActorClip:
    """One performance at 30 frames a second, N frames long."""

    key: str
    """Unique within a cast: actor and number of the clip."""
    person: int
    """Position in the cast."""
    identity: str
    """The actor's name."""
    split: Split
    """Side of the split by person."""
    emotion: str
    """One of ``EMOTIONS``."""
    intensity: float
    """Of the emotion, [0, 1]."""
    utterance: Utterance
    """Sound, phonemes and their times."""
    actions: NDArray[np.float32]
    """(N, 52) facial actions."""
    landmarks: NDArray[np.float32]
    """(N, 68, 3) canonical units, without head motion."""

    @property
    def samples(self) -> NDArray[np.float32]:
        """(n,) sound, mono, 16 kHz."""
        return self.utterance.samples

    def head_motion(self, seed: int) -> Motion:
        """Head motion of the runtime for this voice and emotion, N frames."""
        mood = parse_emotion(self.emotion, self.intensity)
        head = HeadMotion(mood.weights, seed)
        first, last = head.push(self.samples), head.close()
        count = len(self.actions)
        angles = np.concatenate([first.angles, last.angles, np.zeros((count, 3))])[:count]
        shift = np.concatenate([first.shift, last.shift, np.zeros((count, 3))])[:count]
        return Motion(angles=angles, shift=shift)


def _draw_style(rng: Generator) -> SpeechStyle:
    """Draw how an actor articulates."""
    return SpeechStyle(
        amplitude=float(rng.uniform(0.9, 1.7)),
        rounding=float(rng.uniform(0.8, 1.2)),
        spread=float(rng.uniform(0.7, 1.3)),
        sharpness=float(rng.uniform(0.85, 1.3)),
    )


def perform(
    faces: ActorFaces,
    person: int,
    speech: Articulation,
    feeling: NDArray[np.float32],
    rng: Generator,
) -> NDArray[np.float32]:
    """Put speech, emotion and life together on one face.

    Parameters
    ----------
    faces : ActorFaces
    person : int
    speech : Articulation
        N frames.
    feeling : (52,) float32
        The emotion's actions.
    rng : numpy.random.Generator

    Returns
    -------
    (N, 52) float32 ndarray
        Lips meet wherever speech asks for it, whatever the emotion.
    """
    count = len(speech.actions)
    shown = _course(count, rng)[:, None] * feeling
    active = _activity(speech)[:, None]
    softer = np.where(_MOUTH, _SPOKEN_SHARE, 1.0)
    softer[_JAW] = _SPOKEN_JAW
    total = speech.actions + shown * (1 - active * (1 - softer)) + living(count, FPS, rng)
    total = np.clip(total, 0.0, 1.0).astype(np.float32)
    return with_lips_closed(total, faces.lip_gap(person), _held(speech, feeling), speech.teeth)


def _course(count: int, rng: Generator) -> NDArray[np.float64]:
    """Intensity over time: there from the start, swelling and easing slowly."""
    times = np.arange(count) / FPS
    wave = np.sin(2 * np.pi * (rng.uniform(*_WAVE_HZ) * times + rng.random()))
    rise = 0.7 + 0.3 * np.clip(times / _ONSET_S, 0, 1)
    return np.asarray(rise * (1 - _WAVE + _WAVE * wave))


def _activity(speech: Articulation) -> NDArray[np.float64]:
    """How much the mouth speaks, [0, 1], slower than the sounds."""
    moving = np.abs(speech.actions).sum(1) > 0.15
    width = round(0.3 * FPS)
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(moving.astype(np.float64), width // 2, mode="edge")
    smooth = np.convolve(padded, kernel / kernel.sum(), "same")
    return smooth[width // 2 :][: len(moving)]


def _held(speech: Articulation, feeling: NDArray[np.float32]) -> NDArray[np.float64]:
    """Closures; in silence an emotion that opens the mouth (surprise) may keep it open."""
    quiet = 1 - _activity(speech)
    opens = feeling[_JAW] + feeling[ACTION_INDEX["mouthLowerDownLeft"]] > 0.1
    return np.asarray(speech.touch * (1 - quiet * opens))


def actor_clips(
    faces: ActorFaces,
    *,
    seed: int = 0,
    seconds: float | None = None,
    split: Split | None = None,
    emotions: Sequence[str] = EMOTIONS,
    flite_share: float = 0.25,
) -> Iterator[ActorClip]:
    """Perform without end: everybody in turn, every emotion in turn, new sentences each time.

    Parameters
    ----------
    faces : ActorFaces
    seed : int
        Equal seeds give equal performances.
    seconds : float, optional
        Length of every clip; one sentence each where None.
    split : str, optional
        Only these actors.
    emotions : sequence of str
        What they feel.
    flite_share : float
        Share of actors whom flite voices.

    Yields
    ------
    ActorClip
    """
    cast = [p for p in range(len(faces.people)) if split in (None, split_of(p, faces.seed))]
    for take in itertools.count():
        for person in cast:
            emotion = emotions[(take + person) % len(emotions)]
            yield actor_clip(faces, person, take, emotion, seed, seconds, flite_share)


def actor_clip(
    faces: ActorFaces,
    person: int,
    take: int,
    emotion: str,
    seed: int,
    seconds: float | None = None,
    flite_share: float = 0.25,
) -> ActorClip:
    """Perform once.

    Parameters
    ----------
    faces : ActorFaces
    person : int
    take : int
        Number of the clip; voice and way of speaking stay the actor's.
    emotion : str
    seed : int
    seconds : float, optional
    flite_share : float

    Returns
    -------
    ActorClip
    """
    who = np.random.default_rng((seed, person, 3))
    voice = draw_voice(
        faces.people[person].is_female, random.Random(int(who.integers(1 << 31))), flite_share
    )
    style = _draw_style(who)
    rng = np.random.default_rng((seed, person, take, 4))
    utterance = speak(voice, emotion, random.Random(int(rng.integers(1 << 31))), seconds)
    length_s = len(utterance.samples) / SAMPLE_RATE_HZ
    speech = articulate(utterance.starts_s, utterance.phonemes, length_s, FPS, style)
    intensity = 0.0 if emotion == EMOTIONS[0] else float(rng.uniform(0.6, 1.0))
    feeling = draw_expression(emotion, intensity, rng)
    actions = perform(faces, person, speech, feeling, rng)
    return ActorClip(
        key=f"{faces.people[person].name}-{take:03d}-{emotion}",
        person=person,
        identity=faces.people[person].name,
        split=split_of(person, faces.seed),
        emotion=emotion,
        intensity=intensity,
        utterance=utterance,
        actions=actions,
        landmarks=canonicalise(faces.landmarks(person, actions))[0].astype(np.float32),
    )
