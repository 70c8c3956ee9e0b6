"""The whole product on held-out people: one frame and the voice in, frames out, judged as frames.

Emotion is neutral and the head still, so that lips and picture are compared, not the acting.
Called by ``parts.py``. Not here: frames from true landmarks (``rendering.py``).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.errors import InputError
from emohead.geometry import canonicalise
from emohead.geometry.landmarks import OUTER_EYE_CORNERS
from emohead.head import TalkingHead
from emohead.portrait import Portrait
from emohead.stages import MOTION_FPS
from emohead_training.evaluation.audio_visual import envelope, lag_frames
from emohead_training.evaluation.blur import cpbd
from emohead_training.evaluation.frame_scores import Judges
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.evaluation.lip_distance import LandmarkFinder, lmd
from emohead_training.evaluation.pixels import PixelCase, read_cases
from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.mouth import mouth_opening
from emohead_training.voice.lip_scores import correlation
from emohead_training.voice.spoken_clips import SpokenClip, read_spoken_clips

__all__ = ["from_audio_report"]

Array = NDArray[np.floating]


def from_audio_report(
    data: Path, head: TalkingHead, judges: Judges, find: LandmarkFinder
) -> dict[str, Any]:
    """Animate the most closed frame of each speaking test clip with the clip's own sound.

    Parameters
    ----------
    data : Path
        Corpus root.
    head : TalkingHead
        The bundle.
    judges : Judges
        Identity is used where there is one.
    find : LandmarkFinder
        Finds the landmarks of rendered frames.

    Returns
    -------
    dict
        ``lmd_from_audio``: lips found on rendered frames against the filmed ones, as ``lmd`` but
        with the head's pose removed, px at 256; ``lmd_from_audio_still`` of the portrait's lips
        held; ``csim_from_audio`` with the portrait; ``cpbd_from_audio``;
        ``rendered_opening_correlation`` with the filmed mouth opening;
        ``audio_lag_frames`` of the rendered opening behind the loudness of the sound, and
        ``audio_lag_frames_true`` of the filmed opening; counts.

    Raises
    ------
    InputError
        The corpus has no speaking test people.
    """
    spoken = {clip.name: clip for clip in read_spoken_clips(data, ("test",))}
    tallies: dict[str, Tally] = defaultdict(Tally)
    judged, missed = 0, 0
    for case in read_cases(data):
        clip = spoken.get(f"{case.clip.source}/{case.clip.path.name}")
        if clip is None:
            continue
        try:
            portrait = head.portrait(case.anchor)
        except InputError:
            missed += 1
            continue
        judged += 1
        _judge(case, clip, portrait, head, (judges, find), tallies)
    return numbers_of(tallies) | {"num_clips": judged, "missed": missed}


def _judge(
    case: PixelCase,
    clip: SpokenClip,
    portrait: Portrait,
    head: TalkingHead,
    judging: tuple[Judges, LandmarkFinder],
    tallies: dict[str, Tally],
) -> None:
    """Render the first frames of a clip and add every number of theirs."""
    judges, find = judging
    person = case.clip.identity
    count = min(PROTOCOL.speech_frames, len(clip.landmarks))
    sound = clip.samples[: count * SAMPLE_RATE_HZ // MOTION_FPS]
    made = head.animate(portrait, (sound, SAMPLE_RATE_HZ), emotion="neutral", still=True)
    count = min(count, len(made))
    frames = np.stack([frame for frame, _ in zip(made, range(count), strict=False)])
    found = find(frames, made.points[:count])
    valid = clip.valid[:count]
    # The landmarker's depth is of no use here: the portrait's own stands in for it.
    depth = np.broadcast_to(made.landmarks[:count, :, 2:], (count, 68, 1))
    shapes = canonicalise(np.concatenate((found, depth), axis=-1).astype(np.float64))[0]
    true = clip.landmarks[:count]
    start, end = portrait.landmarks[list(OUTER_EYE_CORNERS), :2]
    size_px = float(np.linalg.norm(start - end))
    still = np.broadcast_to(portrait.canonical, true.shape)
    for key, lips in (("lmd_from_audio", shapes), ("lmd_from_audio_still", still)):
        tallies[key].add(person, lmd(size_px * lips[valid], size_px * true[valid]))
    _add_timing(clip, sound, mouth_opening(shapes), count, tallies)
    shown = np.linspace(0, count - 1, PROTOCOL.frames_per_clip).round().astype(int)
    tallies["cpbd_from_audio"].add(person, cpbd(frames[shown]))
    if judges.identity is not None:
        own = judges.identity(portrait.image[None], portrait.landmarks[None, :, :2])[0]
        others = judges.identity(frames[shown], made.points[shown])
        tallies["csim_from_audio"].add(person, others @ own)


def _add_timing(
    clip: SpokenClip, sound: Array, opening: Array, count: int, tallies: dict[str, Tally]
) -> None:
    true, loudness = mouth_opening(clip.landmarks[:count]), envelope(sound, count)
    valid = clip.valid[:count]
    kept = correlation(np.asarray(opening)[valid], true[valid])
    tallies["rendered_opening_correlation"].add(clip.identity, kept)
    for key, signal in (("audio_lag_frames", opening), ("audio_lag_frames_true", true)):
        lag = lag_frames(signal, loudness)
        if lag is not None:
            tallies[key].add(clip.identity, lag)
