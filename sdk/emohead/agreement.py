"""How far two results of one stage are apart, and inputs on which to compare them.

Who calls: the export's parity checks and gates, the benchmarks before their clocks start.
Not here: limits, which are the spec's (``contract.py``). numpy only.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.contract import Size, StageSpec, sample_inputs

__all__ = ["natural_inputs", "relative_error"]

Array = NDArray[Any]
SMOOTH_PX: Final = 8
"""Distance of the knots of smooth sample images."""
SMALLEST_SCALE: Final = 1e-3
"""An output that is nearly zero everywhere is compared on this scale instead of its own."""


def natural_inputs(spec: StageSpec, size: Size, seed: int = 0) -> dict[str, Array]:
    """Sample inputs in which images are smooth, as photographs are.

    White noise turns one rounding of a sampling position into a visible difference, which says
    nothing about the translation of the graph.

    Parameters
    ----------
    spec : StageSpec
        The stage to feed.
    size : {"min", "opt", "max"}
        Which profile size every dynamic axis takes.
    seed : int
        Seed of the samples.

    Returns
    -------
    dict of str to numpy.ndarray
        One array per input of the spec.
    """
    feed = sample_inputs(spec, size, seed)
    images = [t.name for t in spec.inputs if t.unit.startswith("RGB")]
    return feed | {name: _smooth(feed[name]) for name in images}


def relative_error(expected: Array, found: Array) -> float:
    """Measure how far a result is off.

    Parameters
    ----------
    expected, found : (...) floating
        Of one shape.

    Returns
    -------
    float
        Largest absolute difference over the largest absolute value of what was expected.
    """
    scale = max(float(np.abs(expected).max()), SMALLEST_SCALE)
    return float(np.abs(expected - found).max()) / scale


def _smooth(images: Array) -> Array:
    """Keep every eighth pixel of noise images and interpolate between them."""
    side = images.shape[-1]
    knots = np.arange(0, side, SMOOTH_PX)
    at = np.arange(side)
    weights = np.stack([np.interp(at, knots, row) for row in np.eye(len(knots))], axis=1)
    coarse = images[..., ::SMOOTH_PX, ::SMOOTH_PX]
    smooth: Array = np.einsum("yi,...ij,xj->...yx", weights, coarse, weights, optimize=True)
    return smooth.astype(images.dtype)
