"""A face that speaks while the sound is still coming: pushed in pieces, taken as it is ready.

Usage: python examples/live_stream.py [OUT.mp4 [FACE [SPEECH]]]

A file stands in for the microphone or the speech synthesis, another for screen and loudspeaker.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from emohead import AudioFrame, TalkingHead, VideoFrame, read_audio
from emohead.audio import audio_from_array
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.video import VideoWriter

PIECE_S = 0.1
"""What a network packet might hold."""


def main(
    out: str = "live.mp4",
    face: str | Path = SAMPLE_FACE,
    speech: str | Path = SAMPLE_SPEECH,
) -> None:
    """Push a voice in pieces of a tenth of a second, and record what comes out."""
    voice = read_audio(speech)
    pieces = np.array_split(voice.samples, max(1, round(voice.duration_s / PIECE_S)))
    head = TalkingHead.load()
    pictures: list[np.ndarray] = []
    sounds: list[np.ndarray] = []
    with head.stream(head.portrait(face), sample_rate=voice.sample_rate) as live:
        for number, piece in enumerate(pieces, start=1):
            live.push_audio(piece, last=number == len(pieces))
            for frame in live:
                match frame:
                    case VideoFrame():
                        pictures.append(frame.image)
                    case AudioFrame():
                        sounds.append(frame.samples)
        print(f"each picture waits for {live.latency.total_s:.2f} s of sound after it")
    sound = audio_from_array(np.concatenate(sounds), voice.sample_rate)
    with VideoWriter(out, fps=live.fps, audio=sound) as writer:
        for picture in pictures:
            writer.write(picture)
    print(f"{out}: {len(pictures)} pictures of {len(pieces)} pieces")


if __name__ == "__main__":
    main(*sys.argv[1:4])
