"""How strongly each emotion moves a face: facial actions after EMFACS, and a share of real footage.

The actions were picked from EMFACS [1]_; their strengths by trying 70 mixtures of each emotion on
rendered frames of train people. Not here: what an action does to landmarks (`digital.py`).

References
----------
.. [1] Friesen, Ekman, EMFACS-7: Emotional Facial Action Coding System, 1983.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["EXPRESSIONS", "Expression"]


@dataclass(frozen=True, kw_only=True)
class Expression:
    """One emotion at strength 1."""

    filmed: float
    """Times the mean difference of the filmed actors."""
    actions: Mapping[str, float]
    """Times each facial action of ARKit; a paired one without its side stands for both. Values
    above 1 make up for a warped photograph having no wrinkles and bulges of its own."""


EXPRESSIONS: Final[Mapping[str, Expression]] = {
    "happy": Expression(
        filmed=0.3, actions={"mouthSmile": 1.1, "cheekSquint": 1.0, "eyeSquint": 0.5}
    ),
    "sad": Expression(
        filmed=0.5,
        actions={
            "browInnerUp": 1.4,
            "browDown": 0.4,
            "mouthFrown": 1.4,
            "mouthShrugLower": 0.6,
            "eyeSquint": 0.3,
        },
    ),
    "angry": Expression(
        filmed=0.3,
        actions={
            "browDown": 1.1,
            "noseSneer": 1.2,
            "eyeWide": 1.1,
            "mouthPucker": 0.5,
            "mouthShrugLower": 1.1,
            "mouthFrown": 1.2,
        },
    ),
    "fearful": Expression(
        filmed=1.1,
        actions={
            "browInnerUp": 1.2,
            "browDown": 1.2,
            "eyeWide": 2.1,
            "mouthStretch": 1.1,
            "jawOpen": 0.18,
            "mouthLowerDown": 0.2,
        },
    ),
    "disgust": Expression(
        filmed=0.25,
        actions={
            "noseSneer": 2.0,
            "mouthUpperUp": 1.6,
            "mouthShrugLower": 1.2,
            "eyeSquint": 0.7,
            "cheekSquint": 0.7,
            "browDown": 0.2,
            "mouthFrown": 1.1,
        },
    ),
    "surprised": Expression(
        filmed=1.4,
        actions={"browOuterUp": 0.9, "eyeWide": 1.4, "jawOpen": 0.22, "mouthFunnel": 0.6},
    ),
}
"""The six acted emotions; calm is a mixture of them (`styles.py`), neutral is nothing."""
