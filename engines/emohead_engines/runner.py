"""The TensorRT runner: one engine, a lane per concurrent call, streams that stay on the GPU.

``TensorRtRunner`` is a ``Runner`` like any other; held inputs and states of its ``steps`` never
leave the GPU between calls.
Who calls: ``emohead.backends``, inside a function. Not here: buffers (``lane.py``).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final

from numpy.typing import NDArray

from emohead.errors import BackendError
from emohead.runner import Runner
from emohead.stages import BATCH
from emohead.steps import State, Steps, unbatched
from emohead_engines.device import Device, open_device
from emohead_engines.engine import Engine
from emohead_engines.lane import Lane
from emohead_engines.store import EngineStore
from emohead_engines.workshop import Graph, Target, ensure_engine, find_target

__all__ = ["TensorRtRunner", "TensorRtSteps", "open_runner"]

Array = NDArray[Any]
MAX_LANES: Final = 4
"""Calls of one runner that run at once; more wait."""


class TensorRtRunner(Runner):
    """A stage on TensorRT; safe to call from many threads.

    Parameters
    ----------
    engine : Engine
        Shared by all lanes.
    max_lanes : int
        Calls that run at once; lanes are made when they are needed.
    captures : bool
        Whether repeated work is captured into CUDA graphs.
    """

    def __init__(
        self, engine: Engine, *, max_lanes: int = MAX_LANES, captures: bool = True
    ) -> None:
        super().__init__(engine.spec)
        self._engine = engine
        self._captures = captures
        self._permits = threading.Semaphore(max_lanes)
        self._lock = threading.Lock()
        self._lanes: list[Lane] = []
        self._idle: dict[int | None, list[Lane]] = {}
        self._is_closed = False
        self._finish = weakref.finalize(self, _close_all, self._lanes)
        self._finish.atexit = False  # the driver may be gone by then

    def steps(
        self, held: Sequence[Mapping[str, Array]], states: Sequence[State] | None = None
    ) -> Steps:
        """Open streams whose held inputs and states stay on the GPU.

        Parameters
        ----------
        held : sequence of mapping of str to numpy.ndarray
            Per stream, the inputs that never change, batch length 1; uploaded once.
        states : sequence of State, optional
            Per stream, where it starts from; zero otherwise.

        Returns
        -------
        Steps
            With a lane of its own.

        Raises
        ------
        ContractError
            When what is held does not fit the spec.
        """
        return TensorRtSteps(self, held, states)

    def close(self) -> None:
        """Free every lane; neither the runner nor its steps can be used afterwards."""
        with self._lock:
            self._is_closed = True
        self._finish()

    def _run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        with self._permits:
            lane = self.lend(None)
            try:
                return lane.run(feed, self.spec.output_names)
            finally:
                self.take_back(None, lane)

    def lend(self, batch: int | None) -> Lane:
        """Lend an idle lane, or make one.

        Parameters
        ----------
        batch : int or None
            The only batch that it will run; None for any up to the largest.

        Returns
        -------
        Lane
            To be given back with ``take_back``.

        Raises
        ------
        BackendError
            When the runner is closed, or the GPU's memory does not suffice.
        """
        with self._lock:
            if self._is_closed:
                raise self._closed()
            idle = self._idle.setdefault(batch, [])
            if idle:
                return idle.pop()
        fixed = {} if batch is None else {BATCH.name: batch}
        lane = Lane(self._engine, captures=self._captures, fixed=fixed)
        with self._lock:
            if not self._is_closed:
                self._lanes.append(lane)
                return lane
        lane.close()
        raise self._closed()

    def _closed(self) -> BackendError:
        return BackendError(f"{self.spec.name}: the runner is closed; open another one")

    def take_back(self, batch: int | None, lane: Lane) -> None:
        """Take a lane back, with its captured graphs, for the next who needs one like it.

        Without a lock, for it may be called wherever garbage is collected.

        Parameters
        ----------
        batch : int or None
            As it was lent for.
        lane : Lane
            From ``lend``.
        """
        self._idle[batch].append(lane)


class TensorRtSteps(Steps):
    """Streams on the GPU: two buffers per state, one read, the other written, then swapped.

    Parameters
    ----------
    runner : TensorRtRunner
        Lends the lane; takes it back at `close`.
    held, states
        As for ``Steps``.
    """

    def __init__(
        self,
        runner: TensorRtRunner,
        held: Sequence[Mapping[str, Array]],
        states: Sequence[State] | None = None,
    ) -> None:
        super().__init__(runner.spec, held, states)
        constants, begin = self._joined(held, states)
        self._lane = runner.lend(self.batch)
        self._finish = weakref.finalize(self, runner.take_back, self.batch, self._lane)
        self._finish.atexit = False
        self._lane.hold({**constants, **begin})

    def states(self) -> list[dict[str, Array]]:
        """Copy the state of every stream to the host."""
        names = [s.input for s in self.spec.state]
        return unbatched(self.spec, self._opened().fetch(names), self.batch)

    def close(self) -> None:
        """Give the lane back; the steps cannot be used afterwards."""
        self._finish()

    def _step(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        lane = self._opened()
        results = lane.run(feed, self.given)
        lane.swap()
        return results

    def _opened(self) -> Lane:
        if not self._finish.alive:
            raise BackendError(f"{self.spec.name}: the steps are closed; open others")
        return self._lane


def open_runner(
    graph: Graph,
    precision: str = "fp32",
    *,
    store: EngineStore | None = None,
    target: Target | None = None,
    device: Device | None = None,
) -> TensorRtRunner:
    """Open a stage on TensorRT, building its engine where that is allowed.

    Parameters
    ----------
    graph : Graph
        The bundle's graph.
    precision : {"fp32", "fp16", "int8"}
        Precision of the engine.
    store : EngineStore, optional
        Where engines are kept; the default one otherwise.
    target : Target, optional
        This machine otherwise.
    device : Device, optional
        The first visible GPU otherwise.

    Returns
    -------
    TensorRtRunner

    Raises
    ------
    BackendError
        When there is no TensorRT, no GPU, or no engine and it may not be built.
    """
    gpu = device or open_device()
    where = target or find_target()
    shelf = store or EngineStore()
    entry = ensure_engine(shelf, where, graph, precision)
    return TensorRtRunner(Engine(where.flavour, graph.spec, shelf.read(entry), gpu))


def _close_all(lanes: list[Lane]) -> None:
    while lanes:
        lanes.pop().close()
