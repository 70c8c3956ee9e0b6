"""The eight emotions on a face: action-unit prototypes as ARKit actions, with variants.

Prototypes follow EMFACS; each action unit is one or two ARKit actions. Not here: speech.

References
----------
.. [1] Ekman, Friesen, Facial Action Coding System, 1978.
.. [2] Friesen, Ekman, EMFACS-7: Emotional Facial Action Coding System, 1983.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead_training.actors.actions import ACTIONS, NUM_ACTIONS, action_vector

__all__ = ["PROTOTYPES", "draw_expression", "expression"]

ACTION_UNITS: Final[Mapping[int, Mapping[str, float]]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUp": 1.0},
    4: {"browDown": 1.0},
    5: {"eyeWide": 1.0},
    6: {"cheekSquint": 1.0, "eyeSquint": 0.4},
    7: {"eyeSquint": 1.0},
    9: {"noseSneer": 1.0},
    10: {"mouthUpperUp": 0.7, "noseSneer": 0.25},
    12: {"mouthSmile": 1.0},
    14: {"mouthDimple": 1.0},
    15: {"mouthFrown": 1.0},
    16: {"mouthLowerDown": 0.8},
    17: {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.3},
    20: {"mouthStretch": 1.0},
    23: {"mouthPress": 0.5, "mouthRollLower": 0.35, "mouthRollUpper": 0.25},
    24: {"mouthPress": 0.9},
    25: {"mouthLowerDown": 0.35, "mouthUpperUp": 0.2},
    26: {"jawOpen": 0.3},
    43: {"eyeBlink": 0.3},
}
"""Action units by their FACS number, as ARKit actions (paired names stand for both sides)."""

PROTOTYPES: Final[Mapping[str, tuple[Mapping[int, float], ...]]] = {
    "neutral": ({},),
    "calm": ({12: 0.18, 43: 0.4}, {12: 0.1, 14: 0.15, 43: 0.55}, {12: 0.22, 1: 0.1, 43: 0.3}),
    "happy": (
        {6: 0.8, 12: 0.85},
        {6: 0.9, 12: 0.8, 25: 0.7, 26: 0.25},
        {6: 0.6, 12: 0.7, 2: 0.3, 25: 0.4},
        {6: 0.7, 12: 0.75, 14: 0.3},
    ),
    "sad": (
        {1: 0.9, 4: 0.35, 15: 0.8},
        {1: 0.8, 15: 0.7, 17: 0.4, 43: 0.5},
        {1: 0.7, 4: 0.5, 15: 0.6, 17: 0.5, 43: 0.7},
    ),
    "angry": (
        {4: 1.0, 5: 0.5, 7: 0.7, 23: 0.8},
        {4: 1.0, 7: 0.8, 10: 0.5, 25: 0.4},
        {4: 0.9, 5: 0.7, 7: 0.5, 24: 0.8, 17: 0.4},
    ),
    "fearful": (
        {1: 0.9, 2: 0.6, 4: 0.4, 5: 0.9, 20: 0.8, 26: 0.5},
        {1: 1.0, 2: 0.5, 4: 0.5, 5: 1.0, 20: 0.6, 25: 0.6},
        {1: 0.8, 4: 0.5, 5: 0.8, 20: 0.9, 25: 0.4, 26: 0.3},
    ),
    "disgust": (
        {9: 0.9, 15: 0.5, 16: 0.4},
        {9: 0.8, 10: 0.7, 4: 0.4, 7: 0.4},
        {9: 0.7, 10: 0.5, 15: 0.4, 17: 0.6, 7: 0.3},
    ),
    "surprised": (
        {1: 0.9, 2: 0.9, 5: 0.7, 26: 0.9},
        {1: 1.0, 2: 1.0, 5: 0.9, 26: 0.6},
        {1: 0.8, 2: 0.9, 5: 0.5, 26: 0.7, 25: 0.3},
    ),
}
"""Variants of each emotion: action unit and its strength at full intensity."""

_UNEVEN: Final = 0.12
_VARIED: Final = 0.15


def expression(emotion: str, variant: int = 0, intensity: float = 1.0) -> NDArray[np.float32]:
    """Facial actions of an emotion.

    Parameters
    ----------
    emotion : str
        One of ``emohead.emotion.EMOTIONS``.
    variant : int
        Which of its prototypes; any integer, taken modulo their number.
    intensity : float
        0 is a neutral face, 1 the prototype; linear in between.

    Returns
    -------
    (52,) float32 ndarray

    Raises
    ------
    InputError
        An emotion that does not exist.
    """
    if emotion not in PROTOTYPES:
        raise InputError(
            f"expected one of {', '.join(EMOTIONS)}, got {emotion!r}; correct the name"
        )
    variants = PROTOTYPES[emotion]
    total = np.zeros(NUM_ACTIONS, np.float32)
    for unit, strength in variants[variant % len(variants)].items():
        total += strength * action_vector(ACTION_UNITS[unit])
    return np.minimum(total, 1.0) * np.float32(intensity)


def draw_expression(emotion: str, intensity: float, rng: Generator) -> NDArray[np.float32]:
    """Draw one person's way to show an emotion.

    Parameters
    ----------
    emotion : str
    intensity : float
    rng : numpy.random.Generator

    Returns
    -------
    (52,) float32 ndarray
        A random variant, its actions varied in strength and uneven between the sides.
    """
    base = expression(emotion, int(rng.integers(1 << 16)), intensity)
    lean = rng.normal(0, _UNEVEN)
    gains = {root: np.exp(rng.normal(0, _VARIED)) for root in sorted({_root(n) for n in ACTIONS})}
    sides = [1 + lean * (n.endswith("Left") - n.endswith("Right")) for n in ACTIONS]
    varied = base * [gains[_root(n)] for n in ACTIONS] * sides
    return np.asarray(np.clip(varied, 0, 1), np.float32)


def _root(name: str) -> str:
    return name.removesuffix("Left").removesuffix("Right")
