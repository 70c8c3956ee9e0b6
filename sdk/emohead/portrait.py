"""A photo becomes a portrait: detect, find landmarks in two passes, frame, remove the pose.

Called by ``head.py``, once per face, and by ``footage.py``.
Not here: reading files (``images.py``), the detector's details, the framing (``crop.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from emohead.crop import Crop, aligned_crop, box_crop, render_crop, square_crop
from emohead.detector import SCORE, FaceBox, looks
from emohead.errors import InputError
from emohead.geometry import Pose, canonicalise
from emohead.geometry.landmarks import MIRROR
from emohead.images import check_image
from emohead.landmarks.photo import landmarks_from
from emohead.paste import paste_back
from emohead.provenance.making import FaceOrigin
from emohead.stages import FACE_DETECTOR, FACE_LANDMARKS, LANDMARKER_SIZE_PX

if TYPE_CHECKING:
    from emohead.runner import Runner

__all__ = [
    "LOW_CONFIDENCE",
    "Found",
    "Portrait",
    "find_faces",
    "find_landmarks",
    "make_portrait",
    "refine_landmarks",
]

MIN_FACE_PX: Final = 32
"""Faces whose box is smaller cannot be animated."""
SOFT_FACE_PX: Final = 90
"""Faces whose box is smaller come out soft."""
_FAINT_SCORE: Final = 0.12
"""Detector scores from here are tried where none is certain; the landmarker decides."""
_FAINT_CONFIDENCE: Final = 0.55
LOW_CONFIDENCE: Final = 0.35
"""Landmarks that are less sure do not lie on a face."""
_MAX_CANDIDATES: Final = 6
_FIRST_TURNS: Final = (0.0, -0.6, 0.6)
"""Rolls tried by the first pass, radians; the network itself tolerates about 0.7."""
_ZOOMS: Final = (0.9, 0.95, 1.0)
"""Sizes of the second pass's crops, whose landmarks are averaged to calm them."""
_REFINEMENTS: Final = 2
"""How often the second pass is run, each time on crops aligned by the last result."""
_LARGE_YAW: Final = np.radians(35)

Found = tuple[NDArray[np.float64], float, FaceBox]
"""Landmarks (68, 3), photo px; how sure they are; the face's box."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Portrait:
    """Everything about a face that is worked out once."""

    image: NDArray[np.uint8]
    """(256, 256, 3) RGB, the face-centred crop that is rendered."""
    landmarks: NDArray[np.float32]
    """(68, 3) px of the crop."""
    canonical: NDArray[np.float64]
    """(68, 3) canonical units, pose removed."""
    pose: Pose
    """``pose.apply(canonical)`` gives the landmarks back."""
    photo: NDArray[np.uint8]
    """(height, width, 3) RGB, as given."""
    transform: Crop
    """Map between photo and crop."""
    box: NDArray[np.float64]
    """(4,) x0, y0, x1, y1 of the face, photo px."""
    confidence: float
    """How sure the landmarks are, in [0, 1]; one where they were given."""
    notes: tuple[str, ...] = ()
    """What the user should know, in sentences."""
    origin: FaceOrigin = field(default_factory=FaceOrigin)
    """What it was made from."""

    def paste_back(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put a rendered frame (256, 256, 3) into the photo; (height, width, 3) uint8."""
        return paste_back(self.photo, frame, self.transform)


def make_portrait(
    photo: NDArray[np.uint8],
    runners: Mapping[str, Runner],
    *,
    face_box: Sequence[float] | NDArray[np.floating] | None = None,
    landmarks: NDArray[np.floating] | str | Path | None = None,
) -> Portrait:
    """Find the face of a photo and prepare it.

    Parameters
    ----------
    photo : (height, width, 3) uint8, RGB
    runners : mapping of stage name to Runner
        At least ``face_detector`` and ``face_landmarks``.
    face_box : four numbers, optional
        x0, y0, x1, y1 in photo px, hairline to chin; the detector is not asked.
    landmarks : (68, 2 or 3) floating ndarray in photo px, or path, optional
        iBUG-68 points; neither network is asked.

    Returns
    -------
    Portrait

    Raises
    ------
    InputError
        No face, a face too small, or overrides that make no sense.
    """
    photo = check_image(photo)
    if landmarks is not None:
        points = landmarks_from(landmarks)
        _check_inside(points, photo)
        return _assemble(photo, points, _box_of(points), 1.0, [])
    if face_box is not None:
        chosen = FaceBox(box=_checked_box(face_box, photo), score=1.0)
        points, confidence = find_landmarks(photo, chosen.box, runners[FACE_LANDMARKS.name])
        notes = []
        if confidence < LOW_CONFIDENCE:
            notes.append("The given face box does not look like a face; check the result.")
        return _assemble(photo, points, chosen.box, confidence, notes)
    return _assemble(photo, *_detect(photo, runners))


