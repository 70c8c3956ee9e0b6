"""Render 200 short jobs on two simulated machines, kill one worker and one machine, and count.

    python script/farm_200.py [--jobs 200] [--json FILE]

Five of the jobs are poisoned: no face, corrupt audio, missing file, bad emotion, unwritable output.
Exit code 1 if anything is lost, rendered twice, or done again by a second run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from emohead import farm, read_audio
from emohead.bundle import Bundle
from emohead.farm.cluster import OBJECT_STORE_BYTES, be_quiet, connected, patiently
from emohead.farm.workers import HeadLoader
from emohead.jobs import Job, JobRenderer, Record, read_record, read_records
from emohead.jobs.hashing import file_sha256
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH


class Diary:
    """Renders, and writes down what it begins and ends, and which process it is."""

    def __init__(self, renderer: JobRenderer, path: Path) -> None:
        self._renderer, self._path = renderer, path

    def render(self, job: Job, out_dir: str | Path, **how: Any) -> Record:
        """Render, between two lines of the diary."""
        self._write("begin", job)
        record = self._renderer.render(job, out_dir, **how)
        self._write(record.status, job)
        return record

    def close(self) -> None:
        """Close the renderer."""
        self._renderer.close()

    def _write(self, word: str, job: Job) -> None:
        with self._path.open("a") as file:
            file.write(f"{word} {job.output} {os.getpid()}\n")


@dataclass(frozen=True, kw_only=True)
class DiaryLoader:
    """Loads the real head, and keeps a diary of what it does."""

    head: HeadLoader
    diary: Path

    @property
    def bundle_sha256(self) -> str:
        """The head's."""
        return self.head.bundle_sha256

    def __call__(self, worker: str) -> Diary:
        """Load."""
        return Diary(self.head(worker), self.diary)


