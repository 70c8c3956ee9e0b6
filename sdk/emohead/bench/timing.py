"""Clocks: repeated calls taken in turns, and what to say of their times.

Pure but for the clock. Not here: what is called (``networks.py``, ``clips.py``).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from emohead.bench.schema import Timing

__all__ = ["Budget", "interleaved", "summarised"]

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How often something is repeated."""

    warmup: int = 2
    """Calls that are not timed."""
    min_rounds: int = 5
    """Timed calls at least."""
    max_rounds: int = 200
    """Timed calls at most."""
    seconds: float = 1.0
    """Time for each contestant, after which no round begins beyond the least."""


def interleaved(
    calls: Mapping[Key, Callable[[], object]],
    budget: Budget,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, Timing]:
    """Time calls in turns, so that whatever disturbs the machine disturbs all alike.

    Parameters
    ----------
    calls : mapping of key to callable
        Contestants; each must have finished its work when it returns.
    budget : Budget
    clock : callable
        Seconds, rising.

    Returns
    -------
    dict of key to Timing
        Every contestant as many samples as every other.
    """
    for call in calls.values():
        for _ in range(budget.warmup):
            call()
    samples: dict[Key, list[float]] = {key: [] for key in calls}
    order = list(calls)
    collecting = gc.isenabled()
    gc.disable()
    try:
        spent = 0.0
        for done in range(budget.max_rounds):
            if done >= budget.min_rounds and spent > budget.seconds * len(order):
                break
            for key in order:
                began = clock()
                calls[key]()
                samples[key].append(clock() - began)
                spent += samples[key][-1]
            order = order[1:] + order[:1]
    finally:
        if collecting:
            gc.enable()
    return {key: summarised([1e3 * s for s in own]) for key, own in samples.items()}


def summarised(samples_ms: Sequence[float]) -> Timing:
    """Describe measurements.

    Parameters
    ----------
    samples_ms : sequence of float, ms, at least one
        In the order of time.

    Returns
    -------
    Timing
        Percentiles are interpolated linearly.
    """
    values = np.asarray(samples_ms, np.float64)
    median, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)))
    jitter = float(np.abs(np.diff(values)).mean()) if len(values) > 1 else 0.0
    return Timing(
        num_samples=len(values),
        median_ms=round(median, 4),
        p95_ms=round(p95, 4),
        p99_ms=round(p99, 4),
        min_ms=round(float(values.min()), 4),
        max_ms=round(float(values.max()), 4),
        jitter_ms=round(jitter, 4),
    )
