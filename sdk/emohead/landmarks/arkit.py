"""ARKit's 52 blendshape curves from 68 landmarks, relative to the same face at rest.

Pure geometry: a measure per curve, in canonical units (outer eye corners one apart, about 9 cm),
over the way that counts as one. Called by ``live_link.py``. Not here: files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.geometry.landmarks import EYELID_PAIRS, LIP_PAIRS
from emohead.landmarks.track import LandmarkTrack
from emohead.stages import NUM_LANDMARKS

__all__ = [
    "BLENDSHAPES",
    "UNTOLD",
    "blendshapes_from",
    "blendshapes_of",
    "eye_angles",
    "eye_looks",
]

Array = NDArray[np.float64]

_SIDED_EYE: Final = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
_MOUTH: Final = ("Smile", "Frown", "Dimple", "Stretch")
_LIPS: Final = ("Press", "LowerDown", "UpperUp")


def _both(stem: str) -> tuple[str, str]:
    return f"{stem}Left", f"{stem}Right"


BLENDSHAPES: Final[tuple[str, ...]] = (
    *(f"eye{what}Left" for what in _SIDED_EYE),
    *(f"eye{what}Right" for what in _SIDED_EYE),
    *("jawForward", "jawRight", "jawLeft", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft"),
    *(name for what in _MOUTH for name in _both(f"mouth{what}")),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *(name for what in _LIPS for name in _both(f"mouth{what}")),
    *(*_both("browDown"), "browInnerUp", *_both("browOuterUp")),
    *("cheekPuff", *_both("cheekSquint"), *_both("noseSneer"), "tongueOut"),
)
"""ARKit's names [1]_ in the order of Live Link Face; left and right are the person's own."""
UNTOLD: Final = (
    "jawForward",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""Curves that 68 landmarks cannot tell, or not from others: always 0."""

JAW_OPEN: Final = 0.3
"""Way of the chin, down."""
JAW_ASIDE: Final = 0.25
LIPS_PART: Final = 0.15
"""Growth of the gap between the lips beyond which pursed lips make a funnel, no pucker."""
NARROWING: Final = 0.22
"""Share of the mouth's width that pursed lips lose."""
MOUTH_ASIDE: Final = 0.25
CORNER_UP: Final = 0.1
CORNER_DOWN: Final = 0.15
CORNER_FOLLOWS_JAW: Final = 0.25
"""Share of the chin's way that the corners of the mouth take part in."""
CORNER_OUT: Final = 0.2
UPPER_UP: Final = 0.1
"""Way of half the upper lip."""
LOWER_DOWN: Final = 0.25
"""Way of half the lower lip beyond the chin's."""
BROW_UP: Final = 0.14
BROW_DOWN: Final = 0.12
LID_SLACK: Final = 0.1
"""Share of an eye's opening that lids may move without blinking or widening it."""
SHUT: Final = 0.8
"""Share that a shut eye has lost beyond that: landmarks of lids never quite meet."""
WIDE: Final = 0.9
"""Share that a wide eye gains beyond that."""
SQUINT: Final = 0.3
"""Share of an eye's opening that the lower lid rises beyond what a blink lifts it."""
_BLINK_LIFTS: Final = 0.1

GLANCE_RAD: Final = (0.26, 0.16)
"""Turn of the eyes at the largest glance, sideways and vertically."""
LOOK_RAD: Final = 0.52
"""Turn of an eye that counts as one."""

_UP: Final = -1.0
"""Image rows grow downwards."""


def blendshapes_of(track: LandmarkTrack) -> Array:
    """Curves of a track.

    Parameters
    ----------
    track : LandmarkTrack
        With ``neutral``; eyes look straight where it has no ``gaze``.

    Returns
    -------
    (N, 52) float64, [0, 1]
        In the order of ``BLENDSHAPES``.

    Raises
    ------
    InputError
        If the track has no face at rest.
    """
    if track.neutral is None:
        raise InputError(
            "expected landmarks with their face at rest, got none: add `neutral`, 68 canonical "
            "points of the same face"
        )
    return blendshapes_from(track.shapes, track.neutral, track.gaze)


