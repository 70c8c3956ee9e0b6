"""A lane renders batches of its tracks, one after another, in a thread of its own.

Tracks stay in their lane, and batches of the same tracks keep their state where it is; so a lane
alone touches its ``Steps``. Called by ``executor.py``. Not here: opening tracks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.contract import zero_state
from emohead.errors import BackendError, EmoheadError
from emohead.executor.track import Frame, Track
from emohead.render import render_step
from emohead.runner import Runner
from emohead.steps import Steps

__all__ = ["Lane", "explained"]

logger = logging.getLogger(__name__)

Taken = tuple[Track, NDArray[np.float32]]
"""A track and the landmarks of the frame that it gets next."""
MAX_GROUPS: Final = 8
"""Batches whose held inputs and states a lane keeps in place."""


@dataclass(eq=False, kw_only=True)
class Lane:
    """Tracks of one thread and the batches that they form."""

    renderer: Runner
    """Of the stage ``renderer``."""
    change: threading.Condition
    """The executor's."""
    max_batch: int
    """Tracks in one step."""
    max_wait_s: float
    """How long a ready track may wait for company."""
    tracks: list[Track] = field(default_factory=list)
    """Longest served first; under the executor's lock."""
    num_frames: int = 0
    """Rendered so far."""
    num_batches: int = 0
    """Steps taken so far."""
    is_closing: bool = False
    """Whether it takes no more tracks: the executor closes, or the lane has failed."""
    peers: list[Lane] = field(default_factory=list)
    """All lanes of the executor, this one included."""
    _groups: OrderedDict[tuple[Track, ...], Steps] = field(default_factory=OrderedDict)
    _homes: dict[Track, tuple[Track, ...]] = field(default_factory=dict)

    def run(self) -> None:
        """Render until the executor closes; the body of the thread."""
        try:
            while not self.is_closing:
                batch, gone = self._next()
                for track in gone:
                    self._leave(track)
                if batch:
                    self._render(batch)
        except BaseException as err:  # a lane that dies must not leave callers waiting
            logger.exception("a lane of the executor failed")
            self._fail_all(err)
        finally:
            for steps in self._groups.values():
                steps.close()
            self._groups.clear()
            self._homes.clear()

    def _next(self) -> tuple[list[Taken], list[Track]]:
        """Wait for a batch, with the landmarks of its next frames, or for tracks that leave."""
        with self.change:
            while not self.is_closing:
                gone = [t for t in self.tracks if t.is_done and not t._in_hand]
                gone += self._surplus()
                if gone:
                    self.tracks = [t for t in self.tracks if t not in gone]
                    return [], gone
                now = time.monotonic()
                ready = [t for t in self.tracks if t._is_ready]
                for track in ready:
                    track._since = track._since or now
                patience = self._patience(ready, now)
                if patience is None or patience > 0:
                    self.change.wait(patience)
                else:
                    return self._take(ready), []
            return [], []

    def _surplus(self) -> list[Track]:
        """Find a track for a lane that has at least two fewer."""
        fewest = len(self._emptiest().tracks)
        return self.tracks[-1:] if len(self.tracks) >= fewest + 2 else []

    def _patience(self, ready: list[Track], now: float) -> float | None:
        """Seconds to wait for more tracks: none with enough of them, for ever without any."""
        if not ready:
            return None
        missing = any(t._may_come for t in self.tracks)
        if len(ready) >= self.max_batch or not missing:
            return 0.0
        return min(t._since for t in ready) + self.max_wait_s - now

    def _take(self, ready: list[Track]) -> list[Taken]:
        """Take the tracks served longest ago: a batch as before, else one of about equal size."""
        num_batches = -(-len(ready) // self.max_batch)
        kept: set[Track] = set()
        for group in self._groups:
            if len(group) >= len(ready) // num_batches and all(t in ready for t in group):
                kept.update(group)
        if ready[0] in kept:
            chosen = list(self._homes[ready[0]])
        else:
            chosen = [t for t in ready if t not in kept][: -(-len(ready) // num_batches)]
        taken = [(t, t._points.popleft()) for t in chosen]
        for track in chosen:
            track._in_hand, track._since = 1, 0.0
        self.tracks = [t for t in self.tracks if t not in chosen] + chosen
        return taken

    def _render(self, batch: list[Taken]) -> None:
        tracks = tuple(t for t, _ in batch)
        try:
            steps = self._steps_of(tracks)
            frames = render_step(steps, np.stack([p for _, p in batch]))
        except Exception as err:
            if len(tracks) == 1:
                self._deliver(tracks, [], explained(err))
            else:  # one of them is to blame: each by itself, from its own state
                for one in batch:
                    self._render([one])
            return
        self._deliver(tracks, frames, None)

    def _deliver(
        self, tracks: tuple[Track, ...], frames: list[Frame], error: BaseException | None
    ) -> None:
        with self.change:
            for i, track in enumerate(tracks):
                track._in_hand = 0
                if frames and not track._is_cancelled:
                    track._frames.append(frames[i])
                if error is not None:
                    track._fail(error)
            self.num_frames += len(frames)
            self.num_batches += 1
            self.change.notify_all()

    def _steps_of(self, tracks: tuple[Track, ...]) -> Steps:
        """Open steps of exactly these tracks, with their states as they are now."""
        if tracks in self._groups:
            self._groups.move_to_end(tracks)
            return self._groups[tracks]
        self._forget(tracks)
        held, states = [t._held for t in tracks], [t._state for t in tracks]
        begun = None
        if any(s is not None for s in states):
            zero = zero_state(self.renderer.spec)
            begun = [zero if s is None else s for s in states]
        steps = self.renderer.steps([h for h in held if h is not None], begun)
        self._groups[tracks] = steps
        self._homes.update(dict.fromkeys(tracks, tracks))
        while len(self._groups) > MAX_GROUPS:
            self._forget(next(iter(self._groups)))
        return steps

    def _forget(self, tracks: tuple[Track, ...]) -> None:
        """Bring the states of tracks home to them, and close the batches that held them."""
        for group in {self._homes[t] for t in tracks if t in self._homes}:
            steps = self._groups.pop(group)
            for track in group:
                del self._homes[track]
            try:
                if not all(t.is_done for t in group):
                    for track, state in zip(group, steps.states(), strict=True):
                        track._state = state
            except Exception as err:  # the device lost what the whole group had
                for track in group:
                    track._fail(explained(err))
            finally:
                steps.close()

    def _leave(self, track: Track) -> None:
        """Let a track go: for good when it is done, else to the lane with the fewest tracks."""
        self._forget((track,))
        with self.change:
            if track.is_done:
                track._held, track._state = None, None
            else:
                self._emptiest().tracks.append(track)
            self.change.notify_all()

    def _emptiest(self) -> Lane:
        """Lane with the fewest tracks, of those that still render."""
        open_lanes = (lane for lane in self.peers if not lane.is_closing)
        return min(open_lanes, key=lambda lane: len(lane.tracks), default=self)

    def _fail_all(self, error: BaseException) -> None:
        with self.change:
            self.is_closing = True
            tracks = list(self.tracks)
            for track in tracks:
                track._in_hand = 0
        for track in tracks:
            track._fail(explained(error))


def explained(error: BaseException) -> BaseException:
    """Return an error of ours as it is, any other in a ``BackendError`` that says what to do."""
    if isinstance(error, EmoheadError):
        return error
    made = BackendError(
        f"rendering failed ({type(error).__name__}: {error}); submit the track again"
    )
    made.__cause__ = error
    return made
