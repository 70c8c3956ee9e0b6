"""Long life in one process: an hour of live speech, or 2,000 renders, with what they leave behind.

Usage: python script/endurance.py live|renders|page OUT [--amount N]

live      N minutes (60) of the sample voice pushed in pieces of 100 ms, a pause after every fourth
          sentence; every network runs but the renderer, whose frames would need more than an hour.
renders   N videos (2000) of 0.3 s, each with all networks and the encoder.
page      docs/endurance.md and its plots from OUT/live.json and OUT/renders.json.

Resident memory, open descriptors, threads and processor times (which other programs disturb less
than the clock's) are noted along the way, in OUT/<mode>.json.
The slope of memory is that of a line fitted to the second half, with its standard error.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from emohead import TalkingHead, VideoFrame
from emohead.audio import SAMPLE_RATE_HZ, read_audio
from emohead.backends import choose_backend
from emohead.bench.plots import Series, lines
from emohead.bundle import Bundle
from emohead.doctor import examine_machine
from emohead.runner import Runner
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.stages import RENDERER, STAGES

PIECE = SAMPLE_RATE_HZ // 10
DOCS = Path(__file__).resolve().parents[1] / "docs"


class Blank(Runner):
    """Stands for the renderer: hands its state on, and paints one black pixel."""

    def _run(self, feed: dict[str, Any]) -> dict[str, Any]:
        states = {s.output: feed[s.input] for s in self.spec.state}
        batch = next(iter(feed.values())).shape[0]
        return {
            t.name: states.get(t.name, np.zeros((batch, *(1 for _ in t.dims[1:])), np.float32))
            for t in self.spec.outputs
        }


def head_without_renderer() -> TalkingHead:
    """Every network of the default bundle but the renderer."""
    bundle, backend = Bundle.open(), choose_backend("cpu")
    runners: dict[str, Runner] = {
        name: bundle.runner(name, backend) for name in STAGES if name != RENDERER.name
    }
    return TalkingHead({**runners, RENDERER.name: Blank(RENDERER)}, backend)


def measured() -> dict[str, float]:
    """Look at what this process holds: MiB, descriptors, threads."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "rss_mib": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
    }


def pieces() -> Iterator[tuple[np.ndarray, bool]]:
    """Sample voice without end, in pieces; whether a pause follows, as after every fourth time."""
    voice = read_audio(SAMPLE_SPEECH).samples
    for sentence in itertools.count(1):
        for start in range(0, len(voice), PIECE):
            ends = start + PIECE >= len(voice)
            yield voice[start : start + PIECE], ends and sentence % 4 == 0


def live(minutes: int) -> Iterator[dict[str, float]]:
    """Speak for so many minutes; yields what is held after each, and the time a frame took."""
    head, speech = head_without_renderer(), pieces()
    with head.stream(head.portrait(SAMPLE_FACE), sample_rate=SAMPLE_RATE_HZ) as stream:
        video, sound = 0, 0
        for minute in range(1, minutes + 1):
            times = []
            for piece, last in itertools.islice(speech, 600):
                began = time.process_time()
                stream.push_audio(piece, last=last)
                frames = list(stream)
                pictures = sum(isinstance(frame, VideoFrame) for frame in frames)
                if pictures:
                    times.append((time.process_time() - began) / pictures)
                video += pictures
                sound += sum(len(f.samples) for f in frames if not isinstance(f, VideoFrame))
            apart = abs(video / stream.fps - sound / SAMPLE_RATE_HZ)
            yield {
                "at": minute,
                "frame_cpu_ms": round(1000 * statistics.median(times), 3),
                "apart_ms": round(1000 * apart, 3),
                **measured(),
            }


