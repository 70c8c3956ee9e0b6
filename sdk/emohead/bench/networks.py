"""Times of single networks: every target and batch size, compared before the clock starts.

A batch is compared with its items run one by one in fp32 on the CPU. Whoever is further off than
the stage's spec accepts is refused, for a wrong answer has no speed.
Not here: which targets there are (``targets.py``), clocks (``timing.py``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.agreement import natural_inputs, relative_error
from emohead.bench.schema import StageResult, Timing
from emohead.bench.targets import Target
from emohead.bench.timing import Budget, interleaved
from emohead.bundle import Bundle
from emohead.contract import TensorSpec
from emohead.errors import BackendError
from emohead.runner import Runner
from emohead.stages import BATCH, STAGES

__all__ = ["Sample", "Verdict", "agreement_of", "judged", "measure_stage", "sample_batch"]

Array = NDArray[Any]
_LARGEST: Final = 1e30


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A feed, and what the golden graph makes of it."""

    feed: dict[str, Array]
    expected: dict[str, Array]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a runner's results may be timed."""

    error: float
    """Largest difference, relative to each output's own scale."""
    refusal: str = ""
    """Why not; empty where they may."""


def sample_batch(golden: Runner, batch: int) -> Sample:
    """Make a feed of `batch` different items, and run the golden graph on one after the other.

    Parameters
    ----------
    golden : Runner
        The stage in fp32 on the CPU.
    batch : int, at least 1

    Returns
    -------
    Sample
        At the opt size of all other axes.
    """
    spec = golden.spec
    feeds = [natural_inputs(spec, "opt", seed) for seed in range(batch)]
    made = [golden(**feed) for feed in feeds]
    return Sample(feed=_joined(spec.inputs, feeds), expected=_joined(spec.outputs, made))


def _joined(
    tensors: Sequence[TensorSpec], items: Sequence[Mapping[str, Array]]
) -> dict[str, Array]:
    return {
        t.name: np.concatenate([item[t.name] for item in items], axis=t.dims.index(BATCH))
        for t in tensors
    }


def judged(runner: Runner, sample: Sample, precision: str) -> Verdict:
    """Compare a runner with the golden graph.

    Parameters
    ----------
    runner : Runner
        What shall be timed.
    sample : Sample
        Of the same stage.
    precision : str
        Chooses the spec's tolerance.

    Returns
    -------
    Verdict
        Refused where the tolerance is exceeded, or the backend fails.
    """
    spec = runner.spec
    limit = spec.tolerance[precision]
    try:
        found = runner(**sample.feed)
    except BackendError as err:
        return Verdict(error=0.0, refusal=str(err))
    errors = {n: _finite(relative_error(sample.expected[n], found[n])) for n in spec.output_names}
    worst = max(errors, key=lambda name: errors[name])
    if errors[worst] <= limit:
        return Verdict(error=errors[worst])
    return Verdict(
        error=errors[worst],
        refusal=f"{spec.name}.{worst}: expected a difference from fp32 on the CPU of at most "
        f"{limit:g} in {precision}, got {errors[worst]:.3g}; not timed, its results are wrong",
    )


def _finite(error: float) -> float:
    """Return a number that JSON knows instead of NaN and infinity."""
    return error if math.isfinite(error) else _LARGEST


def agreement_of(target: Target, golden: Bundle) -> str:
    """Compare every network of a target with the golden ones, one item each.

    Parameters
    ----------
    target : Target
    golden : Bundle
        In fp32.

    Returns
    -------
    str
        Why the target must not be timed; empty when it may.
    """
    for stage in STAGES:
        contestant = _Opened(target, stage)
        verdict = contestant.judged(sample_batch(golden.runner(stage, "cpu", threads=1), 1))
        contestant.close()
        if verdict.refusal:
            return verdict.refusal
    return ""


def measure_stage(
    reference: Runner,
    targets: Sequence[Target],
    batches: Sequence[int],
    budget: Budget,
) -> list[StageResult]:
    """Measure one network: all targets in turns, one batch size after the other.

    Parameters
    ----------
    reference : Runner
        The stage in fp32 on the CPU; its results are the measure.
    targets : sequence of Target
        Contestants.
    batches : sequence of int
    budget : Budget

    Returns
    -------
    list of StageResult
        For every batch size and target, refused ones included.
    """
    opened = [_Opened(target, reference.spec.name) for target in targets]
    results = []
    for batch in batches:
        sample = sample_batch(reference, batch)
        verdicts = [contestant.judged(sample) for contestant in opened]
        calls = {
            i: contestant.call(sample)
            for i, (contestant, verdict) in enumerate(zip(opened, verdicts, strict=True))
            if not verdict.refusal
        }
        timings = interleaved(calls, budget)
        for i, contestant in enumerate(opened):
            results.append(contestant.result(batch, verdicts[i], timings.get(i)))
    for contestant in opened:
        contestant.close()
    return results


class _Opened:
    """A stage opened on a target, or the sentence that says why it cannot be."""

    def __init__(self, target: Target, stage: str) -> None:
        self._target, self._stage = target, stage
        self._runner: Runner | None = None
        self._obstacle = ""
        began = time.perf_counter()
        try:
            self._runner = target.open(stage)
        except BackendError as err:
            self._obstacle = str(err)
        self._open_s = time.perf_counter() - began

    def judged(self, sample: Sample) -> Verdict:
        if self._runner is None:
            return Verdict(error=0.0, refusal=self._obstacle)
        return judged(self._runner, sample, self._target.precision_of(self._stage))

    def call(self, sample: Sample) -> Callable[[], object]:
        assert self._runner is not None
        return partial(self._runner, **sample.feed)

    def result(self, batch: int, verdict: Verdict, timing: Timing | None) -> StageResult:
        precision = self._target.precision_of(self._stage)
        entry = self._target.bundle.manifest.stages[self._stage]
        return StageResult(
            stage=self._stage,
            backend=self._target.backend.name,
            precision=precision,
            batch=batch,
            error=float(f"{verdict.error:.3g}"),
            tolerance=STAGES[self._stage].tolerance[precision],
            refused=verdict.refusal,
            open_s=round(self._open_s, 4),
            timing=timing,
            mega_macs=entry.metrics.get("mega_macs"),
        )

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()
