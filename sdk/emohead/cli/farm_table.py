"""The table of a farm at work, and how its numbers are put for people.

Called by ``emohead farm``. Not here: the numbers (``emohead.farm``).
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from emohead.cli.reporting import printable, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from emohead.farm import FarmReport, FarmState

__all__ = ["FarmView", "draw_report", "sentence"]

LINE_EVERY_S: Final = 30.0
"""How often a line is written where no terminal can show a table."""
MAX_ROWS: Final = 24
"""Workers shown; a cluster may have hundreds."""


class FarmView:
    """Shows a farm's state on stderr: a table in a terminal, now and then a line elsewhere.

    Use it as a context manager.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.live import Live

        self._quiet = quiet
        console = Console(stderr=True, markup=False, highlight=False)
        self._live: Live | None = None
        if not quiet and sys.stderr.isatty():
            self._live = Live(console=console, refresh_per_second=2, transient=True)
        self._told = time.monotonic()

    def show(self, state: FarmState) -> None:
        """Show how far the farm is."""
        if self._live is not None:
            self._live.update(farm_table(state))
        elif not self._quiet and time.monotonic() - self._told > LINE_EVERY_S:
            self._told = time.monotonic()
            say(sentence(state))

    def __enter__(self) -> FarmView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *reason: object) -> None:
        if self._live is not None:
            self._live.stop()


def farm_table(state: FarmState) -> RenderableType:
    """Draw a farm: one row a worker, a sentence below."""
    from rich.table import Table

    table = Table(
        "worker", "machine", "state", "videos", "frames", "in hand", caption=sentence(state)
    )
    table.caption_justify = "left"
    workers = list(state.workers)
    for worker in workers[:MAX_ROWS]:
        doing = ", ".join(task.job.output for task in worker.tasks)
        shown = doing if len(doing) <= 48 else f"{doing[:45]}..."
        condition = ("working" if worker.tasks else "idle") if worker.is_ready else "loading"
        counts = (str(worker.done), str(worker.frames))
        table.add_row(worker.name, worker.node, condition, *counts, shown)
    if len(workers) > MAX_ROWS:
        table.add_row(f"and {len(workers) - MAX_ROWS} more", "", "", "", "", "")
    return table


def sentence(state: FarmState) -> str:
    """Tell how far a farm is."""
    counts = state.counts()
    words = [f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n or name == "done"]
    elapsed = max(time.monotonic() - state.began, 1e-6)
    words.append(f"{state.frames / elapsed:.1f} frames/s")
    words += [f"{state.deaths} workers died"] if state.deaths else []
    told = f"{', '.join(words)} after {elapsed:.0f} s"
    return f"{told}\nlast trouble: {state.last}" if state.last else told


def draw_report(report: FarmReport) -> None:
    """Print what ``emohead farm status`` says."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    table = Table("done", "failed", "cancelled", "lost", "frames", "MB", "job hours")
    table.add_row(
        *(str(n) for n in (report.done, report.failed, report.cancelled, report.lost)),
        str(report.frames),
        f"{report.video_bytes / 1e6:.1f}",
        f"{report.job_seconds / 3600:.2f}",
    )
    console.print(table)
    console.print(f"{report.folder}: from {report.first} to {report.last}", soft_wrap=True)
    if not report.failures:
        return
    failures = Table("line", "output", "tries", "why")
    for failed in report.failures:
        line = "" if failed.line is None else str(failed.line)
        told = (failed.output, str(failed.attempt), failed.message)
        failures.add_row(line, *map(printable, told))
    console.print(failures)
