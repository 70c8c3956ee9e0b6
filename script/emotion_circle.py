"""Draw faces over the circle of valence and arousal, for the documentation and for people to judge.

Usage: python script/emotion_circle.py OUT.jpg [--face PHOTO] [--side 132]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from emohead import VA, Audio, Portrait, TalkingHead
from emohead.emotion.valence_arousal import circle_angles
from emohead.samples import SAMPLE_FACE

RINGS = ((0.0, 1), (0.5, 6), (1.0, 12))
"""Radius, and how many faces lie on it."""
GROUND, INK, LINE = (250, 250, 250), (40, 40, 40), (200, 200, 200)


def main() -> None:
    """Render one face per place and put them where they belong."""
    given = _arguments()
    head = TalkingHead.load()
    face = head.portrait(given.face)
    reach = round(3.05 * given.side)
    centre = round(4.25 * given.side)
    sheet = Image.new("RGB", (2 * centre, 2 * centre), GROUND)
    _draw_circle(ImageDraw.Draw(sheet), centre, reach, given.side)
    for radius, count in RINGS:
        for angle in np.arange(count) * math.tau / count:
            picture = Image.fromarray(_look(head, face, radius, angle)).crop(_box(face))
            small = picture.resize((given.side, given.side), Image.Resampling.LANCZOS)
            x = centre + radius * reach * math.cos(angle) - given.side / 2
            y = centre - radius * reach * math.sin(angle) - given.side / 2
            sheet.paste(small, (round(x), round(y)))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(given.out, quality=85, optimize=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--face", type=Path, default=SAMPLE_FACE)
    parser.add_argument("--side", type=int, default=132, help="side of one face in pixels")
    return parser.parse_args()


def _look(head: TalkingHead, face: Portrait, radius: float, angle: float) -> NDArray[np.uint8]:
    """Face at rest, a few frames after it began, so that the renderer has settled."""
    silence = Audio(np.zeros(4 * 534, np.float32))
    place = VA(radius * math.cos(angle), radius * math.sin(angle))
    return list(head.animate(face, silence, emotion=place, still=True))[-1]


def _box(face: Portrait) -> tuple[float, float, float, float]:
    """Find the square around the face, with a little of what surrounds it, in crop pixels."""
    low, high = face.landmarks[:, :2].min(0), face.landmarks[:, :2].max(0)
    x, y = (low + high) / 2
    half = 0.62 * (high - low).max()
    return x - half, y - 1.15 * half, x + half, y + 0.85 * half


def _draw_circle(draw: ImageDraw.ImageDraw, centre: int, reach: int, side: int) -> None:
    font = ImageFont.load_default(size=side / 7)
    draw.ellipse((centre - reach, centre - reach, centre + reach, centre + reach), outline=LINE)
    draw.line((centre - reach, centre, centre + reach, centre), fill=LINE)
    draw.line((centre, centre - reach, centre, centre + reach), fill=LINE)
    for name, angle in circle_angles().items():
        away = reach + 0.92 * side
        x, y = centre + away * math.cos(angle), centre - away * math.sin(angle)
        draw.text((x, y), name, fill=INK, font=font, anchor="mm")
    for text, place in (
        ("aroused", (centre, side / 4)),
        ("drowsy", (centre, 2 * centre - side / 4)),
    ):
        draw.text(place, text, fill=INK, font=font, anchor="mm")


if __name__ == "__main__":
    main()
