"""Peak memory of a farm's driver after 100 and after 100,000 simulated jobs.

    python script/farm_memory.py [--jobs 100 100000] [--json FILE]

The jobs go through Ray, the plan, the index and the log as real ones do; nothing is rendered.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emohead import farm
from emohead.bench.memory import peak_rss_mib
from emohead.farm.cluster import connected
from emohead.jobs import Job, Record, job_key
from emohead.jobs.record import utc_now
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

BUNDLE = "0" * 64


class Simulated:
    """Says at once that a job is done."""

    def render(self, job: Job, out_dir: str | Path, **how: Any) -> Record:
        """Make up a record as long as a real one."""
        now = utc_now()
        return Record(
            output=job.output,
            key=job_key(job, BUNDLE),
            status="done",
            job=job,
            line=how["line"],
            started=now,
            finished=now,
            timings={"total_s": 0.001},
            frames=30,
            inputs={"face": BUNDLE, "speech": BUNDLE},
            video_sha256=BUNDLE,
            bundle_sha256=BUNDLE,
            num_bytes=1,
        )

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class SimulatedLoader:
    """Loads nothing."""

    bundle_sha256: str = BUNDLE

    def __call__(self, worker: str) -> Simulated:
        """Make the renderer."""
        return Simulated()


def jobs(count: int) -> Iterator[Job]:
    """Yield jobs that differ in seed and output."""
    for number in range(count):
        name = f"{number // 1000}/{number}.mp4"
        yield Job(face=SAMPLE_FACE, speech=SAMPLE_SPEECH, output=name, seed=number)


def main() -> None:
    """Measure one count after the other, in one process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[100, 100_000])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = []
    options = farm.FarmOptions(workers=1, tracks=4)
    with connected(None):
        for count in given.jobs:
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as out:
                state = farm.render(jobs(count), out, options, loader=SimulatedLoader())
            seconds = time.perf_counter() - began
            row = {"jobs": count, "done": state.done, "peak_mib": peak_rss_mib()}
            found.append({**row, "seconds": round(seconds, 1)})
            print(found[-1], flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
