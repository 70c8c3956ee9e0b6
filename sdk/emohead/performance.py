"""From sound to placed landmarks: lips, emotion, head, life; one path for files and streams.

``Role`` says who acts and how; ``Performance`` is its accumulator for one utterance.
Called by ``offline.py`` and ``live/director.py``.
Not here: pixels (``render.py``), queues (``live``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, num_frames_of
from emohead.camera import place
from emohead.lips import LOOK_AHEAD_SAMPLES as LIPS_LOOK_AHEAD
from emohead.lips import LipRunners, LipSync
from emohead.liveliness import Life
from emohead.motion import FPS, HeadMotion, Motion, frame_times, still_motion
from emohead.motion import LOOK_AHEAD_SAMPLES as MOTION_LOOK_AHEAD
from emohead.portrait import Portrait
from emohead.retime import Retimer, wait_s
from emohead.stages import (
    CONTENT_ENCODER,
    EMOTION_LANDMARKS,
    NEUTRAL_LANDMARKS,
    NUM_LANDMARKS,
    SPEAKER_ENCODER,
)
from emohead.style import NO_STYLE, Style, styled_brows, styled_lips
from emohead.stylise import Stylist

if TYPE_CHECKING:
    from emohead.runner import Runner

__all__ = ["Feeling", "Looks", "Performance", "Role", "look_ahead_s", "timed"]

Array = NDArray[np.float64]
_FACE: Final = NUM_LANDMARKS * 3


class Feeling(Protocol):
    """An emotion over time, perhaps heard from the same sound."""

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Take sound (n,), mono, 16 kHz, before any frame within it is asked for."""

    def at(self, times_s: NDArray[np.floating]) -> NDArray[np.floating]:
        """Emotion vectors (N, 8) at times (N,), s of sound; later sound never changes them."""

    def forget(self, before_s: float) -> None:
        """Drop what only times before `before_s` need."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Faces and head motion before life is breathed into them, frame by frame."""

    faces: Array
    """(N, 68, 3) canonical units."""
    motion: Motion
    """Where the head is."""

    def __len__(self) -> int:
        return len(self.faces)

    @classmethod
    def from_rows(cls, rows: Array) -> Looks:
        """Read rows (N, 210) as ``rows`` gives them."""
        faces = rows[:, :_FACE].reshape(-1, NUM_LANDMARKS, 3)
        motion = Motion(angles=rows[:, _FACE : _FACE + 3], shift=rows[:, _FACE + 3 :])
        return cls(faces=faces, motion=motion)

    @property
    def rows(self) -> Array:
        """(N, 210) float64: face, angles, shift."""
        flat = self.faces.reshape(len(self), _FACE)
        return np.concatenate([flat, self.motion.angles, self.motion.shift], axis=1)


@dataclass(frozen=True, kw_only=True)
class Role:
    """Who acts, and how."""

    face: Portrait
    """The face."""
    runners: Mapping[str, Runner]
    """At least those of the stages between voice and landmarks."""
    feeling: Feeling
    """What the face shows."""
    life: Life
    """How lively eyes and head are."""
    fps: int = FPS
    """Frames a second."""
    style: Style = NO_STYLE
    """How a person talks; head motion and blinks are already in `life`."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds spent so far, by step."""

    def perform(self, start_s: float = 0.0, first_phrase: int = 0) -> Performance:
        """Begin an utterance.

        Parameters
        ----------
        start_s : float, s
            Sound that ``feeling`` has heard before.
        first_phrase : int
            Phrases that were spoken before.

        Returns
        -------
        Performance
        """
        return Performance(self, start_s, first_phrase)

    def rest(self, time_s: float) -> Looks:
        """One look of the silent face, with the emotion of a time, s of sound."""
        stylist = Stylist(self.runners[EMOTION_LANDMARKS.name])
        felt = self.feeling.at(np.array([time_s]))
        faces = self.styled(stylist, np.zeros((1, NUM_LANDMARKS, 3)), felt)
        return Looks(faces=faces, motion=still_motion(1))

    def styled(
        self, stylist: Stylist, moved: NDArray[np.floating], felt: NDArray[np.floating]
    ) -> Array:
        """Give the face what speech does to it, an emotion and the person's own style.

        Parameters
        ----------
        stylist : Stylist
        moved : (N, 68, 3) floating, canonical units
            Displacements by speech.
        felt : (N, 8) floating, [0, 1]
            Emotion vectors.

        Returns
        -------
        (N, 68, 3) float64, canonical units
        """
        anchor = self.face.canonical
        spoken = anchor + styled_lips(moved, self.style.lips)
        return styled_brows(anchor, stylist.stylise(spoken, felt), self.style.brows)

    def place(self, looks: Looks, times_s: Array) -> Array:
        """Bring looks to life and set them where the portrait has its face.

        Parameters
        ----------
        looks : Looks
        times_s : (N,) float64, s, not negative
            Middle of each frame, on the clock of eyes and breath.

        Returns
        -------
        (N, 68, 3) float64, px of the crop
        """
        motion = self.head_motion(looks, times_s)
        faces = self.life.eyes(looks.faces, times_s)
        return place(faces, self.face.pose, motion.angles, motion.shift)

    def head_motion(self, looks: Looks, times_s: Array) -> Motion:
        """Where the head is at times (N,), s, relative to the portrait: speech and breath."""
        breath = self.life.breath(times_s)
        return Motion(
            angles=looks.motion.angles + breath.angles, shift=looks.motion.shift + breath.shift
        )


