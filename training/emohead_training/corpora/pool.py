"""Items through a preparer in parallel, in order, whatever a clip does to its decoder.

Called by ``preparing.py``. Not here: writing.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from emohead.errors import EmoheadError
from emohead_training.corpora.protocol import Item, Preparer, Skip
from emohead_training.corpora.records import Packed, pack

__all__ = ["prepared_in_order"]

log = logging.getLogger(__name__)


Outcome = Packed | Skip


def prepared_in_order(
    preparer: Preparer, items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Outcome]]:
    """Prepare and encode items.

    Parameters
    ----------
    preparer : Preparer
    items : sequence of Item
    workers : int
        Processes; one works in the caller's own.

    Yields
    ------
    item : Item
        In the given order, so that shards do not depend on the number of workers.
    outcome : Packed or Skip
        An error is a reason to skip the item, and so is a crash of its process.
    """
    if workers <= 1:
        yield from ((item, _outcome(preparer, item)) for item in items)
        return
    waiting = deque(items)
    while waiting:
        crashed = yield from _until_crash(preparer, waiting, workers)
        for item in crashed:
            yield item, _alone(preparer, item)


def _outcome(preparer: Preparer, item: Item) -> Outcome:
    try:
        result = preparer.prepare(item)
        return result if isinstance(result, Skip) else pack(result)
    except EmoheadError as err:
        return Skip(reason="it is unusable", detail=str(err))
    except Exception as err:  # a broken file must not end the work on the others
        log.debug("preparing %s failed", item.origin, exc_info=True)
        return Skip(reason="it cannot be decoded", detail=f"{type(err).__name__}: {err}")


def _until_crash(
    preparer: Preparer, waiting: deque[Item], workers: int
) -> Iterator[tuple[Item, Outcome]]:
    """Take items off `waiting`; returns those that were in the works when a process died."""
    flying: deque[tuple[Item, Future[Outcome]]] = deque()
    pool = _pool(workers)
    try:
        while waiting or flying:
            while waiting and len(flying) < 2 * workers:
                # A broken pool takes nothing: the item must wait for the next one.
                flying.append((waiting[0], pool.submit(_outcome, preparer, waiting[0])))
                waiting.popleft()
            item, future = flying[0]
            outcome = future.result()
            flying.popleft()
            yield item, outcome
    except BrokenProcessPool:
        return [item for item, _ in flying]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return []


def _alone(preparer: Preparer, item: Item) -> Outcome:
    """Prepare an item in a process of its own, to learn whether it was the one that crashed."""
    with _pool(1) as pool:
        try:
            return pool.submit(_outcome, preparer, item).result()
        except BrokenProcessPool:
            return Skip(reason="its decoder crashed")


def _pool(workers: int) -> ProcessPoolExecutor:
    # Forking a process that holds inference threads may hang, so workers start afresh.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start)


def _start() -> None:
    """Of a worker: one thread for each library, and an end when the caller has ended."""
    import cv2
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"  # for what is loaded later, torch above all
    cv2.setNumThreads(1)
    threadpool_limits(1)
    threading.Thread(target=_end_with_the_caller, daemon=True).start()


def _end_with_the_caller() -> None:
    caller = multiprocessing.parent_process()
    assert caller is not None
    caller.join()
    os._exit(1)
