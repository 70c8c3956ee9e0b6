"""One execution context over buffers that never change; work that repeats becomes a CUDA graph.

TensorRT promises nothing of a graph whose context was changed after the recording, and wants one
ordinary run behind new shapes before any recording. So new shapes make a context forget its graphs.
Who calls: ``lane.py``, one for each direction in which states are swapped.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from emohead.contract import shape_of
from emohead.errors import BackendError
from emohead_engines.device import Bytes
from emohead_engines.engine import Engine

__all__ = ["Execution"]

logger = logging.getLogger(__name__)

Work = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of what is uploaded and of what is downloaded."""


class Execution:
    """Runs an engine on the same buffers every time; made and used inside ``device.active()``.

    Parameters
    ----------
    engine : Engine
        Shared with other executions.
    addresses : mapping of str to int
        Device buffer of every tensor.
    stream : int
        In which everything happens.
    captures : bool
        Whether repeated work is captured into CUDA graphs, where device and context can.

    Raises
    ------
    BackendError
        When the GPU's memory does not suffice.
    """

    def __init__(
        self, engine: Engine, addresses: Mapping[str, int], stream: int, *, captures: bool
    ) -> None:
        self._engine = engine
        self._device = engine.device
        self._stream = stream
        self.addresses = dict(addresses)
        self._may_capture = captures and self._device.can_capture
        self._lengths: dict[str, int] | None = None
        self._seen: set[Work] = set()
        self._graphs: dict[Work, Any] = {}
        self._context = engine.context()
        for name, address in self.addresses.items():
            if not self._context.set_tensor_address(name, address):
                raise engine.refusal(f"the address of {name}")

    def run(
        self,
        lengths: Mapping[str, int],
        uploads: Mapping[str, Bytes],
        downloads: Mapping[str, Bytes],
    ) -> None:
        """Upload, compute, download, and wait until all of it is done.

        Parameters
        ----------
        lengths : mapping of str to int
            Length of every dynamic axis, by its name.
        uploads, downloads : mapping of str to Bytes
            Page-locked memory by tensor; for equal lengths always the same.

        Raises
        ------
        BackendError
            When TensorRT or the GPU refuses.
        """
        self._take(lengths)
        work = tuple(uploads), tuple(downloads)
        graph = self._graphs.get(work)
        if graph is None and self._may_capture and work in self._seen:
            graph = self._captured(work, uploads, downloads)
        if graph is None:
            self._enqueue(uploads, downloads)
            self._seen.add(work)
        else:
            self._device.launch(graph, self._stream)
        self._device.synchronize(self._stream)

    def forget(self) -> None:
        """Free what was captured."""
        while self._graphs:
            self._device.free_graph(self._graphs.popitem()[1])
        self._seen.clear()

    def _take(self, lengths: Mapping[str, int]) -> None:
        """Tell the context the shapes, where they changed."""
        if lengths == self._lengths:
            return
        self.forget()
        self._lengths = None
        for tensor in self._engine.spec.inputs:
            shape = shape_of(tensor, "opt", **lengths)
            if not self._context.set_input_shape(tensor.name, shape):
                raise self._engine.refusal(f"the shape {shape} of {tensor.name}")
        self._lengths = dict(lengths)

    def _enqueue(self, uploads: Mapping[str, Bytes], downloads: Mapping[str, Bytes]) -> None:
        for name, host in uploads.items():
            self._device.upload(self.addresses[name], host, self._stream)
        if not self._context.execute_async_v3(self._stream):
            raise self._engine.refusal("the work")
        for name, host in downloads.items():
            self._device.download(host, self.addresses[name], self._stream)

    def _captured(
        self, work: Work, uploads: Mapping[str, Bytes], downloads: Mapping[str, Bytes]
    ) -> Any:
        """Record the work; what cannot be recorded runs without, and the log says so."""
        graph = self._recorded(uploads, downloads) if self._is_capturable() else None
        if graph is None:
            name = self._engine.spec.name
            logger.info("%s: runs without CUDA graphs, it cannot be captured", name)
            self._may_capture = False
        else:
            self._graphs[work] = graph
        return graph

    def _is_capturable(self) -> bool:
        """Ask the context, where it can tell (TensorRT-RTX): trying would break its stream."""
        ask = getattr(self._context, "is_stream_capturable", None)
        return True if ask is None else bool(ask(self._stream))

    def _recorded(self, uploads: Mapping[str, Bytes], downloads: Mapping[str, Bytes]) -> Any:
        """Return the whole work as a graph, or None; never a part of it."""
        self._device.begin_capture(self._stream)
        is_whole = False
        try:
            with self._device.active():  # makes errors of every layer ours
                self._enqueue(uploads, downloads)
            is_whole = True
        except BackendError as err:
            logger.debug("%s", err)
        finally:
            graph = self._device.end_capture(self._stream)
            if graph is not None and not is_whole:
                self._device.free_graph(graph)
        return graph if is_whole else None
