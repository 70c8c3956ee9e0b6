"""One face, one voice, three emotions.

Usage: python examples/three_emotions.py FACE SPEECH FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from emohead import TalkingHead


def main(face_path: str, speech_path: str, folder: str) -> None:
    """Render a happy, a sad and an angry version into a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    head = TalkingHead.load()
    face = head.portrait(face_path)
    for emotion in ("happy", "sad", "angry"):
        clip = head.animate(face, speech_path, emotion=emotion, seed=1)
        clip.save(Path(folder) / f"{emotion}.mp4")
        print(f"{emotion}: {len(clip)} frames")


if __name__ == "__main__":
    main(*sys.argv[1:4])
