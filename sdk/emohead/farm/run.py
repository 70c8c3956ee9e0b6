"""``render``: a farm from its first job to its last, whatever happens in between.

Not here: rules (``dispatch.py``), what needs rendering (``plan.py``), Ray (``ray_pool.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from emohead.errors import InputError
from emohead.farm.cluster import connected
from emohead.farm.dispatch import Dispatcher
from emohead.farm.index import Index
from emohead.farm.plan import Jobs, Plan
from emohead.farm.ray_pool import RayPool, WorkerNeeds, num_workers_for
from emohead.farm.tasks import FarmState
from emohead.farm.workers import HeadLoader
from emohead.jobs import Record, RecordLog, read_records, write_record
from emohead.jobs.log import LOG_NAME
from emohead.video import remove_leftovers
from emohead.whole_files import writable_folder

if TYPE_CHECKING:
    from emohead.farm.tasks import Loader, Task

__all__ = ["FarmOptions", "render"]

GRACE_S: Final = 10.0
"""How long jobs in hand have to put their files away when the farm is interrupted."""
LOCK_NAME: Final = ".farm.lock"


@dataclass(frozen=True, kw_only=True)
class FarmOptions:
    """Where a farm runs, and how."""

    address: str | None = None
    """Ray cluster: ``auto``, ``ray://host:10001``; None to start Ray on this machine."""
    workers: int = 0
    """Heads loaded at once; 0 for as many as there is room for."""
    gpus_per_worker: float | None = None
    """Of each worker; None for one where the cluster has GPUs, and none elsewhere."""
    cpus_per_worker: float = 1
    """Cores of each worker; as many threads compute one network."""
    tracks: int = 1
    """Jobs of one worker at once, sharing its networks' steps."""
    may_build: bool = True
    """Whether workers may build TensorRT engines that are missing."""
    retry_failed: bool = False
    """Whether jobs that failed in an earlier run are tried again."""
    retries: int = 2
    """Tries after the first one, for what is not the input's fault."""
    bundle: str | Path | None = None
    """Trained networks, on every machine; None for the embedded ones."""
    backend: str = "auto"
    """As for ``TalkingHead.load``."""
    precision: str = "auto"
    """As for ``TalkingHead.load``."""

    def __post_init__(self) -> None:
        low = {"workers": 0, "tracks": 1, "retries": 0}
        for name, least in low.items():
            if getattr(self, name) < least:
                raise InputError(f"expected {name} of {least} or more, got {getattr(self, name)}")
        if not self.cpus_per_worker > 0:
            raise InputError(f"expected more than 0 cores a worker, got {self.cpus_per_worker}")
        if self.gpus_per_worker is not None and not self.gpus_per_worker >= 0:
            raise InputError(f"expected 0 GPUs or more a worker, got {self.gpus_per_worker}")