def _detect(
    photo: NDArray[np.uint8], runners: Mapping[str, Runner]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, list[str]]:
    """Landmarks, box, confidence and notes of the largest face."""
    faces = find_faces(photo, runners[FACE_DETECTOR.name], runners[FACE_LANDMARKS.name])
    if not faces:
        height, width = photo.shape[:2]
        raise InputError(
            f"expected a face in the {width}x{height} photo, found none; take a photo that shows a "
            "face from the front, or say where with --face-box x0,y0,x1,y1 or --landmarks FILE"
        )
    points, confidence, face = faces[0]
    notes = []
    if len(faces) > 1:
        notes.append(
            f"Found {len(faces)} faces; the largest is taken. Choose another with --face-box."
        )
    return points, face.box, confidence, notes


def find_faces(photo: NDArray[np.uint8], detector: Runner, landmarker: Runner) -> list[Found]:
    """Find every face that both networks agree on.

    Parameters
    ----------
    photo : (height, width, 3) uint8, RGB
    detector, landmarker : Runner
        Of the stages ``face_detector`` and ``face_landmarks``.

    Returns
    -------
    list of (landmarks, confidence, box)
        (68, 3) float64 in photo px, [0, 1], and where it is; the largest first, perhaps none.
    """
    attempts = (
        _confirmed(photo, candidates, landmarker, confidence)
        for score, confidence in ((SCORE, LOW_CONFIDENCE), (_FAINT_SCORE, _FAINT_CONFIDENCE))
        for candidates in looks(photo, detector, score)
    )
    return next((found for found in attempts if found), [])


def _confirmed(
    photo: NDArray[np.uint8], faces: Sequence[FaceBox], landmarker: Runner, least: float
) -> list[Found]:
    """Candidates that the landmarker agrees to, each once."""
    kept: list[Found] = []
    for face in faces[:_MAX_CANDIDATES]:
        points, confidence = find_landmarks(photo, face.box, landmarker)
        box, middle = _box_of(points), points[:, :2].mean(0)
        known = any(((k.box[:2] < middle) & (middle < k.box[2:])).all() for _, _, k in kept)
        if confidence >= least and not known:
            kept.append((points, confidence, FaceBox(box=box, score=face.score)))
    return sorted(kept, key=lambda k: -k[2].area)


def find_landmarks(
    photo: NDArray[np.uint8], box: NDArray[np.floating], landmarker: Runner
) -> tuple[NDArray[np.float64], float]:
    """Find the landmarks of one face in two passes.

    Parameters
    ----------
    photo : (height, width, 3) uint8, RGB
    box : (4,) floating
        x0, y0, x1, y1 in photo px, hairline to chin.
    landmarker : Runner
        Runner of the ``face_landmarks`` stage.

    Returns
    -------
    landmarks : (68, 3) float64, photo px
        Mean over mirrored and slightly zoomed crops that are level with the eyes.
    confidence : float in [0, 1]
    """
    first = [_turned(box_crop(box), angle) for angle in _FIRST_TURNS]
    points, sure = _run(photo, first, landmarker)
    found, confidence = points[int(sure.argmax())], 0.0
    for _ in range(_REFINEMENTS):
        found, confidence = refine_landmarks(photo, found, landmarker)
    return found, confidence


def refine_landmarks(
    photo: NDArray[np.uint8], rough: NDArray[np.floating], landmarker: Runner
) -> tuple[NDArray[np.float64], float]:
    """Find the landmarks of a face whose place is roughly known, such as in the frame before.

    Parameters
    ----------
    photo : (height, width, 3) uint8, RGB
    rough : (68, 3) floating, photo px
    landmarker : Runner
        Runner of the ``face_landmarks`` stage.

    Returns
    -------
    landmarks : (68, 3) float64, photo px
        Mean over mirrored and slightly zoomed crops aligned by the rough landmarks.
    confidence : float in [0, 1]
    """
    level = aligned_crop(rough)
    crops = [_zoomed(level, zoom) for zoom in _ZOOMS]
    plain, sure_plain = _run(photo, crops, landmarker)
    mirrored, sure_mirrored = _run(photo, crops, landmarker, mirror=True)
    mean = np.concatenate([plain, mirrored]).mean(0)
    return mean, float(np.concatenate([sure_plain, sure_mirrored]).mean())


