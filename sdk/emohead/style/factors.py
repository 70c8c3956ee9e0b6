"""A person's own style: how far lips, brows and head go, and how often the eyes blink.

Pure functions of one frame, so that streams and files agree. Applied by ``performance.py``.
Not here: measuring a person (``reference.py``), files (``files.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.geometry.landmarks import BROWS, JAW, LIP_PAIRS, MOUTH
from emohead.life import MAX_BLINK_RATE
from emohead.liveliness import MAX_HEAD_MOTION, Life

__all__ = [
    "BOUNDS",
    "CLOSED_GAP",
    "NO_STYLE",
    "Style",
    "bounded_style",
    "style_from",
    "styled_brows",
    "styled_lips",
]

BOUNDS: Final = {
    "lips": (0.5, 1.8),
    "brows": (0.5, 1.8),
    "head": (0.25, 4.0),
    "blinks": (0.0, 2.5),
}
"""Least and largest factor of each part; beyond them faces look ill."""
CLOSED_GAP: Final = 0.01
"""Growth of the gap between the lips up to which they count as closed, canonical units."""

_LIPS_MOVE: Final = (*JAW, *MOUTH)
_OUTER_PAIRS: Final = ((50, 58), (51, 57), (52, 56))
"""(upper, lower) outer-lip points beside those of ``LIP_PAIRS``."""

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Style:
    """Factors on what emohead does by itself; all 1 changes nothing.

    Raises
    ------
    InputError
        For a factor that is no number or out of ``BOUNDS``.
    """

    lips: float = 1.0
    """On the way of mouth and jaw from rest, [0.5, 1.8]; closed lips stay closed."""
    brows: float = 1.0
    """On the way of the brows from rest, [0.5, 1.8]."""
    head: float = 1.0
    """On head motion, [0.25, 4]."""
    blinks: float = 1.0
    """On the number of blinks, [0, 2.5]."""
    notes: tuple[str, ...] = ()
    """What the user should know, one sentence each."""

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(
                    f"expected a style's {name} from {low:g} to {high:g}, got {value}; "
                    "1 leaves it as it is"
                )

    def scaled(self, strength: float) -> Style:
        """Keep some of a style.

        Parameters
        ----------
        strength : float, [0, 1]
            0 leaves nothing, exactly; 1 all of it.

        Returns
        -------
        Style

        Raises
        ------
        InputError
            For a strength out of range.
        """
        if not 0 <= strength <= 1:
            raise InputError(f"expected a style's strength from 0 to 1, got {strength}")
        kept = {name: _share(getattr(self, name), strength) for name in BOUNDS}
        return Style(**kept, notes=self.notes)

    def life(self, life: Life) -> Life:
        """Style head motion and blinks, within what a face can do."""
        return replace(
            life,
            head_motion=min(MAX_HEAD_MOTION, life.head_motion * self.head),
            blink_rate=min(MAX_BLINK_RATE, life.blink_rate * self.blinks),
        )


NO_STYLE: Final = Style()
"""Changes nothing."""


def style_from(given: Style | str | Path | None) -> Style:
    """Take a style in any form: itself, its file, or None for ``NO_STYLE``."""
    if isinstance(given, Style):
        return given
    if given is None:
        return NO_STYLE
    from emohead.style.files import read_style

    return read_style(given)


def bounded_style(factors: Mapping[str, float]) -> Style:
    """Make a style of factors that may lie out of ``BOUNDS``; its notes say which were cut."""
    cut: dict[str, float] = {}
    said: list[str] = []
    for name, value in factors.items():
        low, high = BOUNDS[name]
        cut[name] = round(min(high, max(low, value)), 4)
        if not low <= value <= high:
            said.append(f"the style's {name} of {value:.2f} is taken for {cut[name]:g}")
    return Style(**cut, notes=tuple(said))


def styled_lips(moved: NDArray[np.floating], factor: float) -> NDArray[np.floating]:
    """Scale what speech does to mouth and jaw.

    Parameters
    ----------
    moved : (N, 68, 3) floating, canonical units
        Displacements.
    factor : float
        On them.

    Returns
    -------
    (N, 68, 3) floating, canonical units
        Displacements; the very same for a factor of 1. Where facing points of the lips were within
        ``CLOSED_GAP`` of how the anchor has them, their gap stays as it was.
    """
    if factor == 1:
        return moved
    scaled = np.array(moved, np.float64)
    points = list(_LIPS_MOVE)
    scaled[:, points] *= factor
    for (upper, lower), (outer_upper, outer_lower) in zip(LIP_PAIRS, _OUTER_PAIRS, strict=True):
        grown = moved[:, lower, 1].astype(np.float64) - moved[:, upper, 1]
        wanted = grown + (factor - 1) * np.maximum(grown - CLOSED_GAP, 0)
        half = (wanted - factor * grown) / 2
        scaled[:, [lower, outer_lower], 1] += half[:, None]
        scaled[:, [upper, outer_upper], 1] -= half[:, None]
    return scaled


def styled_brows(anchor: Array, faces: Array, factor: float) -> Array:
    """Scale how far brows are from rest.

    Parameters
    ----------
    anchor : (68, 3) float64, canonical units
    faces : (N, 68, 3) float64, canonical units
    factor : float

    Returns
    -------
    (N, 68, 3) float64, canonical units
        The very same for a factor of 1.
    """
    if factor == 1:
        return faces
    styled = faces.copy()
    points = list(BROWS)
    styled[:, points] = anchor[points] + factor * (faces[:, points] - anchor[points])
    return styled


def _share(factor: float, strength: float) -> float:
    """Raise a factor to the power of a strength; a factor of 0 fades in proportion."""
    if factor <= 0:
        return 1.0 - strength
    return math.exp(strength * math.log(factor)) if strength < 1 else factor
