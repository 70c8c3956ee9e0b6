"""One execution context with its stream and its buffers, allocated once at their largest size.

A run uploads what it is fed, computes, and downloads what is wanted; what is neither fed nor
wanted stays on the GPU. Work that repeats is captured into a CUDA graph and replayed.
Who calls: ``runner.py``. Not here: sharing lanes between threads (``runner.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.contract import StageSpec, TensorSpec, shape_of
from emohead.errors import BackendError
from emohead_engines.device import Bytes, Device
from emohead_engines.engine import Engine

__all__ = ["Lane"]

logger = logging.getLogger(__name__)

Array = NDArray[Any]
MAX_GRAPHS: Final = 64
"""Captured graphs that a lane keeps; each is a few kilobytes."""


@dataclass(frozen=True)
class Work:
    """What decides whether a captured graph can be replayed."""

    lengths: tuple[tuple[str, int], ...]
    """Length of every dynamic axis."""
    parity: int
    """Which buffer of each state is read; the other is written."""
    fed: tuple[str, ...]
    """Inputs that are uploaded."""
    wanted: tuple[str, ...]
    """Outputs that are downloaded."""


class Lane:
    """Runs an engine, one call at a time.

    Parameters
    ----------
    engine : Engine
        Shared with other lanes.
    captures : bool
        Whether repeated work is captured into CUDA graphs, where the device can.
    fixed : mapping of str to int, optional
        Axes that always have this length; the buffers of the others take their largest.

    Raises
    ------
    BackendError
        When the GPU's memory does not suffice.
    """

    def __init__(
        self, engine: Engine, *, captures: bool = True, fixed: Mapping[str, int] | None = None
    ) -> None:
        self._engine = engine
        self.spec: StageSpec = engine.spec
        self._device: Device = engine.device
        self._may_capture = captures and engine.device.can_capture
        self._parity = 0
        self._fixed = dict(fixed or {})
        self._lengths = dict(self._fixed)
        self._bound: Work | None = None
        self._seen: set[Work] = set()
        self._graphs: dict[Work, Any] = {}
        self._host: dict[str, Bytes] = {}
        self._addresses: dict[str, int] = {}
        self._pairs: dict[str, tuple[int, int]] = {}
        with self._device.active():
            self._context = engine.context()
            self._stream = self._device.open_stream()
            self._allocate()

    def run(self, feed: Mapping[str, Array], wanted: Collection[str]) -> dict[str, Array]:
        """Run the engine once.

        Parameters
        ----------
        feed : mapping of str to numpy.ndarray
            Inputs to upload; the others keep what the GPU holds.
        wanted : collection of str
            Outputs to download; the others stay on the GPU.

        Returns
        -------
        dict of str to numpy.ndarray
            The wanted outputs, in their order.

        Raises
        ------
        BackendError
            When TensorRT or CUDA fails.
        """
        self._need_open()
        self._lengths |= _lengths_of(self.spec, feed)
        lengths = tuple(sorted(self._lengths.items()))
        work = Work(lengths, self._parity, tuple(feed), tuple(wanted))
        for name, array in feed.items():
            np.copyto(self._view(self.spec.input(name)), array)
        with self._device.active():
            self._execute(work)
        return {name: self._view(self.spec.output(name)).copy() for name in wanted}

    def fetch(self, names: Collection[str]) -> dict[str, Array]:
        """Download inputs, for example the states that the next run would read.

        Parameters
        ----------
        names : collection of str
            Names of inputs.

        Returns
        -------
        dict of str to numpy.ndarray
            What the GPU holds.
        """
        self._need_open()
        views = {name: self._view(self.spec.input(name)) for name in names}
        with self._device.active():
            for name, view in views.items():
                host = self._host[name][: view.nbytes]
                self._device.download(host, self._address(name), self._stream)
            self._device.synchronize(self._stream)
        return {name: view.copy() for name, view in views.items()}

    def hold(self, feed: Mapping[str, Array]) -> None:
        """Upload inputs that later runs are not fed with."""
        self._need_open()
        self._lengths |= _lengths_of(self.spec, feed)
        with self._device.active():
            for name, array in feed.items():
                view = self._view(self.spec.input(name))
                np.copyto(view, array)
                host = self._host[name][: view.nbytes]
                self._device.upload(self._address(name), host, self._stream)
            self._device.synchronize(self._stream)

    def swap(self) -> None:
        """Let the next run read the states that the last one wrote."""
        self._parity ^= 1

    def close(self) -> None:
        """Free everything; the lane cannot be used afterwards."""
        if self._context is None:
            return
        with self._device.active():
            self._device.synchronize(self._stream)
            for graph in self._graphs.values():
                self._device.free_graph(graph)
            self._context = None
            for address in {*self._addresses.values(), *sum(self._pairs.values(), ())}:
                self._device.free(address)
            for memory in self._host.values():
                self._device.free_host(memory)
            self._device.close_stream(self._stream)
        self._graphs, self._addresses, self._pairs, self._host = {}, {}, {}, {}

    def _allocate(self) -> None:
        """Two buffers per state, swapped and never aliased; one for every other tensor."""
        for state in self.spec.state:
            size = self._max_bytes(self.spec.input(state.input))
            pair = (self._device.allocate(size), self._device.allocate(size))
            self._pairs[state.input] = pair
            self._pairs[state.output] = pair[::-1]
            for address in pair:
                self._device.clear(address, size, self._stream)
        for tensor in (*self.spec.inputs, *self.spec.outputs):
            self._host[tensor.name] = self._device.allocate_host(self._max_bytes(tensor))
            if tensor.name not in self._pairs:
                self._addresses[tensor.name] = self._device.allocate(self._max_bytes(tensor))
        self._device.synchronize(self._stream)

    def _max_bytes(self, tensor: TensorSpec) -> int:
        shape = shape_of(tensor, "max", **self._fixed)
        return int(np.prod(shape)) * np.dtype(tensor.dtype).itemsize

    def _address(self, name: str) -> int:
        pair = self._pairs.get(name)
        return self._addresses[name] if pair is None else pair[self._parity]

    def _view(self, tensor: TensorSpec) -> Array:
        """Page-locked memory of a tensor, in its present shape."""
        shape = shape_of(tensor, "opt", **self._lengths)
        size = int(np.prod(shape)) * np.dtype(tensor.dtype).itemsize
        return self._host[tensor.name][:size].view(tensor.dtype).reshape(shape)

    def _execute(self, work: Work) -> None:
        """Replay a captured graph; capture what is seen the second time; else enqueue."""
        graph = self._graphs.get(work)
        if graph is None:
            self._bind(work)
            if self._may_capture and work in self._seen:
                graph = self._capture(work)
        if graph is None:
            self._enqueue(work)
            self._seen.add(work)
        else:
            self._device.launch(graph, self._stream)
        self._device.synchronize(self._stream)

    def _bind(self, work: Work) -> None:
        """Tell the context shapes and addresses, where they changed."""
        is_new = self._bound is None or self._bound.lengths != work.lengths
        for tensor in self.spec.inputs if is_new else ():
            shape = shape_of(tensor, "opt", **self._lengths)
            if not self._context.set_input_shape(tensor.name, shape):
                raise self._failure(f"the shape {shape} of {tensor.name}")
        names = [t.name for t in (*self.spec.inputs, *self.spec.outputs)]
        for name in names if self._bound is None else self._pairs:
            if not self._context.set_tensor_address(name, self._address(name)):
                raise self._failure(f"the address of {name}")
        self._bound = work

    def _enqueue(self, work: Work) -> None:
        for name in work.fed:
            view = self._view(self.spec.input(name))
            host = self._host[name][: view.nbytes]
            self._device.upload(self._address(name), host, self._stream)
        if not self._context.execute_async_v3(self._stream):
            raise self._failure("the work")
        for name in work.wanted:
            view = self._view(self.spec.output(name))
            host = self._host[name][: view.nbytes]
            self._device.download(host, self._address(name), self._stream)

    def _capture(self, work: Work) -> Any:
        """Record the work; an engine that cannot be recorded runs without, and the log says so."""
        graph = self._recorded(work) if self._is_capturable() else None
        if graph is None:
            logger.info("%s: runs without CUDA graphs, it cannot be captured", self.spec.name)
            self._may_capture = False
            return None
        if len(self._graphs) >= MAX_GRAPHS:
            self._device.free_graph(self._graphs.pop(next(iter(self._graphs))))
        self._graphs[work] = graph
        return graph

    def _is_capturable(self) -> bool:
        """Ask the context, where it can tell (TensorRT-RTX): trying would break its stream."""
        ask = getattr(self._context, "is_stream_capturable", None)
        return True if ask is None else bool(ask(self._stream))

    def _recorded(self, work: Work) -> Any:
        self._device.begin_capture(self._stream)
        try:
            self._enqueue(work)
        except BackendError as err:
            logger.debug("%s", err)
        finally:
            graph = self._device.end_capture(self._stream)
        return graph

    def _need_open(self) -> None:
        if self._context is None:
            raise BackendError(f"{self.spec.name}: the runner is closed; open another one")

    def _failure(self, what: str) -> BackendError:
        return BackendError(
            f"{self.spec.name}: expected {self._engine.flavour} to accept {what}, it did not; "
            "free GPU memory, or build the engine again with "
            f"`emohead engines build --stage {self.spec.name}`"
        )


def _lengths_of(spec: StageSpec, feed: Mapping[str, Array]) -> dict[str, int]:
    """Read the length of every dynamic axis of a feed, by the axis's name."""
    return {
        dim.name: length
        for name, array in feed.items()
        for dim, length in zip(spec.input(name).dims, array.shape, strict=True)
        if dim.is_dynamic
    }
