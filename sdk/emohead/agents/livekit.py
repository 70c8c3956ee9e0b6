"""LiveKit Agents: a talking head as the video generator of an ``AvatarRunner``.

LiveKit sets the pace. Not here: rooms, agents and their sessions; see ``docs/agents.md``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np

from emohead.stream import AudioFrame, TalkingStream, VideoFrame

try:
    from livekit import rtc
    from livekit.agents.voice.avatar import AudioSegmentEnd, AvatarOptions, VideoGenerator
except ImportError as err:
    raise ImportError(
        f"expected livekit-agents, but {err}; run `pip install 'emohead[agents]'`"
    ) from err

__all__ = ["TalkingVideoGenerator", "avatar_options"]


class TalkingVideoGenerator(VideoGenerator):
    """Pictures and sound of a face that says what an agent says.

    While nobody speaks it gives pictures alone, for LiveKit counts every sound as speech.

    Parameters
    ----------
    live : TalkingStream
        Nobody else may take its frames; whoever opened it closes it.
    """

    def __init__(self, live: TalkingStream) -> None:
        self._live = live
        self._num_interruptions = 0

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """Say something, or end the utterance; waits where the stream is full."""
        if isinstance(frame, AudioSegmentEnd):
            self._live.flush()
            return
        pcm = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
        await self._live.apush_audio(pcm, sample_rate=frame.sample_rate)

    def clear_buffer(self) -> None:
        """Fall silent at once, because somebody interrupts."""
        self._num_interruptions += 1
        self._live.interrupt()

    def __aiter__(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        return self._frames()

    async def _frames(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        while frames := await self._live.atake(idle=True):
            turn = self._num_interruptions
            for frame in frames:
                if isinstance(frame, VideoFrame):
                    yield _picture(frame)
                elif not frame.is_idle and turn == self._num_interruptions:
                    yield _sound(frame)
                    if frame.ends_speech:
                        yield AudioSegmentEnd()


def avatar_options(live: TalkingStream, height: int = 256, width: int = 256) -> AvatarOptions:
    """Describe a stream to an ``AvatarRunner``.

    Parameters
    ----------
    live : TalkingStream
    height, width : int, px
        Size of its pictures: of the photo, if the stream gives full frames.

    Returns
    -------
    livekit.agents.voice.avatar.AvatarOptions
    """
    return AvatarOptions(
        video_width=width,
        video_height=height,
        video_fps=live.fps,
        audio_sample_rate=live.sample_rate,
        audio_channels=1,
    )


def _picture(frame: VideoFrame) -> rtc.VideoFrame:
    height, width, _ = frame.image.shape
    return rtc.VideoFrame(width, height, rtc.VideoBufferType.RGB24, frame.image.tobytes())


def _sound(frame: AudioFrame) -> rtc.AudioFrame:
    pcm = frame.pcm16
    return rtc.AudioFrame(pcm.tobytes(), frame.sample_rate, 1, len(pcm))
