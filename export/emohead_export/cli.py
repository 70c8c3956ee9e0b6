"""Command line ``emohead-export``: thin wrappers around ``packing.py`` and ``tiny.py``."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from emohead.bundle import Bundle
from emohead.errors import EmoheadError
from emohead.stages import STAGES
from emohead_export.packing import export_bundle
from emohead_export.tiny import write_tiny_bundle

__all__ = ["app", "main"]

app = typer.Typer(
    name="emohead-export",
    help="Turn trained checkpoints into a verified bundle of ONNX graphs.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def bundle(
    checkpoints: Annotated[Path, typer.Option(help="Folder that emohead-train wrote.")],
    out: Annotated[Path, typer.Option(help="Folder to write, or a path ending in .zip.")],
    name: Annotated[str, typer.Option(help="Name of the bundle.")] = "default",
    stage: Annotated[
        list[str] | None, typer.Option(help="Export only this stage; may be repeated.")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="Bundle that gives the stages not named by --stage, as they are."),
    ] = None,
    quality: Annotated[
        Path | None,
        typer.Option(help="JSON of `emohead-train evaluate`; its numbers go into the manifest."),
    ] = None,
) -> None:
    """Export every stage, compare each graph with its network, pack the bundle."""
    _refuse_unknown(stage or [])
    written = export_bundle(
        checkpoints,
        out,
        name=name,
        stages=stage or tuple(STAGES),
        base=Bundle.open(base) if base else None,
        metrics=_numbers(quality) if quality else None,
        progress=lambda done, error: typer.echo(f"{done}: parity error {error:.1e}"),
    )
    size = sum(entry.num_bytes for entry in written.manifest.stages.values())
    typer.echo(f"{out}: {len(written.manifest.stages)} stages, {size / 1e6:.1f} MB")


@app.command()
def tiny(
    out: Annotated[Path, typer.Argument(help="Folder to write, or a path ending in .zip.")],
) -> None:
    """Write a bundle of toy graphs that keep the true contract, for fast tests."""
    write_tiny_bundle(out)
    typer.echo(str(out))


@app.command()
def roofline(
    results: Annotated[list[Path], typer.Argument(help="JSON of `emohead bench`, one or more.")],
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("docs/roofline.md"),
    bundle: Annotated[
        Path | None, typer.Option(help="Networks that were measured; the embedded ones otherwise.")
    ] = None,
) -> None:
    """Write the roofline: cost of each graph, shares that were reached, predictions for GPUs."""
    from emohead.bench.schema import read_report, write_text
    from emohead_export.roofline_page import roofline_page

    reports = [read_report(path) for path in results]
    write_text(out, roofline_page(Bundle.open(bundle), reports))
    typer.echo(str(out))


def main() -> None:
    """Run the command line; our own errors become one sentence and exit status 1."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except EmoheadError as err:
        typer.echo(f"error: {err}", err=True)
        sys.exit(1)


def _refuse_unknown(names: list[str]) -> None:
    unknown = [n for n in names if n not in STAGES]
    if unknown:
        raise typer.BadParameter(f"unknown stage {unknown[0]}; choose among {', '.join(STAGES)}")


def _numbers(path: Path) -> dict[str, float]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return {k: float(v) for k, v in content.items() if isinstance(v, (int, float))}