def blendshapes_from(
    shapes: NDArray[np.floating],
    neutral: NDArray[np.floating],
    gaze: NDArray[np.floating] | None = None,
) -> Array:
    """Measure the curves of faces.

    Parameters
    ----------
    shapes : (N, 68, 3) floating, canonical units
    neutral : (68, 3) floating, canonical units
        The same face at rest, whose curves are all 0.
    gaze : (N, 2) floating, [-1, 1], optional
        Share of the largest glance, right and down positive, as the viewer sees it.

    Returns
    -------
    (N, 52) float64, [0, 1]
        In the order of ``BLENDSHAPES``; those of ``UNTOLD`` are 0.

    Raises
    ------
    InputError
        Shapes that do not fit.

    References
    ----------
    .. [1] Apple, ARFaceAnchor.BlendShapeLocation: the names, what each moves, and that 0 is rest
       and 1 the furthest.
    """
    faces, rest = np.asarray(shapes, np.float64), np.asarray(neutral, np.float64)
    wanted = (NUM_LANDMARKS, 3)
    if faces.shape != (len(faces), *wanted) or rest.shape != wanted:
        raise InputError(
            f"expected faces (N, {NUM_LANDMARKS}, 3) and one at rest, got {faces.shape} and "
            f"{rest.shape}; canonicalise the landmarks first"
        )
    looks = np.zeros((len(faces), 2)) if gaze is None else np.asarray(gaze, np.float64)
    if looks.shape != (len(faces), 2):
        raise InputError(f"expected a gaze of shape ({len(faces)}, 2), got {looks.shape}")
    found = (
        _mouth(faces, rest) | _brows(faces - rest) | eye_looks(*(eye_angles(looks) / LOOK_RAD).T)
    )
    for side, pairs in (("Right", EYELID_PAIRS[:2]), ("Left", EYELID_PAIRS[2:])):
        found |= _eye(faces, rest, side, pairs)
    none = np.zeros(len(faces))
    curves = np.stack([found.get(name, none) for name in BLENDSHAPES], axis=1)
    return np.asarray(curves.clip(0, 1))


def eye_angles(gaze: NDArray[np.floating]) -> Array:
    """Turn of the eyes (N, 2), rad, right and down positive, of shares of the largest glance."""
    return np.asarray(np.asarray(gaze, np.float64) * GLANCE_RAD)


def _part(way: Array, full: float) -> Array:
    """Share of a way that counts as one, in [0, 1]."""
    return np.asarray((way / full).clip(0, 1))


def _mean(values: Array, points: Sequence[int], axis: int) -> Array:
    return np.asarray(values[..., list(points), axis].mean(-1))


