"""A GPU made of host memory, behind the calls of PyCUDA and of cuda-bindings that we use.

Addresses are real, streams are lazy: nothing happens before somebody waits, as on a GPU, so a
missing synchronisation, a freed buffer or an aliased one shows. Mistakes raise ``AssertionError``.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from enum import IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

Operation = Callable[[], None]


class OutOfMemoryError(Exception):
    """The imagined GPU has no more room."""


class FakeGpu:
    """Memory, streams and captured graphs of one imagined GPU."""

    def __init__(self, *, name: str = "NVIDIA L4", capability: tuple[int, int] = (8, 9)) -> None:
        self.name = name
        self.capability = capability
        self.memory: dict[int, Any] = {}
        self.pinned: dict[int, Any] = {}
        self.streams: dict[int, list[Operation]] = {}
        self.capturing: dict[int, list[Operation]] = {}
        self.graphs: dict[int, list[Operation]] = {}
        self.current: list[int] = []
        """Threads in which a context is current, once for every level."""
        self.room_bytes = 1 << 34
        self.launches = 0
        self.uploaded = 0
        self.captures = 0
        self.is_capturable = True
        self._handles = iter(range(1000, 100_000))

    def need_context(self) -> None:
        assert threading.get_ident() in self.current, "no CUDA context is current in this thread"

    def allocate(self, num_bytes: int) -> int:
        self.need_context()
        if num_bytes + sum(map(len, self.memory.values())) > self.room_bytes:
            raise OutOfMemoryError
        block = (ctypes.c_uint8 * num_bytes)(*([0xCD] * min(num_bytes, 64)))
        address = ctypes.addressof(block)
        self.memory[address] = block
        return address

    def free(self, address: int) -> None:
        self.need_context()
        del self.memory[address]

    def bytes_at(self, address: int, num_bytes: int) -> Any:
        """The memory of a live allocation."""
        assert address in self.memory, "address of no live device buffer"
        assert num_bytes <= len(self.memory[address]), "past the end of a device buffer"
        return np.frombuffer(self.memory[address], np.uint8, num_bytes)

    def open_stream(self) -> int:
        self.need_context()
        handle = next(self._handles)
        self.streams[handle] = []
        return handle

    def close_stream(self, handle: int) -> None:
        assert not self.streams.pop(handle), "a stream was closed before its work was done"

    def enqueue(self, handle: int, operation: Operation) -> None:
        self.need_context()
        self.capturing.get(handle, self.streams[handle]).append(operation)

    def synchronize(self, handle: int) -> None:
        self.need_context()
        assert handle not in self.capturing, "a capturing stream cannot be waited for"
        work, self.streams[handle] = self.streams[handle], []
        for operation in work:
            operation()

    def begin_capture(self, handle: int) -> None:
        assert handle not in self.capturing
        self.captures += 1
        self.capturing[handle] = []

    def end_capture(self, handle: int) -> int | None:
        recorded = self.capturing.pop(handle)
        if not self.is_capturable:
            return None
        graph = next(self._handles)
        self.graphs[graph] = recorded
        return graph

    def launch(self, graph: int, handle: int) -> None:
        self.launches += 1
        for operation in self.graphs[graph]:
            self.enqueue(handle, operation)

    def upload(self, address: int, source: Any, handle: int) -> None:
        assert source.ctypes.data in self.pinned, "copied from memory that is not page-locked"

        def copy() -> None:
            self.uploaded += source.nbytes
            self.bytes_at(address, source.nbytes)[:] = source

        self.enqueue(handle, copy)

    def download(self, target: Any, address: int, handle: int) -> None:
        assert target.ctypes.data in self.pinned, "copied to memory that is not page-locked"

        def copy() -> None:
            target[:] = self.bytes_at(address, target.nbytes)

        self.enqueue(handle, copy)

    def clear(self, address: int, value: int, num_bytes: int, handle: int) -> None:
        def fill() -> None:
            self.bytes_at(address, num_bytes)[:] = value

        self.enqueue(handle, fill)

    def pin(self, num_bytes: int) -> Any:
        self.need_context()
        block = (ctypes.c_uint8 * num_bytes)()
        self.pinned[ctypes.addressof(block)] = block
        return np.frombuffer(block, np.uint8)

    def unpin(self, address: int) -> None:
        del self.pinned[address]

    @property
    def is_empty(self) -> bool:
        """Whether everything was given back."""
        return not (self.memory or self.pinned or self.streams or self.graphs)


def install_pycuda(monkeypatch: pytest.MonkeyPatch, gpu: FakeGpu | None) -> None:
    """Make ``import pycuda.driver`` find the imagined GPU; None is a machine without PyCUDA."""
    if gpu is None:
        monkeypatch.setitem(sys.modules, "pycuda", None)
        monkeypatch.setitem(sys.modules, "pycuda.driver", None)
        return
    package, driver = ModuleType("pycuda"), ModuleType("pycuda.driver")
    package.driver = driver  # type: ignore[attr-defined]
    vars(driver).update(_pycuda_names(gpu))
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)


def _pycuda_names(gpu: FakeGpu) -> dict[str, Any]:
    class Error(Exception):
        pass

    class Context:
        def push(self) -> None:
            gpu.current.append(threading.get_ident())

        @staticmethod
        def pop() -> None:
            gpu.current.remove(threading.get_ident())

    class Device:
        def __init__(self, ordinal: int) -> None:
            if not gpu.name:
                raise Error("cuDeviceGet failed: invalid device ordinal")

        def name(self) -> str:
            return gpu.name

        def compute_capability(self) -> tuple[int, int]:
            return gpu.capability

        def retain_primary_context(self) -> Context:
            return Context()

    class Stream:
        def __init__(self, flags: int = 0) -> None:
            assert flags == 1, "a blocking stream waits for the default one"
            self.handle = gpu.open_stream()

        def synchronize(self) -> None:
            gpu.synchronize(self.handle)

        def __del__(self) -> None:
            gpu.close_stream(self.handle)

    return {
        "Error": Error,
        "Context": Context,
        "Device": Device,
        "Stream": Stream,
        "init": lambda: None,
        "get_version": lambda: (12, 6, 0),
        **_pycuda_memory(gpu, Error),
    }


def _pycuda_memory(gpu: FakeGpu, error: type[Exception]) -> dict[str, Any]:
    class DeviceAllocation:
        def __init__(self, num_bytes: int) -> None:
            try:
                self._address = gpu.allocate(num_bytes)
            except OutOfMemoryError:
                raise error("cuMemAlloc failed: out of memory") from None

        def __int__(self) -> int:
            return self._address

        def free(self) -> None:
            gpu.free(self._address)

    class Pagelocked(np.ndarray):  # PyCUDA's arrays own a base that can be freed
        @property
        def base(self) -> Any:
            return SimpleNamespace(free=lambda: gpu.unpin(self.ctypes.data))

    return {
        "mem_alloc": DeviceAllocation,
        "pagelocked_empty": lambda shape, dtype: gpu.pin(shape).view(Pagelocked),
        "memcpy_htod_async": lambda dest, src, stream: gpu.upload(dest, src, stream.handle),
        "memcpy_dtoh_async": lambda dest, src, stream: gpu.download(dest, src, stream.handle),
        "memset_d8_async": lambda dest, data, size, stream: gpu.clear(
            dest, data, size, stream.handle
        ),
    }


cudaError_t = IntEnum(  # noqa: N816 - the real names
    "cudaError_t",
    {
        "cudaSuccess": 0,
        "cudaErrorMemoryAllocation": 2,
        "cudaErrorInsufficientDriver": 35,
        "cudaErrorStreamCaptureInvalidated": 901,
    },
)
cudaStreamCaptureMode = IntEnum(  # noqa: N816
    "cudaStreamCaptureMode", {"cudaStreamCaptureModeThreadLocal": 1}
)
cudaMemcpyKind = IntEnum(  # noqa: N816
    "cudaMemcpyKind", {"cudaMemcpyHostToDevice": 1, "cudaMemcpyDeviceToHost": 2}
)


def install_cuda_bindings(monkeypatch: pytest.MonkeyPatch, gpu: FakeGpu | None) -> None:
    """Make ``cuda.bindings.runtime`` the imagined GPU; None is a machine without the package."""
    names = ("cuda", "cuda.bindings", "cuda.bindings.runtime")
    if gpu is None:
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        return
    cuda, bindings, runtime = (ModuleType(name) for name in names)
    cuda.bindings, bindings.runtime = bindings, runtime  # type: ignore[attr-defined]
    vars(runtime).update(runtime_names(gpu))
    for name, module in zip(names, (cuda, bindings, runtime), strict=True):
        monkeypatch.setitem(sys.modules, name, module)


def _answering(call: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """The call with a status before its value, which is how cuda-bindings answers."""

    def answer(*arguments: Any) -> tuple[Any, ...]:
        value = call(*arguments)
        good = cudaError_t.cudaSuccess
        return (good,) if value is None else (good, value)

    return answer


def _copier(gpu: FakeGpu) -> Callable[..., None]:
    def copy(target: int, source: int, size: int, kind: int, stream: int) -> None:
        is_up = kind == cudaMemcpyKind.cudaMemcpyHostToDevice
        host = np.ctypeslib.as_array(
            (ctypes.c_uint8 * size).from_address(source if is_up else target)
        )
        gpu.upload(target, host, stream) if is_up else gpu.download(host, source, stream)

    return copy


def runtime_names(gpu: FakeGpu) -> dict[str, Any]:
    """The part of the CUDA runtime API that we use, as cuda-bindings spells it."""
    good = cudaError_t.cudaSuccess

    def end_capture(stream: int) -> tuple[Any, ...]:
        graph = gpu.end_capture(stream)
        bad = cudaError_t.cudaErrorStreamCaptureInvalidated
        return (good, graph) if graph is not None else (bad, None)

    def count() -> tuple[Any, ...]:
        return (good, 1) if gpu.name else (cudaError_t.cudaErrorInsufficientDriver, None)

    def malloc(size: int) -> tuple[Any, ...]:
        try:
            return (good, gpu.allocate(size))
        except OutOfMemoryError:
            return (cudaError_t.cudaErrorMemoryAllocation, 0)

    properties = SimpleNamespace(
        name=gpu.name.encode() + b"\0" * 8, major=gpu.capability[0], minor=gpu.capability[1]
    )
    plain: dict[str, Callable[..., Any]] = {
        "cudaRuntimeGetVersion": lambda: 12060,
        "cudaGetDeviceProperties": lambda device: properties,
        "cudaSetDevice": lambda device: gpu.current.append(threading.get_ident()),
        "cudaFree": gpu.free,
        "cudaMallocHost": lambda size: gpu.pin(size).ctypes.data,
        "cudaFreeHost": gpu.unpin,
        "cudaStreamCreateWithFlags": lambda flags: gpu.open_stream(),
        "cudaStreamDestroy": gpu.close_stream,
        "cudaStreamSynchronize": gpu.synchronize,
        "cudaStreamBeginCapture": lambda stream, mode: gpu.begin_capture(stream),
        "cudaGraphInstantiate": lambda graph, flags: graph,
        "cudaGraphDestroy": lambda graph: None,
        "cudaGraphLaunch": gpu.launch,
        "cudaGraphExecDestroy": lambda graph: gpu.graphs.pop(graph) and None,
        "cudaMemcpyAsync": _copier(gpu),
        "cudaMemsetAsync": gpu.clear,
        "cudaGetErrorString": lambda code: b"out of memory",
    }
    return {name: _answering(call) for name, call in plain.items()} | {
        "cudaError_t": cudaError_t,
        "cudaMemcpyKind": cudaMemcpyKind,
        "cudaStreamCaptureMode": cudaStreamCaptureMode,
        "cudaStreamNonBlocking": 1,
        "cudaStreamEndCapture": end_capture,
        "cudaGetDeviceCount": count,
        "cudaMalloc": malloc,
    }
