"""Threads of our own that take denormal numbers for zero, as no caller's thread is made to.

Renderers fade to denormals, which processors multiply many times slower. Called by ``runner.py``,
``sessions.py`` and ``lookahead.py``.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from emohead.machine import num_cores

__all__ = ["own_threads"]

_MXCSR_OFFSET: Final = 28
_FLUSH: Final = 0x8040
"""Results (bit 15) and operands (bit 6) that are denormal become zero."""


@cache
def own_threads() -> ThreadPoolExecutor:
    """Threads for networks, one per core of this process; tasks must not wait for each other."""
    return ThreadPoolExecutor(num_cores(), "emohead-network", initializer=_flush_denormals)


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=own_threads.cache_clear)


def _flush_denormals() -> None:
    """Set this thread's floating-point mode; elsewhere than on Linux and x86-64 it stays."""
    # glibc and musl lay out fenv_t alike: 28 bytes of the x87, then the register MXCSR.
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return
    library = ctypes.util.find_library("m")
    if library is None:
        return
    maths, mode = ctypes.CDLL(library), (ctypes.c_ubyte * 64)()
    if maths.fegetenv(mode) == 0:
        ctypes.c_uint32.from_buffer(mode, _MXCSR_OFFSET).value |= _FLUSH
        maths.fesetenv(mode)
