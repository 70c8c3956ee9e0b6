"""From a voice to the one emotion of the whole clip, as in the paper.

Not here: windows and scores (``windows.py``), an emotion that changes while somebody speaks
(``following.py``) and the emotion as a value (``values.py``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion.values import EMOTIONS, NEUTRAL, Emotion
from emohead.emotion.windows import WINDOW_SAMPLES, WindowScorer
from emohead.runner import Runner

__all__ = [
    "HOP_SAMPLES",
    "SILENCE_NOTE",
    "WINDOW_SAMPLES",
    "EmotionReader",
    "expression_from_scores",
]

HOP_SAMPLES: Final = SAMPLE_RATE_HZ
"""Sound between two windows."""
SILENCE_NOTE: Final = "no voice was heard, so no emotion was read: the face rests"

_SHARPNESS: Final = 3.0
_GATE: Final = (0.4, 0.85)
"""Share of emotion in the scores below which the face is neutral, above which it is full."""

Vector = NDArray[np.float32]


class EmotionReader:
    """Accumulator from sound to the emotion of the whole clip.

    Parameters
    ----------
    runner : Runner
        Of the stage ``emotion_encoder``.

    References
    ----------
    .. [1] Paper, section 3.2: s, of which equation 2 trains the encoder.
    """

    def __init__(self, runner: Runner) -> None:
        self._scorer = WindowScorer(runner, WINDOW_SAMPLES, HOP_SAMPLES)
        self._sum = np.zeros(len(EMOTIONS), np.float64)
        self._num_scored = 0

    def push(self, samples: NDArray[np.float32]) -> Vector:
        """Take sound and score the windows that it completes.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        (W, 8) float32, [0, 1]
            Calibrated scores; NaN for a window without voice.
        """
        return self._count(self._scorer.push(samples))

    def close(self) -> Emotion:
        """Score what is left, at most one window, and tell what the face should express."""
        self._count(self._scorer.close())
        return self.emotion

    @property
    def scores(self) -> Vector | None:
        """(8,) float32, mean over the windows with voice so far; None before the first."""
        if not self._num_scored:
            return None
        return (self._sum / self._num_scored).astype(np.float32)

    @property
    def emotion(self) -> Emotion:
        """What the face should express for all sound so far."""
        scores = self.scores
        if scores is None:
            rest = np.eye(len(EMOTIONS), dtype=np.float32)[NEUTRAL]
            return Emotion(weights=rest, source="voice", notes=(SILENCE_NOTE,))
        return Emotion(weights=expression_from_scores(scores), source="voice", scores=scores)

    def _count(self, rows: Vector) -> Vector:
        heard = rows[~np.isnan(rows).any(axis=1)]
        for scores in heard:
            self._sum += scores
        self._num_scored += len(heard)
        return rows


def expression_from_scores(scores: NDArray[np.floating]) -> Vector:
    """Turn calibrated scores into what the face shows.

    Scores are chances, rarely near one even for a clear voice; a face that mixed them as they are
    would show a little of everything. So the emotions, neutral aside, compete (their scores are
    cubed and shared out), and together they are as strong as the voice is emotional: the share
    of the scores that is neither neutral nor, by half, calm, stretched from 40 % (nothing) to
    85 % (everything).

    Parameters
    ----------
    scores : (8,) floating, [0, 1]

    Returns
    -------
    (8,) float32, [0, 1], sum 1
        The emotion vector s.
    """
    chances = np.asarray(scores, np.float64) + 1e-9
    calm = EMOTIONS.index("calm")
    still = chances[NEUTRAL] + 0.5 * chances[calm]
    low, high = _GATE
    full = np.clip((1 - still / chances.sum() - low) / (high - low), 0, 1)
    strength = full * full * (3 - 2 * full)
    rivals = chances**_SHARPNESS
    rivals[NEUTRAL] = 0
    weights = strength * rivals / rivals.sum()
    weights[NEUTRAL] = 1 - weights.sum()
    return np.asarray(np.clip(weights, 0, 1), np.float32)
