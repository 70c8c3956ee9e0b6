"""Take frames one at a time instead of a file: here, the widest open mouth is saved as a picture.

Usage: python examples/frames_to_your_own_code.py FACE SPEECH OUT.png
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image

from emohead import TalkingHead

UPPER_LIP, LOWER_LIP = 62, 66


def main(face_path: str, speech_path: str, out_path: str) -> None:
    """Find the frame whose inner lips are farthest apart and save it."""
    head = TalkingHead.load()
    clip = head.animate(head.portrait(face_path), speech_path)
    opening_px = clip.landmarks[:, LOWER_LIP, 1] - clip.landmarks[:, UPPER_LIP, 1]
    widest = int(np.argmax(opening_px))
    frame = next(frame for i, frame in enumerate(clip) if i == widest)
    Image.fromarray(frame).save(out_path)
    print(f"frame {widest} of {len(clip)}, mouth {opening_px[widest]:.1f} px open")


if __name__ == "__main__":
    main(*sys.argv[1:4])
