"""A judge of expressions that shares no person with the styles, and no method with their critics.

Linear discriminants of the visible points: class means of labelled train people other than those
whose acted clips the styles are measured on, within the spread of everybody's neutral speech.
Called by ``measure.py``. D_cls has seen these people too; the corpus holds no others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from emohead.emotion import EMOTIONS, NEUTRAL
from emohead.errors import InputError
from emohead.geometry.landmarks import JAW, NUM_LANDMARKS, mirrored
from emohead_training.mouth import mouth_opening
from emohead_training.stylisation.faces import FaceClip
from emohead_training.stylisation.styles import complete_people, nuisance_slopes

__all__ = ["IndependentJudge"]

Array = npt.NDArray[np.float64]

SHRINKAGE: Final = 0.05
"""Share of the spread that is taken as equal in all directions: there are few people."""
_POINTS: Final = tuple(i for i in range(NUM_LANDMARKS) if i not in JAW)
"""The jaw's labels are approximate."""


class IndependentJudge:
    """Linear discriminant analysis of canonical faces at equal mouth opening.

    Parameters
    ----------
    clips : sequence of FaceClip
        Of the train people; those that the styles are measured on are left out.

    Raises
    ------
    InputError
        No other person shows any emotion, or none speaks neutrally.
    """

    def __init__(self, clips: Sequence[FaceClip]) -> None:
        sources = set(complete_people(clips))
        others = [clip for clip in clips if clip.identity not in sources]
        acted, speech = _by_person(others)
        if not acted or not speech:
            raise InputError(
                "expected labelled clips of people other than those the styles are measured on, "
                "found none; add some to video.csv"
            )
        self._opening = nuisance_slopes(others)[2]
        neutral = [self._features(faces) for faces in speech.values()]
        self._mean = np.mean([rows.mean(0) for rows in neutral], axis=0)
        spread = np.mean([_moment(rows - self._mean) for rows in neutral], axis=0)
        size = len(self._mean)
        spread = (1 - SHRINKAGE) * spread + SHRINKAGE * np.trace(spread) / size * np.eye(size)
        self.people = {EMOTIONS[emotion]: len(own) for emotion, own in sorted(acted.items())}
        self._classes = sorted(acted)
        centres = [
            np.mean([self._features(faces).mean(0) for faces in own], axis=0) - self._mean
            for own in (acted[emotion] for emotion in self._classes)
        ]
        self._centres = np.stack(centres)
        self._directions = np.linalg.solve(spread, self._centres.T)

    def probabilities(self, landmarks: Array) -> Array:
        """Judge faces.

        Parameters
        ----------
        landmarks : (N, 68, 3) float64, canonical units

        Returns
        -------
        (N, 8) float64
            Probabilities in the order of ``EMOTIONS``; 0 for classes without examples.
        """
        away = self._features(landmarks, mirror=False) - self._mean
        logits = (away - 0.5 * self._centres[:, None]) @ self._directions
        own = np.stack([logits[i, :, i] for i in range(len(self._classes))], axis=1)
        weights = np.exp(own - own.max(1, keepdims=True))
        found = np.zeros((len(landmarks), len(EMOTIONS)))
        found[:, self._classes] = weights / weights.sum(1, keepdims=True)
        return found

    def _features(self, landmarks: Array, *, mirror: bool = True) -> Array:
        """x, y of the visible points with the mouth's opening taken out, and mirrored."""
        level = landmarks - mouth_opening(landmarks)[:, None, None] * self._opening
        both = np.concatenate((level, mirrored(level))) if mirror else level
        rows: Array = both[:, list(_POINTS), :2].reshape(len(both), -1)
        return rows


def _by_person(
    clips: Sequence[FaceClip],
) -> tuple[dict[int, list[Array]], dict[str, Array]]:
    """Faces of each person that acts an emotion, by emotion; neutral speech by person."""
    acted: dict[tuple[int, str], list[Array]] = defaultdict(list)
    speech: dict[str, list[Array]] = defaultdict(list)
    for clip in clips:
        if clip.emotion not in (None, NEUTRAL):
            acted[clip.emotion, clip.identity].append(clip.landmarks)
        elif clip.is_speech:
            speech[clip.identity].append(clip.landmarks)
    by_emotion: dict[int, list[Array]] = defaultdict(list)
    for (emotion, _), faces in acted.items():
        by_emotion[emotion].append(np.concatenate(faces))
    return by_emotion, {person: np.concatenate(faces) for person, faces in speech.items()}


def _moment(rows: Array) -> Array:
    return np.asarray(rows.T @ rows / len(rows), np.float64)
