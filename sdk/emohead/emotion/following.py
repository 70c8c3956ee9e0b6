"""From a voice to an emotion that follows it: a sliding window, smoothing, hysteresis.

An accumulator with a fixed look-ahead, the same however the sound is cut. Called by ``hearing.py``
and ``feeling.py``. Not here: windows and scores (``windows.py``), one emotion per clip
(``reader.py``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion.reader import SILENCE_NOTE, expression_from_scores
from emohead.emotion.track import TRANSITION_S, EmotionTrack
from emohead.emotion.values import EMOTIONS, NEUTRAL
from emohead.emotion.windows import WINDOW_SAMPLES, WindowScorer
from emohead.errors import InputError
from emohead.runner import Runner

__all__ = ["HOP_S", "LOOKAHEAD_S", "EmotionFollower"]

HOP_S: Final = 0.5
"""Seconds between two keyframes."""
LOOKAHEAD_S: Final = 1.5
"""Sound after a keyframe that it hears: half a window, so that the keyframe is in its middle."""
LIVE_BLEND_COEF: Final = 0.5
"""Share of the scores before that a keyframe keeps."""
HYSTERESIS: Final = 0.2
"""By which share another emotion's score must exceed the present one's to take its place."""

Vector = NDArray[np.float32]


class EmotionFollower:
    """Accumulator from sound to an emotion over time.

    A keyframe every half second, at 0, 0.5, 1, … s. Each is decided once the sound `lookahead_s`
    after it is known, and never changes afterwards. Three seconds without a voice let the face
    rest.

    Parameters
    ----------
    runner : Runner
        Of the stage ``emotion_encoder``.
    lookahead_s : float, s, above 0, at most 3
        Sound after a keyframe that it hears. Less answers sooner and follows later: a change of
        voice shows about ``1.5 - lookahead_s`` later.
    live_transition_time : float, s, positive
        No weight changes faster than by 1 in this time.
    live_blend_coef : float, [0, 1)
        Share of the scores before that a keyframe keeps.
    hysteresis : float, not negative
        By which share another emotion's score must exceed the present one's to take its place.

    References
    ----------
    .. [1] Paper, section 3.2, for the encoder; names as in Audio2Emotion's post-processing.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        lookahead_s: float = LOOKAHEAD_S,
        live_transition_time: float = TRANSITION_S,
        live_blend_coef: float = LIVE_BLEND_COEF,
        hysteresis: float = HYSTERESIS,
    ) -> None:
        longest = WINDOW_SAMPLES / SAMPLE_RATE_HZ
        if not 0 < lookahead_s <= longest:
            raise InputError(
                f"expected a look-ahead above 0 and at most {longest:g} s, got {lookahead_s}"
            )
        if not live_transition_time > 0:
            raise InputError(f"expected a positive transition time, got {live_transition_time} s")
        if not (0 <= live_blend_coef < 1 and hysteresis >= 0):
            raise InputError(
                "expected a live_blend_coef in [0, 1) and a hysteresis of 0 or more, got "
                f"{live_blend_coef} and {hysteresis}"
            )
        self._kept, self._lead = live_blend_coef, 1 + hysteresis
        first_end = max(1, round(lookahead_s * SAMPLE_RATE_HZ))
        self._scorer = WindowScorer(runner, first_end, round(HOP_S * SAMPLE_RATE_HZ))
        self._largest_step = HOP_S / live_transition_time
        self._smooth: NDArray[np.float64] | None = None
        self._leading = NEUTRAL
        self._heard = False
        self._num_keys = 0
        self._keys: list[tuple[float, Vector, float]] = []

    def push(self, samples: NDArray[np.float32]) -> float:
        """Take sound.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        float, s
            Up to when the emotion is decided; below 0 as long as nothing is.
        """
        self._follow(self._scorer.push(samples))
        return self.decided_s

    def close(self) -> EmotionTrack:
        """Hear what is left, and return the track; it holds its last emotion beyond the end."""
        self._follow(self._scorer.close())
        return self.track

    @property
    def decided_s(self) -> float:
        """Time of the last keyframe, s; ``-HOP_S`` before the first."""
        return (self._num_keys - 1) * HOP_S

    @property
    def track(self) -> EmotionTrack:
        """Keyframes so far; neutral, with confidence 0, before the first."""
        keys = self._keys or [(0.0, _rest(), 0.0)]
        times, weights, confidence = zip(*keys, strict=True)
        return EmotionTrack(
            times_s=np.array(times),
            weights=np.stack(weights),
            confidence=np.array(confidence, np.float32),
            source="voice",
            notes=() if self._heard or not self._keys else (SILENCE_NOTE,),
        )

    def forget(self, before_s: float) -> None:
        """Drop keyframes that times from `before_s` on do not need, so that memory stays flat."""
        while len(self._keys) > 1 and self._keys[1][0] <= before_s:
            del self._keys[0]

    def _follow(self, rows: Vector) -> None:
        for scores in rows:
            wanted, confidence = self._wanted(scores)
            before = self._keys[-1][1] if self._keys else wanted
            away = wanted - before
            largest = float(np.abs(away).max())
            share = min(1.0, self._largest_step / largest) if largest else 1.0
            weights = wanted if share == 1 else before + np.float32(share) * away
            self._keys.append((self._num_keys * HOP_S, weights, confidence))
            self._num_keys += 1

    def _wanted(self, scores: Vector) -> tuple[Vector, float]:
        """Face for a window's scores, smoothed, and how sure the encoder is of it."""
        if np.isnan(scores).any():
            self._smooth, self._leading = None, NEUTRAL
            return _rest(), 0.0
        self._heard = True
        smooth = scores.astype(np.float64)
        if self._smooth is not None:
            smooth = self._kept * self._smooth + (1 - self._kept) * smooth
        best = int(smooth.argmax())
        if self._smooth is None or smooth[best] > smooth[self._leading] * self._lead:
            self._leading = best
        self._smooth = smooth
        favoured = smooth.copy()
        favoured[self._leading] *= self._lead
        return expression_from_scores(favoured.clip(0, 1)), float(min(smooth[self._leading], 1.0))


def _rest() -> Vector:
    weights = np.zeros(len(EMOTIONS), np.float32)
    weights[NEUTRAL] = 1
    return weights
