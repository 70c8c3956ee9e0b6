"""Intervals and tests on one number per participant: bootstrap, Wilcoxon signed ranks, Holm.

Pure functions in numpy. Not here: reading answers (``score.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emohead.errors import InputError

__all__ = ["bootstrap_interval", "holm", "wilcoxon_p"]

Array = NDArray[np.float64]


def bootstrap_interval(
    values: ArrayLike, *, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[float, float] | None:
    """Percentile interval of the mean, participants drawn with replacement.

    Parameters
    ----------
    values : (n,) floating
        One per participant.
    resamples : int
    seed : int, not negative
    level : float, (0, 1)

    Returns
    -------
    (low, high), or None with fewer than two values

    References
    ----------
    .. [1] Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    x: Array = np.asarray(values, np.float64)
    if len(x) < 2:
        return None
    rng = np.random.default_rng(seed)
    means = x[rng.integers(len(x), size=(resamples, len(x)))].mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilcoxon_p(differences: ArrayLike) -> float | None:
    """Two-sided p of Wilcoxon's signed-rank test, exact, given zeros and ties.

    Parameters
    ----------
    differences : (n,) floating
        One per participant; zeros are left out, ties share their mean rank.

    Returns
    -------
    float, (0, 1], or None where nothing differs

    Raises
    ------
    InputError
        If a difference is not finite.

    References
    ----------
    .. [1] Wilcoxon, Individual Comparisons by Ranking Methods, Biometrics Bulletin 1, 1945.
    """
    x: Array = np.asarray(differences, np.float64)
    if not np.isfinite(x).all():
        raise InputError("expected finite differences: remove ratings that are missing")
    # Equal differences may differ in their last bit, since they are means of scores.
    x = np.round(x, 9)
    x = x[x != 0]
    if not len(x):
        return None
    doubled = _doubled_ranks(np.abs(x))
    counts = np.zeros(int(doubled.sum()) + 1)
    counts[0] = 1.0
    for rank in doubled:
        # Each sign is as likely as the other: half the mass stays, half moves up by the rank.
        moved = 0.5 * counts
        moved[rank:] += 0.5 * counts[: len(counts) - rank]
        counts = moved
    positive = int(doubled[x > 0].sum())
    tail = min(counts[: positive + 1].sum(), counts[positive:].sum())
    return float(min(1.0, 2 * tail))


def _doubled_ranks(sizes: Array) -> NDArray[np.intp]:
    """Twice the mid-rank of each size: an integer."""
    ordered = np.sort(sizes)
    below = np.searchsorted(ordered, sizes, side="left")
    up_to = np.searchsorted(ordered, sizes, side="right")
    return np.asarray(below + up_to + 1, np.intp)


def holm(p_values: ArrayLike) -> Array:
    """Adjust p values of several comparisons.

    Parameters
    ----------
    p_values : (n,) floating, [0, 1]

    Returns
    -------
    (n,) float64, [0, 1]
        In the order given.

    References
    ----------
    .. [1] Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
       Statistics 6, 1979.
    """
    p: Array = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted
