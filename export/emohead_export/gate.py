"""The parity gate: how far a derived graph may be from its golden one, in units that matter.

Who calls: ``precision.py``. Not here: comparing a graph with its torch module (``parity.py``),
comparing whole clips (``clips.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from emohead.contract import TensorSpec
from emohead.runner import Runner
from emohead.stages import EDGES, FRAME_SIZE_PX, POINTS
from emohead_export.feeds import Feed
from emohead_export.parity import relative_error

__all__ = ["LIMITS", "Errors", "Gate", "Limits", "Precision", "psnr_db"]

Array = NDArray[Any]
Precision = Literal["fp16", "int8"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a clip made in a precision may differ by from the same clip in fp32."""

    landmarks_px: float
    """Largest distance of a landmark, px of the 256x256 crop."""
    frames_db: float
    """Smallest peak signal-to-noise ratio over all frames, dB."""


LIMITS: Final = MappingProxyType(
    {
        "fp16": Limits(landmarks_px=0.1, frames_db=45.0),
        "int8": Limits(landmarks_px=0.5, frames_db=38.0),
    }
)
"""By precision; int8 may show to a pixel peeper, not to a viewer."""
_SHARE_OF_LANDMARKS: Final = 0.5
"""A stage's share of the landmark limit: several stages add their errors."""
_PX_PER_UNIT: Final = MappingProxyType(
    {
        "px": 1.0,
        "share of the side": float(FRAME_SIZE_PX),
        "outer-eye-corner distance": 0.35 * FRAME_SIZE_PX,
        # Points that have the wanted edges move up to three times further than one edge is off.
        "canonical length, radian": 3 * 0.35 * FRAME_SIZE_PX,
    }
)


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Differences of one stage's results, the worst over all feeds."""

    relative: float
    """Over the output's own scale."""
    landmarks_px: float = 0.0
    """Of outputs that are landmarks, px of the crop."""
    frames_db: float = float("inf")
    """Of outputs that are pictures, dB."""

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers that say something, rounded, for the manifest."""
        found = {"relative_error": float(f"{self.relative:.2e}")}
        if self.landmarks_px:
            found["landmarks_px"] = round(self.landmarks_px, 4)
        if np.isfinite(self.frames_db):
            found["frames_db"] = round(self.frames_db, 2)
        return found


class Gate:
    """Judges graphs of one stage against its golden graph.

    Parameters
    ----------
    golden : Runner
        The stage in fp32.
    precision : {"fp16", "int8"}
        Chooses the limits.
    feeds : sequence of Feed
        What both are fed with.
    """

    def __init__(self, golden: Runner, precision: Precision, feeds: Sequence[Feed]) -> None:
        self.spec, self.precision = golden.spec, precision
        self._feeds = feeds
        self._expected = [golden(**feed) for feed in feeds]

    def errors(self, candidate: Runner, num_feeds: int | None = None) -> Errors:
        """Measure a candidate.

        Parameters
        ----------
        candidate : Runner
            Of the same stage.
        num_feeds : int, optional
            How many feeds, from the first on; all by default.

        Returns
        -------
        Errors
            The worst over these feeds.
        """
        found = [candidate(**feed) for feed in self._feeds[:num_feeds]]
        pairs = [
            (tensor, a[tensor.name], b[tensor.name])
            for a, b in zip(self._expected, found, strict=False)
            for tensor in self.spec.outputs
        ]
        return Errors(
            relative=_worst(relative_error(a, b) for _, a, b in pairs),
            landmarks_px=_worst(_px(t, a, b) for t, a, b in pairs),
            frames_db=min(
                (psnr_db(a, b) for t, a, b in pairs if _is_image(t)), default=float("inf")
            ),
        )

    def excess(self, errors: Errors) -> float:
        """Compare errors with the limits.

        Parameters
        ----------
        errors : Errors
            From ``errors``.

        Returns
        -------
        float
            The largest share of a limit; at most 1 passes.
        """
        limits = LIMITS[self.precision]
        noise = 10 ** ((limits.frames_db - errors.frames_db) / 20)
        return max(
            errors.relative / self.spec.tolerance[self.precision],
            errors.landmarks_px / (_SHARE_OF_LANDMARKS * limits.landmarks_px),
            noise,
        )


def psnr_db(a: Array, b: Array) -> float:
    """Peak signal-to-noise ratio of two pictures.

    Parameters
    ----------
    a, b : numpy.ndarray
        Of one shape, [0, 1].

    Returns
    -------
    float
        dB; infinite where they are equal, minus infinity where one holds NaN or infinity.
    """
    squared = float(np.square(a.astype(np.float64) - b).mean())
    if not np.isfinite(squared):
        return float("-inf")
    return float(-10 * np.log10(squared)) if squared > 0 else float("inf")


def _worst(values: Iterable[float]) -> float:
    """Largest value; NaN counts as infinite, for it is never below a limit."""
    return max((v if np.isfinite(v) else float("inf") for v in values), default=0.0)


def _px(tensor: TensorSpec, a: Array, b: Array) -> float:
    is_face = POINTS in tensor.dims or EDGES in tensor.dims
    if not is_face or tensor.unit not in _PX_PER_UNIT:
        return 0.0
    return float(np.abs(a - b).max()) * _PX_PER_UNIT[tensor.unit]


def _is_image(tensor: TensorSpec) -> bool:
    return tensor.unit.startswith("RGB")
