"""``emohead farm JOBS --out DIR``, ``emohead farm status DIR``, ``emohead farm schema``.

A group whose default command is ``run``. Opens ``emohead.farm`` inside functions: it needs pydantic
and Ray. Not here: the table (``farm_table.py``).
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from emohead.cli.options import AsJson, BackendOption, PrecisionOption
from emohead.cli.reporting import EXIT_FAILED, EXIT_INTERRUPTED, ends_cleanly, print_json, say

if TYPE_CHECKING:
    from emohead.farm import FarmOptions, FarmState

__all__ = ["farm"]

_DEFAULT: Final = "run"


class _DefaultGroup(TyperGroup):
    """A group that takes what is no command for the arguments of ``run``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the default command where none is named."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


farm = typer.Typer(
    name="farm",
    cls=_DefaultGroup,
    help="Render many jobs on many machines: `emohead farm JOBS --out DIR` is `emohead farm run`.",
    no_args_is_help=True,
)

JobsArgument = Annotated[
    Path,
    typer.Argument(help="Jobs: .jsonl, one JSON object a line, or .csv.", show_default=False),
]
AddressOption = Annotated[
    str | None, typer.Option(help="Ray cluster: auto, ray://HOST:10001; else this machine.")
]
WorkersOption = Annotated[
    int, typer.Option(help="Workers at once, each with its networks; 0 for as many as fit.")
]
GpusPerWorkerOption = Annotated[
    float | None,
    typer.Option(help="GPUs of each worker, also 0.5; by default 1 where there are any."),
]
NoBuildOption = Annotated[
    bool, typer.Option("--no-build", help="Never build engines: a missing one is an error.")
]
RetryFailedOption = Annotated[
    bool, typer.Option("--retry-failed", help="Try again what failed in an earlier run.")
]
RetriesOption = Annotated[
    int, typer.Option(help="Tries after the first, for what is not an input's fault.")
]
EverywhereBundleOption = Annotated[
    Path | None, typer.Option(help="Folder or zip of networks, the same on every machine.")
]
MetricsPortOption = Annotated[
    int | None, typer.Option(help="Serve Prometheus metrics at this port.")
]


@farm.command(_DEFAULT)
@ends_cleanly
def run(
    jobs: JobsArgument,
    out: Annotated[Path, typer.Option("--out", help="Output folder, on shared storage.")],
    address: AddressOption = None,
    workers: WorkersOption = 0,
    gpus_per_worker: GpusPerWorkerOption = None,
    cpus_per_worker: Annotated[float, typer.Option(help="Cores of each worker.")] = 1,
    tracks: Annotated[int, typer.Option(help="Jobs of one worker at once.")] = 1,
    no_build: NoBuildOption = False,
    retry_failed: RetryFailedOption = False,
    retries: RetriesOption = 2,
    backend: BackendOption = "auto",
    precision: PrecisionOption = "auto",
    bundle: EverywhereBundleOption = None,
    metrics_port: MetricsPortOption = None,
    metrics_host: Annotated[str, typer.Option(help="Address of the metrics.")] = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Render what is missing or changed; exit code 5 if a job has no video in the end."""
    from emohead.farm import FarmOptions

    options = FarmOptions(
        address=address,
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
        tracks=tracks,
        may_build=not no_build,
        retry_failed=retry_failed,
        retries=retries,
        bundle=bundle,
        backend=backend,
        precision=precision,
    )
    metrics = None if metrics_port is None else (metrics_port, metrics_host)
    state = _rendered(jobs, out, options, metrics, quiet=as_json)
    if as_json:
        result: dict[str, Any] = {"out": str(out), **state.counts(), "frames": state.frames}
        print_json({**result, "retried": state.retried, "worker_deaths": state.deaths})
    if not state.has_succeeded:
        say(f"emohead: some jobs have no video; see `emohead farm status {out}`")
        raise typer.Exit(EXIT_FAILED)


@farm.command()
@ends_cleanly
def status(
    folder: Annotated[Path, typer.Argument(help="Output folder of a farm.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show what became of every job, and why some failed."""
    from emohead.cli.farm_table import draw_report
    from emohead.farm import read_status

    report = read_status(folder)
    if as_json:
        print_json(report.as_dict())
    else:
        draw_report(report)


@farm.command()
@ends_cleanly
def schema() -> None:
    """Print the JSON Schema of a job."""
    from emohead.jobs import job_schema

    print(json.dumps(job_schema(), indent=2))


def _rendered(
    jobs: Path, out: Path, options: FarmOptions, metrics: tuple[int, str] | None, *, quiet: bool
) -> FarmState:
    from emohead.cli.farm_table import FarmView, sentence
    from emohead.farm import FarmState, render
    from emohead.farm.metrics import Metrics

    seen = FarmState()
    with ExitStack() as stack:
        server = None if metrics is None else stack.enter_context(Metrics(*metrics))
        view = stack.enter_context(FarmView(quiet=quiet))

        def show(state: FarmState) -> None:
            nonlocal seen
            seen = state
            view.show(state)
            if server is not None:
                server.watch(state)

        try:
            state = render(jobs, out, options, on_change=show)
        except KeyboardInterrupt:
            stack.close()
            say(f"emohead: interrupted, {seen.done} videos are done: run it again to go on")
            raise typer.Exit(EXIT_INTERRUPTED) from None
    if not quiet:
        say(sentence(state))
    return state
