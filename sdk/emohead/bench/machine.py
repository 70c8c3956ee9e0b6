"""The machine as the report describes it, and the ceilings of its cores.

The ceilings are measured by a fresh process, whose matrix library takes as many threads as the
networks do; variables that this process was started with do not count then.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.bench.schema import Ceilings, Machine
from emohead.doctor import examine_machine
from emohead.errors import EmoheadError
from emohead.sessions import default_threads

__all__ = ["describe_machine", "measure_ceilings"]

_SIDE: Final = 1536
_COPIED_FLOATS: Final = 1 << 24
_ROUNDS: Final = 8
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def describe_machine() -> Machine:
    """Describe the machine and how busy it is now."""
    found = examine_machine()
    return Machine(
        cpu=found.cpu,
        cores=found.cores,
        memory_gib=found.memory_gib,
        gpus=found.gpus,
        driver=found.driver,
        system=found.system,
        python=found.python,
        packages=found.packages,
        load_average=_load_average(),
    )


def _load_average() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # not on Windows
        return None


def measure_ceilings(threads: int = 0) -> Ceilings:
    """Measure the best matrix product and the best copy of this machine's cores.

    Parameters
    ----------
    threads : int
        How many cores work; 0 for as many as the networks use.

    Returns
    -------
    Ceilings

    Raises
    ------
    EmoheadError
        When the process that measures dies.
    """
    count = threads or default_threads()
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(count))}
    command = [sys.executable, "-m", "emohead.bench.machine", str(count)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or ["no word"]
        raise EmoheadError(f"measuring the machine's ceilings failed ({why[0]}): free some memory")
    return Ceilings.model_validate_json(done.stdout)


def _ceilings(threads: int) -> Ceilings:
    return Ceilings(
        gemm_gflops=round(_gemm_gflops(), 1),
        bandwidth_gb_s=round(_copy_gb_s(threads), 2),
        threads=threads,
    )


def _gemm_gflops() -> float:
    a = np.random.default_rng(0).standard_normal((_SIDE, _SIDE), np.float32)
    out = np.empty_like(a)
    return 2e-9 * _SIDE**3 / _best_s(lambda: np.matmul(a, a, out=out))


def _copy_gb_s(threads: int) -> float:
    """Copy blocks in threads of their own, which numpy lets run side by side."""
    size = _COPIED_FLOATS // threads
    blocks = [(np.ones(size, np.float32), np.zeros(size, np.float32)) for _ in range(threads)]

    def copy(pair: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
        np.copyto(pair[1], pair[0])

    def all_at_once() -> None:
        workers = [threading.Thread(target=copy, args=(pair,)) for pair in blocks]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return 2e-9 * 4 * size * threads / _best_s(all_at_once)


def _best_s(call: Callable[[], object]) -> float:
    """Shortest time of a few calls: a ceiling is what was reached once, undisturbed."""
    call()
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    sys.stdout.write(_ceilings(int(sys.argv[1])).model_dump_json())