def _turned(crop: Crop, angle: float) -> Crop:
    return square_crop(_middle(crop), crop.size_px / crop.scale, crop.size_px, angle)


def _zoomed(crop: Crop, zoom: float) -> Crop:
    angle = float(np.arctan2(crop.matrix[0, 1], crop.matrix[0, 0]))
    return square_crop(_middle(crop), zoom * crop.size_px / crop.scale, crop.size_px, angle)


def _middle(crop: Crop) -> NDArray[np.float64]:
    return crop.to_photo(np.full(2, (crop.size_px - 1) / 2))


def _run(
    photo: NDArray[np.uint8], crops: Sequence[Crop], landmarker: Runner, *, mirror: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Landmarks (B, 68, 3) in photo px and confidences (B,) of crops."""
    feed = np.stack([c.cut(photo) for c in crops]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    if mirror:
        feed = np.ascontiguousarray(feed[..., ::-1])
    shares, confidence = landmarker.run(feed)
    points = np.asarray(shares, np.float64)
    if mirror:
        points = points[:, MIRROR]
        points[..., 0] = 1 - points[..., 0]
    points = points * LANDMARKER_SIZE_PX
    points[..., :2] -= 0.5
    placed = np.stack([c.to_photo(p) for c, p in zip(crops, points, strict=True)])
    return placed, np.asarray(confidence, np.float64)[:, 0]


def _assemble(
    photo: NDArray[np.uint8],
    points: NDArray[np.float64],
    box: NDArray[np.float64],
    confidence: float,
    notes: list[str],
) -> Portrait:
    """Frame the face, remove its pose, note what is unusual."""
    size = float(np.ptp(points[:, :2], axis=0).max())
    if size < MIN_FACE_PX:
        raise InputError(
            f"expected a face of at least {MIN_FACE_PX} px, got one of {size:.0f} px; "
            "give a larger photo or a closer crop"
        )
    crop = render_crop(points, (photo.shape[0], photo.shape[1]))
    placed = crop.to_crop(points)
    canonical, pose = canonicalise(placed)
    return Portrait(
        image=crop.cut(photo, reflect=True),
        landmarks=placed.astype(np.float32),
        canonical=canonical,
        pose=pose,
        photo=photo,
        transform=crop,
        box=box,
        confidence=confidence,
        notes=(*notes, *_remarks(size, pose)),
    )


def _remarks(size_px: float, pose: Pose) -> list[str]:
    remarks = []
    if size_px < SOFT_FACE_PX:
        remarks.append(f"The face is only {size_px:.0f} px large, so the video will be soft.")
    yaw = float(np.arctan2(pose.rotation[0, 2], pose.rotation[2, 2]))
    if abs(yaw) > _LARGE_YAW:
        remarks.append("The face is turned far to one side; a frontal photo works better.")
    return remarks


def _box_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Face box around landmarks: hairlines lie a fifth of the height above the brows."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    low[1] -= 0.19 * (high[1] - low[1])
    return np.concatenate([low, high])


def _checked_box(
    given: Sequence[float] | NDArray[np.floating], photo: NDArray[np.uint8]
) -> NDArray[np.float64]:
    box = np.asarray(given, np.float64).reshape(-1)
    height, width = photo.shape[:2]
    ordered = box.shape == (4,) and np.isfinite(box).all() and (box[2:] > box[:2]).all()
    if not ordered or (box[:2] >= (width, height)).any() or (box[2:] <= 0).any():
        raise InputError(
            f"expected a face box x0,y0,x1,y1 in px that overlaps the {width}x{height} photo, "
            f"got {box.tolist()}; left and top come first"
        )
    if (box[2:] - box[:2]).max() < MIN_FACE_PX:
        raise InputError(
            f"expected a face box of at least {MIN_FACE_PX} px, got {box.tolist()}; "
            "give a larger photo or a larger box"
        )
    return box


def _check_inside(points: NDArray[np.float64], photo: NDArray[np.uint8]) -> None:
    height, width = photo.shape[:2]
    middle = points[:, :2].mean(0)
    if (middle < 0).any() or (middle > (width, height)).any():
        raise InputError(
            f"expected landmarks inside the {width}x{height} photo, got a centre of "
            f"{middle.round().tolist()}; give them in pixels of this very photo"
        )
