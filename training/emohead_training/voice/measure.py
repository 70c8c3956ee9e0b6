"""Measures of the way from voice to lips on people whom no network has seen.

Runs what the runtime runs: `emohead.lips.LipSync` over the stages' runners, speech gate included.
Not here: training figures (``lips_training.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emohead.lips import LipRunners, LipSync
from emohead_training.voice.lip_scores import score
from emohead_training.voice.spoken_clips import SpokenClip, read_spoken_clips

__all__ = ["lip_motion", "mouth_landmark_ratio"]


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


def mouth_landmark_ratio(
    data_root: Path, runners: LipRunners, split: Literal["val", "test"] = "test"
) -> dict[str, float]:
    """Judge lips driven by sound alone on unseen people.

    The landmarks of each clip with speech are made canonical and resampled to 30 frames a second;
    the anchor is the frame whose inner lips are closest together. The error is the mean Euclidean
    distance of the 20 mouth points in canonical units (outer eye corners one apart), over the
    frames that were measured. Clips weigh the same, the badly synchronised ones included; the
    sound is not shifted.

    Parameters
    ----------
    data_root : Path
        Corpus root.
    runners : LipRunners
        The networks.
    split : {"val", "test"}
        Whom to judge.

    Returns
    -------
    dict of str to float
        ``mouth_landmark_ratio``: error over that of the anchor held still;
        ``mean_mouth_ratio``: the same for the clip's own mean mouth, an oracle;
        ``opening_correlation``, ``opening_spread``: correlation with, and standard deviation
        over, the filmed mouth opening; ``still_error``; ``num_clips``.
    """
    clips = read_spoken_clips(data_root, (split,))
    scores = score(clips, [lip_motion(c, runners) for c in clips])
    return {
        "mouth_landmark_ratio": scores.ratio,
        "mean_mouth_ratio": scores.mean_mouth_ratio,
        "opening_correlation": scores.correlation,
        "opening_spread": scores.spread,
        "still_error": scores.still_error,
        "num_clips": float(scores.num_clips),
    }
