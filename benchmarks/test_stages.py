"""One call of each network, on every target of this machine, at several batch sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emohead.bench.networks import Sample, judged
from emohead.bench.suite import plan_of
from emohead.bench.targets import Target

CASES = [(s, b) for s, batches in plan_of(quick=False).batches.items() for b in batches]


@pytest.mark.parametrize(("stage", "batch"), CASES)
def test_stage(
    benchmark: Any,
    target: Target,
    sample_of: Callable[[str, int], Sample],
    stage: str,
    batch: int,
) -> None:
    if target.graphs not in (target.precision_of(stage), "fp32"):
        pytest.skip(f"the bundle has no {stage} in {target.graphs}")
    runner, sample = target.open(stage), sample_of(stage, batch)
    verdict = judged(runner, sample, target.precision_of(stage))
    assert not verdict.refusal, verdict.refusal
    benchmark.extra_info["error"] = verdict.error
    benchmark(lambda: runner(**sample.feed))
    benchmark.extra_info["items_per_s"] = batch / benchmark.stats["median"]
    runner.close()
