"""Scores of lip motion against filmed lips.

Every figure is defined in `Scores`. Not here: running the shipped graphs (``measure.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from emohead.geometry.landmarks import MOUTH
from emohead.lips import LEAD_FRAMES
from emohead_training.models.neutral_landmarks import NeutralLandmarks
from emohead_training.mouth import mouth_opening
from emohead_training.voice.content_codes import codes_at
from emohead_training.voice.spoken_clips import SpokenClip

__all__ = ["ClipScores", "Scores", "clip_scores", "correlation", "predicted", "score"]


class ClipScores(NamedTuple):
    """Figures of one clip, defined as in `Scores`; distances in canonical units."""

    error: float
    """Mean distance of the mouth points from the filmed ones."""
    still: float
    """The same for the anchor held still."""
    mean_mouth: float
    """The same for the clip's own mean mouth."""
    correlation: float
    """Of predicted with filmed mouth opening."""
    spread: float
    """Standard deviation of the opening over the filmed one's."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Figures over clips; every clip weighs the same."""

    ratio: float
    """Mean distance of the 20 mouth points from the filmed ones, in canonical units, over that of
    the anchor held still. 1 is a still mouth."""
    mean_mouth_ratio: float
    """The same for the clip's own mean mouth: an oracle that knows the mean but no speech."""
    correlation: float
    """Mean over clips of the correlation of predicted with filmed mouth opening."""
    spread: float
    """Mean over clips of the standard deviation of the opening over the filmed one's."""
    still_error: float
    """Mean distance of the still mouth, canonical units."""
    num_clips: int
    """Number of clips."""


def score(clips: Sequence[SpokenClip], moved: Sequence[NDArray[np.floating]]) -> Scores:
    """Compare displacements with filmed motion.

    Parameters
    ----------
    clips : sequence of SpokenClip
    moved : sequence of (N, 68, 3) floating, canonical units
        Displacement from each clip's anchor, at 30 frames a second.

    Returns
    -------
    Scores
    """
    rows = np.array([clip_scores(c, m) for c, m in zip(clips, moved, strict=True)])
    mean = ClipScores(*map(float, rows.mean(0)))
    return Scores(
        ratio=mean.error / mean.still,
        mean_mouth_ratio=mean.mean_mouth / mean.still,
        correlation=mean.correlation,
        spread=mean.spread,
        still_error=mean.still,
        num_clips=len(rows),
    )


def clip_scores(clip: SpokenClip, moved: NDArray[np.floating]) -> ClipScores:
    """Compare the displacements of one clip with its filmed motion.

    Parameters
    ----------
    clip : SpokenClip
    moved : (N, 68, 3) floating, canonical units

    Returns
    -------
    ClipScores
    """
    anchor, valid = clip.anchor, clip.valid
    true = clip.landmarks[valid]
    guess = anchor + moved[: len(valid)][valid]
    opening, true_opening = mouth_opening(guess), mouth_opening(true)
    return ClipScores(
        error=_mouth_error(guess, true),
        still=_mouth_error(np.broadcast_to(anchor, true.shape), true),
        mean_mouth=_mouth_error(np.broadcast_to(true.mean(0), true.shape), true),
        correlation=correlation(opening, true_opening),
        spread=float(opening.std() / true_opening.std()),
    )


def _mouth_error(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.linalg.norm((a - b)[:, list(MOUTH)], axis=-1).mean())


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's of two signals (N,); 0 where one does not move."""
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


@torch.no_grad()
def predicted(
    model: NeutralLandmarks,
    codes: NDArray[np.float16],
    anchor: NDArray[np.float32],
    num_frames: int,
) -> NDArray[np.float32]:
    """Displacements of a clip in one pass of the PyTorch network, without the speech gate.

    Parameters
    ----------
    model : NeutralLandmarks
    codes : (T, 64) float16
    anchor : (68, 3) float32, canonical units
    num_frames : int

    Returns
    -------
    (num_frames, 68, 3) float32, canonical units
    """
    times = np.arange(num_frames + LEAD_FRAMES, dtype=np.float64)
    content = torch.from_numpy(codes_at(codes, times))[None]
    shape = torch.from_numpy(np.asarray(anchor, np.float32))[None]
    moved: torch.Tensor = model(content, shape, *model.zero_state(1))[0]
    return np.asarray(moved[0, LEAD_FRAMES:].numpy(), np.float32)
