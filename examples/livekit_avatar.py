"""A talking head as a LiveKit avatar. It speaks a file; an agent's speech comes in the same way.

Usage: python examples/livekit_avatar.py FACE SPEECH             # no server: nobody sees it
       python examples/livekit_avatar.py FACE SPEECH URL TOKEN   # published in a LiveKit room

Needs the extra ``agents``. In an agent, give ``session.output.audio`` the ``QueueAudioOutput``, or
run the avatar in a process of its own with LiveKit's ``DataStreamAudioReceiver``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents.voice.avatar import AvatarRunner, QueueAudioOutput

from emohead import TalkingHead, TalkingStream, read_audio
from emohead.agents.livekit import TalkingVideoGenerator, avatar_options


class NoRoom:
    """Stands in for ``rtc.Room`` where there is no server: what is published is seen by none."""

    def __init__(self) -> None:
        self.local_participant = self

    def isconnected(self) -> bool:
        """Whether tracks can be published."""
        return True

    def on(self, event: str, callback: Any) -> None:
        """Ignore who wants to hear of events."""

    off = on

    async def publish_track(self, track: Any, options: Any) -> NoRoom:
        """Take a track."""
        return self

    async def wait_for_subscription(self) -> None:
        """Wait for no one."""


async def say(live: TalkingStream, room: Any, pcm: np.ndarray, rate: int) -> Any:
    """Speak into a room, and return LiveKit's event of the end of the playback."""
    audio = QueueAudioOutput(sample_rate=rate)
    runner = AvatarRunner(
        room,
        audio_recv=audio,
        video_gen=TalkingVideoGenerator(live),
        options=avatar_options(live),
    )
    await runner.start()
    for start in range(0, len(pcm), rate // 50):
        chunk = pcm[start : start + rate // 50]
        await audio.capture_frame(rtc.AudioFrame(chunk.tobytes(), rate, 1, len(chunk)))
    audio.flush()
    event = await audio.wait_for_playout()
    await runner.aclose()
    return event


async def main(face_path: str, speech_path: str, url: str = "", token: str = "") -> None:
    """Let a face speak a file into a room."""
    speech = read_audio(speech_path)
    pcm = (speech.samples * 32767).astype(np.int16)
    head = TalkingHead.load()
    room: Any = rtc.Room() if url else NoRoom()
    if url:
        await room.connect(url, token)
    with head.stream(head.portrait(face_path), sample_rate=speech.sample_rate) as live:
        event = await say(live, room, pcm, speech.sample_rate)
        print(f"spoke {event.playback_position:.2f} s, {live.stats.num_frames} pictures")
    if url:
        await room.disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
