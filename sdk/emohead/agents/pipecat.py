"""Pipecat: a video service that turns the speech of a pipeline into a talking head.

It stands between the speech synthesis and the output of the transport. Not here: pipelines.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import numpy as np

from emohead.agents.pacing import paced
from emohead.stream import AudioFrame, TalkingStream, VideoFrame

try:
    from pipecat.frames.frames import (
        CancelFrame,
        EndFrame,
        Frame,
        InterruptionFrame,
        OutputImageRawFrame,
        StartFrame,
        TTSAudioRawFrame,
        TTSStoppedFrame,
    )
    from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
except ImportError as err:
    raise ImportError(
        f"expected pipecat-ai, but {err}; run `pip install 'emohead[agents]'`"
    ) from err

__all__ = ["TalkingVideoService"]


class TalkingVideoService(FrameProcessor):
    """Takes the sound of speech synthesis, gives pictures and the same sound in step.

    ``TTSAudioRawFrame`` is held until its pictures are made, ``TTSStoppedFrame`` until its
    utterance was said; ``InterruptionFrame`` silences the face at once; ``EndFrame`` waits for
    the end of what is being said. Everything else passes.

    Parameters
    ----------
    live : TalkingStream
        Nobody else may take its frames; the service closes it.
    """

    def __init__(self, live: TalkingStream, **others: Any) -> None:
        super().__init__(**others)
        self._live = live
        self._task: asyncio.Task[None] | None = None
        self._stops: deque[TTSStoppedFrame] = deque()
        self._is_speaking = False
        self._num_interruptions = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take a frame of the pipeline."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame) and direction == FrameDirection.DOWNSTREAM:
            await self._say(frame)
        elif isinstance(frame, TTSStoppedFrame) and self._is_speaking:
            self._is_speaking = False
            self._stops.append(frame)
            self._live.flush()
        else:
            await self._heed(frame)
            await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Close the stream."""
        await super().cleanup()
        await self._stop()

    async def _heed(self, frame: Frame) -> None:
        if isinstance(frame, StartFrame) and self._task is None:
            self._task = self.create_task(self._show())
        elif isinstance(frame, InterruptionFrame):
            self._live.interrupt()
            self._num_interruptions += 1
            self._stops.clear()
            self._is_speaking = False
            self._quiet.set()
        elif isinstance(frame, EndFrame):
            self._is_speaking = False
            self._live.flush()
            if self._task is not None and not self._task.done():  # it may have failed
                await self._quiet.wait()
            await self._stop()
        elif isinstance(frame, CancelFrame):
            await self._stop()

    async def _say(self, frame: TTSAudioRawFrame) -> None:
        self._is_speaking = True
        self._quiet.clear()
        pcm = np.frombuffer(frame.audio, np.int16).reshape(-1, frame.num_channels)
        await self._live.apush_audio(pcm, sample_rate=frame.sample_rate)

    async def _show(self) -> None:
        try:
            async for video, audio in paced(self._live):
                await self._pass_on(video, audio)
        finally:
            self._quiet.set()

    async def _pass_on(self, video: VideoFrame, audio: AudioFrame) -> None:
        turn = self._num_interruptions
        await self.push_frame(_picture(video))
        if turn != self._num_interruptions:
            return
        if not audio.is_idle:
            await self.push_frame(_sound(audio))
        if audio.ends_speech:
            if self._stops:
                await self.push_frame(self._stops.popleft())
            if not self._is_speaking and not self._stops:
                self._quiet.set()

    async def _stop(self) -> None:
        self._live.close()
        self._quiet.set()
        if self._task is not None:
            task, self._task = self._task, None
            await self.cancel_task(task)


def _picture(frame: VideoFrame) -> OutputImageRawFrame:
    height, width, _ = frame.image.shape
    picture = OutputImageRawFrame(image=frame.image.tobytes(), size=(width, height), format="RGB")
    # A picture of speech waits in the transport for the sound before it.
    picture.sync_with_audio = not frame.is_idle
    return picture


def _sound(frame: AudioFrame) -> TTSAudioRawFrame:
    return TTSAudioRawFrame(
        audio=frame.pcm16.tobytes(), sample_rate=frame.sample_rate, num_channels=1
    )
