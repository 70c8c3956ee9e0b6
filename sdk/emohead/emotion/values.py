"""Emotions as values: the eight classes and what users call them.

Not here: an emotion over time (``track.py``), valence and arousal
(``valence_arousal.py``), reading a voice (``reader.py``), the faces (``stylise.py``).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.reading import shown

__all__ = [
    "ALIASES",
    "EMOTIONS",
    "NEUTRAL",
    "Emotion",
    "emotion_from",
    "emotion_index",
    "parse_emotion",
    "weakened",
]

EMOTIONS: Final = (
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
)
"""The classes in the order of every emotion vector, named as in RAVDESS."""
NEUTRAL: Final = 0
"""Index of the class without emotion."""

ALIASES: Final = {
    "none": "neutral",
    "relaxed": "calm",
    "calmness": "calm",
    "happiness": "happy",
    "joy": "happy",
    "joyful": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "afraid": "fearful",
    "scared": "fearful",
    "disgusted": "disgust",
    "surprise": "surprised",
    "amazement": "surprised",
}
"""Other words for the classes."""

Source = Literal["voice", "user"]
Vector = NDArray[np.float32]


def emotion_index(name: str) -> int:
    """Find a class by its name or an alias, upper or lower case.

    Parameters
    ----------
    name : str

    Returns
    -------
    int
        Index into ``EMOTIONS``.

    Raises
    ------
    InputError
        If nobody calls an emotion so; the nearest name is suggested.
    """
    word = name.strip().lower()
    word = ALIASES.get(word, word)
    if word in EMOTIONS:
        return EMOTIONS.index(word)
    near = difflib.get_close_matches(word[:40], [*EMOTIONS, *ALIASES], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(
        f"expected an emotion, got {shown(name.strip())!r}: {hint}choose from {', '.join(EMOTIONS)}"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Emotion:
    """What a face expresses."""

    weights: Vector
    """(8,) float32 in [0, 1], in the order of ``EMOTIONS``; what the networks take as s."""
    source: Source = "user"
    """Whether the voice or the caller said so."""
    scores: Vector | None = None
    """(8,) float32 in [0, 1], the encoder's calibrated scores; None unless read from a voice."""
    notes: tuple[str, ...] = ()
    """What the user should know, one sentence each."""

    def __post_init__(self) -> None:
        weights = np.array(self.weights, np.float32)
        if weights.shape != (len(EMOTIONS),):
            raise InputError(
                f"expected {len(EMOTIONS)} emotion weights, got shape {weights.shape}; "
                f"give one for each of {', '.join(EMOTIONS)}"
            )
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() > 1:
            raise InputError(f"expected emotion weights in [0, 1], got {weights.tolist()}")
        weights.setflags(write=False)
        object.__setattr__(self, "weights", weights)

    @property
    def name(self) -> str:
        """The dominant class; ``neutral`` where nothing is expressed."""
        return EMOTIONS[int(self.weights.argmax())] if self.weights.any() else EMOTIONS[NEUTRAL]

    @property
    def strength(self) -> float:
        """How much is expressed, in [0, 1]: the largest weight but neutral's."""
        return float(np.delete(self.weights, NEUTRAL).max())

    def as_dict(self) -> dict[str, float]:
        """Weight by class name, in the order of ``EMOTIONS``."""
        return dict(zip(EMOTIONS, self.weights.tolist(), strict=True))

    def scaled(self, strength: float) -> Emotion:
        """Weaken the emotion.

        Parameters
        ----------
        strength : float, [0, 1]
            0 is exactly neutral, 1 changes nothing; more is taken for 1, and a note says so.

        Returns
        -------
        Emotion
            Every weight but neutral's times `strength`; neutral takes what they lose.

        Raises
        ------
        InputError
            If `strength` is negative or not a number.
        """
        weights, notes = weakened(self.weights, strength)
        notes = (*self.notes, *notes)
        return Emotion(weights=weights, source=self.source, scores=self.scores, notes=notes)


def weakened(weights: NDArray[np.floating], strength: float) -> tuple[Vector, tuple[str, ...]]:
    """Scale emotion vectors, as ``Emotion.scaled`` does.

    Parameters
    ----------
    weights : (..., 8) floating, [0, 1]
    strength : float, [0, 1]
        0 is exactly neutral, 1 changes nothing; more is taken for 1.

    Returns
    -------
    weights : (..., 8) float32, [0, 1]
    notes : tuple of str
        Says so where `strength` was beyond 1.

    Raises
    ------
    InputError
        If `strength` is negative or not a number.
    """
    if not strength >= 0:
        raise InputError(f"expected a strength in [0, 1], got {strength}: 0 is neutral, 1 full")
    notes = (f"strength {strength:g} is beyond 1 and was taken for 1",) if strength > 1 else ()
    share = np.float32(min(strength, 1.0))
    scaled = np.array(weights, np.float32) * share
    scaled[..., NEUTRAL] = 1 - share * (1 - np.asarray(weights, np.float32)[..., NEUTRAL])
    return scaled, notes


def emotion_from(given: str | Mapping[str, float] | Emotion) -> Emotion:
    """Take an emotion in any form that a caller may give.

    Parameters
    ----------
    given : str, mapping of name to weight, or Emotion
        Text is understood as by ``parse_emotion``.

    Returns
    -------
    Emotion

    Raises
    ------
    InputError
        For an unknown or repeated name, or a weight that is no number in [0, 1].
    """
    if isinstance(given, Emotion):
        return given
    if isinstance(given, str):
        return parse_emotion(given)
    return _blend([(name, _weight(name, value)) for name, value in given.items()])


def parse_emotion(text: str, strength: float = 1.0) -> Emotion:
    """Understand what a user typed.

    Parameters
    ----------
    text : str
        A name (``happy``) or weights (``happy=0.7,surprised=0.3``), in [0, 1].
    strength : float, [0, 1]
        Scales the result, see ``Emotion.scaled``.

    Returns
    -------
    Emotion
        Weights that sum to less than one leave the rest to neutral; to more are kept as they are.

    Raises
    ------
    InputError
        For an unknown or repeated name, or a weight that is no number in [0, 1].
    """
    if not text.strip():
        raise InputError(f"expected an emotion, got nothing: choose from {', '.join(EMOTIONS)}")
    parts = [part.partition("=") for part in text.split(",")]
    named = [(name, _weight(name, number) if equals else 1.0) for name, equals, number in parts]
    return _blend(named).scaled(strength)


def _blend(named: Sequence[tuple[str, float]]) -> Emotion:
    weights = np.zeros(len(EMOTIONS), np.float32)
    indices = [emotion_index(name) for name, _ in named]
    if len(set(indices)) != len(indices) or not indices:
        names = ", ".join(name for name, _ in named) or "nothing"
        raise InputError(f"expected one or more emotions, each once, got {names}")
    weights[indices] = [weight for _, weight in named]
    if NEUTRAL not in indices:
        weights[NEUTRAL] = max(0.0, 1.0 - float(weights.sum()))
    return Emotion(weights=weights)


def _weight(name: str, given: str | float) -> float:
    try:
        weight = float(given)
    except (TypeError, ValueError, OverflowError):
        weight = float("nan")
    if not 0 <= weight <= 1:
        raise InputError(
            f"expected a weight in [0, 1] for {shown(name.strip())}, got {shown(given)}: "
            "write for example happy=0.7,surprised=0.3"
        )
    return weight
