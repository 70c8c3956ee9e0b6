"""A stream at the pace of a clock: speech where there is some, idle pictures where there is none.

Called by the adapters of frameworks that have no clock of their own, and by the service.
Not here: frames.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from emohead.stream import AudioFrame, TalkingStream, VideoFrame

__all__ = ["LATEST_S", "paced"]

LATEST_S: Final = 0.3
"""A picture that comes later moves the clock, instead of hurrying those after it."""

Sleep = Callable[[float], Awaitable[object]]


async def paced(
    live: TalkingStream,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[tuple[VideoFrame, AudioFrame]]:
    """Give a picture and its sound whenever one is due, until the stream is closed.

    Each is made one frame before it is due, so that speech waits no longer than that.

    Parameters
    ----------
    live : TalkingStream
        Nobody else may take its frames.
    clock : callable
        Time, s.
    sleep : coroutine function
        Waits for a number of seconds.

    Yields
    ------
    tuple of VideoFrame and AudioFrame
    """
    due = clock()
    while True:
        if not await live.aprepare(idle=True):
            return
        wait = due - clock()
        if wait > 0:
            await sleep(wait)
        elif wait < -LATEST_S:
            due = clock()
        due += 1 / live.fps
        # Taken only now, so that an interruption meanwhile leaves nothing old behind.
        match await live.atake(idle=True):
            case (VideoFrame() as video, AudioFrame() as audio):
                yield video, audio
