"""Named training configurations: a run is a function that returns a frozen config.

``smoke_<stage>`` takes minutes on two cores, ``default_<stage>`` makes the shipped bundle.
Not here: the meaning of a field, which is documented at its config class beside the stage.
"""

from __future__ import annotations

from emohead_training.loop import Budget
from emohead_training.stylisation.training import EmotionLandmarksConfig
from emohead_training.voice.autovc_training import AutovcConfig


def smoke_autovc() -> AutovcConfig:
    """Ten minutes of synthesised speech and a few hundred steps."""
    return AutovcConfig(budget=Budget(steps=200, minutes=2), synthetic_seconds=600)


def default_autovc() -> AutovcConfig:
    """The shipped encoders: 20 minutes on one core."""
    return AutovcConfig(budget=Budget(steps=5000, minutes=30))


def smoke_emotion_landmarks() -> EmotionLandmarksConfig:
    """Half a minute: the mean styles, roughly."""
    return EmotionLandmarksConfig(budget=Budget(steps=300, minutes=2), critic_warmup=100)


def default_emotion_landmarks() -> EmotionLandmarksConfig:
    """The shipped generator: about three minutes of one idle core."""
    return EmotionLandmarksConfig(budget=Budget(steps=6000, minutes=30))
