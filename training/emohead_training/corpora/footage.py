"""A video file becomes frames of a face at 30 a second, its landmarks and its sound, in step.

The crop is fixed for the clip, framed as portraits are at run time. Called by the preparers of
recorded corpora. Not here: finding landmarks (``finding.py``), encoding (``records.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, read_audio
from emohead.crop import Crop, render_crop
from emohead_training.corpora.finding import FaceFinder, FoundFace
from emohead_training.corpora.protocol import Skip
from emohead_training.corpora.records import PREPARED_FPS

__all__ = ["Footage", "Span", "nearest_frames", "read_footage", "sound_of"]

_LOOKS: Final = 9
"""Frames from whose landmarks the crop is taken."""
_LEAST_FRAMES: Final = 20
_LEAST_COVERAGE: Final = 0.5
_LARGEST_CHANGE: Final = 2.0
"""Followed landmarks that shrink or grow by more against the clip's usual size have slipped."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of a recording."""

    start_s: float = 0.0
    """From its first frame."""
    length_s: float = float("inf")
    """Up to its end where that comes sooner."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Footage:
    """A talking face; fields as in ``Record``."""

    frames: NDArray[np.uint8]
    """(N, 256, 256, 3) RGB at 30 frames a second."""
    landmarks: NDArray[np.float64]
    """(N, 68, 3) px; zero where not valid."""
    valid: NDArray[np.bool_]
    """(N,)."""
    iris: NDArray[np.float64] | None
    """(N, 2, 3) px, NaN where not valid; None where the finder knows none."""
    outline: NDArray[np.float64] | None
    """(N, 11, 3) px, zero where not valid; None where the finder knows none."""
    audio: NDArray[np.float32] | None
    """(n,) mono, 16 kHz, from the first frame on; None without sound."""


def read_footage(path: Path, finder: FaceFinder, span: Span | None = None) -> Footage | Skip:
    """Read the face of a recording.

    Parameters
    ----------
    path : Path
        Any video that FFmpeg decodes, of any size and frame rate, constant or not.
    finder : FaceFinder
    span : Span, optional
        Part of the recording; by default all of it.

    Returns
    -------
    Footage or Skip
        A reason where no usable face is shown.

    Raises
    ------
    InputError, av.FFmpegError
        The file cannot be decoded.
    """
    span = span or Span()
    times, looks = _survey(path, span)
    if len(times) < 2 or (times[-1] - times[0]) * PREPARED_FPS < _LEAST_FRAMES:
        return Skip(reason="it shows less than two thirds of a second")
    places = [p for look in looks if (p := finder.locate(look)) is not None]
    if 2 * len(places) < len(looks):
        return Skip(reason="no face is found")
    usual = np.median(places, axis=0)
    crop = render_crop(usual, (looks[0].shape[0], looks[0].shape[1]))
    chosen = nearest_frames(times)
    used, repeat = np.unique(chosen, return_inverse=True)
    frames = np.stack(list(_cut(path, span, crop, set(used.tolist()))))
    faces = _followed(frames, crop.to_crop(usual), finder)
    valid = np.array([face is not None for face in faces])[repeat]
    if valid.mean() < _LEAST_COVERAGE:
        return Skip(reason="the face is lost in most frames")
    return Footage(
        frames=frames[repeat],
        landmarks=_column(faces, "landmarks", 0.0)[repeat],
        valid=valid,
        iris=_optional(faces, "iris", np.nan, repeat),
        outline=_optional(faces, "outline", 0.0, repeat),
        audio=sound_of(path, times[0], len(chosen) / PREPARED_FPS),
    )


def nearest_frames(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which frame is nearest to each thirtieth of a second.

    Parameters
    ----------
    times : (M,) float64, ascending, seconds

    Returns
    -------
    (N,) int64
        Indices of frames; the last frame lasts as long as the mean of the others.
    """
    length = (times[-1] - times[0]) * len(times) / (len(times) - 1)
    wanted = times[0] + np.arange(max(1, round(length * PREPARED_FPS))) / PREPARED_FPS
    middles = (times[1:] + times[:-1]) / 2
    return np.searchsorted(middles, wanted, side="right").astype(np.int64)


