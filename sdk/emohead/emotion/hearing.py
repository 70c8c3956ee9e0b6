"""What a whole voice feels: one emotion of the clip, or one that follows it.

Called by ``head.py``, ``style/reference.py`` and the command line. Not here: the accumulators
(``reader.py``, ``following.py``).
"""

from __future__ import annotations

from pathlib import Path

from emohead.audio import Audio
from emohead.backends import choose_backend
from emohead.bundle import Bundle
from emohead.emotion.following import EmotionFollower
from emohead.emotion.reader import EmotionReader
from emohead.emotion.track import EmotionTrack
from emohead.runner import Runner
from emohead.stages import EMOTION_ENCODER

__all__ = ["open_encoder", "read_emotion"]


def open_encoder(bundle: str | Path | None = None, backend: str = "auto") -> Runner:
    """Open the one network that hears emotions, for who needs no face.

    Parameters
    ----------
    bundle : path, optional
        The embedded bundle otherwise.
    backend : str
        See ``TalkingHead.load``.

    Returns
    -------
    Runner
    """
    return Bundle.open(bundle).runner(EMOTION_ENCODER.name, choose_backend(backend))


def read_emotion(voice: Audio, runner: Runner, *, per_clip: bool = False) -> EmotionTrack:
    """Read the emotion of a whole voice.

    Parameters
    ----------
    voice : Audio
    runner : Runner
        Of the stage ``emotion_encoder``.
    per_clip : bool
        One emotion for all time, as in the paper, rather than one that follows the voice.

    Returns
    -------
    EmotionTrack
        Source ``voice``; a note says so where no voice was heard.
    """
    if not per_clip:
        follower = EmotionFollower(runner)
        for block in voice.blocks():
            follower.push(block)
        return follower.close()
    reader = EmotionReader(runner)
    for block in voice.blocks():
        reader.push(block)
    emotion = reader.close()
    confidence = 0.0 if emotion.scores is None else float(emotion.scores.max())
    return EmotionTrack.constant(emotion, min(confidence, 1.0))
