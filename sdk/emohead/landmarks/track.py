"""Landmarks over time, of a clip or brought along: what they are, and how they fit a portrait.

Called by ``clip.py``, ``offline.py`` and the files beside it. Not here: files
(``files.py``), ARKit's curves (``arkit.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.camera import angles_from_rotations, place
from emohead.errors import InputError
from emohead.geometry import canonicalise
from emohead.geometry.landmarks import EYELID_PAIRS, LIP_PAIRS
from emohead.landmarks.photo import with_depth
from emohead.stages import NUM_EMOTIONS, NUM_LANDMARKS
from emohead.stylise import separated

if TYPE_CHECKING:
    from emohead.portrait import Portrait

__all__ = ["UNITS", "LandmarkTrack"]

UNITS: Final = ("crop_px", "photo_px", "canonical")
"""Pixels of the 256x256 crop, pixels of the photo, or canonical units (outer eye corners one apart,
head level at the origin)."""

_MAX_FPS: Final = 1000.0
_SIZES: Final = (0.5, 2.0)
"""Sizes that a face may have, as shares of the portrait's, before the unit must be wrong."""

Single = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class LandmarkTrack:
    """68 landmarks of every frame, and what belongs to them.

    Raises
    ------
    InputError
        Shapes that do not fit, values that are not finite, or an unknown unit.
    """

    landmarks: Single
    """(N, 68, 3) float32, `unit`: iBUG-68, x right, y down, z smaller nearer the camera."""
    fps: float
    """Frames a second."""
    unit: str = "crop_px"
    """One of ``UNITS``."""
    emotion: Single | None = None
    """(N, 8) float32, [0, 1]: emotion vectors, in the order of ``EMOTIONS``."""
    angles: Single | None = None
    """(N, 3) float32, rad: yaw (towards the viewer's right), pitch (chin down) and roll (clockwise
    as seen) of the head, relative to the portrait."""
    gaze: Single | None = None
    """(N, 2) float32, [-1, 1]: share of the largest glance, right and down positive."""
    neutral: Single | None = None
    """(68, 3) float32, canonical units: the same face at rest."""

    def __post_init__(self) -> None:
        landmarks = _array(self.landmarks, "landmarks")
        num_frames = len(landmarks) if landmarks.ndim else 0
        wanted = f"({num_frames or 'N'}, {NUM_LANDMARKS}, 2 or 3)"
        flat = (num_frames, NUM_LANDMARKS, 2)
        if not num_frames or landmarks.shape not in (flat, (*flat[:2], 3)):
            raise InputError(
                f"expected landmarks of shape {wanted}, got {landmarks.shape}; give every frame's "
                "68 iBUG points as x, y or x, y, z"
            )
        if landmarks.shape == flat:
            landmarks = _array(np.stack([with_depth(p) for p in landmarks]), "landmarks")
        object.__setattr__(self, "landmarks", landmarks)
        for name, width in (("emotion", NUM_EMOTIONS), ("angles", 3), ("gaze", 2)):
            self._check(name, (num_frames, width))
        self._check("neutral", (NUM_LANDMARKS, 3))
        for name, low in (("emotion", 0.0), ("gaze", -1.0)):
            values = getattr(self, name)
            if values is not None and not (values.min() >= low and values.max() <= 1):
                raise InputError(f"expected {name} in [{low:g}, 1], got others; clip or rescale it")
        if not 0 < self.fps <= _MAX_FPS:
            raise InputError(
                f"expected landmarks at more than 0 and at most {_MAX_FPS:g} frames a second, "
                f"got {self.fps}; give the rate of the recording"
            )
        if self.unit not in UNITS:
            raise InputError(
                f"expected landmarks in {', '.join(UNITS[:-1])} or {UNITS[-1]}, got {self.unit!r}"
            )

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        given = getattr(self, name)
        if given is None:
            return
        array = _array(given, name)
        if array.shape != shape:
            raise InputError(
                f"expected {name} of shape {shape}, got {array.shape}; give one row per frame"
                if name != "neutral"
                else f"expected a neutral face of shape {shape}, got {array.shape}"
            )
        object.__setattr__(self, name, array)

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.landmarks)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self) / self.fps

    @property
    def shapes(self) -> NDArray[np.float64]:
        """Faces (N, 68, 3) float64, canonical units: without place, size and turn of the head."""
        points = np.asarray(self.landmarks, np.float64)
        return points if self.unit == "canonical" else canonicalise(points)[0]

    def head_angles(self) -> NDArray[np.float64]:
        """Turn of the head (N, 3), rad: ``angles``, or as the landmarks show it.

        Returns
        -------
        (N, 3) float64, rad
            Where it has to be measured, relative to the median over all frames.
        """
        if self.angles is not None:
            return np.asarray(self.angles, np.float64)
        if self.unit == "canonical":
            return np.zeros((len(self), 3))
        seen = angles_from_rotations(canonicalise(self.landmarks)[1].rotation)
        return np.asarray(seen - np.median(seen, axis=0))

    def at_rate(self, fps: float, num_frames: int) -> LandmarkTrack:
        """Resample in time: linear between the middles of frames, ends held.

        Parameters
        ----------
        fps : float
            Frames a second of the result.
        num_frames : int
            Of the result.

        Returns
        -------
        LandmarkTrack
            Itself where nothing changes.
        """
        if fps == self.fps and num_frames == len(self):
            return self
        place_in = ((np.arange(num_frames) + 0.5) / fps * self.fps - 0.5).clip(0, len(self) - 1)
        low = place_in.astype(int)
        high, share = np.minimum(low + 1, len(self) - 1), place_in - low
        changes: dict[str, Any] = {"fps": fps}
        for name in ("landmarks", "emotion", "angles", "gaze"):
            rows = getattr(self, name)
            if rows is not None:
                weight = share.reshape(-1, *[1] * (rows.ndim - 1))
                mixed = (1 - weight) * rows[low] + weight * rows[high]
                changes[name] = mixed.astype(np.float32)
        return replace(self, **changes)

    def fitted_to(self, face: Portrait) -> LandmarkTrack:
        """Give another face the same motion.

        Parameters
        ----------
        face : Portrait

        Returns
        -------
        LandmarkTrack
            In canonical units: what moves the track's face away from ``neutral`` moves `face`;
            lips and eyelids never cross.

        Raises
        ------
        InputError
            If the track has no neutral face.
        """
        if self.neutral is None:
            raise InputError(
                "expected landmarks with their face at rest, got none; add `neutral`, 68 canonical "
                "points, or render the portrait that the landmarks were found on"
            )
        moved = face.canonical + (self.shapes - self.neutral)
        for pairs in (LIP_PAIRS, EYELID_PAIRS):
            moved = separated(moved, np.broadcast_to(face.canonical, moved.shape), pairs, 0.0)
        return replace(
            self,
            landmarks=moved.astype(np.float32),
            unit="canonical",
            angles=self.head_angles().astype(np.float32),
            neutral=face.canonical.astype(np.float32),
        )

    def placed_on(self, face: Portrait) -> NDArray[np.float64]:
        """Set the landmarks where a portrait has its face.

        Parameters
        ----------
        face : Portrait

        Returns
        -------
        (N, 68, 3) float64, px of the crop

        Raises
        ------
        InputError
            If they do not lie where the portrait's face is.
        """
        points = np.asarray(self.landmarks, np.float64)
        if self.unit == "canonical":
            return place(points, face.pose, self.head_angles())
        if self.unit == "photo_px":
            points = face.transform.to_crop(points.reshape(-1, 3)).reshape(points.shape)
        _check_place(points, face, self.unit)
        return points


def _array(given: Any, name: str) -> Single:
    """Finite float32 copy of numbers."""
    try:
        array = np.array(given, np.float32)
    except (TypeError, ValueError) as err:
        raise InputError(f"expected numbers as {name}, got text or ragged rows") from err
    if not np.isfinite(array).all():
        raise InputError(
            f"expected finite {name}, got NaN or infinity; fill the frames where no face was found"
        )
    array.setflags(write=False)
    return array


def _check_place(points: NDArray[np.float64], face: Portrait, unit: str) -> None:
    """Raise InputError unless the median face is about as large as the portrait's, and there."""
    middle = np.median(points[..., :2], axis=0)
    size = float(np.ptp(middle, axis=0).max() / np.ptp(face.landmarks[:, :2], axis=0).max())
    away = np.abs(middle.mean(0) - face.landmarks[:, :2].mean(0)).max()
    low, high = _SIZES
    if low <= size <= high and away <= face.image.shape[0] / 2:
        return
    raise InputError(
        f"expected landmarks where the portrait has its face, in {unit}, got a face of {size:.2f} "
        f"times its size whose middle is {away:.0f} px off; say photo_px or canonical if that is "
        "their unit, or fit another face's landmarks to this one"
    )
