"""A stream with the buffers of one call at a time, allocated once at their largest size.

A run uploads what it is fed, computes, and downloads what is wanted; what is neither fed nor
wanted stays on the GPU.
Who calls: ``runner.py``. Not here: execution contexts and CUDA graphs (``execution.py``), sharing
lanes between threads (``runner.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.contract import StageSpec, TensorSpec, shape_of
from emohead.errors import BackendError
from emohead_engines.device import Bytes, Device
from emohead_engines.engine import Engine
from emohead_engines.execution import Execution

__all__ = ["Lane"]

Array = NDArray[Any]


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
        self._captures = captures
        self._fixed = dict(fixed or {})
        self._lengths = dict(self._fixed)
        self._direction = 0
        self._executions: dict[int, Execution] = {}
        self._host: dict[str, Bytes] = {}
        self._buffers: list[int] = []
        self._stream: int | None = None
        self._lock = threading.Lock()
        with self._device.active():
            try:
                self._stream = self._device.open_stream()
                self._addresses = self._allocated()
                self._executions[0] = self._execution()
            except BaseException:
                self._release()
                raise

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
            When TensorRT or the GPU refuses, or the lane is closed.
        """
        with self._lock, self._device.active():
            self._need_open()
            self._lengths |= _lengths_of(self.spec, feed)
            uploads = {name: self._filled(name, array) for name, array in feed.items()}
            downloads = {name: self._bytes(self.spec.output(name)) for name in wanted}
            self._execution().run(self._lengths, uploads, downloads)
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

        Raises
        ------
        BackendError
            When the GPU refuses, or the lane is closed.
        """
        with self._lock, self._device.active():
            stream = self._need_open()
            tensors = [self.spec.input(name) for name in names]
            for tensor in tensors:
                self._device.download(self._bytes(tensor), self._address(tensor.name), stream)
            self._device.synchronize(stream)
            return {tensor.name: self._view(tensor).copy() for tensor in tensors}

    def hold(self, feed: Mapping[str, Array]) -> None:
        """Upload inputs that later runs are not fed with.

        Parameters
        ----------
        feed : mapping of str to numpy.ndarray
            Inputs, as the spec wants them.

        Raises
        ------
        BackendError
            When the GPU refuses, or the lane is closed.
        """
        with self._lock, self._device.active():
            stream = self._need_open()
            self._lengths |= _lengths_of(self.spec, feed)
            for name, array in feed.items():
                self._device.upload(self._address(name), self._filled(name, array), stream)
            self._device.synchronize(stream)

    def swap(self) -> None:
        """Let the next run read the states that the last one wrote."""
        if self.spec.state:
            self._direction ^= 1

    def close(self) -> None:
        """Free everything, once the run in hand has ended; the lane is of no use afterwards."""
        with self._lock:
            if self._stream is None:
                return
            with self._device.active():
                self._device.synchronize(self._stream)
                self._release()

    def _allocated(self) -> tuple[dict[str, int], dict[str, int]]:
        """Addresses in both directions: each state has two buffers, all else has one."""
        first: dict[str, int] = {}
        tensors = (*self.spec.inputs, *self.spec.outputs)
        for tensor in tensors:
            self._host[tensor.name] = self._device.allocate_host(self._max_bytes(tensor))
            first[tensor.name] = self._buffer(self._max_bytes(tensor))
        second = dict(first)
        stream = self._need_open()
        for state in self.spec.state:
            size = self._max_bytes(self.spec.input(state.input))
            for name in (state.input, state.output):
                self._device.clear(first[name], size, stream)
            second[state.input], second[state.output] = first[state.output], first[state.input]
        self._device.synchronize(stream)
        return first, second

    def _buffer(self, num_bytes: int) -> int:
        self._buffers.append(self._device.allocate(num_bytes))
        return self._buffers[-1]

    def _execution(self) -> Execution:
        """Return the execution of this direction, made when it is needed first."""
        if self._direction not in self._executions:
            self._executions[self._direction] = Execution(
                self._engine,
                self._addresses[self._direction],
                self._need_open(),
                captures=self._captures,
            )
        return self._executions[self._direction]

    def _release(self) -> None:
        """Free whatever there is; inside ``device.active()``."""
        while self._executions:
            self._executions.popitem()[1].forget()
        while self._buffers:
            self._device.free(self._buffers.pop())
        while self._host:
            self._device.free_host(self._host.popitem()[1])
        if self._stream is not None:
            self._device.close_stream(self._stream)
            self._stream = None

    def _address(self, name: str) -> int:
        return self._addresses[self._direction][name]

    def _max_bytes(self, tensor: TensorSpec) -> int:
        return _num_bytes(tensor, shape_of(tensor, "max", **self._fixed))

    def _bytes(self, tensor: TensorSpec) -> Bytes:
        """Page-locked memory that the tensor fills in its present shape."""
        size = _num_bytes(tensor, shape_of(tensor, "opt", **self._lengths))
        return self._host[tensor.name][:size]

    def _view(self, tensor: TensorSpec) -> Array:
        """Return the same memory as an array of the tensor's type and present shape."""
        shape = shape_of(tensor, "opt", **self._lengths)
        return self._bytes(tensor).view(tensor.dtype).reshape(shape)

    def _filled(self, name: str, array: Array) -> Bytes:
        """Page-locked memory of an input with an array in it."""
        tensor = self.spec.input(name)
        np.copyto(self._view(tensor), array)
        return self._bytes(tensor)

    def _need_open(self) -> int:
        """Return the stream of a lane that is still open."""
        if self._stream is None:
            raise BackendError(f"{self.spec.name}: the runner is closed; open another one")
        return self._stream


def _num_bytes(tensor: TensorSpec, shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(tensor.dtype).itemsize


def _lengths_of(spec: StageSpec, feed: Mapping[str, Array]) -> dict[str, int]:
    """Read the length of every dynamic axis of a feed, by the axis's name."""
    return {
        dim.name: length
        for name, array in feed.items()
        for dim, length in zip(spec.input(name).dims, array.shape, strict=True)
        if dim.is_dynamic
    }
