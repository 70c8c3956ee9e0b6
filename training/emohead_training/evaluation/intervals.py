"""Bootstrap confidence intervals over people: frames of one person are never independent.

Numbers are ratios of sums, kept by person, so that a resample of people costs one product.
Called by every measure. Not here: what is summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emohead_training.evaluation.protocol import PROTOCOL

__all__ = ["Interval", "Tally", "draws_of_people", "numbers_of", "quantile_interval"]

Interval = tuple[float, float]
"""Lower and upper end."""


@dataclass
class Tally:
    """A number as a sum over people divided by another sum over people.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.add("anna", [1.0, 2.0])
    >>> tally.add("bert", [6.0])
    >>> tally.value
    3.0
    """

    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """(2,) numerator and denominator by person."""

    def add(self, person: str, values: ArrayLike, over: ArrayLike | None = None) -> None:
        """Add values of a person.

        Parameters
        ----------
        person : str
            The cluster that is resampled as a whole.
        values : array_like
            Summed into the numerator.
        over : array_like, optional
            Summed into the denominator; the number of values otherwise, which makes a mean.
        """
        numerator = np.asarray(values, np.float64)
        denominator = numerator.size if over is None else np.sum(np.asarray(over, np.float64))
        pair = np.array([numerator.sum(), denominator], np.float64)
        self.sums[person] = self.sums.get(person, np.zeros(2)) + pair

    @property
    def denominator(self) -> float:
        """Sum of what the numerator is divided by; the number of values of a mean."""
        return float(sum(pair[1] for pair in self.sums.values()))

    @property
    def value(self) -> float:
        """The number; not a number where nothing was added."""
        numerator, denominator = np.sum(list(self.sums.values()), axis=0) if self.sums else (0, 0)
        return float(numerator / denominator) if denominator else float("nan")

    @property
    def interval(self) -> Interval | None:
        """Percentile interval over resampled people; None with fewer than two who count."""
        sums = np.array([pair for pair in self.sums.values() if pair[1] != 0])
        if len(sums) < 2:
            return None
        drawn = draws_of_people(len(sums), PROTOCOL.resamples) @ sums
        usable = drawn[drawn[:, 1] != 0]
        return quantile_interval(usable[:, 0] / usable[:, 1])

    def by_group(self, groups: Mapping[str, str]) -> dict[str, float]:
        """Tell the number of every group of people.

        Parameters
        ----------
        groups : mapping of str to str
            Group by person; people without one are left out.

        Returns
        -------
        dict of str to float
            By ``<group> (<how many people>)``, sorted.
        """
        members: dict[str, list[NDArray[np.float64]]] = {}
        for person, pair in self.sums.items():
            if person in groups:
                members.setdefault(groups[person], []).append(pair)
        found = {}
        for group, pairs in sorted(members.items()):
            numerator, denominator = np.sum(pairs, axis=0)
            found[f"{group} ({len(pairs)})"] = float(numerator / denominator)
        return found

    def as_numbers(self, key: str) -> dict[str, Any]:
        """Value and interval under `key` and ``<key>_ci``."""
        interval = self.interval
        return {key: self.value} | ({} if interval is None else {f"{key}_ci": list(interval)})


def draws_of_people(count: int, resamples: int) -> NDArray[np.float64]:
    """How often each person is drawn in each resample, with replacement.

    Parameters
    ----------
    count : int
        Number of people.
    resamples : int

    Returns
    -------
    (resamples, count) float64 ndarray
        Rows sum to `count`; equal arguments give equal draws.
    """
    rng = np.random.default_rng([PROTOCOL.seed, count])
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def quantile_interval(values: Sequence[float] | NDArray[np.float64]) -> Interval:
    """Middle ``PROTOCOL.confidence`` of resampled values."""
    tail = (1 - PROTOCOL.confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def numbers_of(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """Values and intervals of many tallies, one flat dictionary."""
    found: dict[str, Any] = {}
    for key, tally in tallies.items():
        found |= tally.as_numbers(key)
    return found