def render(
    jobs: Jobs,
    out: str | Path,
    options: FarmOptions | None = None,
    *,
    loader: Loader | None = None,
    on_change: Callable[[FarmState], object] = lambda state: None,
) -> FarmState:
    """Render jobs on every machine of a Ray cluster, or on this one.

    Parameters
    ----------
    jobs : path, or iterable of Job or mapping
        File (``.jsonl``, ``.csv``) or jobs; taken one at a time, so that there may be any number.
    out : str or Path
        Output folder; made where it is missing. On storage that every machine mounts there.
    options : FarmOptions, optional
    loader : Loader, optional
        What workers render with, instead of a ``TalkingHead``; for tests and other renderers.
    on_change : callable
        Called with the state after everything that happens, and twice a second.

    Returns
    -------
    FarmState
        Counts. ``records.jsonl`` in `out` has a record of every job that was tried.

    Raises
    ------
    InputError
        If the file of jobs or the output folder cannot be used, or another farm works there.
    BundleError
        If the networks cannot be used.
    BackendError
        If Ray cannot be started or reached, or no worker can load the networks.

    Examples
    --------
    >>> from emohead import farm
    >>> state = farm.render("jobs.jsonl", "renders")  # doctest: +SKIP
    >>> state.done, state.failed  # doctest: +SKIP
    (195, 5)
    """
    options = FarmOptions() if options is None else options
    folder = writable_folder(Path(out).absolute(), "output folder")
    with ExitStack() as stack:
        stack.enter_context(_alone(folder))
        loader = _loader(options) if loader is None else loader
        index = Index()
        stack.callback(index.close)
        if (folder / LOG_NAME).exists():  # a farm worked here, and may have been killed
            remove_leftovers(folder)
            index.fill(read_records(folder / LOG_NAME))
        log = stack.enter_context(RecordLog(folder / LOG_NAME))
        state = FarmState()

        def keep(record: Record) -> None:
            log.append(record)
            index.add(record)
            if record.status == "failed" and not record.worker and record.job is not None:
                _put_beside(record, folder)

        plan = Plan(
            jobs,
            folder,
            index,
            loader.bundle_sha256,
            state,
            keep,
            retry_failed=options.retry_failed,
        )
        _Farm(plan, folder, options, loader, state, keep, on_change).run()
    return state


class _Farm:
    """One run, once its folder is ready."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        options: FarmOptions,
        loader: Loader,
        state: FarmState,
        keep: Callable[[Record], None],
        on_change: Callable[[FarmState], object],
    ) -> None:
        self._plan, self._folder, self._options, self._loader = plan, folder, options, loader
        self._state, self._keep, self._on_change = state, keep, on_change

    def run(self) -> None:
        """Render what has to be; nothing is started where that is nothing."""
        tasks = self._plan.tasks()
        first = next(tasks, None)
        if first is None:
            self._on_change(self._state)
            return
        with connected(self._options.address) as ray:
            needs = _needs(self._options, ray.cluster_resources())
            count = self._options.workers or num_workers_for(ray.cluster_resources(), needs)
            pool = RayPool(self._loader, self._folder, count, needs)
            dispatcher = Dispatcher(
                _chained(first, tasks),
                pool,
                self._state,
                keep=self._keep,
                found=self._plan.found,
                clean=self._clean,
                retries=self._options.retries,
                on_change=self._on_change,
            )
            try:
                dispatcher.run()
            except BaseException:
                dispatcher.drop(GRACE_S)
                raise
            finally:
                pool.close()
                self._state.workers = ()

    def _clean(self, task: Task) -> None:
        video = self._folder / task.job.output
        remove_leftovers(video.parent, video.stem)


def _loader(options: FarmOptions) -> HeadLoader:
    from emohead.bundle import Bundle

    bundle = None if options.bundle is None else Path(options.bundle).absolute()
    return HeadLoader(
        bundle_sha256=Bundle.open(bundle).manifest.sha256,
        bundle=bundle,
        backend=options.backend,
        precision=options.precision,
        threads=max(1, int(options.cpus_per_worker)),
        tracks=options.tracks,
        may_build=options.may_build,
    )


def _needs(options: FarmOptions, resources: dict[str, float]) -> WorkerNeeds:
    gpus = options.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if resources.get("GPU", 0) and options.backend != "cpu" else 0.0
    return WorkerNeeds(cpus=options.cpus_per_worker, gpus=gpus, tracks=options.tracks)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second farm out of the folder; a lock that its process takes with it."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK_NAME, timeout=0):
            yield
    except Timeout as err:
        raise InputError(
            f"another farm works in {folder}: wait for it, or choose another --out"
        ) from err


def _put_beside(record: Record, folder: Path) -> None:
    """Write the record of a job that no worker could write, where that is possible."""
    video = folder / record.output
    try:
        if video.parent.is_dir():
            write_record(record, video)
    except InputError:
        return


def _chained(first: Task, rest: Iterator[Task]) -> Iterator[Task]:
    yield first
    yield from rest
