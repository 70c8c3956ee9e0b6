"""Batches for the stylisation: neutral speech, its supervised target, and real emotional faces.

People weigh the same, faces are mirrored at random, and identity is varied by giving a clip's
motion to another person's mean face. Not here: reading (`faces.py`) and losses (`training.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emohead.emotion import EMOTIONS, NEUTRAL
from emohead.geometry import edges_from_landmarks
from emohead.geometry.landmarks import mirrored
from emohead_training.stylisation.faces import FaceClip
from emohead_training.stylisation.styles import EmotionStyles, complete_people

__all__ = ["FaceSampler", "StyleBatch"]

Array = npt.NDArray[np.float64]

_CALM = EMOTIONS.index("calm")


@dataclass(frozen=True, kw_only=True)
class StyleBatch:
    """One step's faces; the last `len(real)` of the neutral ones are the critics' share."""

    neutral: Tensor
    """(B, E, 2) edges of neutral speech."""
    target: Tensor
    """(B, E, 2) the same faces with the mean differences of the emotion."""
    emotion: Tensor
    """(B, 8) emotion asked for."""
    real: Tensor
    """(R, E, 2) real emotional faces of the same people and emotions as the last R neutral."""
    real_emotion: Tensor
    """(R, 8) their labels, one-hot."""


class FaceSampler:
    """Draws faces of train people.

    Parameters
    ----------
    clips : sequence of FaceClip
    styles : EmotionStyles
    seed : int
    """

    def __init__(self, clips: Sequence[FaceClip], styles: EmotionStyles, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._styles = styles
        self._speech: dict[str, list[Array]] = defaultdict(list)
        self._acted: dict[tuple[str, int], list[Array]] = defaultdict(list)
        for clip in clips:
            if clip.is_speech:
                self._speech[clip.identity].append(clip.landmarks)
            if clip.emotion is not None:
                self._acted[clip.identity, clip.emotion].append(clip.landmarks)
        self._means = {k: np.mean([x.mean(0) for x in v], axis=0) for k, v in self._speech.items()}
        self._people = sorted(self._speech)
        self._complete = complete_people(clips)
        digital = {clip.identity for clip in clips if clip.digital}
        sides = [p for p in self._complete if p not in digital], sorted(digital)
        self._casts = [side for side in sides if side]
        self._partial = sorted(key for key in self._acted if key[0] not in self._complete)

    def batches(self, size: int, critic_size: int) -> Iterator[StyleBatch]:
        """Yield batches without end.

        Parameters
        ----------
        size : int
            Neutral faces of anybody.
        critic_size : int
            Further neutral faces, of people who act all emotions, each with a real counterpart.
        """
        while True:
            emotion = np.concatenate([self._any_emotion(size), self._acted_emotion(critic_size)])
            neutral = [self._frame(self._speech[self._pick(self._people)]) for _ in range(size)]
            neutral = [self._moved(face, *self._identity_shift()) for face in neutral]
            real = []
            for label in emotion[size:].argmax(1):
                person, shift = self._actor(), self._identity_shift()
                neutral.append(self._moved(self._frame(self._acted[person, NEUTRAL]), *shift))
                real.append(self._moved(self._frame(self._acted[person, label]), *shift))
            faces = np.stack(neutral)
            yield StyleBatch(
                neutral=_edges(faces),
                target=_edges(self._styles.target(faces, emotion)),
                emotion=torch.from_numpy(emotion).float(),
                real=_edges(np.reshape(real, (-1, *faces.shape[1:]))),
                real_emotion=torch.from_numpy(emotion[size:]).float(),
            )

    def labelled(self, size: int) -> tuple[Tensor, Tensor]:
        """Draw labelled faces for a classifier, emotions and people balanced.

        Parameters
        ----------
        size : int

        Returns
        -------
        edges : (size, E, 2) float32
        labels : (size,) int64
        """
        faces, labels = [], []
        for _ in range(size):
            if self._rng.random() < 0.3 and self._partial:
                key = self._partial[int(self._rng.integers(len(self._partial)))]
            elif self._rng.random() < 0.15:
                key = (self._pick(self._people), NEUTRAL)
            else:
                acted = [i for i in range(len(EMOTIONS)) if i != _CALM]
                key = (self._actor(), int(self._rng.choice(acted)))
            clips = self._acted.get(key) or self._speech[key[0]]
            faces.append(self._moved(self._frame(clips), *self._identity_shift()))
            labels.append(key[1])
        return _edges(np.stack(faces)), torch.tensor(labels)

    def statistics(self, size: int = 4000) -> tuple[Tensor, Tensor]:
        """Mean and spread (E, 2) of the edges of neutral speech, people balanced."""
        frames = [self._frame(self._speech[self._pick(self._people)]) for _ in range(size)]
        edges = _edges(np.stack(frames))
        return edges.mean(0), edges.std(0).clamp(min=5e-3)

    def _actor(self) -> str:
        """Draw somebody who acts all emotions, filmed and digital alike often."""
        return self._pick(self._casts[int(self._rng.integers(len(self._casts)))])

    def _pick(self, names: Sequence[str]) -> str:
        return names[int(self._rng.integers(len(names)))]

    def _frame(self, clips: Sequence[Array]) -> Array:
        clip = clips[int(self._rng.integers(len(clips)))]
        frame: Array = clip[int(self._rng.integers(len(clip)))]
        return frame

    def _identity_shift(self) -> tuple[Array, Array, bool]:
        """Shift towards another mean face, smooth growth, and whether to mirror."""
        first, second = self._means[self._pick(self._people)], self._means[self._pick(self._people)]
        growth = self._rng.normal(scale=0.03, size=(3, 3))
        share = self._rng.uniform(0, 1) * (self._rng.random() < 0.7)
        return share * (first - second), growth, bool(self._rng.random() < 0.5)

    @staticmethod
    def _moved(face: Array, shift: Array, growth: Array, mirror: bool) -> Array:
        moved = face + shift
        moved = moved + moved @ growth
        return np.asarray(mirrored(moved) if mirror else moved, np.float64)

    def _any_emotion(self, size: int) -> Array:
        """One emotion, a mixture of two, or some of it beside neutral."""
        emotion = np.zeros((size, len(EMOTIONS)))
        for row in emotion:
            first, second = self._rng.choice(np.arange(1, len(EMOTIONS)), 2, replace=False)
            share = 1.0 if self._rng.random() < 0.6 else self._rng.uniform()
            row[first], row[second] = share, 1 - share
        emotion *= np.where(self._rng.random((size, 1)) < 0.8, 1, self._rng.random((size, 1)))
        emotion[:, NEUTRAL] = 1 - emotion[:, 1:].sum(1)
        return emotion

    def _acted_emotion(self, size: int) -> Array:
        acted = [i for i in range(len(EMOTIONS)) if i not in (NEUTRAL, _CALM)]
        emotion: Array = np.eye(len(EMOTIONS))[self._rng.choice(acted, size)]
        return emotion


def _edges(faces: Array) -> Tensor:
    return torch.from_numpy(edges_from_landmarks(faces).astype(np.float32))
