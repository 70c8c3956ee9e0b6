"""Named training configurations: a run is a function that returns a frozen config.

``smoke_<stage>`` takes minutes on two cores, ``default_<stage>`` makes the shipped bundle.
Not here: the meaning of a field, which is documented at its config class beside the stage.
"""

from __future__ import annotations

from emohead_training.loop import Budget
from emohead_training.portrait.detector_training import DetectorRecipe
from emohead_training.portrait.landmark_training import LandmarkRecipe
from emohead_training.stylisation.training import EmotionLandmarksConfig
from emohead_training.voice.autovc_training import AutovcConfig


def smoke_autovc() -> AutovcConfig:
    """Ten minutes of synthesised speech and a few hundred steps."""
    return AutovcConfig(budget=Budget(steps=200, minutes=2), synthetic_seconds=600)


def default_autovc() -> AutovcConfig:
    """The shipped encoders: about 15 minutes of one idle core."""
    return AutovcConfig(budget=Budget(steps=4000, minutes=40))


def smoke_emotion_landmarks() -> EmotionLandmarksConfig:
    """Half a minute: the mean styles, roughly."""
    return EmotionLandmarksConfig(budget=Budget(steps=300, minutes=2), critic_warmup=100)


def default_emotion_landmarks() -> EmotionLandmarksConfig:
    """The shipped generator: about three minutes of one idle core."""
    return EmotionLandmarksConfig(budget=Budget(steps=6000, minutes=30))


def smoke_face_landmarks() -> LandmarkRecipe:
    """Two minutes: points in about the right place."""
    return LandmarkRecipe(budget=Budget(steps=300, minutes=3))


def default_face_landmarks() -> LandmarkRecipe:
    """Train the shipped landmarker: about ten minutes of one idle core."""
    return LandmarkRecipe(budget=Budget(steps=2600, minutes=60))


def smoke_face_detector() -> DetectorRecipe:
    """Two minutes: large faces only."""
    return DetectorRecipe(budget=Budget(steps=200, minutes=3))


def default_face_detector() -> DetectorRecipe:
    """Train the shipped detector: about ten minutes of one idle core."""
    return DetectorRecipe(budget=Budget(steps=3000, minutes=60))
