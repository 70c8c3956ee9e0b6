"""CPBD: how probable it is that an edge of the picture is not seen as blurred.

Written from the published algorithm; no reference code. Called by ``frame_scores.py``.
Not here: gradient sharpness relative to the true frame (``critics.py``).

References
----------
.. [1] Narvekar and Karam, A No-Reference Image Blur Metric Based on the Cumulative Probability of
   Blur Detection (CPBD), IEEE Transactions on Image Processing 20(9), 2011.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead_training.evaluation.protocol import PROTOCOL

__all__ = ["cpbd"]

EDGE_SHARE: Final = 0.002
"""Share of edge pixels from which a block counts as an edge block."""
CONTRAST: Final = 50
"""Grey levels up to which a block's contrast is low."""
JUST_NOTICEABLE_PX: Final = (5.0, 3.0)
"""Width of a just noticeable blur at low and at high contrast."""
BETA: Final = 3.6
"""Exponent of the psychometric function."""
NOTICEABLE: Final = 1 - float(np.exp(-1.0))
"""Probability, about 63 %, at which blur is just noticeable: that of the widths above."""
SMOOTHING_PX: Final = 2**0.5
"""Standard deviation of the Gaussian before edges are sought."""
STRONG_EDGES: Final = 0.3
"""Share of pixels whose gradient starts an edge, as Canny's automatic threshold has it."""
WEAK_RATIO: Final = 0.4
"""Gradient that continues an edge, relative to one that starts it."""
UPRIGHT_TAN: Final = float(np.tan(np.radians(22.5)))
"""Slope up to which a gradient counts as horizontal."""

Image = NDArray[np.uint8]


def cpbd(images: Iterable[Image]) -> NDArray[np.float64]:
    """Measure sharpness without a reference.

    Parameters
    ----------
    images : iterable of (height, width, 3) uint8, RGB

    Returns
    -------
    (n,) float64 ndarray, [0, 1]
        Share of edges in edge blocks whose blur probability is at most 63 %; larger is sharper;
        0 for a picture without edges.
    """
    return np.array([_cpbd(image) for image in images])


def _cpbd(image: Image) -> float:
    import cv2

    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    edges, upright, rising = _edges(grey)
    widths = _widths(grey.astype(np.int16), rising)
    side = PROTOCOL.cpbd_block_px
    probabilities = []
    for top in range(0, grey.shape[0] - side + 1, side):
        for left in range(0, grey.shape[1] - side + 1, side):
            block = (slice(top, top + side), slice(left, left + side))
            if edges[block].mean() > EDGE_SHARE:
                own = widths[block][upright[block] & edges[block]]
                noticeable = JUST_NOTICEABLE_PX[int(np.ptp(grey[block]) > CONTRAST)]
                probabilities.append(1 - np.exp(-((own / noticeable) ** BETA)))
    found = np.concatenate(probabilities) if probabilities else np.zeros(0)
    return float((found <= NOTICEABLE).mean()) if found.size else 0.0


def _edges(grey: Image) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Edge pixels; where the gradient is nearly horizontal; where it points to the right."""
    import cv2

    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), SMOOTHING_PX)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strong = float(np.quantile(np.hypot(dx, dy), 1 - STRONG_EDGES))
    steps = [np.clip(np.rint(d), -32768, 32767).astype(np.int16) for d in (dx, dy)]
    edges = cv2.Canny(*steps, max(1.0, WEAK_RATIO * strong), max(2.0, strong), L2gradient=True)
    return np.asarray(edges) > 0, np.abs(dy) <= UPRIGHT_TAN * np.abs(dx), dx > 0


def _widths(grey: NDArray[np.int16], rising: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Width of the edge through each pixel along its row, between the nearest extrema, px.

    The measure of Marziliano et al. that the paper builds on.
    """
    step = np.diff(grey, axis=1)
    up = _run_lengths(step > 0)
    down = _run_lengths(step < 0)
    return np.where(rising, up, down).astype(np.float64)


def _run_lengths(monotone: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Monotone steps that touch each pixel: those that end at it and those that begin at it."""
    rows, steps = monotone.shape
    before = np.zeros((rows, steps + 1), np.int64)
    after = np.zeros((rows, steps + 1), np.int64)
    for x in range(steps):
        before[:, x + 1] = (before[:, x] + 1) * monotone[:, x]
        after[:, steps - 1 - x] = (after[:, steps - x] + 1) * monotone[:, steps - 1 - x]
    return before + after