def make_jobs(folder: Path, count: int) -> list[dict[str, Any]]:
    """Jobs of 0.3 to 0.5 s, cut from the sample, five of them poisoned."""
    speech = read_audio(SAMPLE_SPEECH)
    rng = np.random.default_rng(0)
    names = ("neutral", "happy", "sad", "angry", "surprised", "fearful", "disgust", "calm")
    jobs: list[dict[str, Any]] = []
    for number in range(count - 5):
        length = round(rng.uniform(0.3, 0.5) * speech.sample_rate)
        start = rng.integers(0, len(speech.samples) - length)
        voice = folder / f"{number}.wav"
        soundfile.write(voice, speech.samples[start : start + length], speech.sample_rate)
        job = {"face": SAMPLE_FACE, "speech": voice, "output": f"{number % 4}/{number}.mp4"}
        jobs.append({**job, "seed": number, "emotion": names[number % 8] if number % 3 else None})
    Image.new("RGB", (256, 256), "grey").save(folder / "grey.png")
    (folder / "noise.wav").write_bytes(rng.bytes(4_000))
    poison = [
        {"output": "noface.mp4", "face": folder / "grey.png"},
        {"output": "corrupt.mp4", "speech": folder / "noise.wav"},
        {"output": "missing.mp4", "speech": folder / "none.wav"},
        {"output": "bad.mp4", "emotion": "hapy"},
        {"output": "file/unwritable.mp4"},
    ]
    for place, fields in enumerate(poison):
        jobs.insert((place + 1) * count // 7, {**jobs[0], **fields})
    return jobs


class Trouble:
    """Kills a worker's process a third of the way, and a machine halfway."""

    def __init__(self, cluster: Any, node: Any, diary: Path, count: int) -> None:
        self._cluster, self._node, self._diary, self._count = cluster, node, diary, count
        self.done: list[str] = []

    def watch(self, state: farm.FarmState) -> None:
        """Strike when it is time; given to the farm as ``on_change``."""
        busy = self._busy()
        if not self.done and state.done >= self._count // 3 and busy:
            os.kill(busy[0], signal.SIGKILL)
            self.done.append(f"worker {busy[0]} killed after {state.done} videos")
        elif len(self.done) == 1 and state.done >= self._count // 2 and state.deaths:
            self._cluster.remove_node(self._node, allow_graceful=False)
            self.done.append(f"machine lost after {state.done} videos")
        if sys.stderr.isatty():
            print(f"\r{state.counts()} {state.deaths} deaths", end="", file=sys.stderr)

    def _busy(self) -> list[int]:
        """Find processes that have begun a job and not ended it."""
        if not self._diary.exists():
            return []
        open_jobs: dict[str, int] = {}
        for line in self._diary.read_text().splitlines():
            word, output, process = line.split()
            if word == "begin":
                open_jobs[output] = int(process)
            else:
                open_jobs.pop(output, None)
        return list(open_jobs.values())


def judge(out: Path, jobs: list[dict[str, Any]], diary: Path) -> dict[str, Any]:
    """Count what is there, and what was done twice."""
    records = list(read_records(out / "records.jsonl"))
    lines = [line.split() for line in diary.read_text().splitlines()]
    ended = Counter(output for word, output, _ in lines if word == "done")
    whole = 0
    for job in jobs:
        record = read_record(out / job["output"])
        if record is not None and record.status == "done":
            whole += file_sha256(out / job["output"]) == record.video_sha256
    return {
        "videos": whole,
        "failed_records": sum(r.status == "failed" for r in records),
        "records": len(records),
        "outputs_recorded": len({r.output for r in records}),
        "renders_begun": sum(word == "begin" for word, _, _ in lines),
        "renders_ended_twice": sum(n > 1 for n in ended.values()),
        "left_over_files": len(list(out.rglob("*.part"))),
    }


@contextmanager
def two_machines() -> Iterator[tuple[Any, Any]]:
    """Simulate them; gives the cluster and the machine that may be lost."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE_BYTES}
    be_quiet()
    head_node = {**node, "include_dashboard": False}
    cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args=head_node))
    try:
        yield cluster, patiently(lambda: cluster.add_node(**node))
    finally:
        cluster.shutdown()


def run(count: int, folder: Path) -> tuple[dict[str, Any], bool]:
    """Render, judge, and render again."""
    out, diary = folder / "out", folder / "diary"
    out.mkdir()
    (out / "file").touch()
    jobs = make_jobs(folder, count)
    head = HeadLoader(bundle_sha256=Bundle.open().manifest.sha256)
    loader, options = DiaryLoader(head=head, diary=diary), farm.FarmOptions(workers=2)
    with two_machines() as (cluster, second), connected(cluster.address):
        trouble = Trouble(cluster, second, diary, count)
        began = time.perf_counter()
        state = farm.render(jobs, out, options, loader=loader, on_change=trouble.watch)
        seconds = time.perf_counter() - began
        found = judge(out, jobs, diary)
        again = farm.render(jobs, out, options, loader=loader)
    result = {
        "jobs": len(jobs),
        **found,
        "trouble": trouble.done,
        "worker_deaths": state.deaths,
        "retried": state.retried,
        "seconds": round(seconds, 1),
        "second_run": again.counts(),
    }
    return result, is_right(result, count)


def is_right(result: dict[str, Any], count: int) -> bool:
    """Whether nothing was lost, done twice or done again, in spite of both troubles."""
    expected = {"videos": count - 5, "failed_records": 5, "records": count}
    expected |= {"outputs_recorded": count, "renders_ended_twice": 0, "left_over_files": 0}
    second_run = {"unchanged": count - 5, "failed_before": 5, "done": 0, "failed": 0}
    return (
        all(result[name] == value for name, value in expected.items())
        and all(result["second_run"][name] == n for name, n in second_run.items())
        and len(result["trouble"]) == 2
    )


def main() -> None:
    """Run and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result, is_good = run(given.jobs, Path(folder))
    text = json.dumps(result, indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
