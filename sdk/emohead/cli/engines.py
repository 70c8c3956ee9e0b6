"""``emohead engines``: build, list, verify and prune TensorRT engines.

Opens ``emohead_engines`` inside functions: the runtime imports no TensorRT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emohead.cli.options import AsJson, EnginePrecision, GraphsOption
from emohead.cli.reporting import EXIT_UNUSABLE, ends_cleanly, needs_extra, print_json, say
from emohead.errors import BackendError, InputError, ParityError

if TYPE_CHECKING:
    from emohead_engines.entries import Entry
    from emohead_engines.store import EngineStore
    from emohead_engines.workshop import Graph, Target

__all__ = ["engines"]

engines = typer.Typer(
    name="engines",
    help="Build TensorRT engines once per GPU model, and keep them in order.",
    no_args_is_help=True,
)

StoreOption = Annotated[
    Path | None,
    typer.Option(help="Folder of the engines; by default $EMOHEAD_ENGINES, or the user's cache."),
]
MIB = 1 << 20


StagesOption = Annotated[
    list[str] | None, typer.Option(help="Build only this stage; may be repeated.")
]
LevelOption = Annotated[
    int, typer.Option(help="How long to look for fast kernels, 0 (briefly) to 5.")
]


@engines.command()
@ends_cleanly
def build(
    bundle: GraphsOption = None,
    stage: StagesOption = None,
    precision: EnginePrecision = "fp32",
    out: StoreOption = None,
    flavour: Annotated[str, typer.Option(help="auto, tensorrt or tensorrt_rtx.")] = "auto",
    level: LevelOption = 3,
    workspace: Annotated[int, typer.Option(help="Scratch memory of a layer, MiB.")] = 1024,
    as_json: AsJson = False,
) -> None:
    """Build what is missing; what is there and fits stays.

    A stage that does not pass in the precision is built in that of its file, with a note, unless
    it was named by --stage.
    """
    with needs_extra("tensorrt"):
        from emohead_engines.build import BuildOptions
        from emohead_engines.workshop import ensure_engine, find_target, graphs_of

        options = BuildOptions(level=level, workspace_mib=workspace)
        graphs = graphs_of(bundle, stage)
        target = find_target(flavour)
        store = _store(out, allow_build=True)
    rows = []
    with _progress(as_json) as watch:
        for graph in graphs:
            name, before, refusal = graph.spec.name, set(_paths(store)), ""

            def ensure(precision: str, graph: Graph = graph, name: str = name) -> Entry:
                bar = watch(name, precision)
                return ensure_engine(store, target, graph, precision, options=options, progress=bar)

            try:
                entry = ensure(precision)
            except ParityError as err:
                if stage:  # asked for by name
                    raise
                refusal = f"{err}; its engine is in {graph.precision}"
                entry = ensure(graph.precision)
            row = {**_row(entry), "built_now": entry.path not in before}
            rows.append({**row, "refused": refusal} if refusal else row)
    if as_json:
        print_json({"store": str(store.root), "engines": rows})
    else:
        _say_built(rows, target, store.root)


@engines.command("list")
@ends_cleanly
def list_engines(out: StoreOption = None, as_json: AsJson = False) -> None:
    """Show the engines of a store, and which fit this machine."""
    with needs_extra("tensorrt"):
        store = _store(out)
        entries, target = store.entries(), _target()
    rows = [{**_row(e), "fits": _fit(e, target)} for e in entries]
    if as_json:
        print_json({"store": str(store.root), "engines": rows})
    else:
        _draw(rows, store.root)


@engines.command()
@ends_cleanly
def verify(out: StoreOption = None, as_json: AsJson = False) -> None:
    """Read every plan and compare it with its manifest; exit code 2 if one is damaged."""
    with needs_extra("tensorrt"):
        store = _store(out)
        problems = {entry.plan: store.problem(entry) for entry in store.entries()}
    damaged = {str(plan): problem for plan, problem in problems.items() if problem is not None}
    if as_json:
        print_json(
            {"store": str(store.root), "intact": len(problems) - len(damaged)}
            | {"damaged": damaged}
        )
    else:
        for plan, problem in damaged.items():
            say(f"{plan}: {problem}; remove it with `emohead engines prune --damaged`")
        say(f"{len(problems) - len(damaged)} of {len(problems)} engines in {store.root} are intact")
    if damaged:
        raise typer.Exit(EXIT_UNUSABLE)


@engines.command()
@ends_cleanly
def prune(
    out: StoreOption = None,
    max_mib: Annotated[
        int | None, typer.Option(help="Size to get below, MiB; by default the store's cap.")
    ] = None,
    damaged: Annotated[bool, typer.Option(help="Also remove what `verify` complains of.")] = False,
    foreign: Annotated[
        bool, typer.Option(help="Also remove engines that do not fit this machine.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the engines used longest ago, and what killed builds left behind."""
    with needs_extra("tensorrt"):
        store = _store(out)
        target = _target() if foreign else None
    if max_mib is not None and max_mib < 0:
        raise InputError(f"expected --max-mib of 0 or more, got {max_mib}")
    removed = [
        entry
        for entry in store.entries()
        if (damaged and store.problem(entry)) or (foreign and _fit(entry, target) is False)
    ]
    for entry in removed:
        entry.remove()
    removed += store.prune(None if max_mib is None else max_mib * MIB)
    if as_json:
        print_json({"store": str(store.root), "removed": [_row(e) for e in removed]})
        return
    for entry in removed:
        say(f"removed {entry.plan.name}")
    say(f"{len(removed)} engines removed, {len(store.entries())} left in {store.root}")


