"""A live talking head: sound goes in as it comes, pictures and sound come out in step.

``TalkingStream`` waits, hands over and interrupts; the work is ``live/director.py``'s.
Made by ``TalkingHead.stream``. Not here: what a face does (``performance.py``), the pacing by a
clock (``agents``).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from emohead.audio import SAMPLE_RATE_HZ
from emohead.closing import Closing
from emohead.errors import InputError
from emohead.limits import limits, raise_it
from emohead.live.director import Director, Draft, Paint
from emohead.live.frames import AudioFrame, Latency, StreamStats, VideoFrame
from emohead.live.pcm import resampling_s, samples_from_pcm
from emohead.live.speech_queue import Piece, SpeechQueue
from emohead.performance import Role, look_ahead_s

__all__ = ["BUFFER_S", "AudioFrame", "Latency", "StreamStats", "TalkingStream", "VideoFrame"]

BUFFER_S: Final = 30.0
"""Sound that may wait by default, s."""
PATIENCE_S: Final = 10.0
"""How long a push waits for somebody to take a frame."""
_WAIT_S: Final = 0.5
_LOOK_S: Final = 0.01
"""How often a coroutine looks for room."""
_PIECES_PER_S: Final = 25
"""The face hears long chunks piece by piece, so that the first frame need not wait for the last."""

Pcm = ArrayLike | bytes | bytearray | memoryview
Frame = VideoFrame | AudioFrame


class TalkingStream(Closing):
    """Frames of a face that speaks what is pushed; make one with ``TalkingHead.stream``.

    Iterating gives every frame that the sound so far completes, a ``VideoFrame`` and the
    ``AudioFrame`` that belongs to it, and ends; ``async for`` waits for more sound and ends with
    the utterance. Pushing, interrupting and iterating may happen in different threads; only one
    may iterate.

    Parameters
    ----------
    role : Role
        Who acts and how.
    paint : Paint
        Renders landmarks; called in order, by one thread at a time.
    sample_rate : int
        Samples a second of the sound given, and of the sound pushed unless it says otherwise.
    buffer_s : float, s
        Sound that may wait; pushing more waits until frames are taken.
    release : callable, optional
        Called once, when the stream is closed.
    """

    def __init__(
        self,
        role: Role,
        paint: Paint,
        *,
        sample_rate: int,
        buffer_s: float = BUFFER_S,
        release: Callable[[], None] | None = None,
    ) -> None:
        if not buffer_s > 0:
            raise InputError(f"expected a buffer of more than 0 s, got {buffer_s}")
        stages = {"resampling": resampling_s(sample_rate, SAMPLE_RATE_HZ), **look_ahead_s(role.fps)}
        self.latency = Latency(stages=stages)
        self.sample_rate, self.fps = sample_rate, role.fps
        self._director = Director(role, paint, sample_rate)
        self._queue = SpeechQueue(sample_rate)
        self._room = int(buffer_s * sample_rate)
        self._most_s = limits().stream_s
        self._release = release
        self._changed = threading.Condition()
        self._work = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "emohead-stream")
        self._draft: Draft | None = None
        self._half: AudioFrame | None = None
        self._epoch = self._drafted_epoch = 0
        self._consumer: int | None = None
        self._is_closed = False

    @property
    def stats(self) -> StreamStats:
        """What the stream has done so far, a copy."""
        return replace(self._director.stats)

    @property
    def is_speaking(self) -> bool:
        """Whether something that was pushed has not been given in full."""
        with self._changed:
            waits = len(self._queue) > 0 or self._queue.is_begun
            # What was interrupted is dropped when the next frame is made.
            speaks = self._director.is_speaking and self._epoch == self._drafted_epoch
            return waits or speaks

    @property
    def pending_s(self) -> float:
        """Sound that waits to be heard, s."""
        return self._queue.num_samples / self.sample_rate

    def push_audio(self, pcm: Pcm, last: bool = False, *, sample_rate: int | None = None) -> None:
        """Say something; an interruption while it waits for room forgets it too.

        Parameters
        ----------
        pcm : (n,) or (n, channels) array_like, or bytes
            The next sound, of any length: floats in [-1, 1] or integers; bytes are mono int16.
        last : bool
            Whether the utterance ends with it, so that its last frames wait for no more.
        sample_rate : int, optional
            Samples a second of this chunk, if it differs from the stream's.

        Raises
        ------
        InputError
            If the sound cannot be used, the stream is closed, or nobody takes frames.
        """
        epoch, samples = self._epoch, samples_from_pcm(pcm)
        self._wait_for_room()
        with self._changed:
            self._check_open()
            if epoch != self._epoch:
                return
            now = time.perf_counter()
            rate = self.sample_rate if sample_rate is None else sample_rate
            self._check_length(len(samples) / max(1, rate))
            self._director.stats.num_samples_pushed += self._queue.put(samples, rate, last, now)
            self._changed.notify_all()

    def _check_length(self, more_s: float) -> None:
        if self.stats.num_samples_pushed / self.sample_rate + more_s > self._most_s:
            raise InputError(
                f"a stream takes {self._most_s:,} seconds of sound: close it and open another, "
                f"{raise_it('stream_s')}"
            )

    async def apush_audio(
        self, pcm: Pcm, last: bool = False, *, sample_rate: int | None = None
    ) -> None:
        """As ``push_audio``, without holding up event loop or thread where there is no room."""
        epoch = self._epoch
        waiting, since = self._queue.num_samples, time.monotonic()
        while self._is_full():  # a thread for each that waits would leave none for who makes room
            if self._queue.num_samples != waiting:
                waiting, since = self._queue.num_samples, time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                raise self._stuck()
            await asyncio.sleep(_LOOK_S)
        if epoch == self._epoch:
            self.push_audio(pcm, last, sample_rate=sample_rate)

    def flush(self) -> None:
        """End the utterance: what was pushed is all of it. Nothing happens between utterances."""
        with self._changed:
            self._check_open()
            now = time.perf_counter()
            pushed = self._queue.put(np.zeros(0, np.float32), self.sample_rate, True, now)
            self._director.stats.num_samples_pushed += pushed
            self._changed.notify_all()

    def interrupt(self) -> None:
        """Fall silent at once: sound that was pushed and frames not yet taken are forgotten.

        The next frame belongs to what is pushed next; the face settles from where it is.
        """
        with self._changed:
            self._epoch += 1
            self._draft = None
            if self._half is not None:
                self._half = replace(self._half, samples=np.zeros_like(self._half.samples))
            stats = self._director.stats
            stats.num_samples_dropped += self._queue.clear(time.perf_counter(), ends=False)
            stats.num_interruptions += 1
            self._changed.notify_all()

    def clear_buffer(self) -> None:
        """Forget sound that the face has not heard; what it has heard, it speaks to the end."""
        with self._changed:
            dropped = self._queue.clear(time.perf_counter(), ends=True)
            self._director.stats.num_samples_dropped += dropped
            self._changed.notify_all()

    def take(self, *, idle: bool = False) -> tuple[Frame, ...]:
        """Return the next picture and its sound, without waiting.

        Parameters
        ----------
        idle : bool
            Where sound is missing, give an idle picture and silence instead of nothing.

        Returns
        -------
        tuple of VideoFrame and AudioFrame
            Empty where sound is missing; the ``AudioFrame`` alone if an iteration stopped between
            the two.
        """
        self._consumer = threading.get_ident()
        frames: tuple[Frame, ...] = self._take_half()
        while not frames and self._prepare(idle):
            frames = self._give()
        return frames

    async def atake(self, *, idle: bool = False) -> tuple[Frame, ...]:
        """As ``take``, with the work in another thread; being cancelled loses nothing."""
        self._consumer = threading.get_ident()
        frames: tuple[Frame, ...] = self._take_half()
        while not frames and await self.aprepare(idle=idle):
            frames = self._give()
        return frames

    async def aprepare(self, *, idle: bool = False) -> bool:
        """Make the next picture in another thread, for ``take``; an interruption still voids it.

        Parameters
        ----------
        idle : bool
            As for ``take``.

        Returns
        -------
        bool
            Whether there is one: False where sound is missing or the stream is closed.
        """
        return self._draft is not None or await self._in_own_thread(self._prepare, idle)

    def frames(self, *, wait: bool = False) -> Iterator[Frame]:
        """Iterate over frames.

        Parameters
        ----------
        wait : bool
            Wait for sound that another thread pushes, until the utterance ends or the stream is
            closed, instead of ending where sound is missing.

        Yields
        ------
        VideoFrame or AudioFrame
        """
        while True:
            frames = self.take()
            if frames:
                yield from self._halves(frames)
            elif not wait or self._has_ended(frames) or not self._wait_for_sound():
                return
            if wait and self._has_ended(frames):
                return

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    async def __aiter__(self) -> AsyncIterator[Frame]:
        while True:
            frames = await self.atake()
            for frame in self._halves(frames):
                yield frame
            if self._has_ended(frames):
                return
            if not frames and not await self._in_own_thread(self._wait_for_sound):
                return

    def close(self) -> None:
        """End the stream; whoever waits for it goes on."""
        with self._changed:
            was_closed, self._is_closed = self._is_closed, True
            self._draft = self._half = None
            self._queue.clear(time.perf_counter(), ends=False)
            self._changed.notify_all()
        if not was_closed:
            self._pool.shutdown(wait=False)
            with self._work:
                if self._release is not None:
                    self._release()

    async def __aenter__(self) -> TalkingStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _in_own_thread(self, work: Callable[..., bool], *given: bool) -> bool:
        """Do what may take long without holding up the event loop; False once it is closed."""
        loop = asyncio.get_running_loop()
        with self._changed:  # the thread is there as long as the stream is open
            if self._is_closed:
                return False
            done = loop.run_in_executor(self._pool, partial(work, *given))
        return await done

    def _prepare(self, idle: bool) -> bool:
        """Have a draft ready that no interruption has overtaken; False where sound is missing."""
        with self._work:
            while True:
                with self._changed:
                    if self._is_closed or self._draft is not None:
                        return self._draft is not None
                    epoch = self._epoch
                    if epoch != self._drafted_epoch:
                        self._director.drop()
                        self._drafted_epoch = epoch
                draft = self._director.draft(partial(self._next_piece, epoch), idle)
                with self._changed:
                    if epoch == self._epoch:
                        self._draft = draft
                        return draft is not None

    def _next_piece(self, epoch: int) -> Piece | None:
        with self._changed:
            if epoch != self._epoch:
                return None
            piece = self._queue.take(max(1, self.sample_rate // _PIECES_PER_S))
            self._changed.notify_all()
            return piece

    def _give(self) -> tuple[Frame, ...]:
        with self._work, self._changed:
            draft, self._draft = self._draft, None
            return () if draft is None else self._director.give(draft)

    def _take_half(self) -> tuple[AudioFrame, ...]:
        with self._changed:
            half, self._half = self._half, None
            return () if half is None else (half,)

    def _halves(self, frames: tuple[Frame, ...]) -> Iterator[Frame]:
        """One frame after another; what is not asked for stays for the next iteration."""
        for frame in frames[:-1]:
            with self._changed:
                self._half = frames[-1] if isinstance(frames[-1], AudioFrame) else None
            yield frame
        if len(frames) > 1:
            frames = self._take_half()
        yield from frames[-1:]

    def _has_ended(self, frames: tuple[Frame, ...]) -> bool:
        """Whether the last utterance ended with `frames`, and no other waits."""
        last = frames[-1] if frames else None
        return isinstance(last, AudioFrame) and last.ends_speech and not len(self._queue)

    def _wait_for_sound(self) -> bool:
        """Wait a moment, for threads must not wait for ever; False once the stream is closed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) > 0 or self._is_closed, _WAIT_S)
            return not self._is_closed

    def _is_full(self) -> bool:
        return self._queue.num_samples >= self._room and not self._is_closed

    def _wait_for_room(self) -> None:
        with self._changed:
            while self._is_full():
                stuck = self._consumer == threading.get_ident()
                if stuck or not self._changed.wait(PATIENCE_S):
                    raise self._stuck()

    def _stuck(self) -> InputError:
        return InputError(
            f"expected somebody to take frames, but {self.pending_s:.1f} s of sound wait; "
            "iterate over the stream, or push from another thread"
        )

    def _check_open(self) -> None:
        if self._is_closed:
            raise InputError("expected an open stream, got a closed one; make another one")
