"""The command ``emohead-train prepare``: options, progress bar, table of the report.

Everything heavy is imported when it runs. Not here: the work (``preparing.py``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from emohead_training.corpora.protocol import PrepareConfig

__all__ = ["prepare_command"]

CorpusOption = Annotated[
    str, typer.Option(help="ravdess, crema-d, folder, digital-actors or voices.")
]
CorpusFolderOption = Annotated[
    Path, typer.Option(help="Corpus folder to write; several corpora may share it.")
]
RootOption = Annotated[
    Path | None, typer.Option(help="Folder of the recordings, as they were downloaded.")
]
ClipsPerPersonOption = Annotated[
    int, typer.Option(min=1, help="Performances of each digital actor.")
]
SecondsOption = Annotated[
    float, typer.Option(min=0.5, help="Length of each digital actor's performance.")
]
LandmarkerOption = Annotated[
    str, typer.Option(help="default (the bundle's networks) or mediapipe (see --teachers).")
]
TeachersOption = Annotated[
    Path | None, typer.Option(help="Folder of MediaPipe's networks as ONNX files.")
]


def prepare_command(
    corpus: CorpusOption,
    out: CorpusFolderOption,
    root: RootOption = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 takes all cores.")] = 0,
    minutes: Annotated[float, typer.Option(min=0.01, help="Length of the voices to make.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Of voices or digital actors.")] = 0,
    people: Annotated[int, typer.Option(min=1, help="Number of digital actors.")] = 48,
    clips_per_person: ClipsPerPersonOption = 2,
    seconds: SecondsOption = 3.0,
    landmarker: LandmarkerOption = "default",
    teachers: TeachersOption = None,
) -> None:
    """Turn recordings into shards that every trainer reads; continues where it was stopped."""
    from emohead.errors import InputError
    from emohead_training.corpora.protocol import PrepareConfig

    if landmarker not in ("default", "mediapipe"):
        raise InputError(f"expected a landmarker default or mediapipe, got {landmarker!r}")
    if (landmarker == "mediapipe") != (teachers is not None):
        raise InputError("expected --landmarker mediapipe and --teachers DIR together; give both")
    config = PrepareConfig(
        corpus=corpus,
        out=out,
        root=root,
        workers=workers or os.cpu_count() or 1,
        minutes=minutes,
        seed=seed,
        people=people,
        clips_per_person=clips_per_person,
        seconds=seconds,
        teachers=teachers,
    )
    _run(config)


def _run(config: PrepareConfig) -> None:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Table

    from emohead_training.corpora.preparing import prepare
    from emohead_training.corpora.report import report_rows

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, note="listing")

        def tell(done: int, total: int, skipped: int) -> None:
            bar.update(task, completed=done, total=total, note=f"{skipped} skipped")

        report = prepare(config, tell)
    table = Table("what", "count", "remark", title=f"{config.corpus} in {config.out}")
    for row in report_rows(report):
        table.add_row(*row)
    Console().print(table)
