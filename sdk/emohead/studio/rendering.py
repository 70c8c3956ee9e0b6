"""A clip that is being saved, and can be looked at meanwhile.

The saving runs in a thread of its own, so that a slow viewer never holds up the networks.
Called by ``workshop.py``. Not here: what the page shows (``stage.py``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from emohead.clip import Clip
from emohead.studio.takes import drawn

__all__ = ["Look", "Rendering"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How far a rendering is."""

    frame: NDArray[np.uint8]
    """(height, width, 3) RGB, the newest one."""
    done: int
    """Frames that are finished."""
    total: int
    """Frames in all."""
    elapsed_s: float
    """Since the rendering began, s."""

    def showing(self, points: NDArray[np.floating]) -> Look:
        """Draw its own of the landmarks (N, 68, 2), px of the video, on a copy."""
        return replace(self, frame=drawn(self.frame, points[self.done - 1]))


class _Stopped(Exception):  # noqa: N818 - it reports no error
    """Nobody looks any more."""


class Rendering:
    """Save a clip in a thread; a context manager that stops it when left early.

    Parameters
    ----------
    clip : Clip
    path : Path
        Video to write; it appears whole or not at all.
    """

    def __init__(self, clip: Clip, path: Path) -> None:
        self._clip, self._path = clip, path
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._frame: NDArray[np.uint8] | None = None
        self._done = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="emohead-studio", daemon=True)

    def __enter__(self) -> Rendering:
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def looks(self, every_s: float = 0.15) -> Iterator[Look]:
        """Look at the newest frame now and then, until the video is there.

        Parameters
        ----------
        every_s : float, s
            Time between two looks at least.

        Yields
        ------
        Look

        Raises
        ------
        EmoheadError
            As ``Clip.save`` does.
        """
        seen = 0
        while True:
            with self._news:
                while self._done == seen and self._thread.is_alive():
                    self._news.wait(0.5)
                frame, done = self._frame, self._done
            if frame is not None and done > seen:
                seen = done
                spent = time.perf_counter() - self._began
                yield Look(frame=frame, done=done, total=len(self._clip), elapsed_s=spent)
                self._stop.wait(every_s if done < len(self._clip) else 0)
            elif not self._thread.is_alive():
                break
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._clip.save(self._path, watch=self._watch)
        except _Stopped:
            pass
        except BaseException as err:
            self._failure = err
        finally:
            with self._news:
                self._news.notify_all()

    def _watch(self, frame: NDArray[np.uint8]) -> None:
        if self._stop.is_set():
            raise _Stopped
        with self._news:
            self._frame, self._done = frame, self._done + 1
            self._news.notify_all()
