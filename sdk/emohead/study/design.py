"""Who sees what in which order: balanced Latin squares, seeded.

Pure functions on counts and indices. Not here: files and pages (``make.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError

__all__ = ["Screen", "latin_square", "plan_screens"]


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One set as one participant sees it."""

    set_index: int
    """Which set, of which every participant sees each once."""
    methods: tuple[int, ...]
    """Methods from the first place to the last."""


def latin_square(size: int) -> NDArray[np.intp]:
    """Make orders in which everything comes equally often everywhere and after everything else.

    Parameters
    ----------
    size : int, at least 1
        How many things are ordered.

    Returns
    -------
    (size or 2 * size, size) intp
        One order a row; an odd size needs the mirrored rows too.

    Raises
    ------
    InputError
        If there is nothing to order.

    References
    ----------
    .. [1] Williams, Experimental Designs Balanced for the Estimation of Residual Effects of
       Treatments, Australian Journal of Scientific Research A2, 1949.
    """
    if size < 1:
        raise InputError(f"expected at least one thing to order, got {size}")
    first = [(k + 1) // 2 if k % 2 else -(k // 2) for k in range(size)]
    square = (np.asarray(first) + np.arange(size)[:, None]) % size
    return np.concatenate((square, square[:, ::-1])) if size % 2 and size > 1 else square


def plan_screens(
    num_sets: int, num_methods: int, num_participants: int, seed: int
) -> list[list[Screen]]:
    """Plan every participant's way through the study.

    Parameters
    ----------
    num_sets, num_methods, num_participants : int, at least 1
    seed : int, not negative

    Returns
    -------
    list of list of Screen
        Participants, in each the screens in order. Over as many participants as the square of the
        methods has rows, every set shows every method equally often in every place; a participant
        meets the rows of that square equally often, as far as the number of sets allows.
    """
    rng = np.random.default_rng([seed, 0x57D])
    places = rng.permutation(num_methods)[latin_square(num_methods)]
    orders = rng.permutation(num_sets)[latin_square(num_sets)]
    starts = rng.permutation(np.arange(num_sets) % len(places))
    orders = rng.permutation(orders)
    return [
        [
            Screen(
                set_index=int(s),
                methods=tuple(int(m) for m in places[(person + starts[s]) % len(places)]),
            )
            for s in orders[person % len(orders)]
        ]
        for person in range(num_participants)
    ]
