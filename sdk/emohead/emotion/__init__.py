"""Emotions: as values (here), over time, as files, shaped by a director, heard in a voice.

``values.py`` and ``valence_arousal.py`` say what an emotion is, ``track.py``, ``shaping.py`` and
``files.py`` how it changes over time, ``windows.py``, ``reader.py``, ``following.py`` and
``hearing.py`` how it is heard, ``feeling.py`` which of both a stream shows. Not here: faces
(``stylise.py``).
"""

from emohead.emotion.values import (
    ALIASES,
    EMOTIONS,
    NEUTRAL,
    Emotion,
    Source,
    emotion_from,
    emotion_index,
    parse_emotion,
    weakened,
)

__all__ = [
    "ALIASES",
    "EMOTIONS",
    "NEUTRAL",
    "Emotion",
    "Source",
    "emotion_from",
    "emotion_index",
    "parse_emotion",
    "weakened",
]
