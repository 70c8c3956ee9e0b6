"""One live stream over a WebSocket: reads sound and commands, sends pictures and sound.

Called by ``live_routes.py``. Not here: who may open one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Any, Final

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from emohead.agents.pacing import paced
from emohead.errors import EmoheadError, InputError
from emohead.head import TalkingHead
from emohead.images import image_from
from emohead.reading import first_problem
from emohead.service.live_protocol import Media, Start, pack, read_command
from emohead.service.metrics import Metrics
from emohead.stream import AudioFrame, TalkingStream, VideoFrame

__all__ = ["CLOSE_REFUSED", "CLOSE_TIMEOUT", "LiveSession", "read_start"]

CLOSE_REFUSED: Final = 1008
"""The caller did something that is not allowed; the last message says what."""
CLOSE_TIMEOUT: Final = 4408
"""The stream was silent or open for too long."""
START_S: Final = 10.0
"""How long a caller may take to begin."""
SILENT_S: Final = 120.0
"""How long a caller may send nothing."""
_NEWS_S: Final = 0.5
MAX_CHUNK_BYTES: Final = 4_000_000
"""Longer pieces of sound are refused."""

Frames = AsyncGenerator[VideoFrame | AudioFrame, None]


async def read_start(socket: WebSocket) -> Start:
    """Wait for the first message.

    Raises
    ------
    InputError
        If it is another one, or none comes.
    """
    try:
        text = await asyncio.wait_for(socket.receive_text(), START_S)
        return Start.model_validate_json(text)
    except asyncio.TimeoutError as err:
        raise InputError(f"expected the message `start` within {START_S:g} s, got none") from err
    except KeyError as err:
        raise InputError("expected the message `start` as text, got a binary one") from err
    except ValidationError as err:
        place, problem = first_problem(err, "the message")
        raise InputError(f"the message `start` cannot be used: {place}: {problem}") from err


class LiveSession:
    """A stream between a face and a caller.

    Parameters
    ----------
    socket : WebSocket
        Accepted.
    head : TalkingHead
    metrics : Metrics
    longest_s : float
        When it ends at the latest, s.
    """

    def __init__(
        self, socket: WebSocket, head: TalkingHead, metrics: Metrics, longest_s: float
    ) -> None:
        self._socket, self._head = socket, head
        self._metrics, self._longest_s = metrics, longest_s
        self._is_over = False
        self._news = asyncio.Event()

    async def run(self, start: Start) -> None:
        """Prepare the face, then speak until the caller stops or leaves.

        Raises
        ------
        EmoheadError
            If the photo or what is sent cannot be used.
        TimeoutError
            If nothing comes, or the stream was open for too long.
        WebSocketDisconnect
            If the caller leaves.
        """
        photo = await self._photo()
        live = await asyncio.to_thread(self._open, photo, start)
        try:
            await self._say(self._ready(live, start))
            await asyncio.wait_for(self._both(live, start), self._longest_s)
        finally:
            await asyncio.to_thread(live.close)

    async def _both(self, live: TalkingStream, start: Start) -> None:
        """Read and write at once, until both have ended or one fails."""
        tasks = {
            asyncio.create_task(self._read(live)),
            asyncio.create_task(self._write(live, start)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _photo(self) -> bytes:
        try:
            return await asyncio.wait_for(self._socket.receive_bytes(), START_S)
        except KeyError as err:
            raise InputError("expected the photo as a binary message, got text") from err

    def _open(self, photo: bytes, start: Start) -> TalkingStream:
        face = self._head.portrait(image_from(photo, "the photo"))
        return self._head.stream(
            face,
            sample_rate=start.sample_rate,
            fps=start.fps,
            seed=start.seed,
            emotion=start.emotion,
            strength=start.strength,
            full_frame=start.full_frame,
            still=start.still,
            head_motion=start.head_motion,
            blink_rate=start.blink_rate,
            gaze=start.gaze,
        )

    def _ready(self, live: TalkingStream, start: Start) -> dict[str, Any]:
        return {
            "type": "ready",
            "base_s": round(time.time(), 3),
            "sample_rate": live.sample_rate,
            "fps": live.fps,
            "format": start.format,
            "look_ahead_s": round(live.latency.total_s, 3),
        }

    async def _read(self, live: TalkingStream) -> None:
        """Take sound and commands until the caller stops."""
        while True:
            message = await asyncio.wait_for(self._socket.receive(), SILENT_S)
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1000))
            if (sound := message.get("bytes")) is not None:
                if len(sound) > MAX_CHUNK_BYTES or len(sound) % 2:
                    raise InputError(
                        f"expected int16 sound of at most {MAX_CHUNK_BYTES} bytes, got "
                        f"{len(sound)}: send shorter pieces of whole samples"
                    )
                await live.apush_audio(sound)
            else:
                self._obey(live, message.get("text") or "")
            self._news.set()
            if self._is_over:
                return

    def _obey(self, live: TalkingStream, text: str) -> None:
        """Do what a command says; after ``stop`` nothing more is read."""
        try:
            word = read_command(text)
        except ValidationError as err:
            raise InputError(
                "expected a command among flush, interrupt, clear, stop as "
                f'{{"type": "flush"}}, got {text[:80]!r}'
            ) from err
        if word == "interrupt":
            live.interrupt()
        elif word == "clear":
            live.clear_buffer()
        else:
            live.flush()
        self._is_over = word == "stop"

    async def _write(self, live: TalkingStream, start: Start) -> None:
        """Send pictures and sound as they are made."""
        frames = self._by_the_clock(live) if start.idle else self._as_they_come(live)
        async with contextlib.aclosing(frames) as made:
            async for frame in made:
                media = await asyncio.to_thread(_encoded, frame, start)
                await self._socket.send_bytes(pack(media))
                if media.kind != "pcm16":
                    self._metrics.live_frames.inc()
                if media.ends_speech:
                    await self._say({"type": "end", "index": media.index})

    async def _as_they_come(self, live: TalkingStream) -> Frames:
        while True:
            self._news.clear()
            frames = await live.atake()
            for frame in frames:
                yield frame
            if not frames:
                if self._is_over and not live.is_speaking:
                    return
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _NEWS_S)

    async def _by_the_clock(self, live: TalkingStream) -> Frames:
        async for video, audio in paced(live):
            yield video
            yield audio
            if self._is_over and not live.is_speaking:
                return

    async def _say(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(message))


def _encoded(frame: VideoFrame | AudioFrame, start: Start) -> Media:
    shared: dict[str, Any] = {"index": frame.index, "start": frame.start, "is_idle": frame.is_idle}
    if isinstance(frame, AudioFrame):
        sound = frame.pcm16.astype("<i2").tobytes()
        return Media(kind="pcm16", ends_speech=frame.ends_speech, payload=sound, **shared)
    if start.format == "rgb":
        pixels = frame.image.tobytes()
        return Media(kind="rgb", ends_speech=False, payload=pixels, **shared)
    return Media(kind="jpeg", ends_speech=False, payload=_jpeg(frame, start.quality), **shared)


def _jpeg(frame: VideoFrame, quality: int) -> bytes:
    import cv2

    bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
    is_done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_done:
        raise EmoheadError("the picture could not be written as JPEG: ask for rgb")
    return bytes(data)
