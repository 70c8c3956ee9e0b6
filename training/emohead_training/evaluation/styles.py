"""A person's own style: one half of a clip tells how far the face goes in the other half.

Called by ``parts.py``. Not here: how a style is measured (``emohead.style.reference``).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emohead.audio import SAMPLE_RATE_HZ, Audio
from emohead.errors import InputError
from emohead.footage import track_face
from emohead.landmarks.track import LandmarkTrack
from emohead.runner import Runner
from emohead.style.reference import LONGEST_S, USUAL, amplitudes_of, style_from_amplitudes
from emohead_training.corpus import VideoClip, read_frames, read_sound, read_video_index
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = ["style_report"]

log = logging.getLogger(__name__)

Tracker = Callable[[VideoClip, Mapping[str, Runner]], LandmarkTrack]


def tracked_face(clip: VideoClip, runners: Mapping[str, Runner]) -> LandmarkTrack:
    """Landmarks of a clip by the runtime's own face stages."""
    points = track_face(read_frames(clip.path), runners)
    if not np.isfinite(points).all():
        raise InputError(f"expected a face in every frame of {clip.path}, lost it")
    return LandmarkTrack(landmarks=points.astype(np.float32), fps=clip.fps)


def style_report(
    data: Path,
    runners: Mapping[str, Runner],
    *,
    tracker: Tracker = tracked_face,
) -> dict[str, Any]:
    """Measure a style on each half of a clip, and how well it fits the other half.

    Parameters
    ----------
    data : Path
        Corpus root.
    runners : mapping of stage name to Runner
        Of the stages that find faces and of those between voice and landmarks.
    tracker : callable
        Gives the landmarks of a clip.

    Returns
    -------
    dict
        For lips, brows and head ``style_<part>_error``, and ``…_default`` without a style and
        ``…_common`` with one style for everybody: mean over people of the absolute difference of
        the logarithms of emohead's amplitude, so styled, and the filmed one, each with its ``_ci``;
        ``style_people`` and ``num_style_halves``.

    Raises
    ------
    InputError
        No clip of a test person is long enough.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)
    num_halves = 0
    people: set[str] = set()
    for clip in read_video_index(data, "test", may_be_empty=True):
        is_long = clip.num_frames >= PROTOCOL.style_clip_s * clip.fps
        if not clip.has_speech or not is_long or clip.self_labelled:
            continue
        try:
            halves = _halves(clip, tracker(clip, runners), runners)
        except InputError as err:
            log.warning("no style of %s: %s", clip.path.name, err)
            continue
        people.add(clip.identity)
        for told, shown in (halves, halves[::-1]):
            num_halves += 1
            _judge(tallies, clip.identity, told, shown)
    if not people:
        raise InputError(
            f"expected clips with speech of {PROTOCOL.style_clip_s:g} s at least of test people in "
            f"{data}, found none; prepare longer recordings"
        )
    return numbers_of(tallies) | {"style_people": len(people), "num_style_halves": num_halves}


Half = tuple[dict[str, float], dict[str, float], float]
"""Amplitudes as filmed, amplitudes of emohead's own faces for the sound, and seconds."""


def _halves(
    clip: VideoClip, track: LandmarkTrack, runners: Mapping[str, Runner]
) -> tuple[Half, Half]:
    """Amplitudes of both halves of a clip."""
    samples = read_sound(clip.path)
    length_s = min(track.duration_s, len(samples) / SAMPLE_RATE_HZ, 2 * LONGEST_S)
    frame, sample = (round(length_s / 2 * rate) for rate in (track.fps, SAMPLE_RATE_HZ))
    parts = []
    for number in range(2):
        shown = slice(number * frame, (number + 1) * frame)
        heard = slice(number * sample, (number + 1) * sample)
        part = LandmarkTrack(landmarks=track.landmarks[shown], fps=track.fps)
        parts.append(amplitudes_of(part, Audio(samples[heard]), runners))
    return parts[0], parts[1]


def _judge(tallies: dict[str, Tally], person: str, told: Half, shown: Half) -> None:
    """Add how far the amplitudes of one half are from those that the other half predicts."""
    style = style_from_amplitudes(*told)
    seen, own, _ = shown
    for name in USUAL:
        needed = float(np.log(seen[name] / own[name]))
        for suffix, factor in (
            ("", getattr(style, name)),
            ("_default", 1.0),
            ("_common", USUAL[name]),
        ):
            error = abs(float(np.log(factor)) - needed)
            tallies[f"style_{name}_error{suffix}"].add(person, error)