def _decoded(path: Path, span: Span) -> Iterator[tuple[float, Any]]:
    """Time in seconds and PyAV frame of the frames of a stretch."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = float(stream.time_base or 0)
        origin = float(stream.start_time or 0) * base
        if span.start_s:
            container.seek(round((origin + span.start_s) / base), stream=stream)
        for frame in container.decode(stream):
            if frame.pts is None:
                continue
            seconds = float(frame.pts) * base - origin
            if seconds >= span.start_s + span.length_s:
                return
            if seconds >= span.start_s:
                yield seconds + origin, frame


def _survey(path: Path, span: Span) -> tuple[NDArray[np.float64], list[NDArray[np.uint8]]]:
    """List the times of all frames and keep a few frames spread over the stretch."""
    times: list[float] = []
    looks: list[NDArray[np.uint8]] = []
    stride = 1
    for index, (seconds, frame) in enumerate(_decoded(path, span)):
        times.append(seconds)
        if index % stride == 0:
            looks.append(_upright(frame))
            if len(looks) == 2 * _LOOKS:
                looks, stride = looks[::2], 2 * stride
    return np.array(times), looks


def _cut(path: Path, span: Span, crop: Crop, used: set[int]) -> Iterator[NDArray[np.uint8]]:
    for index, (_, frame) in enumerate(_decoded(path, span)):
        if index in used:
            yield crop.cut(_upright(frame), reflect=True)


def _upright(frame: Any) -> NDArray[np.uint8]:
    """RGB, turned as the camera's note about its own roll says."""
    image: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _followed(
    frames: NDArray[np.uint8], usual: NDArray[np.float64], finder: FaceFinder
) -> list[FoundFace | None]:
    """Follow the face through the clip; where it is lost, go on from its usual place."""
    faces: list[FoundFace | None] = []
    before, size = usual, np.ptp(usual[:, :2], axis=0).max()
    for frame in frames:
        face = finder.follow(frame, before)
        if face is not None:
            change = np.ptp(face.landmarks[:, :2], axis=0).max() / size
            centre = face.landmarks[:, :2].mean(0)
            inside = ((centre > 0) & (centre < frame.shape[1::-1])).all()
            if not inside or not 1 / _LARGEST_CHANGE < change < _LARGEST_CHANGE:
                face = None
        faces.append(face)
        before = usual if face is None else face.landmarks
    return faces


def _column(faces: list[FoundFace | None], name: str, missing: float) -> NDArray[np.float64]:
    """One kind of points of all frames, (M, P, 3)."""
    shape = next(getattr(f, name) for f in faces if f is not None).shape
    empty = np.full(shape, missing)
    return np.stack([empty if f is None else getattr(f, name) for f in faces])


def _optional(
    faces: list[FoundFace | None], name: str, missing: float, repeat: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    if any(f is not None and getattr(f, name) is None for f in faces):
        return None
    return _column(faces, name, missing)[repeat]


def sound_of(
    path: Path, start_s: float = 0.0, length_s: float = float("inf")
) -> NDArray[np.float32] | None:
    """Sound of a recording from a time on.

    Parameters
    ----------
    path : Path
        Video or sound.
    start_s : float
        Time on the file's own clock that becomes the first sample; silence where the sound begins
        later.
    length_s : float

    Returns
    -------
    (n,) float32, mono, [-1, 1], 16 kHz, or None
        None where the file has no sound.
    """
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        first = next(container.decode(container.streams.audio[0]), None)
        begins_s = float(first.time or 0.0) if first is not None else 0.0
    samples = read_audio(path).samples
    ahead = round((begins_s - start_s) * SAMPLE_RATE_HZ)
    samples = np.pad(samples, (ahead, 0)) if ahead > 0 else samples[-ahead:]
    if np.isfinite(length_s):
        samples = samples[: round(length_s * SAMPLE_RATE_HZ)]
    return samples if len(samples) else None
