"""The 52 facial actions of ARKit, in the order in which every action vector holds them.

"Left" and "Right" are the actor's own, as in ARKit; the viewer sees them mirrored. Not here: what
an action does to a mesh (``body.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError

__all__ = ["ACTIONS", "ACTION_INDEX", "NUM_ACTIONS", "action_vector"]

_PAIRED: Final = (
    *("browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn"),
    *("eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown"),
    *("mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer"),
)
_SINGLE: Final = (
    *("browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose"),
    *("mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower"),
    *("mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "tongueOut"),
)

ACTIONS: Final = tuple(sorted([*_SINGLE, *(n + s for n in _PAIRED for s in ("Left", "Right"))]))
"""Names in alphabetical order."""
NUM_ACTIONS: Final = len(ACTIONS)
ACTION_INDEX: Final[Mapping[str, int]] = {name: i for i, name in enumerate(ACTIONS)}


def action_vector(amounts: Mapping[str, float]) -> NDArray[np.float32]:
    """Turn named amounts into a vector.

    Parameters
    ----------
    amounts : mapping of str to float
        A paired action named without its side stands for both sides.

    Returns
    -------
    (52,) float32 ndarray
        0 is neutral, 1 is the full action.

    Raises
    ------
    InputError
        A name that ARKit lacks.
    """
    vector = np.zeros(NUM_ACTIONS, np.float32)
    for name, amount in amounts.items():
        for full in (name + "Left", name + "Right") if name in _PAIRED else (name,):
            if full not in ACTION_INDEX:
                raise InputError(f"expected a facial action of ARKit, got {name!r}; see ACTIONS")
            vector[ACTION_INDEX[full]] += amount
    return vector
