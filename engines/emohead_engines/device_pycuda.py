"""The GPU through PyCUDA: the CUDA driver API, in the primary context that others share.

PyCUDA 2026.1 wraps no captured graphs: they come from cuda-bindings where it is installed too.
Who calls: ``device.open_device``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from emohead_engines.device import Bytes, Device, Gpu
from emohead_engines.device_cuda import StreamCapture, cuda_failed, no_gpu

__all__ = ["PycudaDevice"]

NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING, which PyCUDA does not name."""


class PycudaDevice(Device):
    """The first visible GPU.

    Raises
    ------
    BackendError
        When there is no usable GPU.
    ImportError
        When PyCUDA is not installed, or cannot find the driver.
    """

    layer = "pycuda"

    def __init__(self) -> None:
        import pycuda.driver as driver

        self._driver = driver
        try:
            driver.init()
            device = driver.Device(0)
            self._context = device.retain_primary_context()
        except driver.Error as err:
            raise no_gpu(str(err)) from err
        major, minor = device.compute_capability()
        self.gpu = Gpu(
            name=device.name(),
            compute_capability=f"{major}.{minor}",
            cuda_runtime=".".join(str(part) for part in driver.get_version()[:2]),
        )
        self._memory: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}
        self._captures = _captures()
        self.can_capture = self._captures is not None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the primary context current.

        Raises
        ------
        BackendError
            In place of PyCUDA's own errors, when the block ends with one.
        """
        self._context.push()
        try:
            yield
        except self._driver.Error as err:
            raise cuda_failed(str(err)) from err
        finally:
            self._driver.Context.pop()

    def allocate(self, num_bytes: int) -> int:
        """Allocate device memory; PyCUDA frees it with its last reference, so one is kept."""
        allocation = self._driver.mem_alloc(num_bytes)
        self._memory[int(allocation)] = allocation
        return int(allocation)

    def free(self, address: int) -> None:
        """Free device memory."""
        self._memory.pop(address).free()

    def allocate_host(self, num_bytes: int) -> Bytes:
        """Allocate page-locked host memory."""
        memory: Bytes = self._driver.pagelocked_empty(num_bytes, np.uint8)
        return memory

    def free_host(self, memory: Bytes) -> None:
        """Free page-locked host memory."""
        memory.base.free()  # type: ignore[union-attr]

    def open_stream(self) -> int:
        """Open a stream."""
        stream = self._driver.Stream(NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def close_stream(self, stream: int) -> None:
        """Close a stream."""
        del self._streams[stream]

    def synchronize(self, stream: int) -> None:
        """Wait for a stream."""
        self._streams[stream].synchronize()

    def upload(self, address: int, host: Bytes, stream: int) -> None:
        """Enqueue a copy to the GPU."""
        self._driver.memcpy_htod_async(address, host, self._streams[stream])

    def download(self, host: Bytes, address: int, stream: int) -> None:
        """Enqueue a copy from the GPU."""
        self._driver.memcpy_dtoh_async(host, address, self._streams[stream])

    def clear(self, address: int, num_bytes: int, stream: int) -> None:
        """Enqueue setting memory to zero."""
        self._driver.memset_d8_async(address, 0, num_bytes, self._streams[stream])

    def begin_capture(self, stream: int) -> None:
        """Start recording."""
        assert self._captures is not None
        self._captures.begin(stream)

    def end_capture(self, stream: int) -> Any:
        """Stop recording."""
        assert self._captures is not None
        return self._captures.end(stream)

    def launch(self, graph: Any, stream: int) -> None:
        """Enqueue a recording."""
        assert self._captures is not None
        self._captures.launch(graph, stream)

    def free_graph(self, graph: Any) -> None:
        """Free a recording."""
        assert self._captures is not None
        self._captures.free(graph)


def _captures() -> StreamCapture | None:
    try:
        return StreamCapture()
    except ImportError:
        return None