def _gap(faces: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    """Mean vertical distance of upper and lower points."""
    upper, lower = zip(*pairs, strict=True)
    return _mean(faces, lower, 1) - _mean(faces, upper, 1)


def _mouth(faces: Array, rest: Array) -> dict[str, Array]:
    moved = faces - rest
    chin = _mean(moved, (7, 8, 9), 1)
    parted = _gap(faces, LIP_PAIRS) - _gap(rest, LIP_PAIRS)
    width, width_rest = (f[..., 54, 0] - f[..., 48, 0] for f in (faces, rest))
    pursed = _part(1 - width / width_rest, NARROWING)
    open_share = _part(parted, LIPS_PART)
    aside = _mean(moved, range(48, 68), 0)
    jaw_aside = _mean(moved, (7, 8, 9), 0)
    return {
        "jawOpen": _part(chin, JAW_OPEN),
        # What the jaw opens and the lips do not.
        "mouthClose": _part(np.minimum(chin, chin - parted), JAW_OPEN),
        "jawLeft": _part(jaw_aside, JAW_ASIDE),
        "jawRight": _part(-jaw_aside, JAW_ASIDE),
        "mouthLeft": _part(aside, MOUTH_ASIDE),
        "mouthRight": _part(-aside, MOUTH_ASIDE),
        "mouthFunnel": pursed * open_share,
        "mouthPucker": pursed * (1 - open_share),
        **_corner(moved, aside, chin, "Right", 48, -1.0),
        **_corner(moved, aside, chin, "Left", 54, 1.0),
        **_lips(moved, chin, "Right", (49, 50), (58, 59)),
        **_lips(moved, chin, "Left", (52, 53), (55, 56)),
    }


def _corner(
    moved: Array, aside: Array, chin: Array, side: str, point: int, outwards: float
) -> dict[str, Array]:
    """Smile, frown and stretch, of one corner of the mouth, without what jaw and mouth carry."""
    up = _UP * moved[:, point, 1] + CORNER_FOLLOWS_JAW * np.maximum(chin, 0)
    out = outwards * (moved[:, point, 0] - aside)
    smile = _part(up, CORNER_UP)
    return {
        f"mouthSmile{side}": smile,
        f"mouthFrown{side}": _part(-up, CORNER_DOWN),
        f"mouthStretch{side}": _part(out, CORNER_OUT) * (1 - smile),
    }


def _lips(
    moved: Array, chin: Array, side: str, upper: Sequence[int], lower: Sequence[int]
) -> dict[str, Array]:
    """Halves of the lips that show the teeth."""
    return {
        f"mouthUpperUp{side}": _part(_UP * _mean(moved, upper, 1), UPPER_UP),
        f"mouthLowerDown{side}": _part(_mean(moved, lower, 1) - np.maximum(chin, 0), LOWER_DOWN),
    }


def _brows(moved: Array) -> dict[str, Array]:
    up = _UP * moved[..., 1]
    return {
        "browInnerUp": _part(up[:, [20, 21, 22, 23]].mean(1), BROW_UP),
        "browOuterUpRight": _part(up[:, [17, 18, 19]].mean(1), BROW_UP),
        "browOuterUpLeft": _part(up[:, [24, 25, 26]].mean(1), BROW_UP),
        "browDownRight": _part(-up[:, 17:22].mean(1), BROW_DOWN),
        "browDownLeft": _part(-up[:, 22:27].mean(1), BROW_DOWN),
    }


def _eye(
    faces: Array, rest: Array, side: str, pairs: Sequence[tuple[int, int]]
) -> dict[str, Array]:
    """Lids of one eye, in shares of its opening at rest."""
    opening_rest = max(float(_gap(rest, pairs)), 1e-3)
    opening = _gap(faces, pairs) / opening_rest
    lower = [low for _, low in pairs]
    rise = _UP * _mean(faces - rest, lower, 1) / opening_rest - _BLINK_LIFTS
    return {
        f"eyeBlink{side}": _part(1 - opening - LID_SLACK, SHUT),
        f"eyeWide{side}": _part(opening - 1 - LID_SLACK, WIDE),
        f"eyeSquint{side}": _part(rise, SQUINT),
    }


def eye_looks(right: Array, down: Array) -> dict[str, Array]:
    """Name where both eyes look.

    Parameters
    ----------
    right, down : (T,) float64
        Signed amounts, 1 a full look; right as the viewer sees it is the person's left.

    Returns
    -------
    dict of str to (T,) float64
        Signed amounts of the eight curves ``eyeLook…``; those below 0 are none.
    """
    return {
        "eyeLookOutLeft": right,
        "eyeLookInRight": right,
        "eyeLookInLeft": -right,
        "eyeLookOutRight": -right,
        "eyeLookDownLeft": down,
        "eyeLookDownRight": down,
        "eyeLookUpLeft": -down,
        "eyeLookUpRight": -down,
    }
