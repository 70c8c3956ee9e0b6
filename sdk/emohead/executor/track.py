"""One talking head in an executor: landmarks go in, frames come out, errors stay here.

Made by ``Executor``; its fields with an underscore change under the executor's lock alone.
Not here: which tracks share a batch (``lane.py``).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emohead.errors import BackendError, InputError
from emohead.stages import NUM_LANDMARKS

if TYPE_CHECKING:
    from emohead.clip import Clip, Progress
    from emohead.provenance.signing import Signer
    from emohead.steps import State

__all__ = ["Track"]

Frame = NDArray[np.uint8]


class Track:
    """A talking head that an executor renders; iterate over `frames` in one thread at a time.

    Parameters
    ----------
    change : threading.Condition
        The executor's; notified at every change.
    capacity : int
        Rendered frames that wait for the caller at most; rendering pauses beyond.
    """

    def __init__(self, change: threading.Condition, capacity: int) -> None:
        self.clip: Future[Clip] = Future()
        """The clip, once its landmarks are known; of a live track the error that it has none."""
        self._change = change
        self._capacity = capacity
        self._held: dict[str, NDArray[Any]] | None = None
        self._state: State | None = None
        self._points: deque[NDArray[np.float32]] = deque()
        self._frames: deque[Frame] = deque()
        self._in_hand = 0
        self._is_finished = False
        self._is_cancelled = False
        self._error: BaseException | None = None
        self._since = 0.0
        self._paste: Callable[[Frame], Frame] | None = None

    def push(self, points: NDArray[np.floating]) -> None:
        """Give landmarks to a live track.

        Parameters
        ----------
        points : (68, 2) or (T, 68, 2) floating, crop px
            Of the next frame or frames.

        Raises
        ------
        InputError
            If the shape is another one, values are not finite, or the track is finished.
        """
        rows = np.asarray(points, np.float32)
        rows = rows[None] if rows.ndim == 2 else rows
        if rows.ndim != 3 or rows.shape[1:] != (NUM_LANDMARKS, 2) or not np.isfinite(rows).all():
            raise InputError(
                f"expected finite landmarks ({NUM_LANDMARKS}, 2) or (T, {NUM_LANDMARKS}, 2), got "
                f"shape {np.shape(points)}; project the landmarks first"
            )
        with self._change:
            if self._is_finished:
                raise InputError("expected an open track, this one is finished; open another one")
            self._points.extend(rows)
            self._change.notify_all()

    def finish(self) -> None:
        """Say that no more landmarks follow; `frames` ends after the last one."""
        with self._change:
            self._is_finished = True
            self._change.notify_all()

    def cancel(self) -> None:
        """Stop rendering; `frames` ends, and what was not taken yet is dropped."""
        with self._change:
            self._is_cancelled = True
            self._drop()

    @property
    def is_done(self) -> bool:
        """Whether nothing more will be rendered: finished, cancelled or failed."""
        return (
            self._error is not None
            or self._is_cancelled
            or (self._is_finished and not self._points and not self._in_hand)
        )

    def frames(self) -> Iterator[Frame]:
        """Take frames in order as they are rendered; leaving the loop early cancels the track.

        Yields
        ------
        (height, width, 3) uint8
            RGB; the whole photo where the clip says so.

        Raises
        ------
        EmoheadError
            What went wrong with this track, after the frames before it; or ``BackendError`` when
            the executor was closed first.
        """
        try:
            while (frame := self._next()) is not None:
                # In the caller's thread: lanes have better things to do than pasting.
                yield frame if self._paste is None else self._paste(frame)
        finally:
            self.cancel()

    def save(
        self,
        path: str | Path,
        *,
        progress: Progress | None = None,
        sign: Signer | None = None,
    ) -> Path:
        """Write the track's clip as a video with its speech; waits until it is rendered.

        Parameters
        ----------
        path : str or Path
            Where the video appears, whole or not at all.
        progress : callable, optional
            Called as ``progress(done, total)`` after every frame.
        sign : Signer, optional
            Adds signed content credentials to the file.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        EmoheadError
            As for `frames`, and as for ``Clip.save``; for a live track, which has no clip.
        """
        from emohead.video import VideoWriter

        clip = self.clip.result()
        written = 0
        label = clip.label(batched=True)
        with VideoWriter(
            path, fps=clip.fps, audio=clip.speech, describe=label, sign=sign
        ) as writer:
            for frame in self.frames():
                writer.write(frame)
                written += 1
                if progress is not None:
                    progress(written, len(clip))
            if written != len(clip):
                raise BackendError(
                    f"expected {len(clip)} frames for {path}, the track was cancelled after "
                    f"{written}; submit it again"
                )
        clip.keep_manifest(writer.manifest)
        return Path(path)

    def _next(self) -> Frame | None:
        with self._change:
            self._change.wait_for(lambda: bool(self._frames) or self.is_done)
            if self._frames:
                frame = self._frames.popleft()
                self._change.notify_all()
                return frame
            if self._error is not None and not self._is_cancelled:
                raise self._error
            return None

    @property
    def _has_room(self) -> bool:
        return len(self._frames) + self._in_hand < self._capacity

    @property
    def _is_ready(self) -> bool:
        """Whether a step can be taken now."""
        return (
            self._held is not None
            and bool(self._points)
            and not self._in_hand
            and self._has_room
            and not self.is_done
        )

    @property
    def _may_come(self) -> bool:
        """Whether a step may be possible soon, without the caller taking frames."""
        is_waiting = self._held is not None and not self._points and not self._in_hand
        return is_waiting and self._has_room and not self.is_done

    def _begin(self, held: dict[str, NDArray[Any]], clip: Clip | None = None) -> None:
        """Let steps be taken: from now on for a live track, to the end for a clip."""
        with self._change:
            if self.is_done:  # cancelled, or the executor was closed
                return
            self._held = held
            if clip is None:
                self.clip.set_exception(
                    InputError(
                        "expected a track of a clip, a live one has no clip: take its frames"
                    )
                )
            else:
                self._paste = clip.portrait.paste_back if clip.full_frame else None
                self._points.extend(clip.points)
                self._is_finished = True
                self.clip.set_result(clip)
            self._change.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._change:
            if self._error is None:
                self._error = error
            if not self.clip.done():
                self.clip.set_exception(error)
            self._points.clear()
            self._change.notify_all()

    def _drop(self) -> None:
        self._points.clear()
        self._frames.clear()
        if not self.clip.done():
            self.clip.set_exception(BackendError("the track was cancelled; submit it again"))
        self._change.notify_all()
