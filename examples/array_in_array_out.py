"""Everything in memory: a camera picture and a microphone buffer in, frames out, no file between.

Usage: python examples/array_in_array_out.py [FACE [SPEECH]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from emohead import TalkingHead
from emohead.audio import audio_from_array, read_audio
from emohead.images import read_image
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH


def main(face: str | Path = SAMPLE_FACE, speech: str | Path = SAMPLE_SPEECH) -> None:
    """Animate arrays and print what came out."""
    picture = read_image(face)  # (height, width, 3) uint8 RGB, as a camera would give
    buffer = (read_audio(speech).samples * 32767).astype(np.int16)  # as a microphone would
    head = TalkingHead.load()
    clip = head.animate(head.portrait(picture), audio_from_array(buffer, 16_000))
    frames = np.stack(list(clip))
    print(f"{clip.emotion.name}: frames {frames.shape} {frames.dtype}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
