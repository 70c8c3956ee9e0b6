"""Emotional landmarks from neutral ones: edges, generator G, inverse, guards (paper 3.2).

Every frame is solved from its own neutral shape, so there is no hidden state and any chunking of
the frames gives the same bits. Not here: the emotion over time (``emotion/track.py``), head motion
(``motion.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from emohead.errors import InputError
from emohead.geometry.edges import edges_from_landmarks
from emohead.geometry.inverse import landmarks_from_edges
from emohead.geometry.landmarks import EYELID_PAIRS, LIP_PAIRS, NUM_LANDMARKS
from emohead.stages import NUM_EMOTIONS

if TYPE_CHECKING:
    from emohead.runner import Runner

__all__ = ["Stylist", "separated"]

Array = npt.NDArray[np.float64]

_TOLERANCE: Final = 2e-4
"""Canonical units, about a fiftieth of a pixel: where a frame's search may stop."""
_MAX_STEPS: Final = 12
_PIECE: Final = 128
"""Frames solved at a time."""
_LEAST_LIP_SHARE: Final = 0.25
_LEAST_EYELID_SHARE: Final = 0.4


class Stylist:
    """Gives neutral talking faces an emotion.

    Parameters
    ----------
    runner : Runner
        Of the stage ``emotion_landmarks``.

    References
    ----------
    .. [1] Paper, section 3.2: the edges of equation 1 and an emotion go through G.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def stylise(
        self, canonical: npt.NDArray[np.floating], emotion: npt.NDArray[np.floating]
    ) -> Array:
        """Stylise frames.

        Parameters
        ----------
        canonical : (T, 68, 3) floating, canonical units
            Neutral talking faces x'.
        emotion : (8,) or (T, 8) floating, [0, 1]
            Emotion vector s, constant or per frame. All-neutral frames return as they came.

        Returns
        -------
        (T, 68, 3) float64, canonical units
            x''; lips and eyelids never cross.

        Raises
        ------
        InputError
            Shapes that do not fit, or values that are not finite or outside [0, 1].
        """
        faces: Array = np.asarray(canonical, np.float64)
        scores = _checked(faces, emotion)
        styled = faces.copy()
        moved = np.flatnonzero((scores[:, 1:] > 0).any(axis=1))
        if len(moved):
            # Frames are solved by themselves: in pieces memory does not grow with the clip.
            for some in np.split(moved, range(_PIECE, len(moved), _PIECE)):
                styled[some] = self._styled(faces[some], scores[some])
        return styled

    def _styled(self, faces: Array, scores: npt.NDArray[np.float32]) -> Array:
        edges = edges_from_landmarks(faces)
        single = edges.astype(np.float32)
        # One frame a call: the sums inside a batched product may depend on the batch.
        wanted = [
            self._runner.run(single[t : t + 1], scores[t : t + 1])[0] for t in range(len(faces))
        ]
        # Adding the change to the float64 edges keeps an unchanged edge exactly unchanged.
        change = np.concatenate(wanted).astype(np.float64) - single
        found = landmarks_from_edges(
            edges + change, faces, tolerance=_TOLERANCE, max_steps=_MAX_STEPS, retry=False
        )
        found = separated(found, faces, LIP_PAIRS, _LEAST_LIP_SHARE)
        return separated(found, faces, EYELID_PAIRS, _LEAST_EYELID_SHARE)


def separated(
    styled: Array, neutral: Array, pairs: Sequence[tuple[int, int]], least_share: float
) -> Array:
    """Keep upper and lower points from crossing.

    Parameters
    ----------
    styled : (..., 68, 3) float64, canonical units
    neutral : (..., 68, 3) float64, canonical units
        The same faces before.
    pairs : sequence of (upper, lower) indices
    least_share : float, [0, 1]
        Smallest vertical gap, as a share of the gap before.

    Returns
    -------
    (..., 68, 3) float64, canonical units
        Pairs that are too close are moved apart vertically, both by the same amount.
    """
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    before = neutral[..., lower, 1] - neutral[..., upper, 1]
    least = np.where(before > 0, least_share * before, before)
    missing = np.maximum(least - (styled[..., lower, 1] - styled[..., upper, 1]), 0)
    apart = styled.copy()
    apart[..., lower, 1] += 0.5 * missing
    apart[..., upper, 1] -= 0.5 * missing
    return apart


def _checked(faces: Array, emotion: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    if faces.ndim != 3 or faces.shape[1:] != (NUM_LANDMARKS, 3):
        raise InputError(
            f"expected canonical faces (T, {NUM_LANDMARKS}, 3), got {faces.shape}; "
            "canonicalise the landmarks first"
        )
    scores = np.asarray(emotion, np.float32)
    if scores.shape not in ((NUM_EMOTIONS,), (len(faces), NUM_EMOTIONS)):
        raise InputError(
            f"expected an emotion ({NUM_EMOTIONS},) or ({len(faces)}, {NUM_EMOTIONS}), "
            f"got {scores.shape}; give one vector, or one per frame"
        )
    if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
        raise InputError("expected emotion scores in [0, 1], got others; clip or rescale them")
    return np.ascontiguousarray(np.broadcast_to(scores, (len(faces), NUM_EMOTIONS)))
