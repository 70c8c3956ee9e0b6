"""Measures of the way from voice to lips on people whom no network has seen.

Runs what the runtime runs: `emohead.lips.LipSync` over the stages' runners, speech gate included.
Not here: training figures (``lips_training.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.lips import LipRunners, LipSync
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.voice.lip_scores import clip_scores
from emohead_training.voice.spoken_clips import SpokenClip

__all__ = ["lip_figures", "lip_motion"]


def lip_motion(clip: SpokenClip, runners: LipRunners) -> NDArray[np.float32]:
    """Displacements of a clip from its sound and anchor.

    Parameters
    ----------
    clip : SpokenClip
    runners : LipRunners

    Returns
    -------
    (N, 68, 3) float32, canonical units
        ``ceil(num_samples * 30 / 16000)`` frames.
    """
    lip_sync = LipSync(clip.anchor, runners)
    return np.concatenate([lip_sync.push(clip.samples), lip_sync.close()])


def lip_figures(
    clips: Sequence[SpokenClip], moved: Sequence[NDArray[np.floating]]
) -> dict[str, Any]:
    """Compare displacements with filmed motion.

    The landmarks of each clip are canonical and resampled to 30 frames a second; the anchor is the
    frame whose inner lips are closest together. The error is the mean Euclidean distance of the 20
    mouth points in canonical units (outer eye corners one apart), over the frames that were
    measured. Clips weigh the same, the badly synchronised ones included; the sound is not shifted.

    Parameters
    ----------
    clips : sequence of SpokenClip
    moved : sequence of (N, 68, 3) floating, canonical units

    Returns
    -------
    dict
        ``mouth_landmark_ratio``: error over that of the anchor held still;
        ``mean_mouth_ratio``: the same for the clip's own mean mouth, an oracle;
        ``opening_correlation``, ``opening_spread``: correlation with, and standard deviation
        over, the filmed mouth opening; ``still_error``; each with its ``_ci`` over people;
        ``num_clips``; ``by_clip``.
    """
    names = "mouth_landmark_ratio mean_mouth_ratio opening_correlation opening_spread still_error"
    tallies = {name: Tally() for name in names.split()}
    by_clip = {}
    for clip, motion in zip(clips, moved, strict=True):
        found = clip_scores(clip, motion)
        values = (found.error, found.mean_mouth, found.correlation, found.spread, found.still)
        over = (found.still, found.still, None, None, None)
        for tally, value, base in zip(tallies.values(), values, over, strict=True):
            tally.add(clip.identity, value, base)
        by_clip[clip.name] = {
            "mouth_landmark_ratio": round(found.error / found.still, 4),
            "opening_correlation": round(found.correlation, 4),
        }
    return numbers_of(tallies) | {"num_clips": len(clips), "by_clip": by_clip}
