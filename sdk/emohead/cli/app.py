"""The Typer application and its entry point."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

import emohead
from emohead.cli.arkit import arkit
from emohead.cli.bench import bench
from emohead.cli.demo import demo
from emohead.cli.doctor import doctor
from emohead.cli.emotion import emotion
from emohead.cli.engines import engines
from emohead.cli.export import export
from emohead.cli.farm import farm
from emohead.cli.inspect import inspect
from emohead.cli.landmarks import landmarks
from emohead.cli.render import render
from emohead.cli.replay import replay
from emohead.cli.serve import serve
from emohead.cli.studio import studio
from emohead.cli.study import study
from emohead.cli.style import style
from emohead.cli.verify import verify

__all__ = ["app", "main"]

app = typer.Typer(
    name="emohead",
    help="One photo and one voice in, an emotional talking head out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from emohead.doctor import installed

        print(f"emohead {emohead.__version__}", *installed(), sep="\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Show the version, bundle and backend.",
        ),
    ] = False,
) -> None:
    """One photo and one voice in, an emotional talking head out."""


for _command in (
    render,
    emotion,
    landmarks,
    arkit,
    style,
    demo,
    serve,
    studio,
    verify,
    replay,
    inspect,
    doctor,
    bench,
):
    app.command()(_command)
app.add_typer(engines)
app.add_typer(export)
app.add_typer(farm)
app.add_typer(study)


def _stop(signum: int, frame: FrameType | None) -> None:
    """Unwind as for Ctrl-C, so that unfinished files are removed."""
    raise SystemExit(128 + signum)


def _hang_up(signum: int, frame: FrameType | None) -> None:
    """End as by SIGTERM, in whichever way the command takes that: its terminal was closed."""
    signal.raise_signal(signal.SIGTERM)


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _stop)
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    if hang_up is not None and signal.getsignal(hang_up) != signal.SIG_IGN:  # as under nohup
        signal.signal(hang_up, _hang_up)
    sys.exit(app())
