"""One face, one voice, three emotions: the networks and the face are prepared once.

Usage: python examples/three_emotions.py [FOLDER [FACE [SPEECH]]]
"""

from __future__ import annotations

import sys
from pathlib import Path

from emohead import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH


def main(
    folder: str = "three_emotions",
    face: str | Path = SAMPLE_FACE,
    speech: str | Path = SAMPLE_SPEECH,
) -> None:
    """Render a happy, a sad and an angry version into a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    head = TalkingHead.load()
    portrait = head.portrait(face)
    for emotion in ("happy", "sad", "angry"):
        clip = head.animate(portrait, speech, emotion=emotion, seed=1)
        clip.save(Path(folder) / f"{emotion}.mp4")
        print(f"{emotion}: {len(clip)} frames")


if __name__ == "__main__":
    main(*sys.argv[1:4])
