"""The pinned protocol: what the evaluation measures, how much of it and with what tolerance.

A change of any value raises ``version``, which stands in every report. Not here: networks, the
constants of a published measure, which stand with it, and the bars (``bars.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PROTOCOL", "Protocol"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How things are measured."""

    version: int = 2
    """1: mean values only; 2: intervals, CPBD, Fréchet distance, flicker, lips against sound."""
    resamples: int = 2000
    """Bootstrap resamples of people for an interval."""
    confidence: float = 0.95
    """Share of the resamples inside an interval."""
    seed: int = 0
    """Of resampling, and of everything that is drawn."""
    frames_per_clip: int = 8
    """Measured frames of a clip, in the middles of as many equal stretches."""
    ablation_warm_frames: int = 4
    """Frames that a row of the ablation is fed before each measured one, so that its recurrent
    state has begun to work."""
    mouth_margin_px: int = 11
    """Added on all sides of the box around the 20 mouth points."""
    patch_px: int = 64
    """Side that mouth boxes are resized to before perceptual distance."""
    fid_resamples: int = 100
    """Resamples for the interval of a Fréchet distance, each of which is costly."""
    cpbd_block_px: int = 64
    """Side of the blocks of CPBD."""
    expression_frames: int = 4
    """Frames that an expression is held before the last one is judged."""
    max_portraits: int = 48
    """Staged portraits, in order of their names, that join the test people's faces."""
    max_lag_frames: int = 10
    """Largest audio-visual lag that is looked for, at 30 frames a second."""
    speech_frames: int = 60
    """Frames of a clip that are rendered from sound."""
    closed_gap: float = 0.01
    """Inner-lip gap above the portrait's own that counts as closed, canonical units."""
    closure_reach_frames: int = 1
    """Frames around a p, b or m in which the lips may close."""
    synthesised_s: float = 60.0
    """Seconds of synthesised speech that closure is measured on."""
    silence_s: float = 2.0
    """Seconds of room noise after a clip, of which the second half is measured."""
    silence_dbfs: float = -55.0
    """Level of the room noise."""
    unseen_voices_seed: int = 20_011
    """Seed of the synthesised speech: no recipe speaks with it."""
    follow_pairs: int = 4
    """Joined voices of a person, of two emotions and as many of one."""
    follow_near_s: float = 1.0
    """A switch that shows this close to the true one came in time."""
    follow_rms: float = 0.05
    """Root mean square that joined voices are brought to: some recordings are very quiet."""
    style_clip_s: float = 6.0
    """Clips of at least this length have halves long enough to measure a style."""
    face_margin_px: int = 14
    """Distance of the background from the landmarks' hull, and of still skin from its features."""


PROTOCOL: Final = Protocol()
"""The protocol in force."""
