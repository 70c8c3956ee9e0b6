"""Run every stage of the default bundle on CUDA and on the CPU: largest error and median time."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.bundle import Bundle
from emohead.contract import StageSpec, sample_inputs
from emohead.runner import Runner
from emohead.stages import STAGES

ROUNDS = 30


def timed(runner: Runner, feed: dict[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], float]:
    """Return the results and the median milliseconds of a call."""
    spent = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        results = runner(**feed)
        spent.append(1e3 * (time.perf_counter() - began))
    return results, statistics.median(spent)


def compared(spec: StageSpec, bundle: Bundle) -> dict[str, float]:
    """Compare the two backends on one stage's sample."""
    feed = sample_inputs(spec)
    on_cpu, cpu_ms = timed(bundle.runner(spec.name, "cpu"), feed)
    on_gpu, gpu_ms = timed(bundle.runner(spec.name, "cuda"), feed)
    error = max(float(np.abs(on_cpu[name] - on_gpu[name]).max()) for name in on_cpu)
    return {"largest_error": error, "cpu_ms": round(cpu_ms, 3), "cuda_ms": round(gpu_ms, 3)}


def main() -> None:
    """Write the comparison of every stage to the path given."""
    bundle = Bundle.open()
    report = {name: compared(spec, bundle) for name, spec in STAGES.items()}
    Path(sys.argv[1]).write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
