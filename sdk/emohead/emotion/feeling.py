"""Where a performance's emotion over time comes from: told beforehand, or heard from the voice.

Called by ``head.py``. Not here: the emotion as a value (``track.py``), how it is heard
(``following.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion.following import HOP_S, EmotionFollower
from emohead.emotion.track import TRANSITION_S, EmotionTrack, track_from
from emohead.emotion.valence_arousal import VA
from emohead.emotion.values import EMOTIONS, NEUTRAL, Emotion
from emohead.onset import LOOK_AHEAD_SAMPLES
from emohead.runner import Runner

__all__ = ["FOLLOW_S", "LAG_S", "Felt", "Followed", "Told", "feeling_from"]

FOLLOW_S: Final = 0.5
"""Sound after a keyframe that a live reader hears."""
LAG_S: Final = HOP_S + FOLLOW_S - LOOK_AHEAD_SAMPLES / SAMPLE_RATE_HZ
"""How much later a live face shows what was heard: when its keyframes are decided for good."""

Felt = str | Mapping[str, float] | Emotion | VA | EmotionTrack
"""An emotion in any form that ``track_from`` takes."""
Vectors = NDArray[np.floating]


class Told:
    """An emotion that is known beforehand.

    Parameters
    ----------
    track : EmotionTrack
        On the clock of the sound that is spoken; pauses in which nothing is pushed do not count.
    """

    def __init__(self, track: EmotionTrack) -> None:
        self.track = track

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Take sound, which changes nothing."""

    def at(self, times_s: NDArray[np.floating]) -> Vectors:
        """Emotion vectors (N, 8) at times (N,), s."""
        return self.track.at(times_s)

    def forget(self, before_s: float) -> None:
        """Drop nothing."""


class Followed:
    """An emotion that follows the voice, ``LAG_S`` late; neutral until something was heard.

    Parameters
    ----------
    follower : EmotionFollower
        With a look-ahead of ``FOLLOW_S``.
    strength : float, [0, 1]
        How strongly the emotion shows.
    """

    def __init__(self, follower: EmotionFollower, strength: float = 1.0) -> None:
        self._follower = follower
        self._track = follower.track.scaled(strength)
        self._strength = strength

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Take sound (n,), mono, 16 kHz."""
        before = self._follower.decided_s
        if self._follower.push(samples) != before:
            self._track = self._follower.track.scaled(self._strength)

    def at(self, times_s: NDArray[np.floating]) -> Vectors:
        """Emotion vectors (N, 8) at times (N,), s of sound, none after the sound heard so far."""
        late = np.asarray(times_s, np.float64) - LAG_S
        shown = np.clip(late / TRANSITION_S, 0, 1).astype(np.float32)[:, None]
        rest = np.eye(len(EMOTIONS), dtype=np.float32)[NEUTRAL]
        return np.asarray(rest + shown * (self._track.at(late) - rest), np.float32)

    def forget(self, before_s: float) -> None:
        """Drop keyframes that only times before `before_s` need."""
        self._follower.forget(before_s - LAG_S)


def feeling_from(given: Felt | None, strength: float, encoder: Runner) -> Told | Followed:
    """Choose between what a stream is told to feel and what it hears.

    Parameters
    ----------
    given : str, mapping, Emotion, VA or EmotionTrack, optional
        None to hear it.
    strength : float, [0, 1]
        How strongly the emotion shows.
    encoder : Runner
        Of the stage ``emotion_encoder``.

    Returns
    -------
    Told or Followed
    """
    if given is not None:
        return Told(track_from(given).scaled(strength))
    return Followed(EmotionFollower(encoder, lookahead_s=FOLLOW_S), strength)
