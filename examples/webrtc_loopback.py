"""A talking head over WebRTC: one peer sends, another on the same machine receives and records.

Usage: python examples/webrtc_loopback.py FACE SPEECH OUT.mp4

Needs the extra ``agents``. Between two machines, carry ``localDescription`` by your own signalling.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import numpy as np
from aiortc import RTCPeerConnection
from aiortc.contrib.media import MediaRecorder

from emohead import TalkingHead, TalkingStream, read_audio
from emohead.agents.webrtc import TalkingTracks


async def connect(sender: RTCPeerConnection, receiver: RTCPeerConnection) -> None:
    """Introduce two peers of this process to each other."""
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(sender.localDescription)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(receiver.localDescription)


async def say(live: TalkingStream, samples: np.ndarray, sink: Any) -> None:
    """Speak from one peer to another, whose tracks go to `sink`."""
    sender, receiver = RTCPeerConnection(), RTCPeerConnection()
    receiver.on("track", sink.addTrack)
    tracks = TalkingTracks(live)
    sender.addTrack(tracks.audio)
    sender.addTrack(tracks.video)
    await connect(sender, receiver)
    await sink.start()
    await live.apush_audio(samples, last=True)
    while live.is_speaking:
        await asyncio.sleep(0.1)
    await sink.stop()
    await tracks.aclose()
    await asyncio.gather(sender.close(), receiver.close())


async def main(face_path: str, speech_path: str, out: str) -> None:
    """Let a face speak a file to a peer that records it."""
    speech = read_audio(speech_path)
    head = TalkingHead.load()
    with head.stream(head.portrait(face_path), sample_rate=speech.sample_rate) as live:
        await say(live, speech.samples, MediaRecorder(out))
        print(f"sent {live.stats.num_frames} pictures, {live.stats.num_idle_frames} of them idle")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
