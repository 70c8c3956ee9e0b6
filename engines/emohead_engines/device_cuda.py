"""The GPU through ``cuda-bindings``: the CUDA runtime API.

Who calls: ``device.open_device``; ``device_pycuda`` borrows the captured graphs from here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from emohead.errors import BackendError
from emohead_engines.device import Bytes, Device, Gpu

__all__ = ["CudaDevice", "StreamCapture", "cuda_failed", "no_gpu"]


def no_gpu(reason: str) -> BackendError:
    """Error for a machine without a usable GPU."""
    return BackendError(
        f"expected an NVIDIA GPU with a working driver, got: {reason}; check `nvidia-smi`, "
        "or choose --backend cpu"
    )


def cuda_failed(reason: str) -> BackendError:
    """Error for a call of CUDA that failed."""
    return BackendError(
        f"expected CUDA to do its work, got: {reason}; free GPU memory, check `nvidia-smi`, "
        "or choose --backend cpu"
    )


def _checked(answer: tuple[Any, ...]) -> Any:
    """Value of a runtime call, or an error with CUDA's own words."""
    from cuda.bindings import runtime

    code, *values = answer
    if code != runtime.cudaError_t.cudaSuccess:
        words = runtime.cudaGetErrorString(code)[1]
        text = words.decode() if isinstance(words, bytes) else str(words)
        raise cuda_failed(f"error {int(code)}, {text}")
    return values[0] if values else None


class StreamCapture:
    """CUDA graphs recorded from a stream; works on streams of any layer."""

    def __init__(self) -> None:
        from cuda.bindings import runtime

        self._runtime = runtime

    def begin(self, stream: int) -> None:
        """Record what this thread enqueues into a stream."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _checked(self._runtime.cudaStreamBeginCapture(stream, mode))

    def end(self, stream: int) -> Any:
        """Return the executable graph; None when the capture was invalidated."""
        code, graph = self._runtime.cudaStreamEndCapture(stream)
        if code != self._runtime.cudaError_t.cudaSuccess:
            return None
        try:
            return _checked(self._runtime.cudaGraphInstantiate(graph, 0))
        finally:
            _checked(self._runtime.cudaGraphDestroy(graph))

    def launch(self, graph: Any, stream: int) -> None:
        """Enqueue a graph."""
        _checked(self._runtime.cudaGraphLaunch(graph, stream))

    def free(self, graph: Any) -> None:
        """Free a graph."""
        _checked(self._runtime.cudaGraphExecDestroy(graph))


class CudaDevice(Device):
    """The first visible GPU.

    Raises
    ------
    BackendError
        When there is no usable GPU.
    ImportError
        When cuda-bindings is not installed.
    """

    layer = "cuda-bindings"
    can_capture = True

    def __init__(self) -> None:
        from cuda.bindings import runtime

        self._runtime = runtime
        code, count = runtime.cudaGetDeviceCount()
        if code != runtime.cudaError_t.cudaSuccess:
            raise no_gpu(str(code.name))
        if not count:
            raise no_gpu("no device")
        properties = _checked(runtime.cudaGetDeviceProperties(0))
        version = int(_checked(runtime.cudaRuntimeGetVersion()))
        self.gpu = Gpu(
            name=properties.name.split(b"\0")[0].decode(),
            compute_capability=f"{properties.major}.{properties.minor}",
            cuda_runtime=f"{version // 1000}.{version % 1000 // 10}",
        )
        self._captures = StreamCapture()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the GPU current; the runtime API keeps it so in this thread."""
        _checked(self._runtime.cudaSetDevice(0))
        yield

    def allocate(self, num_bytes: int) -> int:
        """Allocate device memory."""
        return int(_checked(self._runtime.cudaMalloc(num_bytes)))

    def free(self, address: int) -> None:
        """Free device memory."""
        _checked(self._runtime.cudaFree(address))

    def allocate_host(self, num_bytes: int) -> Bytes:
        """Allocate page-locked host memory."""
        address = int(_checked(self._runtime.cudaMallocHost(num_bytes)))
        memory: Bytes = np.ctypeslib.as_array((ctypes.c_uint8 * num_bytes).from_address(address))
        return memory

    def free_host(self, memory: Bytes) -> None:
        """Free page-locked host memory."""
        _checked(self._runtime.cudaFreeHost(memory.ctypes.data))

    def open_stream(self) -> int:
        """Open a stream."""
        flags = self._runtime.cudaStreamNonBlocking
        return int(_checked(self._runtime.cudaStreamCreateWithFlags(flags)))

    def close_stream(self, stream: int) -> None:
        """Close a stream."""
        _checked(self._runtime.cudaStreamDestroy(stream))

    def synchronize(self, stream: int) -> None:
        """Wait for a stream."""
        _checked(self._runtime.cudaStreamSynchronize(stream))

    def upload(self, address: int, host: Bytes, stream: int) -> None:
        """Enqueue a copy to the GPU."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        source = host.ctypes.data
        _checked(self._runtime.cudaMemcpyAsync(address, source, host.nbytes, kind, stream))

    def download(self, host: Bytes, address: int, stream: int) -> None:
        """Enqueue a copy from the GPU."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        target = host.ctypes.data
        _checked(self._runtime.cudaMemcpyAsync(target, address, host.nbytes, kind, stream))

    def clear(self, address: int, num_bytes: int, stream: int) -> None:
        """Enqueue setting memory to zero."""
        _checked(self._runtime.cudaMemsetAsync(address, 0, num_bytes, stream))

    def begin_capture(self, stream: int) -> None:
        """Start recording."""
        self._captures.begin(stream)

    def end_capture(self, stream: int) -> Any:
        """Stop recording."""
        return self._captures.end(stream)

    def launch(self, graph: Any, stream: int) -> None:
        """Enqueue a recording."""
        self._captures.launch(graph, stream)

    def free_graph(self, graph: Any) -> None:
        """Free a recording."""
        self._captures.free(graph)
