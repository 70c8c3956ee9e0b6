"""The TensorRT runner: one engine, a lane per concurrent call, and tracks that keep their state.

``TensorRtRunner`` is a ``Runner`` like any other. A ``Track`` is one recurrent stream whose states
and constant inputs never leave the GPU.
Who calls: ``emohead.backends``, inside a function. Not here: buffers (``lane.py``).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from numpy.typing import NDArray

from emohead.contract import StageSpec
from emohead.errors import BackendError, ContractError
from emohead.runner import Runner, check_feed
from emohead_engines.device import Device, open_device
from emohead_engines.engine import Engine
from emohead_engines.lane import Lane, lengths_of
from emohead_engines.store import EngineStore
from emohead_engines.workshop import Graph, Target, ensure_engine, find_target

__all__ = ["TensorRtRunner", "Track", "open_runner"]

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
        self._idle: list[Lane] = []
        self._is_closed = False
        self._finish = weakref.finalize(self, _close_all, self._lanes)
        self._finish.atexit = False  # the driver may be gone by then

    def track(self, constants: Mapping[str, Array] | None = None) -> Track:
        """Open a recurrent stream.

        Parameters
        ----------
        constants : mapping of str to numpy.ndarray, optional
            Inputs that never change; uploaded once.

        Returns
        -------
        Track
            With every state at zero, and a lane of its own.

        Raises
        ------
        ContractError
            When the constants do not fit the spec.
        """
        if self._is_closed:
            raise self._closed()
        return Track(self._engine, constants or {}, captures=self._captures)

    def close(self) -> None:
        """Free every lane; the runner cannot be used afterwards."""
        self._is_closed = True
        self._finish()

    def _run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        with self._lane() as lane:
            return lane.run(feed, self.spec.output_names)

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """Borrow an idle lane, or make one."""
        with self._permits:
            with self._lock:
                if self._is_closed:
                    raise self._closed()
                lane = self._idle.pop() if self._idle else None
            if lane is None:
                lane = Lane(self._engine, captures=self._captures)
                self._lanes.append(lane)
            try:
                yield lane
            finally:
                self._idle.append(lane)

    def _closed(self) -> BackendError:
        return BackendError(f"{self.spec.name}: the runner is closed; open another one")


class Track:
    """One recurrent stream; make one with ``TensorRtRunner.track``. Not for two threads at once.

    Parameters
    ----------
    engine : Engine
        Shared with other tracks.
    constants : mapping of str to numpy.ndarray
        Inputs that never change.
    captures : bool
        Whether repeated work is captured into CUDA graphs.
    """

    def __init__(
        self, engine: Engine, constants: Mapping[str, Array], *, captures: bool = True
    ) -> None:
        spec = engine.spec
        states_in = {s.input for s in spec.state}
        states_out = {s.output for s in spec.state}
        check_feed(_narrowed(spec, set(constants) - states_in), constants)
        self._spec = _narrowed(spec, set(spec.input_names) - states_in - set(constants))
        self._wanted = tuple(n for n in spec.output_names if n not in states_out)
        self._lengths = lengths_of(spec, constants)
        self._lane = Lane(engine, captures=captures)
        self._lane.hold(constants)
        self._finish = weakref.finalize(self, Lane.close, self._lane)
        self._finish.atexit = False

    def step(self, **feed: Array) -> dict[str, Array]:
        """Run the next step.

        Parameters
        ----------
        **feed : numpy.ndarray
            Every input that is neither constant nor a state.

        Returns
        -------
        dict of str to numpy.ndarray
            Every output that is no state.

        Raises
        ------
        ContractError
            When the feed does not fit the spec, or an axis changes its length.
        """
        if not self._finish.alive:
            raise BackendError(f"{self._spec.name}: the track is closed; open another one")
        check_feed(self._spec, feed)
        lengths = lengths_of(self._spec, feed)
        for axis, length in lengths.items():
            if self._is_kept(axis) and self._lengths.setdefault(axis, length) != length:
                raise ContractError(
                    f"{self._spec.name}: expected {axis} {self._lengths[axis]} as before, got "
                    f"{length}; open another track for it"
                )
        results = self._lane.run(feed, self._wanted)
        self._lane.swap()
        return results

    def reset(self) -> None:
        """Set every state back to zero."""
        self._lane.clear_states()

    def close(self) -> None:
        """Free the lane."""
        self._finish()

    def _is_kept(self, axis: str) -> bool:
        """Whether something on the GPU has this axis: a constant or a state."""
        spec = self._lane.spec
        states = (spec.input(s.input) for s in spec.state)
        return axis in self._lengths or any(d.name == axis for t in states for d in t.dims)


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


def _narrowed(spec: StageSpec, names: set[str]) -> StageSpec:
    """Make the spec of a part of the inputs."""
    return replace(spec, inputs=tuple(t for t in spec.inputs if t.name in names), state=())


def _close_all(lanes: list[Lane]) -> None:
    while lanes:
        lanes.pop().close()
