"""A person's style from a short film: how far lips, brows and head went, beside what emohead does.

Amplitudes are spreads between quantiles, after a little smoothing, so that single bad frames do not
count. Called by ``head.py``. Not here: what a style changes (``factors.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, Audio, read_audio
from emohead.emotion.hearing import read_emotion
from emohead.errors import InputError
from emohead.footage import film_of, track_face
from emohead.geometry.landmarks import EYELID_PAIRS, LEFT_BROW, LIP_PAIRS, RIGHT_BROW
from emohead.landmarks.track import LandmarkTrack
from emohead.life import BLINK_RATE
from emohead.lips import LipRunners, LipSync
from emohead.liveliness import breathing
from emohead.motion import FPS, HeadMotion, frame_times
from emohead.stages import (
    CONTENT_ENCODER,
    EMOTION_ENCODER,
    NEUTRAL_LANDMARKS,
    SPEAKER_ENCODER,
)
from emohead.style.factors import Style, bounded_style

if TYPE_CHECKING:
    from emohead.runner import Runner

__all__ = [
    "USUAL",
    "amplitudes_of",
    "style_from_amplitudes",
    "style_from_film",
    "style_from_landmarks",
]

LEAST_S: Final = 3.0
"""Shortest film."""
LONGEST_S: Final = 60.0
"""What comes later is not looked at."""
LEAST_SPOKEN_S: Final = 1.5
"""Shortest speech."""
LEAST_FACE_SHARE: Final = 0.8
"""Share of the frames that must show the face."""
TYPICAL_BROWS: Final = 0.027
"""Spread of the brows' height of people who talk, canonical units: emohead's own move by emotion
alone, so there is nothing else to compare with."""
USUAL: Final = {"lips": 1.25, "brows": 1.0, "head": 2.3}
"""Factors of a usual person, the median over training people: filmed lips and heads go further."""
TRUST_S: Final = 2.0
"""Speech after which a measured factor counts as much as the usual one."""
PRIOR_BLINKS: Final = 2.0
"""Blinks at the usual rate that are believed to have been seen before."""

_QUANTILES: Final = (0.1, 0.9)
_CLOSED_SHARE: Final = 0.05
"""Share of the frames, those with the most closed mouth, that show the face at rest."""
_SHUT: Final = 0.6
"""Share of its usual opening below which an eye is shut."""
_LONGEST_BLINK: Final = FPS // 2
_SEEDS: Final = 8
"""Head motions that are averaged."""

Array = NDArray[np.float64]


def style_from_film(path: str | Path, runners: Mapping[str, Runner]) -> Style:
    """Measure how a filmed person talks.

    Parameters
    ----------
    path : str or Path
        Video of one person who talks, with sound; 3 s at least, of which the first minute counts.
    runners : mapping of stage name to Runner
        Of all stages but the renderer's two.

    Returns
    -------
    Style

    Raises
    ------
    InputError
        If the film cannot be read, is too short, shows no face or several, or nobody speaks.
    """
    film = film_of(path)
    voice = read_audio(path)
    voice = Audio(voice.samples[: round(LONGEST_S * SAMPLE_RATE_HZ)])
    if voice.duration_s < LEAST_S:
        raise InputError(_too_short(f"{path}", voice.duration_s))
    points = track_face(islice(film, round(LONGEST_S * film.fps)), runners)
    track = LandmarkTrack(landmarks=_filled(points, str(path)), fps=film.fps, unit="photo_px")
    return style_from_landmarks(track, voice, runners)


def style_from_landmarks(
    track: LandmarkTrack, voice: Audio, runners: Mapping[str, Runner]
) -> Style:
    """Measure how a person talks whose landmarks are known.

    Parameters
    ----------
    track : LandmarkTrack
        Of every frame.
    voice : Audio
        What the person says meanwhile.
    runners : mapping of stage name to Runner
        Those between voice and landmarks.

    Returns
    -------
    Style

    Raises
    ------
    InputError
        If it is too short, or nobody speaks.
    """
    if min(track.duration_s, voice.duration_s) < LEAST_S:
        raise InputError(_too_short("the reference", min(track.duration_s, voice.duration_s)))
    return style_from_amplitudes(*amplitudes_of(track, voice, runners))


def style_from_amplitudes(
    seen: Mapping[str, float], own: Mapping[str, float], spoken_s: float
) -> Style:
    """Compare amplitudes; the shorter the speech, the closer to a usual person.

    Parameters
    ----------
    seen, own : mapping of str to float
    spoken_s : float, s
        From ``amplitudes_of``.

    Returns
    -------
    Style
        Within ``BOUNDS``; a note says so where a factor was cut.
    """
    belief = spoken_s / (spoken_s + TRUST_S)
    factors = {
        name: (max(seen[name], 1e-6) / max(own[name], 1e-6)) ** belief * usual ** (1 - belief)
        for name, usual in USUAL.items()
    }
    blinks = (seen["blinks"] + PRIOR_BLINKS) / (own["blinks"] + PRIOR_BLINKS)
    return bounded_style({**factors, "blinks": blinks})


def amplitudes_of(
    track: LandmarkTrack, voice: Audio, runners: Mapping[str, Runner]
) -> tuple[dict[str, float], dict[str, float], float]:
    """Amplitudes of a person, and those of emohead for the same face and voice.

    Parameters
    ----------
    track : LandmarkTrack
    voice : Audio
    runners : mapping of stage name to Runner

    Returns
    -------
    seen, own : dict of str to float
        ``lips`` (spread of the gap between the lips, canonical units), ``brows`` (of their height;
        `own` is ``TYPICAL_BROWS``), ``head`` (of its angles, rad) and ``blinks`` (their number).
    spoken_s : float, s
        Speech heard.

    Raises
    ------
    InputError
        If nobody speaks.
    """
    num_frames = min(int(track.duration_s * FPS), voice.num_frames(FPS))
    track = track.at_rate(FPS, num_frames)
    shapes = track.shapes
    calm = _smoothed(shapes)
    gap = _gap(calm, LIP_PAIRS)
    closed = np.argsort(gap)[: max(3, round(_CLOSED_SHARE * num_frames))]
    anchor = np.median(calm[closed], axis=0)
    moved = _lip_motion(anchor, voice, runners)[:num_frames]
    spoken = moved.reshape(num_frames, -1).any(axis=1)
    if spoken.sum() < LEAST_SPOKEN_S * FPS:
        raise InputError(
            f"expected {LEAST_SPOKEN_S:g} s of speech at least, heard {spoken.sum() / FPS:.1f} s; "
            "give a video in which the person talks"
        )
    brows = np.stack([calm[:, list(b), 1].mean(1) for b in (LEFT_BROW, RIGHT_BROW)], axis=1)
    angles = _smoothed(track.head_angles())
    seen = {
        "lips": float(_spread(gap[spoken])),
        "brows": float(_spread(brows).mean()),
        "head": float(np.linalg.norm(_spread(angles))),
        "blinks": float(_num_blinks(shapes)),
    }
    own = {
        "lips": float(_spread(_gap(anchor + moved[spoken], LIP_PAIRS))),
        "brows": TYPICAL_BROWS,
        "head": _own_head(voice, num_frames, runners),
        "blinks": BLINK_RATE * num_frames / FPS / 60,
    }
    return seen, own, float(spoken.sum() / FPS)


def _too_short(what: str, seconds: float) -> str:
    return (
        f"expected {LEAST_S:g} s of a talking person at least, {what} lasts {seconds:.1f} s; give "
        "a longer video"
    )


def _filled(points: Array, path: str) -> NDArray[np.float32]:
    """Landmarks of every frame, those of missing ones in between their neighbours'."""
    known = np.asarray(np.isfinite(points.reshape(len(points), -1)).all(axis=1))
    if known.sum() < LEAST_FACE_SHARE * max(1, len(known)):
        raise InputError(
            f"expected a face in the video {path}, found one in {known.sum()} of {len(known)} "
            "frames; give a video that shows one person from the front"
        )
    flat = points.reshape(len(points), -1)
    index, at = np.arange(len(points)), np.flatnonzero(known)
    columns = [np.interp(index, at, flat[at, i]) for i in range(flat.shape[1])]
    return np.stack(columns, axis=1).reshape(points.shape).astype(np.float32)


