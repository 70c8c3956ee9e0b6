"""The report as one HTML file that opens offline: tables and plots, no script, no address.

Called by ``emohead bench``. Not here: what the cells say (``tables.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from emohead.bench.plots import Series, bars, lines
from emohead.bench.schema import ClipResult, Report, StageResult
from emohead.bench.tables import Table, hardware_of, machine_lines, tables

__all__ = ["page_of"]

_TEMPLATE: Final = Path(__file__).resolve().parent / "page.html"


def page_of(report: Report) -> str:
    """Draw a report.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        HTML with everything inside.
    """
    kind = "a quick look" if report.quick else "measured in full"
    body = [
        f"<header><h1>Speed of emohead on {escape(hardware_of(report))}</h1>"
        f'<p class="soft">{escape(report.created)}, {kind}</p>{_list(machine_lines(report))}'
        "</header>",
        *(_section(t) for t in tables(report)),
        *(
            f"<section><h2>{escape(c)}</h2><figure>{svg}</figure></section>"
            for c, svg in _plots(report)
        ),
    ]
    problems = [f"{r.stage}, batch {r.batch}: {r.refused}" for r in report.refused]
    problems += [f"{what}: {why}" for what, why in report.absent.items()]
    if problems:
        body.append(f"<section><h2>Not measured</h2>{_list(problems)}</section>")
    marked = _TEMPLATE.read_text(encoding="utf-8")
    title = f"emohead bench: {hardware_of(report)}"
    return marked.replace("<!--TITLE-->", escape(title)).replace("<!--BODY-->", "\n".join(body))


def _list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(s)}</li>" for s in sentences) + "</ul>"


def _section(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f'<section><h2>{escape(table.title)}</h2><div class="wide"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _plots(report: Report) -> Iterator[tuple[str, str]]:
    """Yield caption and drawing of everything that was measured."""
    single = [r for r in report.stages if r.batch == 1 and r.timing is not None]
    if single:
        rows = [(r.stage, _name(r), r.timing.median_ms) for r in single if r.timing]
        yield "Networks at batch 1, median of a call", bars(rows, "ms")
    batched = _by_target([r for r in report.stages if _has_batches(report, r)])
    for stage in dict.fromkeys(r.stage for own in batched.values() for r in own):
        drawn = [
            Series(name=name, x=[r.batch for r in own], y=[r.items_per_s for r in own])
            for name, results in batched.items()
            if (own := [r for r in results if r.stage == stage])
        ]
        yield f"{stage}: items a second over the batch size", lines(drawn, "batch", "items/s")
    yield from _frame_plot(report)
    yield from _scaling_plots(report)


def _name(result: StageResult) -> str:
    return f"{result.backend} {result.precision}"


def _has_batches(report: Report, result: StageResult) -> bool:
    sizes = {r.batch for r in report.stages if r.stage == result.stage and r.timing}
    return len(sizes) > 1 and result.timing is not None


def _by_target(results: Sequence[StageResult]) -> dict[str, list[StageResult]]:
    found: dict[str, list[StageResult]] = {}
    for result in results:
        found.setdefault(_name(result), []).append(result)
    return found


def _frame_plot(report: Report) -> Iterator[tuple[str, str]]:
    clips = [c for c in report.clips if c.scenario.kind == "pipeline"]
    rows = [
        (label, f"{c.scenario.backend} {c.precision}", value)
        for c in clips
        for label, value in (
            ("median", c.frames.median_ms),
            ("p95", c.frames.p95_ms),
            ("p99", c.frames.p99_ms),
        )
    ]
    if rows:
        yield "Time between frames, encoding beside them", bars(rows, "ms")


def _scaling_plots(report: Report) -> Iterator[tuple[str, str]]:
    wanted: tuple[tuple[str, str, str, str, Callable[[ClipResult], tuple[float, float]]], ...] = (
        (
            *("length", "Real-time factor over the clip's length", "seconds", "time / duration"),
            lambda c: (c.duration_s, c.real_time_factor),
        ),
        (
            *("length", "Peak memory over the clip's length", "seconds", "MiB"),
            lambda c: (c.duration_s, c.peak_rss_mib or 0.0),
        ),
        (
            *("resolution", "Frames a second over the photo's height", "px", "fps"),
            lambda c: (float(c.frame_size[0]), c.steady_fps),
        ),
        (
            *("tracks", "Frames a second of all tracks together", "tracks", "fps"),
            lambda c: (float(c.scenario.tracks), c.steady_fps),
        ),
    )
    for kind, caption, x_label, y_label, point in wanted:
        clips = [c for c in report.clips if c.scenario.kind == kind]
        names = dict.fromkeys(f"{c.scenario.backend} {c.precision}" for c in clips)
        drawn = []
        for name in names:
            own = [point(c) for c in clips if f"{c.scenario.backend} {c.precision}" == name]
            drawn.append(Series(name=name, x=[x for x, _ in own], y=[y for _, y in own]))
        if drawn:
            yield caption, lines(drawn, x_label, y_label)
