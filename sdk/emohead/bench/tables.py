"""A report as rows of text, the same for the terminal, the page and the documentation.

Not here: drawing them (``cli/bench.py``, ``page.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from emohead.bench.schema import Ceilings, ClipResult, Report, StageResult

__all__ = ["Table", "hardware_of", "is_busy", "machine_lines", "tables"]

_TITLES = {
    "pipeline": "From portrait and voice to a finished mp4",
    "length": "Clip length",
    "memory": "Memory of long clips, with an emotion",
    "resolution": "Output size, the face pasted back into the photo",
    "tracks": "Tracks rendered side by side",
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Heading and cells; every row is as long as the head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def hardware_of(report: Report) -> str:
    """GPU, or processor and number of cores, in a phrase."""
    machine = report.machine
    gpu = [re.split(r" \(|,", name)[0] for name in machine.gpus]
    return gpu[0] if gpu else f"{machine.cpu}, {machine.cores} cores"


def machine_lines(report: Report) -> list[str]:
    """Describe the machine, one fact a line."""
    machine = report.machine
    memory = f", {machine.memory_gib:g} GiB" if machine.memory_gib else ""
    lines = [
        f"{machine.cpu}, {machine.cores} cores{memory}; {machine.system}",
        *(f"{gpu}, driver {machine.driver or 'not told'}" for gpu in machine.gpus),
        f"Python {machine.python}, " + ", ".join(f"{k} {v}" for k, v in machine.packages.items()),
        f"emohead {report.emohead}, networks "
        + ", ".join(f"{name} ({digest})" for digest, name in report.bundles.items()),
    ]
    if machine.load_average is not None:
        lines.append(
            f"load average before measuring {machine.load_average:g}: "
            + ("others were working too, the numbers are too bad" if is_busy(report) else "quiet")
        )
    return lines + [_ceiling_line(c) for c in report.ceilings]


def _ceiling_line(ceilings: Ceilings) -> str:
    where = "the GPU" if ceilings.device == "gpu" else f"{ceilings.threads} threads"
    return (
        f"ceilings of {where}: {ceilings.gemm_gflops:g} GFLOP/s {ceilings.precision}, "
        f"{ceilings.bandwidth_gb_s:g} GB/s copying"
    )


def is_busy(report: Report) -> bool:
    """Whether others used a good part of the cores when the measuring began."""
    load = report.machine.load_average
    return load is not None and load > 0.3 * report.machine.cores


def tables(report: Report) -> Iterator[Table]:
    """Yield the report's tables that have rows."""
    if report.stages:
        yield _stages(report.stages)
    for kind, title in _TITLES.items():
        clips = [c for c in report.clips if c.scenario.kind == kind]
        if clips:
            yield _SHAPES.get(kind, _scaling)(title, clips)
    if report.engines:
        yield Table(
            title="Building engines",
            head=("network", "precision", "library", "seconds", "MB"),
            rows=tuple(
                (e.stage, e.precision, e.flavour, f"{e.seconds:.1f}", f"{e.num_bytes / 1e6:.1f}")
                for e in report.engines
            ),
        )


def _stages(results: tuple[StageResult, ...]) -> Table:
    return Table(
        title="Networks, one call, copies included",
        head=(
            *("network", "on", "batch", "median ms", "p95 ms"),
            *("items/s", "GFLOP/s", "error"),
        ),
        rows=tuple(_stage_row(r) for r in results),
    )


def _stage_row(r: StageResult) -> tuple[str, ...]:
    what = (r.stage, f"{r.backend} {r.precision}", str(r.batch))
    if r.timing is None:
        return (*what, "refused", "", "", "", f"{r.error:.1e}")
    times = (f"{r.timing.median_ms:.3f}", f"{r.timing.p95_ms:.3f}", f"{r.items_per_s:.1f}")
    return (*what, *times, f"{r.gflops:.1f}" if r.mega_macs else "", f"{r.error:.1e}")


def _clips(title: str, clips: list[ClipResult]) -> Table:
    rows = [
        ("real-time factor", [f"{c.real_time_factor:.3f}" for c in clips]),
        ("frames a second, end to end", [f"{c.fps:.1f}" for c in clips]),
        ("frames a second, steady", [f"{c.steady_fps:.1f}" for c in clips]),
        ("first frame, warm", [f"{c.first_frame_ms:.0f} ms" for c in clips]),
        ("first frame, from cold", [f"{c.cold_start_s:.2f} s" for c in clips]),
        ("opening the networks", [f"{c.load_s:.2f} s" for c in clips]),
        ("preparing the portrait", [f"{c.portrait_s:.2f} s" for c in clips]),
        ("frame, median", [f"{c.frames.median_ms:.2f} ms" for c in clips]),
        ("frame, p95", [f"{c.frames.p95_ms:.2f} ms" for c in clips]),
        ("frame, p99", [f"{c.frames.p99_ms:.2f} ms" for c in clips]),
        ("jitter", [f"{c.frames.jitter_ms:.2f} ms" for c in clips]),
        ("peak memory", [_mib(c.peak_rss_mib) for c in clips]),
        ("GPU memory", [_mib(c.gpu_memory_mib) for c in clips]),
    ]
    head = ("what", *(f"{c.scenario.backend} {c.precision}" for c in clips))
    return Table(title=title, head=head, rows=tuple((name, *cells) for name, cells in rows))


def _scaling(title: str, clips: list[ClipResult]) -> Table:
    return Table(
        title=title,
        head=(
            *("on", "clip s", "size px", "tracks", "time / clip"),
            *("steady fps", "p95 ms", "first ms", "peak MiB"),
        ),
        rows=tuple(_scaling_row(c) for c in clips),
    )


def _scaling_row(c: ClipResult) -> tuple[str, ...]:
    what = (f"{c.scenario.backend} {c.precision}", f"{c.duration_s:.1f}")
    size = f"{c.frame_size[0]}x{c.frame_size[1]}"
    speed = (f"{c.real_time_factor:.3f}", f"{c.steady_fps:.1f}", f"{c.frames.p95_ms:.1f}")
    memory = "" if c.peak_rss_mib is None else f"{c.peak_rss_mib:.0f}"
    return (*what, size, str(c.scenario.tracks), *speed, f"{c.first_frame_ms:.0f}", memory)


def _memory(title: str, clips: list[ClipResult]) -> Table:
    """Peak memory over that of the shortest clip of the same target."""
    least: dict[str, float] = {}
    rows = []
    for clip in sorted(clips, key=lambda c: c.duration_s):
        target = f"{clip.scenario.backend} {clip.precision}"
        peak = clip.peak_rss_mib
        growth = (
            "" if peak is None else f"{100 * (peak / least.setdefault(target, peak) - 1):+.1f} %"
        )
        length = (f"{clip.duration_s:.0f}", str(clip.num_frames))
        rows.append((target, *length, _mib(peak), growth))
    head = ("on", "clip s", "frames", "peak memory", "growth")
    return Table(title=title, head=head, rows=tuple(rows))


_SHAPES: Final[Mapping[str, Callable[[str, list[ClipResult]], Table]]] = {
    "pipeline": _clips,
    "memory": _memory,
}


def _mib(value: float | None) -> str:
    return "not told" if value is None else f"{value:.0f} MiB"