class Performance:
    """Accumulator from the sound of one utterance to looks at the video's rate.

    Parameters
    ----------
    role : Role
    start_s, first_phrase
        See ``Role.perform``.
    """

    def __init__(self, role: Role, start_s: float, first_phrase: int) -> None:
        self._role, self._start_s = role, start_s
        runners = LipRunners(
            speaker_encoder=role.runners[SPEAKER_ENCODER.name],
            content_encoder=role.runners[CONTENT_ENCODER.name],
            neutral_landmarks=role.runners[NEUTRAL_LANDMARKS.name],
        )
        self._lips = LipSync(role.face.canonical, runners)
        self._stylist = Stylist(role.runners[EMOTION_LANDMARKS.name])
        self._head = HeadMotion(
            self._felt, role.life.seed, amount=role.life.head_motion, first_phrase=first_phrase
        )
        self._retimer = Retimer(role.fps, _FACE + 6)
        self._styled, self._swung = np.zeros((0, _FACE)), np.zeros((0, 6))
        self._num_styled = self._num_samples = 0
        self.has_spoken = False
        """Whether the mouth has moved."""

    @property
    def num_phrases(self) -> int:
        """Phrases that have begun, the earlier ones included."""
        return self._head.num_phrases

    def push(self, samples: NDArray[np.float32]) -> Looks:
        """Take sound and return the looks that it completes.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        Looks
        """
        self._num_samples += len(samples)
        timings = self._role.timings
        with timed(timings, "emotion_s"):
            self._role.feeling.hear(samples)
        with timed(timings, "lips_s"):
            moved = self._lips.push(samples)
        with timed(timings, "motion_s"):
            swung = self._head.push(samples)
        return Looks.from_rows(self._retimer.push(self._joined(moved, swung)))

    def close(self) -> Looks:
        """Return the rest: ``ceil(num_samples * fps / 16000)`` looks were given in all."""
        timings = self._role.timings
        with timed(timings, "lips_s"):
            moved = self._lips.close()
        with timed(timings, "motion_s"):
            swung = self._head.close()
        first = self._retimer.push(self._joined(moved, swung))
        rest = self._retimer.close(num_frames_of(self._num_samples, self._role.fps))
        return Looks.from_rows(np.concatenate([first, rest]))

    def _joined(self, moved: NDArray[np.float32], swung: Motion) -> Array:
        """Style new faces, and return the rows whose face and head are both known."""
        self.has_spoken = self.has_spoken or bool(moved.any())
        if len(moved):
            with timed(self._role.timings, "style_s"):
                times = frame_times(len(moved), self._num_styled)
                faces = self._role.styled(self._stylist, moved, self._felt(times))
            self._num_styled += len(moved)
            # Faces are asked for after the head, so nothing asks for earlier times any more.
            self._role.feeling.forget(self._start_s + float(times[-1]))
            self._styled = np.concatenate([self._styled, faces.reshape(-1, _FACE)])
        self._swung = np.concatenate([self._swung, np.c_[swung.angles, swung.shift]])
        count = min(len(self._styled), len(self._swung))
        rows = np.concatenate([self._styled[:count], self._swung[:count]], axis=1)
        self._styled, self._swung = self._styled[count:], self._swung[count:]
        return rows

    def _felt(self, times_s: NDArray[np.floating]) -> NDArray[np.floating]:
        """Emotion at times of this utterance."""
        return self._role.feeling.at(times_s + self._start_s)


def look_ahead_s(fps: int = FPS) -> dict[str, float]:
    """Sound after a frame's own time that each step needs, s; all but the last run side by side.

    Parameters
    ----------
    fps : int, 1 to 120

    Returns
    -------
    dict of str to float
    """
    return {
        "lips": LIPS_LOOK_AHEAD / SAMPLE_RATE_HZ,
        "head motion": MOTION_LOOK_AHEAD / SAMPLE_RATE_HZ,
        "frame rate": wait_s(fps),
    }


@contextmanager
def timed(timings: dict[str, float], step: str) -> Iterator[None]:
    """Add the time that a block takes to ``timings[step]``."""
    began = time.perf_counter()
    yield
    timings[step] = round(timings.get(step, 0.0) + time.perf_counter() - began, 6)
