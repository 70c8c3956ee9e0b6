"""Ray started here, or a cluster joined; left as it was found.

Not here: actors (``ray_pool.py``).
"""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from emohead.errors import BackendError

__all__ = ["be_quiet", "connected", "patiently", "ray_module"]

logger = logging.getLogger(__name__)
T = TypeVar("T")
OBJECT_STORE_BYTES: Final = 100_000_000
"""Jobs and records are small; videos never pass through Ray."""
_STARTS: Final = 3
"""A slow disk makes Ray's first start run into its own time limits."""
_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",
}
"""No usage statistics; no killing of workers by Ray's reckoning of memory on a shared machine; and
no low priority for workers, which are what the machine is for."""


def ray_module() -> Any:
    """Import Ray.

    Raises
    ------
    BackendError
        If it is not installed; says which extra to install.
    """
    try:
        import ray
    except ImportError as err:
        raise BackendError(
            "expected Ray for the farm, but it cannot be imported; "
            "run `pip install 'emohead[farm]'`"
        ) from err
    return ray


def be_quiet() -> None:
    """Tell a Ray that is started by this process to send no statistics and to kill no worker."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


@contextmanager
def connected(address: str | None, *, num_cpus: int | None = None) -> Iterator[Any]:
    """Connect to a cluster for as long as the block runs.

    Parameters
    ----------
    address : str, optional
        ``auto``, ``ray://host:10001`` or ``host:6379``; by default Ray is started on this machine,
        and stopped at the end. A process that is connected already stays so.
    num_cpus : int, optional
        Cores that a Ray started here may use; those of this process by default.

    Yields
    ------
    module
        Ray.

    Raises
    ------
    BackendError
        If Ray is missing, cannot be started or cannot be reached.
    """
    be_quiet()
    ray = ray_module()
    if ray.is_initialized():
        yield ray
        return
    if address is None:
        _start(ray, num_cpus)
    else:
        _join(ray, address)
    try:
        yield ray
    finally:
        with _unwaited():
            ray.shutdown()


def patiently(start: Callable[[], T]) -> T:
    """Call what starts Ray, again where the machine was too busy or its disk too cold.

    Parameters
    ----------
    start : callable
        Starts Ray.

    Returns
    -------
    object
        What `start` returns.

    Raises
    ------
    BackendError
        If Ray does not start in three tries.
    """
    for left in reversed(range(_STARTS)):
        try:
            with _unwaited():
                return start()
        except Exception as err:
            if not left:
                raise BackendError(
                    f"Ray could not be started ({_first_line(err)}): try again when the machine is "
                    "less busy, or start it with `ray start --head` and give --address auto"
                ) from err
            logger.warning("Ray did not start (%s); trying again", _first_line(err))
    raise AssertionError("the last try returns or raises")


@contextmanager
def _unwaited() -> Iterator[None]:
    """Let Ray drop processes that it has ended without waiting for them; Python warns of that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            yield
        finally:
            gc.collect()


def _start(ray: Any, num_cpus: int | None) -> None:
    from emohead.machine import num_cores

    def start() -> None:
        ray.shutdown()  # of a try before
        ray.init(
            address="local",
            num_cpus=num_cpus or num_cores(),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )

    patiently(start)


def _join(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as err:
        raise BackendError(
            f"no Ray cluster answers at {address} ({_first_line(err)}): start one with "
            "`ray start --head`, or leave --address out to work on this machine alone"
        ) from err


def _first_line(err: Exception) -> str:
    return (str(err).strip().splitlines() or [type(err).__name__])[0]
