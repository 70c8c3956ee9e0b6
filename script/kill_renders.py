"""Kill renders at random moments and look at what is left.

Usage: python script/kill_renders.py [--count 100] [--seed 0] [--out DIR]. Every render is a process
of its own that gets SIGKILL after a random part of the time that an unbroken one takes. Afterwards
the output must be absent or whole: never half a video. At the end a render over the leftovers must
succeed. Prints one JSON object; exit status 1 where anything was broken.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np

from emohead.audio import SAMPLE_RATE_HZ
from emohead.samples import SAMPLE_FACE

SECONDS = 0.4
FRAMES = 12
LAST_S = 120.0
"""What is still running then hangs, which counts as failed."""


def render_process(speech: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start a render in a process of its own."""
    command = (sys.executable, "-m", "emohead", "render", SAMPLE_FACE, speech, "-o", out)
    return subprocess.Popen(
        [*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def succeeds(process: subprocess.Popen[bytes]) -> bool:
    """Wait for a render; whether it ended well and in time."""
    try:
        return process.wait(LAST_S) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def is_whole(video: Path) -> bool:
    """Whether a file decodes into as many frames as its speech has."""
    try:
        with av.open(str(video)) as container:
            return sum(1 for _ in container.decode(video=0)) == FRAMES
    except av.FFmpegError:
        return False


def kill_renders(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill `count` renders; returns what was found.

    Parameters
    ----------
    count : int
    seed : int
        Of the moments.
    folder : pathlib.Path
        Where the videos are written; it should be empty.

    Returns
    -------
    dict
        ``killed``, ``finished`` before the kill, ``whole``, ``absent``, ``broken`` (names of half
        written videos), ``leftovers`` (hidden temporary files), ``after`` (whether the render over
        the leftovers succeeded).
    """
    chance = random.Random(seed)
    speech = folder / "speech.wav"
    _write_speech(speech)
    began = time.monotonic()
    if not (
        succeeds(render_process(speech, folder / "warm.mp4")) and is_whole(folder / "warm.mp4")
    ):
        raise SystemExit("the unbroken render failed: nothing can be learnt from broken ones")
    usual_s = time.monotonic() - began
    killed = 0
    for number in range(count):
        process = render_process(speech, folder / f"{number}.mp4")
        try:
            process.wait(chance.uniform(0, 1.1 * usual_s))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait(LAST_S)
    videos = [folder / f"{number}.mp4" for number in range(count)]
    there = [video for video in videos if video.exists()]
    broken = [video.name for video in there if not is_whole(video)]
    leftovers = len(list(folder.glob(".*.part")))
    again = succeeds(render_process(speech, videos[0]))
    return {
        "killed": killed,
        "finished": count - killed,
        "whole": len(there) - len(broken),
        "absent": count - len(there),
        "broken": broken,
        "leftovers": leftovers,
        "after": again and is_whole(videos[0]),
    }


def _write_speech(path: Path) -> None:
    import wave

    noise = np.random.default_rng(0).normal(0, 3000, int(SECONDS * SAMPLE_RATE_HZ))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(noise.astype("<i2").tobytes())


def main() -> int:
    """Kill, look, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="empty folder; a temporary one otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = kill_renders(options.count, options.seed, folder)
    print(json.dumps(found))
    return 1 if found["broken"] or not found["after"] else 0


if __name__ == "__main__":
    sys.exit(main())
