"""What clips, portraits and voices remember of how they were made; plain data, cheap to import.

Filled in by ``head.py`` and ``audio.py``. Not here: the manifest (``schema.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emohead.hashing import file_sha256
from emohead.landmarks.photo import landmarks_from
from emohead.liveliness import Life
from emohead.style import NO_STYLE, Style

if TYPE_CHECKING:
    from emohead.backends import Backend
    from emohead.bundle import Bundle
    from emohead.emotion.track import EmotionTrack

__all__ = ["FaceOrigin", "Making", "face_origin"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceOrigin:
    """What a portrait was made from, besides its pixels."""

    file_sha256: str | None = None
    """Of the photo's file; None where pixels were given."""
    face_box: tuple[float, ...] | None = None
    """x0, y0, x1, y1 in photo px, where the caller gave it."""
    landmarks: NDArray[np.float64] | None = None
    """(68, 3) photo px, where the caller gave them."""


def face_origin(
    photo: str | Path | NDArray[np.uint8],
    face_box: Sequence[float] | None,
    landmarks: NDArray[np.floating] | str | Path | None,
) -> FaceOrigin:
    """Note what ``TalkingHead.portrait`` was given: (h, w, 3) uint8, (4,) px, (68, 2 or 3) px."""
    return FaceOrigin(
        file_sha256=None if isinstance(photo, np.ndarray) else file_sha256(photo),
        face_box=None if face_box is None else tuple(float(number) for number in face_box),
        landmarks=None if landmarks is None else landmarks_from(landmarks),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Making:
    """How ``TalkingHead.animate`` made a clip: everything that portrait and voice do not say."""

    backend: Backend
    """Where the networks ran."""
    bundle: Bundle | None = None
    """Where they came from; None for runners that the caller made."""
    precisions: Mapping[str, str] = field(default_factory=dict)
    """Precision of the graph by stage; empty for runners that the caller made."""
    emotion: EmotionTrack | None = None
    """As it was given, before the strength; None where the voice was read."""
    strength: float = 1.0
    """How strongly the emotion shows."""
    life: Life = field(default_factory=Life)
    """Seed and amounts of motion, zero where the face was kept still."""
    style: Style = NO_STYLE
    """How a person talks; `life` has its head motion and blinks already."""
    has_landmarks: bool = False
    """Whether the caller brought the landmarks of every frame."""
