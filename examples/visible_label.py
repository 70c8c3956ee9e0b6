"""Write into every frame that it is synthetic, where metadata would be lost.

Usage: python examples/visible_label.py [OUT.mp4 [FACE [SPEECH]]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emohead import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.video import VideoWriter

LABEL = "AI-generated"


def labelled(frame: np.ndarray) -> np.ndarray:
    """Write the label into the lower left corner of a (height, width, 3) uint8 frame."""
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(12, image.height // 16))
    place = (image.height // 32, image.height - image.height // 10)
    draw.text(place, LABEL, font=font, fill="white", stroke_width=2, stroke_fill="black")
    return np.asarray(image)


def main(
    out: str = "labelled.mp4",
    face: str | Path = SAMPLE_FACE,
    speech: str | Path = SAMPLE_SPEECH,
) -> None:
    """Render a clip frame by frame and label each."""
    head = TalkingHead.load()
    clip = head.animate(head.portrait(face), speech)
    with VideoWriter(out, fps=clip.fps, audio=clip.speech, describe=clip.label()) as writer:
        for frame in clip:
            writer.write(labelled(frame))
    print(f"{out}: {len(clip)} frames, each labelled {LABEL!r}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
