"""Draw contact sheets: one row per portrait and emotion, a few frames each, for people to look at.

Usage: python script/contact_sheet.py SPEECH OUT.jpg FACE… [--emotions happy,sad,angry] [--frames 8]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emohead import TalkingHead

Picture = NDArray[np.uint8]


def main() -> None:
    """Render every portrait with every emotion and save the sheet."""
    given = _arguments()
    head = TalkingHead.load()
    rows = []
    for path in given.faces:
        face = head.portrait(path)
        for emotion in given.emotions.split(","):
            frames = list(head.animate(face, given.speech, emotion=emotion))
            rows.append(_row(frames, given.frames, given.side))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows, axis=0)).save(given.out, quality=90)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speech", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("faces", type=Path, nargs="+")
    parser.add_argument("--emotions", default="happy,sad,angry")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--side", type=int, default=256, help="side of one picture in pixels")
    return parser.parse_args()


def _row(frames: list[Picture], count: int, side: int) -> Picture:
    """Place `count` frames, evenly spread over the clip, side by side."""
    chosen = [frames[i] for i in np.linspace(0, len(frames) - 1, count).round().astype(int)]
    small = [
        np.asarray(Image.fromarray(f).resize((side, side), Image.Resampling.LANCZOS))
        for f in chosen
    ]
    return np.concatenate(small, axis=1)


if __name__ == "__main__":
    main()