def _store(out: Path | None, *, allow_build: bool | None = None) -> EngineStore:
    from emohead_engines.store import EngineStore

    return EngineStore(out, allow_build=allow_build)


def _target() -> Target | None:
    """Find what this machine builds with and for; None where it cannot run engines."""
    from emohead_engines.workshop import find_target

    try:
        return find_target()
    except BackendError:
        return None


def _fit(entry: Entry, target: Target | None) -> bool | None:
    from emohead_engines.workshop import fits

    return None if target is None else fits(entry.manifest.key, target)


def _paths(store: EngineStore) -> list[Path]:
    return [entry.path for entry in store.entries()]


def _row(entry: Entry) -> dict[str, Any]:
    manifest = entry.manifest
    key = manifest.key
    return {
        "stage": key.stage,
        "precision": key.precision,
        "flavour": key.flavour,
        "tensorrt_version": key.tensorrt_version,
        "gpu": key.gpu,
        "compute_capability": key.compute_capability,
        "num_bytes": manifest.num_bytes,
        "built": manifest.built,
        "build_seconds": manifest.build_seconds,
        "plan": str(entry.plan),
    }


def _say_built(rows: list[dict[str, Any]], target: Target, root: Path) -> None:
    for row in rows:
        done = f"built in {row['build_seconds']:.1f} s" if row["built_now"] else "is there"
        say(f"{row['stage']} {row['precision']}: {done}, {row['num_bytes'] / MIB:.1f} MiB")
        if "refused" in row:
            say(f"note: {row['refused']}")
    say(f"{len(rows)} engines for {target} in {root}")


def _draw(rows: list[dict[str, Any]], root: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    words = {True: "yes", False: "no", None: "no TensorRT here"}
    table = Table("stage", "precision", "TensorRT", "GPU", "MiB", "built", "fits here")
    for row in rows:
        library = f"{row['flavour']} {row['tensorrt_version']}"
        size = f"{row['num_bytes'] / MIB:.1f}"
        which = (row["stage"], row["precision"], library, row["gpu"], size)
        table.add_row(*which, row["built"], words[row["fits"]])
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"{len(rows)} engines in {root}", soft_wrap=True)


@contextmanager
def _progress(is_quiet: bool) -> Iterator[Callable[[str, str], Any]]:
    """One bar per stage on stderr, with the phase of its build."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True, quiet=is_quiet)
    with Progress(*columns, TextColumn("{task.fields[phase]}"), console=console) as bars:

        def watch(stage: str, precision: str) -> Callable[[str, int, int], None]:
            task = bars.add_task(f"{stage} {precision}", total=None, phase="")

            def show(phase: str, done: int, total: int) -> None:
                bars.update(task, phase=phase, completed=done, total=max(total, 1))

            return show

        yield watch
