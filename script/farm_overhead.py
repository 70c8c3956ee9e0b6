"""Time of a farm's single worker beside that of a plain loop over the same jobs.

    python script/farm_overhead.py [--jobs 24] [--rounds 5] [--speech-s 0.5] [--json FILE]

Both render with one thread, one after the other, in turn; starting Ray and loading networks is not
counted: a round begins when the networks are there and ends with the last record.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import soundfile

from emohead import TalkingHead, farm, read_audio
from emohead.bundle import Bundle
from emohead.farm.cluster import connected
from emohead.farm.workers import HeadLoader
from emohead.jobs import Job, JobRenderer
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH


def make_jobs(folder: Path, count: int, speech_s: float) -> list[Job]:
    """Jobs over one voice."""
    speech = read_audio(SAMPLE_SPEECH)
    voice = folder / "voice.wav"
    samples = speech.samples[: round(speech_s * speech.sample_rate)]
    soundfile.write(voice, samples, speech.sample_rate)
    return [Job(face=SAMPLE_FACE, speech=voice, output=f"{i}.mp4", seed=i) for i in range(count)]


def loop_s(jobs: list[Job], out: Path) -> float:
    """Render in a loop with a head that was just loaded, as a worker's is; seconds for all."""
    out.mkdir()
    with JobRenderer(TalkingHead.load(threads=1)) as renderer:
        began = time.perf_counter()
        for job in jobs:
            assert renderer.render(job, out).status == "done"
        return time.perf_counter() - began


def farm_s(loader: HeadLoader, jobs: list[Job], out: Path) -> float:
    """Render on a farm of one worker; seconds from its being ready to the last record."""
    ready: list[float] = []

    def watch(state: farm.FarmState) -> None:
        if not ready and any(w.is_ready for w in state.workers):
            ready.append(time.perf_counter())

    state = farm.render(jobs, out, farm.FarmOptions(workers=1), loader=loader, on_change=watch)
    ended = time.perf_counter()
    assert state.done == len(jobs)
    return ended - ready[0]


def main() -> None:
    """Measure in turn, and compare medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--speech-s", type=float, default=0.5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    loader = HeadLoader(bundle_sha256=Bundle.open().manifest.sha256)
    plain, farmed = [], []
    with tempfile.TemporaryDirectory() as name, connected(None, num_cpus=1):
        folder = Path(name)
        jobs = make_jobs(folder, given.jobs, given.speech_s)
        for i in range(given.rounds):
            plain.append(loop_s(jobs, folder / f"plain{i}"))
            farmed.append(farm_s(loader, jobs, folder / f"farm{i}"))
            print(f"plain {plain[-1]:.2f} s, farm {farmed[-1]:.2f} s", flush=True)
    ratio = statistics.median(f / p for f, p in zip(farmed, plain, strict=True))
    result = {
        "jobs": given.jobs,
        "plain_s": statistics.median(plain),
        "farm_s": statistics.median(farmed),
        "overhead": round(ratio - 1, 4),
    }
    print(json.dumps(result))
    if given.json:
        given.json.write_text(json.dumps({**result, "plain": plain, "farm": farmed}) + "\n")


if __name__ == "__main__":
    main()
