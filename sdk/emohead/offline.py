"""Clips: a whole performance at once, from a voice or from landmarks that somebody brought.

Called by ``head.py``. Not here: the way from sound to landmarks (``performance.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emohead.audio import Audio
from emohead.clip import Clip
from emohead.emotion import emotion_from
from emohead.emotion.track import EmotionTrack
from emohead.errors import InputError
from emohead.landmarks.track import LandmarkTrack
from emohead.performance import Looks, Performance, Role, timed
from emohead.provenance.making import Making
from emohead.render import encode_portrait
from emohead.spool import Spool
from emohead.stages import NUM_LANDMARKS, PORTRAIT_ENCODER, RENDERER

__all__ = ["Landmarks", "clip_from_landmarks", "clip_from_voice", "told_by_landmarks"]

Landmarks = LandmarkTrack | ArrayLike | str | Path
"""Landmarks over time: a track, an array at the clip's own rate in crop px, or a file."""
_RESTS = "no voice was heard: the mouth rests"


def clip_from_voice(
    role: Role, voice: Audio, felt: EmotionTrack, making: Making, *, full_frame: bool
) -> Clip:
    """Let a voice move the face.

    Parameters
    ----------
    role : Role
        With all stages' runners, feeling `felt`.
    voice : Audio
    felt : EmotionTrack
    making : Making
        Whether an emotion was given: if so, a note tells where nobody speaks.
    full_frame : bool
        See ``Clip``.

    Returns
    -------
    Clip
    """
    performance = role.perform()
    landmarks, angles, gaze = _placed(role, performance, voice)
    rests = () if performance.has_spoken or making.emotion is None else (_RESTS,)
    return _clip(
        role,
        voice,
        landmarks,
        felt,
        making=making,
        full_frame=full_frame,
        angles=angles,
        gaze=gaze,
        notes=(*role.face.notes, *felt.notes, *rests),
    )


def _placed(
    role: Role, performance: Performance, voice: Audio
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Landmarks (N, 68, 3), px of the crop, turns of the head (N, 3) and glances (N, 2)."""
    num_placed = 0
    with Spool((NUM_LANDMARKS, 3)) as landmarks, Spool((3,)) as angles, Spool((2,)) as gaze:
        for looks in _looks(performance, voice):
            times = (np.arange(num_placed, num_placed + len(looks)) + 0.5) / role.fps
            landmarks.append(role.place(looks, times).astype(np.float32))
            angles.append(role.head_motion(looks, times).angles.astype(np.float32))
            gaze.append(role.life.glances(times).astype(np.float32))
            num_placed += len(looks)
        return landmarks.rows(), angles.rows(), gaze.rows()


def _looks(performance: Performance, voice: Audio) -> Iterator[Looks]:
    """Act piece by piece, so that memory does not grow with the voice."""
    for block in voice.blocks():
        yield performance.push(block)
    yield performance.close()


def clip_from_landmarks(
    role: Role, voice: Audio, given: Landmarks, making: Making, *, full_frame: bool
) -> Clip:
    """Render landmarks that somebody brought, just as they are.

    Parameters
    ----------
    role : Role
        With all stages' runners.
    voice : Audio
        Sounds in the video, and says how long it is.
    given : LandmarkTrack, array or path
    making : Making
    full_frame : bool
        See ``Clip``.

    Returns
    -------
    Clip
        Landmarks at another rate are resampled; missing ones repeat the last.

    Raises
    ------
    InputError
        If the landmarks cannot be used.
    """
    track = _track(given, role.fps)
    num_frames = voice.num_frames(role.fps)
    notes = list(role.face.notes)
    if abs(track.duration_s - voice.duration_s) > 1 / track.fps + 1 / role.fps:
        notes.append(
            f"the landmarks last {track.duration_s:.2f} s and the speech {voice.duration_s:.2f} s: "
            "the video is as long as the speech"
        )
    track = track.at_rate(role.fps, num_frames)
    extras = {} if track.angles is None else {"angles": track.angles}
    if track.gaze is not None:
        extras["gaze"] = track.gaze
    return _clip(
        role,
        voice,
        track.placed_on(role.face).astype(np.float32),
        _felt(track),
        making=making,
        full_frame=full_frame,
        notes=tuple(notes),
        **extras,
    )


def told_by_landmarks(emotion: object) -> EmotionTrack:
    """Neutral, for landmarks show what they show; raises InputError where an emotion is given."""
    if emotion is not None:
        raise InputError(
            "expected landmarks or an emotion, got both: landmarks already show what they show"
        )
    return EmotionTrack.constant(emotion_from("neutral"))


def _track(given: Landmarks, fps: int) -> LandmarkTrack:
    if isinstance(given, LandmarkTrack):
        return given
    if isinstance(given, str | Path):
        from emohead.landmarks.files import read_landmarks

        return read_landmarks(given)
    return LandmarkTrack(landmarks=np.asarray(given), fps=fps)


def _felt(track: LandmarkTrack) -> EmotionTrack:
    """Emotion that belongs to landmarks; neutral where they say nothing."""
    if track.emotion is None:
        return told_by_landmarks(None)
    times = (np.arange(len(track), dtype=np.float64) + 0.5) / track.fps
    return EmotionTrack(times_s=times, weights=track.emotion)


def _clip(
    role: Role, voice: Audio, landmarks: NDArray[np.float32], felt: EmotionTrack, **others: Any
) -> Clip:
    face = role.face
    with timed(role.timings, "portrait_s"):
        features = encode_portrait(role.runners[PORTRAIT_ENCODER.name], face.image, face.landmarks)
    return Clip(
        landmarks=landmarks,
        points=landmarks[..., :2],  # as `project` of weak perspective, without a copy
        emotion=felt.mean(voice.duration_s),
        emotion_track=felt,
        fps=role.fps,
        speech=voice,
        portrait=face,
        features=features,
        renderer=role.runners[RENDERER.name],
        timings=role.timings,
        **others,
    )
