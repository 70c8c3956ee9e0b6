"""A filmed face, frame by frame: decoding, and the landmarks of every frame.

Each frame starts from the landmarks of the one before, as people rarely jump.
Called by ``style/reference.py`` and the training corpora. Not here: stills (``portrait.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.limits import limits, raise_it
from emohead.media import check_decoder, decoding
from emohead.portrait import LOW_CONFIDENCE, find_faces, find_landmarks, refine_landmarks
from emohead.reading import checked_file, shown
from emohead.stages import FACE_DETECTOR, FACE_LANDMARKS, NUM_LANDMARKS

if TYPE_CHECKING:
    from emohead.runner import Runner

__all__ = ["Film", "film_of", "follow_face", "track_face"]

_ADVICE: Final = "convert it to MP4 with H.264"
_LOOK_AROUND_FRAMES: Final = 15
"""How often to look for other faces."""
_LOOK_AGAIN_FRAMES: Final = 5
"""How often to look for a face that is lost, which takes long where there is none."""
_OTHER_FACE: Final = 0.25
"""Share of the main face's area from which another face counts."""

Frame = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Film:
    """A video that is decoded as it is asked for."""

    path: Path
    """The file."""
    fps: float
    """Frames a second, on average."""

    def __iter__(self) -> Iterator[Frame]:
        """Decode frame after frame, upright, each (height, width, 3) uint8 RGB."""
        failure = f"the video {shown(self.path)} cannot be decoded"
        with decoding(self.path, failure, _ADVICE) as container:
            check_decoder(container.streams.video[0])
            for frame in container.decode(video=0):
                _check_size(frame.width, frame.height, self.path)
                pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                # Cameras film as they are held, and note how players shall turn the picture.
                yield np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


def film_of(path: str | Path) -> Film:
    """Open a video.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Film

    Raises
    ------
    InputError
        If it is missing, cannot be read, or has no pictures.
    """
    source = checked_file(path, "the video", "give the path of a filmed person")
    with decoding(source, f"the video {shown(path)} cannot be read", _ADVICE) as container:
        streams = [s for s in container.streams.video if s.codec_context is not None]
        rate = streams[0].average_rate if streams else None
        if streams:
            _check_size(streams[0].width, streams[0].height, source)
    if not rate:
        raise InputError(f"the file {path} has no pictures: give a video of a talking person")
    return Film(path=source, fps=float(rate))


def _check_size(width: int, height: int, path: Path) -> None:
    most = limits().image_px
    if width * height > most:
        raise InputError(
            f"the pictures of the video {shown(path)} have {width * height:,} pixels, expected at "
            f"most {most:,}: scale it down, {raise_it('image_px')}"
        )


def follow_face(
    frame: Frame, before: NDArray[np.floating], landmarker: Runner
) -> NDArray[np.float64] | None:
    """Find a face near where it was.

    Parameters
    ----------
    frame : (height, width, 3) uint8, RGB
    before : (68, 3) floating, px
        Its landmarks in the frame before.
    landmarker : Runner
        Of the stage ``face_landmarks``.

    Returns
    -------
    (68, 3) float64, px, or None
        None where it is lost.
    """
    points, confidence = refine_landmarks(frame, before, landmarker)
    if confidence < LOW_CONFIDENCE:
        box = np.concatenate([before[:, :2].min(0), before[:, :2].max(0)])
        points, confidence = find_landmarks(frame, box, landmarker)
    return points if confidence >= LOW_CONFIDENCE else None


def track_face(frames: Iterable[Frame], runners: Mapping[str, Runner]) -> NDArray[np.float64]:
    """Landmarks of the one face of a film.

    Parameters
    ----------
    frames : iterable of (height, width, 3) uint8, RGB
    runners : mapping of stage name to Runner
        At least ``face_detector`` and ``face_landmarks``.

    Returns
    -------
    (N, 68, 3) float64, px
        NaN in frames where no face was found.

    Raises
    ------
    InputError
        If several people are seen.
    """
    landmarker = runners[FACE_LANDMARKS.name]
    found: list[NDArray[np.float64]] = []
    before: NDArray[np.float64] | None = None
    for index, frame in enumerate(frames):
        if before is not None:
            before = follow_face(frame, before, landmarker)
        if index % (_LOOK_AGAIN_FRAMES if before is None else _LOOK_AROUND_FRAMES) == 0:
            seen = _only_face(frame, runners)
            before = seen if before is None else before
        found.append(np.full((NUM_LANDMARKS, 3), np.nan) if before is None else before)
    return np.stack(found) if found else np.zeros((0, NUM_LANDMARKS, 3))


def _only_face(frame: Frame, runners: Mapping[str, Runner]) -> NDArray[np.float64] | None:
    """Landmarks of the face of a frame; raises InputError where there are two of about one size."""
    faces = find_faces(frame, runners[FACE_DETECTOR.name], runners[FACE_LANDMARKS.name])
    if len(faces) > 1 and faces[1][2].area > _OTHER_FACE * faces[0][2].area:
        raise InputError(
            f"expected a video of one person, got {len(faces)} faces in a frame: cut or crop it to "
            "the one who talks"
        )
    return faces[0][0] if faces else None
