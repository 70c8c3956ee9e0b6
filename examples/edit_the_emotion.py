"""Read the emotion of a voice over time, edit it, keep it as JSON, and let the face follow it.

Usage: python examples/edit_the_emotion.py [OUT.mp4 [FACE [SPEECH]]]

Beside OUT.mp4 lies OUT.json, which `emohead render … --emotion-track OUT.json` takes too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from emohead import Shaping, TalkingHead, read_audio
from emohead.emotion.files import write_track
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH


def main(
    out: str = "edited.mp4",
    face: str | Path = SAMPLE_FACE,
    speech: str | Path = SAMPLE_SPEECH,
) -> None:
    """Let the face do what the voice does, a little happier, and be surprised at the end."""
    voice = read_audio(speech)
    head = TalkingHead.load()
    heard = head.read_emotion(voice)
    happier = Shaping(preferred_emotion="happy", preferred_emotion_strength=0.3, max_emotions=2)
    track = heard.directed(happier).with_keyframe(0.8 * voice.duration_s, "surprised")
    write_track(track, Path(out).with_suffix(".json"))
    head.animate(head.portrait(face), voice, emotion=track).save(out)
    for start_s, name in track.segments(voice.duration_s):
        print(f"{start_s:5.1f} s  {name}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
