"""Take frames one at a time instead of a file: here, the widest open mouth is saved as a picture.

Usage: python examples/frames_to_your_own_code.py [OUT.png [FACE [SPEECH]]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from emohead import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

UPPER_LIP, LOWER_LIP = 62, 66


def main(
    out: str = "widest.png",
    face: str | Path = SAMPLE_FACE,
    speech: str | Path = SAMPLE_SPEECH,
) -> None:
    """Find the frame whose inner lips are farthest apart and save it."""
    head = TalkingHead.load()
    clip = head.animate(head.portrait(face), speech)
    opening_px = clip.landmarks[:, LOWER_LIP, 1] - clip.landmarks[:, UPPER_LIP, 1]
    widest = int(np.argmax(opening_px))
    frame = next(frame for i, frame in enumerate(clip) if i == widest)
    Image.fromarray(frame).save(out)
    print(f"{out}: frame {widest} of {len(clip)}, mouth {opening_px[widest]:.1f} px open")


if __name__ == "__main__":
    main(*sys.argv[1:4])
