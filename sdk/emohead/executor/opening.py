"""An executor for a talking head: how many lanes, and a renderer that suits them.

Called by ``head.py``. Not here: the executor itself (``executor.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emohead.executor.executor import Executor
from emohead.sessions import default_threads
from emohead.stages import RENDERER

if TYPE_CHECKING:
    from emohead.backends import Backend
    from emohead.bundle import Bundle
    from emohead.clip import Clip
    from emohead.runner import Runner

__all__ = ["open_executor"]


def open_executor(
    renderer: Runner,
    backend: Backend,
    bundle: Bundle | None,
    precision: str | None,
    *,
    prepare: Callable[..., Clip],
    lanes: int,
    max_batch: int,
    max_wait_ms: float,
    buffer_frames: int,
) -> Executor:
    """Open an executor: on a CPU a lane a core, each of whose steps uses one thread.

    Parameters
    ----------
    renderer : Runner
        The head's own, of the stage ``renderer``.
    backend : Backend
        Where it runs.
    bundle : Bundle or None
        Where it comes from; without one, the head's own renderer serves.
    precision : str or None
        Of its graph.
    prepare, max_batch, max_wait_ms, buffer_frames
        See ``Executor``.
    lanes : int
        Threads that render; 0 chooses.

    Returns
    -------
    Executor

    Raises
    ------
    InputError
        If a number is out of range.
    """
    if backend.name == "cpu" and bundle is not None:
        renderer = bundle.runner(RENDERER.name, backend, threads=1, precision=precision)
        lanes = lanes or default_threads()
    return Executor(
        renderer,
        prepare=prepare,
        max_batch=max_batch,
        max_wait_ms=max_wait_ms,
        buffer_frames=buffer_frames,
        lanes=lanes or 1,
    )
