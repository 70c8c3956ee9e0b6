"""The GPU as the runner sees it: memory, streams, copies, captured graphs.

``open_device`` takes PyCUDA where it is installed, ``cuda-bindings`` otherwise; nobody else
imports either. Who calls: ``engine.py``, ``lane.py``, ``workshop.py``.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import BackendError

__all__ = ["ANY_GPU", "Bytes", "Device", "Gpu", "open_device"]

Bytes = NDArray[np.uint8]
"""Page-locked host memory."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """What a plan is built for."""

    name: str
    """Model, as the driver names it."""
    compute_capability: str
    """For example ``8.9``."""
    cuda_runtime: str
    """Version of the CUDA runtime, for example ``13.0``."""


ANY_GPU: Final = Gpu(name="any", compute_capability="any", cuda_runtime="any")
"""Stands for every GPU that portable plans fit."""


class Device(ABC):
    """One GPU. Every call but ``active`` happens inside ``active()``.

    Addresses and streams are integers, sizes are in bytes. What CUDA refuses is a ``BackendError``,
    at the latest where ``active()`` ends.
    """

    layer: str
    """Distribution that talks to the driver."""
    gpu: Gpu
    """Model and versions."""
    can_capture: bool
    """Whether work can be captured into graphs."""

    @abstractmethod
    def active(self) -> AbstractContextManager[None]:
        """Make the GPU's primary context current in this thread."""

    @abstractmethod
    def allocate(self, num_bytes: int) -> int:
        """Allocate device memory; returns its address."""

    @abstractmethod
    def free(self, address: int) -> None:
        """Free device memory."""

    @abstractmethod
    def allocate_host(self, num_bytes: int) -> Bytes:
        """Allocate page-locked host memory."""

    @abstractmethod
    def free_host(self, memory: Bytes) -> None:
        """Free page-locked host memory; arrays over it are dead from then on."""

    @abstractmethod
    def open_stream(self) -> int:
        """Open a stream that does not wait for the default one; returns its handle."""

    @abstractmethod
    def close_stream(self, stream: int) -> None:
        """Close a stream."""

    @abstractmethod
    def synchronize(self, stream: int) -> None:
        """Wait for everything in a stream."""

    @abstractmethod
    def upload(self, address: int, host: Bytes, stream: int) -> None:
        """Enqueue a copy of page-locked memory to the GPU."""

    @abstractmethod
    def download(self, host: Bytes, address: int, stream: int) -> None:
        """Enqueue a copy from the GPU to page-locked memory."""

    @abstractmethod
    def clear(self, address: int, num_bytes: int, stream: int) -> None:
        """Enqueue setting memory to zero."""

    @abstractmethod
    def begin_capture(self, stream: int) -> None:
        """Record what this thread enqueues into a stream, instead of running it."""

    @abstractmethod
    def end_capture(self, stream: int) -> Any:
        """End a recording and return it, ready to launch; None when it was invalidated."""

    @abstractmethod
    def launch(self, graph: Any, stream: int) -> None:
        """Enqueue a recording."""

    @abstractmethod
    def free_graph(self, graph: Any) -> None:
        """Free a recording."""


_opened: list[Device] = []
_opening = threading.Lock()


def open_device() -> Device:
    """Open the first visible GPU, once per process; ``CUDA_VISIBLE_DEVICES`` chooses it.

    Returns
    -------
    Device
        Through PyCUDA, or through cuda-bindings where PyCUDA is absent.

    Raises
    ------
    BackendError
        When no layer is installed, or there is no usable GPU.
    """
    with _opening:
        if not _opened:
            _opened.append(_open())
        return _opened[0]


def _open() -> Device:
    try:
        from emohead_engines.device_pycuda import PycudaDevice

        return PycudaDevice()
    except ImportError as err:
        reasons = [f"pycuda: {err}"]
    try:
        from emohead_engines.device_cuda import CudaDevice

        return CudaDevice()
    except ImportError as err:
        reasons.append(f"cuda-bindings: {err}")
    raise BackendError(
        f"expected pycuda or cuda-bindings, neither can be imported ({'; '.join(reasons)}); "
        "run `pip install 'emohead[tensorrt]'`"
    )
