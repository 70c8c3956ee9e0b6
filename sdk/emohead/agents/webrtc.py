"""WebRTC: a talking head as the two tracks of an aiortc peer connection.

Not here: signalling; see ``examples/webrtc_loopback.py``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.agents.pacing import paced
from emohead.stream import AudioFrame, TalkingStream, VideoFrame

try:
    import av
    from aiortc import MediaStreamTrack
    from aiortc.mediastreams import MediaStreamError
except ImportError as err:
    raise ImportError(f"expected aiortc, but {err}; run `pip install 'emohead[agents]'`") from err

__all__ = ["TalkingTracks"]

VIDEO_CLOCK_HZ: Final = 90_000
PACKETS_PER_S: Final = 50
"""Packets of sound a second, as WebRTC sends them."""
_MOST_WAITING: Final = 30
"""Pictures that wait for a track that nobody reads; older ones are given up."""


class TalkingTracks:
    """Picture and sound of a stream, paced by the clock; silence and idle pictures included.

    Parameters
    ----------
    live : TalkingStream
        Nobody else may take its frames; whoever opened it closes it.

    Attributes
    ----------
    video, audio : aiortc.MediaStreamTrack
        To be added to a peer connection.
    """

    def __init__(self, live: TalkingStream) -> None:
        self._live = live
        self._task: asyncio.Task[None] | None = None
        self.video = _VideoTrack(self)
        self.audio = _AudioTrack(self, live.sample_rate)

    def start(self) -> None:
        """Start the clock; reading either track does it too."""
        if self._task is None:
            self._task = asyncio.create_task(self._show())

    async def aclose(self) -> None:
        """Stop both tracks."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for track in (self.video, self.audio):
            track.stop()
            track.put(None)

    async def _show(self) -> None:
        try:
            async for video, audio in paced(self._live):
                self.video.put(video)
                self.audio.put(audio)
        finally:
            for track in (self.video, self.audio):
                track.put(None)


class _Track(MediaStreamTrack):
    """Frames that wait to be received; None is the end."""

    def __init__(self, owner: TalkingTracks) -> None:
        super().__init__()
        self._owner = owner
        self._frames: deque[Any] = deque(maxlen=_MOST_WAITING)
        self._came = asyncio.Event()

    def put(self, frame: VideoFrame | AudioFrame | None) -> None:
        """Add a frame, the oldest is given up where there are too many."""
        self._frames.append(frame)
        self._came.set()

    async def _next(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError
        self._owner.start()
        while not self._frames:
            self._came.clear()
            await self._came.wait()
        frame = self._frames.popleft()
        if frame is None:
            self.stop()
            raise MediaStreamError
        return frame


class _VideoTrack(_Track):
    kind = "video"

    async def recv(self) -> av.VideoFrame:
        frame: VideoFrame = await self._next()
        picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
        picture.pts = frame.start * VIDEO_CLOCK_HZ // frame.sample_rate
        picture.time_base = Fraction(1, VIDEO_CLOCK_HZ)
        return picture


class _AudioTrack(_Track):
    kind = "audio"

    def __init__(self, owner: TalkingTracks, sample_rate: int) -> None:
        super().__init__(owner)
        self._rate, self._given = sample_rate, 0
        self._kept: NDArray[np.int16] = np.zeros(0, np.int16)

    async def recv(self) -> av.AudioFrame:
        length = self._rate // PACKETS_PER_S
        while len(self._kept) < length:
            frame: AudioFrame = await self._next()
            if frame.start != self._given + len(self._kept):  # sound between was given up
                self._given, self._kept = frame.start, self._kept[:0]
            self._kept = np.concatenate([self._kept, frame.pcm16])
        packet, self._kept = self._kept[:length], self._kept[length:]
        sound = av.AudioFrame.from_ndarray(packet[None], format="s16", layout="mono")
        sound.sample_rate, sound.pts = self._rate, self._given
        sound.time_base = Fraction(1, self._rate)
        self._given += length
        return sound