def renders(count: int, folder: Path) -> Iterator[dict[str, float]]:
    """Render so many videos; yields what is held after every hundredth of them."""
    head = TalkingHead.load()
    face = head.portrait(SAMPLE_FACE)
    voice = read_audio(SAMPLE_SPEECH).samples
    length, step = int(0.3 * SAMPLE_RATE_HZ), max(1, count // 100)
    times: list[float] = []
    for number in range(1, count + 1):
        at = number * 997 % (len(voice) - length)
        began = time.process_time()
        clip = head.animate(face, (voice[at : at + length], SAMPLE_RATE_HZ), seed=number)
        clip.save(folder / "render.mp4")
        times.append(time.process_time() - began)
        if number % step == 0:
            yield {
                "at": number,
                "render_cpu_ms": round(1000 * statistics.median(times), 1),
                **measured(),
            }
            times.clear()


def slope(points: list[dict[str, float]], key: str) -> tuple[float, float]:
    """Slope of a line through the second half of the points, and its standard error."""
    half = points[len(points) // 2 :]
    x, y = (np.array([p[k] for p in half]) for k in ("at", key))
    x = x - x.mean()
    rise = float(x @ y / (x @ x))
    rest = y - y.mean() - rise * x
    return rise, float(np.sqrt(rest @ rest / max(len(x) - 2, 1) / (x @ x)))


UNITS = {"live": ("minute", "frame_cpu_ms"), "renders": ("render", "render_cpu_ms")}


def page(folder: Path) -> str:
    """Docs' page, whose plots are written on the way."""
    text = [
        "# Long life",
        "",
        "Made by `python script/endurance.py page OUT` from `live OUT` and `renders OUT`; the "
        "script's head says what each does. Slopes are of a line through the second half, with "
        "their standard error.",
        "",
    ]
    for mode, (unit, timing) in UNITS.items():
        result = json.loads((folder / f"{mode}.json").read_text(encoding="utf-8"))
        points = result["points"]
        text += [
            f"## {mode.capitalize()}: {points[-1]['at']} {unit}s",
            "",
            f"{result['machine']}, {result['measured']}.",
            "",
            *_table(points, unit, timing),
            *_plots(points, mode),
            "",
        ]
    return "\n".join(text)


def _table(points: list[dict[str, float]], unit: str, timing: str) -> Iterator[str]:
    first, last = points[0], points[-1]
    yield "| what | first | last | slope in the second half |"
    yield "|---|---|---|---|"
    for key, label in (
        ("rss_mib", "resident memory, MiB"),
        (timing, timing.replace("_cpu_ms", ", processor ms, median")),
    ):
        rise, error = slope(points, key)
        yield f"| {label} | {first[key]} | {last[key]} | {rise:.4f} ± {error:.4f} a {unit} |"
    yield f"| open descriptors | {first['descriptors']} | {last['descriptors']} | |"
    yield f"| threads | {first['threads']} | {last['threads']} | |"
    if "apart_ms" in last:
        worst = max(p["apart_ms"] for p in points)
        apart = (first["apart_ms"], last["apart_ms"])
        yield f"| pictures and sound apart, ms | {apart[0]} | {apart[1]} | worst {worst} |"


def _plots(points: list[dict[str, float]], mode: str) -> Iterator[str]:
    """Write the plots; give what the page shows them with."""
    unit, timing = UNITS[mode]
    for key, label in (("rss_mib", "resident memory, MiB"), (timing, "processor ms, median")):
        series = Series(name=mode, x=[p["at"] for p in points], y=[p[key] for p in points])
        name = f"endurance-{mode}-{key.replace('_', '-')}.svg"
        (DOCS / "images" / name).write_text(_standing(lines([series], unit, label)), "utf-8")
        yield ""
        yield f"![{label}, {mode}](images/{name})"


def _standing(svg: str) -> str:
    """Give an inline drawing what it needs to stand in a file of its own."""
    if "xmlns=" in svg:
        return svg
    return svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)


def main() -> int:
    """Run a mode; what it notes is written as it goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("mode", choices=("live", "renders", "page"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--amount", type=int, help="minutes or videos")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.mode == "page":
        (DOCS / "endurance.md").write_text(page(options.out), encoding="utf-8")
        return 0
    if options.mode == "live":
        noted = live(options.amount or 60)
    else:
        noted = renders(options.amount or 2000, options.out)
    machine = examine_machine()
    result: dict[str, Any] = {
        "machine": f"{machine.cpu}, {machine.cores} cores",
        "measured": time.strftime("%Y-%m-%d"),
        "points": [],
    }
    for point in noted:
        result["points"].append(point)
        (options.out / f"{options.mode}.json").write_text(json.dumps(result), encoding="utf-8")
        print(json.dumps(point), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
