"""The command ``emohead-train pack``: options, progress line, table of the report.

Everything heavy is imported when it runs. Not here: the work (``packing.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["pack_command"]


def pack_command(
    data: Annotated[Path, typer.Option(help="Corpus folder with video.csv and audio.csv.")],
    out: Annotated[Path, typer.Option(help="Archive to write, .tar; unpacked, it is a corpus.")],
    max_mib: Annotated[float, typer.Option(min=0.1, help="Largest size, MiB.")] = 60.0,
    actors: Annotated[bool, typer.Option(help="Let digital actors join (extra: actors).")] = True,
    synthesise: Annotated[bool, typer.Option(help="Let synthesised voices join.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of the trainings that will read it.")] = 0,
) -> None:
    """Pack a corpus for a GPU machine that has torch, lightning, numpy and OpenCV alone."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.table import Table

    from emohead_training.packing.packing import PackConfig, pack

    config = PackConfig(
        data=data, out=out, max_mib=max_mib, actors=actors, synthesise=synthesise, seed=seed
    )
    columns = (TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("listing", total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        report = pack(config, tell)
    size = out.stat().st_size / (1 << 20)
    table = Table("what", "kept", "people", "minutes", "KiB", "left out", title=f"{size:.1f} MiB")
    for row in _lines(report):
        table.add_row(*row)
    Console().print(table)


def _lines(report: dict[str, Any]) -> list[tuple[str, ...]]:
    lines = [
        (
            name,
            f"{facts['kept']} of {facts['of']}",
            str(facts["people"]),
            f"{facts['minutes']:.1f}",
            str(facts["kib"]),
            "; ".join(f"{count} {reason}" for reason, count in facts["left_out"].items() if count),
        )
        for name, facts in report["groups"].items()
    ]
    return lines + [(name, "", "", "", "", remark) for name, remark in report["extras"].items()]
