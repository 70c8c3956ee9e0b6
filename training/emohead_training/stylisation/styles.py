"""What an emotion does to a face, measured on the train people who act all of them.

The corpus has no pairs, few emotional people and one style each, so the paper's adversarial losses
alone confound emotion with identity. These mean differences give the generator a supervised target.
Speech is kept: emotions are compared at equal mouth opening, and openings are only scaled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from emohead.emotion import EMOTIONS, NEUTRAL
from emohead.errors import InputError
from emohead.geometry.landmarks import EYELID_PAIRS, JAW, LIP_PAIRS, mirrored
from emohead.stylise import separated
from emohead_training.mouth import mouth_opening
from emohead_training.stylisation.faces import FaceClip

__all__ = [
    "EmotionStyles",
    "complete_people",
    "measure_styles",
    "nuisance_slopes",
    "with_calm",
]

Array = npt.NDArray[np.float64]

CALM_MIXTURE: Final = {"happy": 0.2, "sad": 0.12}
"""There is no footage of calm: a faint smile with relaxed brows stands in for it."""

EXPRESSIVENESS: Final = 1.3
"""Strength 1 over the mean of a strongly acted clip: a mean over frames dilutes its peaks."""

JAW_SHARE: Final = 0.25
"""Share of the jaw line's difference that is kept: its labels are approximate and sway with pitch,
and at equal mouth opening an expression hardly moves it."""

_STYLED: Final = tuple(name for name in EMOTIONS if name not in ("neutral", "calm"))


@dataclass(frozen=True, kw_only=True)
class EmotionStyles:
    """Mean change of the face by each emotion."""

    offsets: Array
    """(8, 68, 3) canonical units at strength 1 and equal mouth opening; zero for neutral."""
    opening_gains: Array
    """(8,) how much wider than in neutral speech the mouth opens."""
    opening_direction: Array
    """(68, 3) movement of the face per unit of mouth opening."""

    def target(self, landmarks: Array, emotion: Array) -> Array:
        """Stylise faces by the mean differences.

        Parameters
        ----------
        landmarks : (B, 68, 3) float64, canonical units, neutral speech
        emotion : (B, 8) float64, [0, 1], sum at most 1

        Returns
        -------
        (B, 68, 3) float64, canonical units
            Lips that were closed stay closed; lips and eyelids never cross.
        """
        wider = (emotion @ (self.opening_gains - 1)) * mouth_opening(landmarks)
        moved = np.tensordot(emotion, self.offsets, 1)
        styled = landmarks + moved + wider[:, None, None] * self.opening_direction
        styled = separated(styled, landmarks, LIP_PAIRS, 0.5)
        return separated(styled, landmarks, EYELID_PAIRS, 0.5)


def measure_styles(clips: Sequence[FaceClip]) -> EmotionStyles:
    """Measure the styles on people who act neutral and every other emotion.

    Parameters
    ----------
    clips : sequence of FaceClip
        Of the train people only.

    Returns
    -------
    EmotionStyles

    Raises
    ------
    InputError
        Nobody acts all emotions.
    """
    slopes = nuisance_slopes(clips)
    people = complete_people(clips)
    if not people:
        raise InputError(
            f"expected a person with neutral and {', '.join(_STYLED)} clips in the train split, "
            "found none; add MEAD-like footage to video.csv"
        )
    measured = [_differences(_of(clips, person), slopes) for person in people]
    offsets, gains = np.zeros((len(EMOTIONS), 68, 3)), np.ones(len(EMOTIONS))
    for name in _STYLED:
        index = EMOTIONS.index(name)
        mean = np.mean([differences[index][0] for differences in measured], axis=0)
        offsets[index] = EXPRESSIVENESS * 0.5 * (mean + mirrored(mean))
        gains[index] = np.median([differences[index][1] for differences in measured])
    offsets[:, list(JAW)] *= JAW_SHARE
    styles = EmotionStyles(offsets=offsets, opening_gains=gains, opening_direction=slopes[2])
    return with_calm(styles)


def with_calm(styles: EmotionStyles) -> EmotionStyles:
    """Mix the style of calm from the others, by `CALM_MIXTURE`."""
    offsets, gains = styles.offsets.copy(), styles.opening_gains.copy()
    calm = EMOTIONS.index("calm")
    sources = {EMOTIONS.index(name): share for name, share in CALM_MIXTURE.items()}
    offsets[calm] = sum(share * offsets[index] for index, share in sources.items())
    gains[calm] = 1 + sum(share * (gains[index] - 1) for index, share in sources.items())
    return replace(styles, offsets=offsets, opening_gains=gains)


def complete_people(clips: Sequence[FaceClip]) -> list[str]:
    """People with neutral and all acted emotions, sorted by name."""
    acted: dict[str, set[int | None]] = defaultdict(set)
    for clip in clips:
        acted[clip.identity].add(clip.emotion)
    needed = {NEUTRAL, *(EMOTIONS.index(name) for name in _STYLED)}
    return sorted(person for person, emotions in acted.items() if needed <= emotions)


def nuisance_slopes(clips: Sequence[FaceClip]) -> Array:
    """Regress the canonical face on head pitch, head yaw and mouth opening within clips.

    Parameters
    ----------
    clips : sequence of FaceClip

    Returns
    -------
    (3, 68, 3) float64
        Change per rad of pitch, per rad of yaw (both are errors of monocular depth, not of the
        face) and per unit of mouth opening; people weigh the same; mirror symmetric.
    """
    moments: dict[str, list[tuple[Array, Array]]] = defaultdict(list)
    for clip in clips:
        causes = np.stack([clip.pitch, clip.yaw, mouth_opening(clip.landmarks)], axis=1)
        causes -= causes.mean(0)
        effects = (clip.landmarks - clip.landmarks.mean(0)).reshape(len(causes), -1)
        pair = (causes.T @ causes / len(causes), causes.T @ effects / len(causes))
        moments[clip.identity].append(pair)
    own = np.mean([np.mean([m[0] for m in part], axis=0) for part in moments.values()], axis=0)
    joint = np.mean([np.mean([m[1] for m in part], axis=0) for part in moments.values()], axis=0)
    slopes = np.linalg.solve(own, joint).reshape(3, 68, 3)
    parity = np.array([1.0, -1.0, 1.0])[:, None, None]
    symmetric: Array = 0.5 * (slopes + parity * mirrored(slopes))
    return symmetric


def _of(clips: Sequence[FaceClip], person: str) -> list[FaceClip]:
    return [clip for clip in clips if clip.identity == person]


def _differences(clips: Sequence[FaceClip], slopes: Array) -> dict[int, tuple[Array, float]]:
    """(68, 3) offset at closed lips and opening ratio of each emotion against neutral."""
    levels = {
        emotion: _level([clip for clip in clips if clip.emotion == emotion], slopes)
        for emotion in {clip.emotion for clip in clips if clip.emotion is not None}
    }
    rest, opening = levels[NEUTRAL]
    return {
        emotion: (face - rest, wide / opening)
        for emotion, (face, wide) in levels.items()
        if emotion != NEUTRAL
    }


def _level(clips: Sequence[FaceClip], slopes: Array) -> tuple[Array, float]:
    faces = np.concatenate([clip.landmarks for clip in clips])
    opening = float(mouth_opening(faces).mean())
    pitch = float(np.concatenate([clip.pitch for clip in clips]).mean())
    yaw = float(np.concatenate([clip.yaw for clip in clips]).mean())
    level = faces.mean(0) - np.tensordot(np.array([pitch, yaw, opening]), slopes, 1)
    return level, opening
