"""Linear algebra on one thread while small systems are solved, for several callers at a time.

The limit holds for the whole process, so it is counted: the last one out restores what the first
one found. Called by ``inverse.py``. Not here: threads of networks (``denormals.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


class _Limit:
    """The process's limit, and how many want it now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._restoring = ExitStack()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the limit, together with whoever else does."""
        with self._lock:
            self._num_inside += 1
            pools = _thread_pools() if self._num_inside == 1 else None
            if pools is not None:
                self._restoring.enter_context(pools.limit(limits=1, user_api="blas"))
        try:
            yield
        finally:
            with self._lock:
                self._num_inside -= 1
                if self._num_inside == 0:
                    self._restoring.close()


one_thread: Final = _Limit().held
"""Context manager: linear algebra uses one thread; all on a machine without threadpoolctl."""


@cache
def _thread_pools() -> ThreadpoolController | None:
    """Find the thread pools of the linear algebra that is loaded, once."""
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:  # a training machine with few libraries
        return None
    return ThreadpoolController()
