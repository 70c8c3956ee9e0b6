"""Several clips side by side through one renderer: their steps share batches.

Usage: python examples/many_at_once.py [FOLDER [FACE [SPEECH …]]]
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emohead import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

EMOTIONS = ("happy", "sad", "surprised")


def main(folder: str = "many", face: str | Path = SAMPLE_FACE, *speeches: str | Path) -> None:
    """Render every voice in three emotions at once."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    head = TalkingHead.load()
    portrait = head.portrait(face)
    asked = [(s, e) for s in speeches or (SAMPLE_SPEECH,) for e in EMOTIONS]
    with head.executor() as executor, ThreadPoolExecutor(len(asked)) as savers:
        tracks = [executor.submit(portrait, speech, emotion=e) for speech, e in asked]
        paths = [Path(folder) / f"{Path(speech).stem}-{e}.mp4" for speech, e in asked]
        list(savers.map(lambda track, path: track.save(path), tracks, paths))
        stats = executor.stats()
    print(f"{stats.num_frames} frames in {stats.num_batches} steps of the renderer")


if __name__ == "__main__":
    main(*sys.argv[1:])
