"""``emohead bench``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emohead.cli.reporting import EXIT_UNUSABLE, ends_cleanly, say
from emohead.errors import InputError
from emohead.whole_files import writable_folder

if TYPE_CHECKING:
    from rich.table import Table

    from emohead.bench.schema import Report
    from emohead.bench.suite import Progress

__all__ = ["bench"]

QuickOption = Annotated[bool, typer.Option("--quick", help="A first look, in about a minute.")]
OutOption = Annotated[Path, typer.Option(help="Folder for speed_HARDWARE_DATE.json and .html.")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the JSON here instead.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write the page here instead.")]
BackendsOption = Annotated[
    list[str] | None,
    typer.Option(help="Only this backend; may be repeated; by default all that work."),
]
BundlesOption = Annotated[
    list[Path] | None,
    typer.Option(help="Networks, of any precision; may be repeated; by default the embedded ones."),
]
PartsOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Only ceilings, stages, engines, pipeline, scaling or memory; may be repeated."
    ),
]
StagesOption = Annotated[list[str] | None, typer.Option(help="Only this network; may be repeated.")]


@ends_cleanly
def bench(
    quick: QuickOption = False,
    out: OutOption = Path("out"),
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    backend: BackendsOption = None,
    bundle: BundlesOption = None,
    part: PartsOption = None,
    stage: StagesOption = None,
) -> None:
    """Measure this machine: networks, clips, how they scale. Results are compared first."""
    from emohead.bench.page import page_of
    from emohead.bench.schema import write_text
    from emohead.bench.suite import PARTS, plan_of, run_plan
    from emohead.bench.targets import find_backends, find_targets, golden_of, open_bundles
    from emohead.stages import STAGES

    for file in (json_file, html_file):
        _check_place(out, file)  # before half an hour of work
    chosen = _known("--part", part, PARTS)
    plan = plan_of(quick=quick, parts=chosen, stages=_known("--stage", stage, tuple(STAGES)))
    backends, absent = find_backends(backend or ())
    bundles = open_bundles(bundle or ())
    targets = find_targets(backends, bundles)
    with _progress() as watch:
        report = run_plan(plan, targets, golden_of(bundles), absent=absent, progress=watch)
    _draw(report)
    stem = out / f"speed_{_slug(report)}_{report.created[:10]}"
    json_path = json_file or stem.with_name(f"{stem.name}.json")
    html_path = html_file or stem.with_name(f"{stem.name}.html")
    write_text(json_path, report.model_dump_json(indent=1) + "\n")
    write_text(html_path, page_of(report))
    say(f"{json_path} and {html_path} written")
    if report.refused:
        raise typer.Exit(EXIT_UNUSABLE)


def _check_place(out: Path, file: Path | None) -> None:
    if file is not None and file.is_dir():
        raise InputError(f"{file} is a folder: give the path of a file")
    writable_folder(out if file is None else file.parent, "folder")


def _known(option: str, given: list[str] | None, names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in given or () if name not in names]
    if unknown:
        raise InputError(f"expected {option} among {', '.join(names)}, got {unknown[0]!r}")
    return tuple(given) if given else names


def _slug(report: Report) -> str:
    """Hardware as a part of a file name."""
    from emohead.bench.tables import hardware_of

    return re.sub(r"[^a-z0-9]+", "-", hardware_of(report).lower()).strip("-")


@contextmanager
def _progress() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    quiet = not sys.stderr.isatty()
    console = Console(stderr=True, quiet=quiet)
    with Progress(*columns, console=console, disable=quiet, transient=True) as bar:
        task = bar.add_task("measuring", total=None)

        def watch(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield watch


def _draw(report: Report) -> None:
    from rich.console import Console

    from emohead.bench.tables import machine_lines, tables

    console = Console(markup=False, highlight=False)
    for line in machine_lines(report):
        console.print(line, soft_wrap=True)
    for table in tables(report):
        console.print(f"\n{table.title}")
        console.print(_grid(table.head, table.rows))
    for result in report.refused:
        console.print(f"\nrefused: {result.refused}", soft_wrap=True)
    for what, why in report.absent.items():
        console.print(f"\nnot measured, {what}: {why}", soft_wrap=True)


def _grid(head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Table:
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for index, name in enumerate(head):
        grid.add_column(name, no_wrap=True, justify="left" if index == 0 else "right")
    for row in rows:
        grid.add_row(*row)
    return grid