def _smoothed(values: Array) -> Array:
    """Mean over three frames, the middle one twice: less of the landmarker's trembling."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.asarray((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)


def _spread(values: Array) -> Array:
    low, high = np.quantile(values, _QUANTILES, axis=0)
    return np.asarray(high - low)


def _gap(faces: Array, pairs: tuple[tuple[int, int], ...]) -> Array:
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    return np.asarray((faces[:, lower, 1] - faces[:, upper, 1]).mean(axis=1))


def _lip_motion(anchor: Array, voice: Audio, runners: Mapping[str, Runner]) -> Array:
    lips = LipSync(
        anchor,
        LipRunners(
            speaker_encoder=runners[SPEAKER_ENCODER.name],
            content_encoder=runners[CONTENT_ENCODER.name],
            neutral_landmarks=runners[NEUTRAL_LANDMARKS.name],
        ),
    )
    return np.concatenate([lips.push(voice.samples), lips.close()]).astype(np.float64)


def _own_head(voice: Audio, num_frames: int, runners: Mapping[str, Runner]) -> float:
    """Spread of the angles that emohead would give the head, mean over seeds."""
    felt = read_emotion(voice, runners[EMOTION_ENCODER.name], per_clip=True).at(np.zeros(1))[0]
    breath = breathing(frame_times(num_frames)).angles
    spreads = []
    for seed in range(_SEEDS):
        head = HeadMotion(felt, seed)
        parts = [head.push(voice.samples).angles, head.close().angles]
        angles = np.concatenate(parts)[:num_frames] + breath
        spreads.append(np.linalg.norm(_spread(angles)))
    return float(np.mean(spreads))


def _num_blinks(shapes: Array) -> int:
    """Count the times that the eyes were shut for half a second at most."""
    opening = _gap(shapes, EYELID_PAIRS)
    shut = opening < _SHUT * np.median(opening)
    runs = [len(list(run)) for is_shut, run in groupby(shut.tolist()) if is_shut]
    return sum(2 <= length <= _LONGEST_BLINK for length in runs)
