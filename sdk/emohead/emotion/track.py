"""An emotion that changes over time: keyframes, and what a director does with them.

Every method returns a new track. Not here: how one keyframe is shaped (``shaping.py``),
files (``files.py``), reading a voice (``reader.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.emotion.shaping import Shaping, rate_limited, shaped
from emohead.emotion.valence_arousal import VA
from emohead.emotion.values import EMOTIONS, NEUTRAL, Emotion, Source, emotion_from, weakened
from emohead.errors import InputError
from emohead.reading import shown

__all__ = ["TRANSITION_S", "EmotionTrack", "track_from"]

TRANSITION_S: Final = 0.5
"""Seconds that one emotion takes to become another where nothing else is said."""

Vector = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class EmotionTrack:
    """An emotion over time, linear between keyframes and constant before and after them."""

    times_s: NDArray[np.float64]
    """(K,) seconds, increasing."""
    weights: Vector
    """(K, 8) float32 in [0, 1], the emotion vector at each time."""
    confidence: Vector = field(default_factory=lambda: np.ones(0, np.float32))
    """(K,) float32 in [0, 1], how sure it is; 1 where it was not given."""
    source: Source = "user"
    """Whether the voice or the caller said so."""
    notes: tuple[str, ...] = ()
    """What the user should know, one sentence each."""

    def __post_init__(self) -> None:
        times = np.array(self.times_s, np.float64)
        weights = np.array(self.weights, np.float32)
        confidence = np.array(self.confidence, np.float32)
        if not confidence.size:
            confidence = np.ones(len(times), np.float32)
        _check_shapes(times, weights, confidence)
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise InputError(
                f"expected increasing times, got {shown(times.tolist())}; sort the keyframes"
            )
        for name, values in (("emotion weights", weights), ("confidences", confidence)):
            if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
                raise InputError(f"expected {name} in [0, 1], got others; clip or rescale them")
        for name, array in (("times_s", times), ("weights", weights), ("confidence", confidence)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        """Count the keyframes."""
        return len(self.times_s)

    @classmethod
    def constant(cls, emotion: Emotion, confidence: float = 1.0) -> EmotionTrack:
        """One emotion for all time, as in the paper.

        Parameters
        ----------
        emotion : Emotion
        confidence : float, [0, 1]

        Returns
        -------
        EmotionTrack
            Of one keyframe.
        """
        return cls(
            times_s=np.zeros(1),
            weights=emotion.weights[None],
            confidence=np.full(1, confidence, np.float32),
            source=emotion.source,
            notes=emotion.notes,
        )

    @classmethod
    def from_changes(
        cls, changes: Sequence[tuple[float, Emotion]], transition_s: float = TRANSITION_S
    ) -> EmotionTrack:
        """One emotion after another.

        Parameters
        ----------
        changes : sequence of (seconds, Emotion)
            When each emotion begins to appear; increasing.
        transition_s : float, s, positive
            Time from one emotion to the next. Where the next change comes sooner, it starts from
            what has been reached, so that no weight ever changes faster than by 1 in this time.

        Returns
        -------
        EmotionTrack

        Raises
        ------
        InputError
            Without changes, with changes out of order, or for another transition time.
        """
        if not changes or not transition_s > 0:
            raise InputError(
                f"expected changes and a positive transition, got {len(changes)} changes "
                f"and {transition_s} s; {TRANSITION_S:g} s is usual"
            )
        times, weights = [float(changes[0][0])], [changes[0][1].weights]
        for i, (start, emotion) in enumerate(changes[1:], start=2):
            until = changes[i][0] if i < len(changes) else float("inf")
            if start > times[-1]:
                times.append(float(start))
                weights.append(weights[-1])
            end = min(start + transition_s, until)
            share = np.float32((end - start) / transition_s)
            weights.append(weights[-1] + share * (emotion.weights - weights[-1]))
            times.append(end)
        notes = dict.fromkeys(note for _, emotion in changes for note in emotion.notes)
        return cls(times_s=np.array(times), weights=np.stack(weights), notes=tuple(notes))

    def at(self, seconds: NDArray[np.floating]) -> Vector:
        """Emotion vectors at the given times.

        Parameters
        ----------
        seconds : (N,) floating

        Returns
        -------
        (N, 8) float32, [0, 1]
        """
        columns = [np.interp(seconds, self.times_s, column) for column in self.weights.T]
        return np.asarray(np.clip(np.stack(columns, axis=-1), 0, 1), np.float32)

    def confidence_at(self, seconds: NDArray[np.floating]) -> Vector:
        """Confidences (N,) float32, [0, 1], at the given times (N,), s."""
        return np.asarray(np.interp(seconds, self.times_s, self.confidence), np.float32)

    def with_keyframe(
        self, time_s: float, given: str | Mapping[str, float] | Emotion | VA
    ) -> EmotionTrack:
        """Add a keyframe, or replace the one at that time.

        Parameters
        ----------
        time_s : float, s
        given : str, mapping, Emotion or VA
            What the face shows then; the caller is taken to be sure.

        Returns
        -------
        EmotionTrack
        """
        emotion = _one_emotion(given)
        kept = self.times_s != time_s
        at = int(np.searchsorted(self.times_s[kept], time_s))
        return replace(
            self,
            times_s=np.insert(self.times_s[kept], at, time_s),
            weights=np.insert(self.weights[kept], at, emotion.weights, axis=0),
            confidence=np.insert(self.confidence[kept], at, 1.0),
            source="user",
            notes=(*self.notes, *emotion.notes),
        )

    def without_keyframes(self, start_s: float, end_s: float) -> EmotionTrack:
        """Remove keyframes.

        Parameters
        ----------
        start_s, end_s : float, s
            From when to when, both included.

        Returns
        -------
        EmotionTrack

        Raises
        ------
        InputError
            If none would be left.
        """
        kept = (self.times_s < start_s) | (self.times_s > end_s)
        if not kept.any():
            raise InputError(
                f"expected a keyframe outside {start_s} to {end_s} s, got none; keep at least one"
            )
        return replace(
            self,
            times_s=self.times_s[kept],
            weights=self.weights[kept],
            confidence=self.confidence[kept],
        )

    def blended(self, other: EmotionTrack, share: float) -> EmotionTrack:
        """Mix two tracks, time by time.

        Parameters
        ----------
        other : EmotionTrack
        share : float, [0, 1]
            How much of `other`; 0 is this track, 1 the other.

        Returns
        -------
        EmotionTrack
            With the keyframes of both.

        Raises
        ------
        InputError
            For a share out of range.
        """
        if not 0 <= share <= 1:
            raise InputError(
                f"expected a share in [0, 1], got {share}: 0 is this track, 1 the other"
            )
        times = np.union1d(self.times_s, other.times_s)
        part = np.float32(share)
        return EmotionTrack(
            times_s=times,
            weights=(1 - part) * self.at(times) + part * other.at(times),
            confidence=(1 - part) * self.confidence_at(times) + part * other.confidence_at(times),
            source=self.source if self.source == other.source else "user",
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
        )

    def scaled(self, strength: float) -> EmotionTrack:
        """Weaken the emotion at all times.

        Parameters
        ----------
        strength : float, [0, 1]
            See ``Emotion.scaled``.

        Returns
        -------
        EmotionTrack

        Raises
        ------
        InputError
            If `strength` is negative or not a number.
        """
        weights, notes = weakened(self.weights, strength)
        return replace(self, weights=weights, notes=(*self.notes, *notes))

    def directed(self, shaping: Shaping) -> EmotionTrack:
        """Shape every keyframe, then bound the speed of changes.

        Parameters
        ----------
        shaping : Shaping
            Contrast, number of emotions, preferred emotion, strength, transition time.

        Returns
        -------
        EmotionTrack
        """
        weights, notes = shaped(self.weights, shaping)
        track = replace(self, weights=weights, notes=(*self.notes, *notes))
        slowest = shaping.live_transition_time
        return track if slowest is None else track.eased(slowest)

    def eased(self, transition_s: float) -> EmotionTrack:
        """Bound the speed of changes.

        Parameters
        ----------
        transition_s : float, s, above 0, at most 3,600
            No weight changes faster than by 1 in this time; slower changes stay as they are, to a
            thirtieth of a second, faster ones end later.

        Returns
        -------
        EmotionTrack
            Sampled at 30 keyframes a second where it changes.

        Raises
        ------
        InputError
            For another transition time.
        """
        times, weights = rate_limited(self.times_s, self.at, transition_s)
        return replace(self, times_s=times, weights=weights, confidence=self.confidence_at(times))

    def stretched(self, factor: float) -> EmotionTrack:
        """Play the track slower or faster.

        Parameters
        ----------
        factor : float, above 0
            On every time: 2 is half as fast.

        Returns
        -------
        EmotionTrack

        Raises
        ------
        InputError
            For another factor.
        """
        if not 0 < factor < float("inf"):
            raise InputError(f"expected a positive factor, got {factor}: 2 is half as fast")
        return replace(self, times_s=self.times_s * factor)

    def mean(self, duration_s: float) -> Emotion:
        """Average the emotion over a clip.

        Parameters
        ----------
        duration_s : float, s
            From 0 on.

        Returns
        -------
        Emotion
            Exactly the emotion where it never changes.
        """
        if (self.weights == self.weights[0]).all():
            weights = self.weights[0]
        else:
            end = max(duration_s, 1e-3)
            inside = self.times_s[(self.times_s > 0) & (self.times_s < end)]
            times = np.concatenate(([0.0], inside, [end]))
            values = self.at(times).astype(np.float64)
            area = 0.5 * (values[1:] + values[:-1]) * np.diff(times)[:, None]
            weights = np.clip(area.sum(0) / end, 0, 1).astype(np.float32)
        return Emotion(weights=weights, source=self.source, notes=self.notes)

    def segments(self, duration_s: float) -> list[tuple[float, str]]:
        """Tell which class dominates from when on, at 30 looks a second.

        Parameters
        ----------
        duration_s : float, s

        Returns
        -------
        list of (seconds, name)
            The first begins at 0.
        """
        looks = np.arange(max(1, int(np.ceil(duration_s * 30)))) / 30
        weights = self.at(looks)
        leading = np.where(weights.any(axis=1), weights.argmax(axis=1), NEUTRAL)
        begins = np.flatnonzero(np.diff(leading, prepend=-1))
        return [(round(float(looks[i]), 3), EMOTIONS[leading[i]]) for i in begins]


def track_from(given: str | Mapping[str, float] | Emotion | VA | EmotionTrack) -> EmotionTrack:
    """Take an emotion in any form that a caller may give.

    Parameters
    ----------
    given : str, mapping of name to weight, Emotion, VA or EmotionTrack

    Returns
    -------
    EmotionTrack
        Constant unless a track was given.

    Raises
    ------
    InputError
        For an unknown or repeated name, or a number outside its range.
    """
    if isinstance(given, EmotionTrack):
        return given
    return EmotionTrack.constant(_one_emotion(given))


def _one_emotion(given: str | Mapping[str, float] | Emotion | VA) -> Emotion:
    return given.emotion() if isinstance(given, VA) else emotion_from(given)


def _check_shapes(times: NDArray[np.float64], weights: Vector, confidence: Vector) -> None:
    if times.ndim != 1 or weights.shape != (len(times), len(EMOTIONS)) or len(times) == 0:
        raise InputError(
            f"expected K times and (K, {len(EMOTIONS)}) weights, got {times.shape} and "
            f"{weights.shape}; give one vector per time"
        )
    if confidence.shape != times.shape:
        raise InputError(
            f"expected {len(times)} confidences, got {confidence.shape}; give one per keyframe"
        )
