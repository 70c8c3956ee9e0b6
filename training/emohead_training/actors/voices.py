"""A voice for every actor, fitting sex and mood, from espeak-ng and flite.

Phoneme times come with the sound. Not here: the synthesizers (``voice/synthesis.py``).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from emohead.audio import SAMPLE_RATE_HZ
from emohead_training.voice.phonemes import SILENCE
from emohead_training.voice.synthesis import Utterance, speak_with_espeak, speak_with_flite
from emohead_training.voice.texts import random_sentence

__all__ = ["ActorVoice", "draw_voice", "speak"]

_ACCENTS: Final = ("en-us", "en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc")
_FEMALE: Final = ("f1", "f2", "f3", "f4", "f5", "anika", "belinda", "grandma", "linda", "steph")
_MALE: Final = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"),
    "adam",
    "david",
    "john",
    "max",
    "rob",
)
_FLITE: Final = {True: (("slt", 175.0),), False: (("awb", 130.0), ("rms", 95.0), ("kal16", 105.0))}
_PROSODY: Final = {
    "neutral": (1.0, 0, 0, 1.0),
    "calm": (0.88, -4, -12, 0.8),
    "happy": (1.08, 12, 22, 1.1),
    "sad": (0.82, -10, -20, 0.7),
    "angry": (1.12, 4, 18, 1.4),
    "fearful": (1.18, 18, 8, 0.9),
    "disgust": (0.9, -6, 6, 1.0),
    "surprised": (1.02, 20, 28, 1.15),
}
"""Speed, pitch and liveliness (espeak's points) and loudness of each emotion."""
_LEVEL: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class ActorVoice:
    """How one actor sounds."""

    is_flite: bool
    """Whether flite speaks, else espeak-ng."""
    name: str
    """The synthesizer's voice."""
    pitch: float
    """Hz for flite, points for espeak-ng."""
    speed: float
    """Relative to the synthesizer's usual speed."""


def draw_voice(is_female: bool, rng: random.Random, flite_share: float = 0.25) -> ActorVoice:
    """Draw a voice.

    Parameters
    ----------
    is_female : bool
    rng : random.Random
    flite_share : float
        How often flite speaks; it is more natural and ten times slower.

    Returns
    -------
    ActorVoice
    """
    speed = rng.uniform(0.85, 1.2)
    if rng.random() < flite_share:
        name, pitch_hz = rng.choice(_FLITE[is_female])
        return ActorVoice(
            is_flite=True, name=name, pitch=pitch_hz * rng.uniform(0.85, 1.25), speed=speed
        )
    name = f"{rng.choice(_ACCENTS)}+{rng.choice(_FEMALE if is_female else _MALE)}"
    pitch = rng.uniform(45, 75) if is_female else rng.uniform(20, 50)
    return ActorVoice(is_flite=False, name=name, pitch=pitch, speed=speed)


def speak(
    voice: ActorVoice, emotion: str, rng: random.Random, seconds: float | None = None
) -> Utterance:
    """Speak random English in a mood.

    Parameters
    ----------
    voice : ActorVoice
    emotion : str
        One of ``EMOTIONS``.
    rng : random.Random
        Chooses the sentences.
    seconds : float, optional
        Exact length; sentences are joined and cut. One sentence as it comes where None.

    Returns
    -------
    Utterance
    """
    parts = [_sentence(voice, emotion, rng)]
    wanted = 0 if seconds is None else round(seconds * SAMPLE_RATE_HZ)
    while sum(len(p.samples) for p in parts) < wanted:
        parts.append(_sentence(voice, emotion, rng))
    joined = _joined(parts)
    return joined if seconds is None else _cut(joined, wanted)


def _sentence(voice: ActorVoice, emotion: str, rng: random.Random) -> Utterance:
    speed, pitch, spread, loudness = _PROSODY[emotion]
    text = random_sentence(rng)
    if voice.is_flite:
        spoken = speak_with_flite(
            text,
            voice.name,
            stretch=1 / (voice.speed * speed),
            pitch_hz=voice.pitch * (1 + pitch / 100),
        )
    else:
        spoken = speak_with_espeak(
            text,
            voice.name,
            rate=round(165 * voice.speed * speed),
            pitch=int(np.clip(voice.pitch + pitch, 0, 99)),
            spread=int(np.clip(50 + spread, 0, 99)),
        )
    peak = float(np.abs(spoken.samples).max(initial=1e-3))
    return replace(spoken, samples=spoken.samples * np.float32(_LEVEL * loudness / peak))


def _joined(parts: list[Utterance]) -> Utterance:
    begins = np.cumsum([0, *(len(p.samples) for p in parts[:-1])]) / SAMPLE_RATE_HZ
    starts = [p.starts_s + b for p, b in zip(parts, begins, strict=True)]
    return replace(
        parts[0],
        samples=np.concatenate([p.samples for p in parts]),
        starts_s=np.concatenate(starts).astype(np.float32),
        phonemes=np.concatenate([p.phonemes for p in parts]),
    )


def _cut(utterance: Utterance, num_samples: int) -> Utterance:
    kept = utterance.starts_s < num_samples / SAMPLE_RATE_HZ
    starts, sounds = utterance.starts_s[kept], utterance.phonemes[kept]
    if not len(starts):
        starts, sounds = np.zeros(1, np.float32), np.array([SILENCE])
    return replace(
        utterance, samples=utterance.samples[:num_samples], starts_s=starts, phonemes=sounds
    )
