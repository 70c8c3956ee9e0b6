"""The executor: opens tracks, spreads them over lanes, prepares clips, shuts down cleanly.

Made by ``TalkingHead.executor``. Not here: forming batches (``lane.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emohead.closing import Closing
from emohead.errors import BackendError, InputError
from emohead.executor.lane import Lane, explained
from emohead.executor.track import Track
from emohead.render import PortraitFeatures, held_inputs
from emohead.runner import Runner

if TYPE_CHECKING:
    from emohead.audio import Speech
    from emohead.clip import Clip
    from emohead.portrait import Portrait

__all__ = ["Executor", "ExecutorStats"]


@dataclass(frozen=True, kw_only=True)
class ExecutorStats:
    """What an executor has done so far."""

    num_frames: int
    """Frames rendered."""
    num_batches: int
    """Renderer steps; frames over batches is the mean batch."""
    num_tracks: int
    """Tracks that are open now."""


class Executor(Closing):
    """Renders many tracks at once; use it as a context manager.

    Ready tracks share a step: those that were served longest ago come first, so none starves. A
    ready track waits at most `max_wait_ms` for company, then for the steps of the tracks before it.

    Parameters
    ----------
    renderer : Runner
        Of the stage ``renderer``; called from every lane at once.
    prepare : callable, optional
        Makes a clip of what `submit` is given, as ``TalkingHead.animate`` does.
    max_batch : int, [1, 16]
        Tracks in one step.
    max_wait_ms : float
        How long a ready track waits for tracks whose landmarks are still to come.
    buffer_frames : int
        Frames of a track that wait for its caller at most.
    lanes : int
        Threads that render; several where a step uses one processor core.

    Raises
    ------
    InputError
        If a number is out of range.

    Examples
    --------
    >>> with head.executor() as executor:  # doctest: +SKIP
    ...     tracks = [executor.submit(face, speech) for speech in speeches]
    ...     for frame in tracks[0].frames():
    ...         show(frame)
    """

    def __init__(
        self,
        renderer: Runner,
        *,
        prepare: Callable[..., Clip] | None = None,
        max_batch: int = 16,
        max_wait_ms: float = 4.0,
        buffer_frames: int = 32,
        lanes: int = 1,
    ) -> None:
        most = renderer.spec.inputs[0].dims[0].max
        _check("batch", max_batch, 1, most)
        _check("wait, ms,", max_wait_ms, 0, 10_000)
        _check("buffer of frames", buffer_frames, 1, 100_000)
        _check("number of lanes", lanes, 1, 256)
        self._renderer = renderer
        self._prepare = prepare
        self._buffer_frames = buffer_frames
        self._change = threading.Condition(threading.RLock())
        self._is_closed = False
        self._tracks: list[Track] = []
        self._lanes = [
            Lane(
                renderer=renderer,
                change=self._change,
                max_batch=max_batch,
                max_wait_s=max_wait_ms / 1000,
            )
            for _ in range(lanes)
        ]
        for lane in self._lanes:
            lane.peers = self._lanes
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="emohead-prepare")
        self._threads = [
            threading.Thread(target=lane.run, name=f"emohead-lane-{i}", daemon=True)
            for i, lane in enumerate(self._lanes)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, face: Portrait, speech: Speech, **how: Any) -> Track:
        """Animate a portrait, in the background.

        Parameters
        ----------
        face : Portrait
            From ``TalkingHead.portrait``.
        speech : path, Audio, or (samples, rate)
            The voice.
        **how
            As for ``TalkingHead.animate``.

        Returns
        -------
        Track
            At once; an unusable voice is raised by its `frames`, as the track's own error.

        Raises
        ------
        BackendError
            If the executor is closed.
        """
        if self._prepare is None:
            raise BackendError(
                "expected an executor of a TalkingHead, this one has no networks but the renderer; "
                "make it with TalkingHead.executor, or use `render` and `open`"
            )
        track = self._open()
        self._preparing.submit(self._prepared, track, face, speech, how)
        return track

    def render(self, clip: Clip) -> Track:
        """Render a clip whose landmarks are known.

        Parameters
        ----------
        clip : Clip
            From ``TalkingHead.animate``.

        Returns
        -------
        Track
        """
        track = self._open()
        track._begin(held_inputs(self._renderer.spec, clip.features), clip)
        return track

    def open(self, features: PortraitFeatures) -> Track:
        """Open a live track, whose landmarks come by ``Track.push``.

        Parameters
        ----------
        features : PortraitFeatures
            From ``emohead.render.encode_portrait``.

        Returns
        -------
        Track
        """
        track = self._open()
        track._begin(held_inputs(self._renderer.spec, features))
        return track

    def stats(self) -> ExecutorStats:
        """Count what was done so far."""
        with self._change:
            return ExecutorStats(
                num_frames=sum(lane.num_frames for lane in self._lanes),
                num_batches=sum(lane.num_batches for lane in self._lanes),
                num_tracks=sum(not t.is_done for t in self._tracks),
            )

    def close(self) -> None:
        """Stop: the step in hand ends, tracks that are not done fail with a ``BackendError``."""
        with self._change:
            self._is_closed = True
            for lane in self._lanes:
                lane.is_closing = True
            left = [t for t in self._tracks if not t.is_done]
            self._change.notify_all()
        for track in left:
            track._fail(
                BackendError("the executor was closed before the track was done; submit it again")
            )
        self._preparing.shutdown(cancel_futures=True)
        for thread in self._threads:
            thread.join()

    def _open(self) -> Track:
        track = Track(self._change, self._buffer_frames)
        with self._change:
            if self._is_closed:
                raise BackendError("the executor is closed; make another one")
            lanes = [lane for lane in self._lanes if not lane.is_closing]
            if not lanes:
                raise BackendError(
                    "no lane is left, each has failed (see the log); make another executor"
                )
            self._tracks = [t for t in self._tracks if not t.is_done]
            self._tracks.append(track)
            min(lanes, key=lambda lane: len(lane.tracks)).tracks.append(track)
        return track

    def _prepared(self, track: Track, face: Portrait, speech: Speech, how: dict[str, Any]) -> None:
        """Make the clip of a submitted track; errors are the track's."""
        assert self._prepare is not None
        if track.is_done:
            return
        try:
            clip = self._prepare(face, speech, **how)
            track._begin(held_inputs(self._renderer.spec, clip.features), clip)
        except Exception as err:
            track._fail(explained(err))


def _check(what: str, given: float, low: float, high: float) -> None:
    if not low <= given <= high:
        raise InputError(f"expected a {what} from {low} to {high}, got {given}")
