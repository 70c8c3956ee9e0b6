"""A talking head in a Pipecat pipeline: the sound of speech synthesis in, pictures and sound out.

Usage: python examples/pipecat_avatar.py FACE SPEECH OUT.mp4

Needs the extra ``agents``. A file stands in for the speech synthesis and a recorder for the output
of a transport; everything between is the real thing.
"""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    OutputImageRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from emohead import TalkingHead, TalkingStream, read_audio
from emohead.agents.pipecat import TalkingVideoService
from emohead.audio import audio_from_array
from emohead.video import VideoWriter


class Recorder(FrameProcessor):
    """Keeps what is spoken, picture and sound."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[np.ndarray] = []
        self.sounds: list[np.ndarray] = []
        self.num_idle = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take a frame of the pipeline."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.sounds.append(np.frombuffer(frame.audio, np.int16))
        elif isinstance(frame, OutputImageRawFrame) and not frame.sync_with_audio:
            self.num_idle += 1
        elif isinstance(frame, OutputImageRawFrame):
            width, height = frame.size
            self.pictures.append(np.frombuffer(frame.image, np.uint8).reshape(height, width, 3))
        await self.push_frame(frame, direction)


async def say(live: TalkingStream, pcm: np.ndarray, rate: int) -> Recorder:
    """Speak through a pipeline."""
    recorder = Recorder()
    worker = PipelineWorker(Pipeline([TalkingVideoService(live), recorder]), enable_rtvi=False)
    spoken = [
        TTSAudioRawFrame(pcm[i : i + rate // 10].tobytes(), rate, 1)
        for i in range(0, len(pcm), rate // 10)
    ]
    await worker.queue_frames([TTSStartedFrame(), *spoken, TTSStoppedFrame(), EndFrame()])
    runner = WorkerRunner()
    await runner.add_workers(worker)
    await runner.run()
    return recorder


async def main(face_path: str, speech_path: str, out: str) -> None:
    """Let a face speak a file, and save what came out of the pipeline."""
    speech = read_audio(speech_path)
    pcm = (speech.samples * 32767).astype(np.int16)
    head = TalkingHead.load()
    live = head.stream(head.portrait(face_path), sample_rate=speech.sample_rate)
    recorder = await say(live, pcm, speech.sample_rate)
    sound = audio_from_array(np.concatenate(recorder.sounds), speech.sample_rate)
    with VideoWriter(out, fps=live.fps, audio=sound) as writer:
        for picture in recorder.pictures:
            writer.write(picture)
    print(f"{len(recorder.pictures)} pictures, {recorder.num_idle} more before and after")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
